//! The bell: one notification on the screen for each account whose view rings.
//!
//! [`step`] says, PURE, what has to change on the screen. A task of its own carries that out with the
//! desktop's notification service, and takes its signals in one unbroken stream, one thing after the
//! other: so an answer can't come before its notification is known, and none falls between two streams.

mod service;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signbell_engine::model::AccountName;
use signbell_engine::view::AppView;
use tokio::sync::{mpsc, oneshot};

use self::service::{Service, Signal};

/// What the person answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The button, or a click on the notification itself.
    SignIn(AccountName),
    /// The other button.
    Later(AccountName),
}

/// The bell of this desktop.
pub(crate) struct Bell(mpsc::UnboundedSender<Order>);

enum Order {
    See(Arc<AppView>),
    Say { title: String, body: String },
    End(oneshot::Sender<()>),
}

impl Bell {
    /// Hangs it up. `icon_file` is where its picture is put, and answers go to `answered`.
    pub(crate) fn hang(icon_file: PathBuf, answered: mpsc::UnboundedSender<Answered>) -> Self {
        let (orders, heard) = mpsc::unbounded_channel();
        tauri::async_runtime::spawn(Ringer::new(icon_file, answered).run(heard));
        Self(orders)
    }

    /// Rings for what `view` rings for, and for nothing else.
    pub(crate) fn see(&self, view: Arc<AppView>) {
        self.order(Order::See(view));
    }

    /// Shows a sentence.
    pub(crate) fn say(&self, title: String, body: String) {
        self.order(Order::Say { title, body });
    }

    /// Takes every notification from the screen.
    pub(crate) async fn end(&self) {
        let (done, ended) = oneshot::channel();
        self.order(Order::End(done));
        // An error says that it has ended already.
        let _ = ended.await;
    }

    fn order(&self, order: Order) {
        if self.0.send(order).is_err() {
            tracing::debug!("the bell is taken down");
        }
    }
}

/// A ring that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownRing {
    /// [`signbell_engine::view::RingView::id`].
    ring: u64,
    on_screen: OnScreen,
}

/// What became of its notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnScreen {
    /// It is there, under the service's number.
    Yes(u32),
    /// The person closed it.
    Dismissed,
    /// The service could not show it, or went away with it.
    Never,
}

/// What has to be done.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// A new ring; it takes the place of the account's older notification.
    Show { account: AccountName, ring: u64, title: String, body: String, replaces: Option<u32> },
    /// The ring is over.
    Close { account: AccountName, notification: Option<u32> },
}

/// PURE: from what was shown to what `view` asks for.
fn step(shown: &BTreeMap<AccountName, ShownRing>, view: &AppView) -> Vec<Change> {
    let rings: BTreeMap<_, _> =
        view.accounts.iter().filter_map(|a| a.ring.as_ref().map(|ring| (&a.account, ring))).collect();
    let over = shown.iter().filter(|(account, _)| !rings.contains_key(account));
    let closed =
        over.map(|(account, old)| Change::Close { account: account.clone(), notification: old.notification() });
    let new = rings.iter().filter(|(account, ring)| shown.get(**account).is_none_or(|old| old.ring != ring.id));
    let show = new.map(|(account, ring)| Change::Show {
        account: (*account).clone(),
        ring: ring.id,
        title: ring.title.clone(),
        body: ring.body.clone(),
        replaces: shown.get(*account).and_then(ShownRing::notification),
    });
    closed.chain(show).collect()
}

impl ShownRing {
    fn notification(&self) -> Option<u32> {
        match self.on_screen {
            OnScreen::Yes(id) => Some(id),
            OnScreen::Dismissed | OnScreen::Never => None,
        }
    }
}

/// The task behind a [`Bell`].
struct Ringer {
    service: Service,
    answered: mpsc::UnboundedSender<Answered>,
    /// What the engine last said.
    view: Arc<AppView>,
    shown: BTreeMap<AccountName, ShownRing>,
    /// Notifications that were closed a moment ago, whose answers may still be on their way.
    closed: Vec<(Instant, u32, AccountName)>,
}

/// For how long an answer to a closed notification counts.
const AFTERMATH: Duration = Duration::from_secs(5);

impl Ringer {
    fn new(icon_file: PathBuf, answered: mpsc::UnboundedSender<Answered>) -> Self {
        Self {
            service: Service::new(icon_file),
            answered,
            view: Arc::default(),
            shown: BTreeMap::new(),
            closed: Vec::new(),
        }
    }

    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        loop {
            tokio::select! {
                // What was clicked before the bell stopped was still clicked.
                biased;
                signal = self.service.next_signal() => self.hear(signal).await,
                order = orders.recv() => match order {
                    Some(Order::See(view)) => {
                        self.view = view;
                        self.follow().await;
                    }
                    Some(Order::Say { title, body }) => self.service.say(&title, &body).await,
                    Some(Order::End(done)) => {
                        self.view = Arc::default();
                        self.follow().await;
                        // Nobody who waits is no error.
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
            }
        }
    }

    /// Makes the screen what the view asks for.
    async fn follow(&mut self) {
        let language = self.view.language.unwrap_or_default();
        for change in step(&self.shown, &self.view) {
            match change {
                Change::Show { account, ring, title, body, replaces } => {
                    let shown = self.service.show(&title, &body, replaces, language).await;
                    let on_screen = shown.map_or(OnScreen::Never, OnScreen::Yes);
                    self.shown.insert(account, ShownRing { ring, on_screen });
                }
                Change::Close { account, notification } => {
                    self.shown.remove(&account);
                    if let Some(id) = notification {
                        self.closed.push((Instant::now(), id, account));
                        self.service.close(id).await;
                    }
                }
            }
        }
    }

    async fn hear(&mut self, signal: Signal) {
        match signal {
            Signal::Clicked { id, button } => {
                if let Some(answer) = self.account_of(id).and_then(|account| answer(&button, account)) {
                    tracing::debug!(?answer, "answered");
                    // The shell ends before the bell does.
                    let _ = self.answered.send(answer);
                }
            }
            Signal::Closed { id } => {
                let found = self.shown.iter_mut().find(|(_, shown)| shown.on_screen == OnScreen::Yes(id));
                if let Some((account, shown)) = found {
                    shown.on_screen = OnScreen::Dismissed;
                    // Some services say that it closed before they say what closed it.
                    self.closed.push((Instant::now(), id, account.clone()));
                }
            }
            Signal::Gone => {
                // Its numbers begin anew with the next one: an old number is another program's then.
                self.closed.clear();
                for shown in self.shown.values_mut().filter(|shown| shown.notification().is_some()) {
                    shown.on_screen = OnScreen::Never;
                }
            }
            Signal::Came => {
                self.shown.retain(|_, shown| shown.on_screen != OnScreen::Never);
                self.follow().await;
            }
        }
    }

    fn account_of(&mut self, id: u32) -> Option<AccountName> {
        self.closed.retain(|(at, ..)| at.elapsed() < AFTERMATH);
        let shown =
            self.shown.iter().find(|(_, shown)| shown.on_screen == OnScreen::Yes(id)).map(|(account, _)| account);
        let closed = || self.closed.iter().rev().find(|(_, closed, _)| *closed == id).map(|(.., account)| account);
        shown.or_else(closed).cloned()
    }
}

fn answer(button: &str, account: AccountName) -> Option<Answered> {
    match button {
        service::SIGN_IN | service::DEFAULT => Some(Answered::SignIn(account)),
        service::LATER => Some(Answered::Later(account)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use signbell_engine::view::{RingView, StateName};

    use super::*;
    use crate::tray::{account_in, view_of};

    fn ringing(rings: &[(&str, Option<u64>)]) -> AppView {
        let account = |(name, ring): &(&str, Option<u64>)| {
            let mut account = account_in(name, StateName::NeedsSignIn);
            account.ring = ring.map(|id| RingView { id, title: format!("{name}!"), body: format!("why {id}") });
            account
        };
        view_of(rings.iter().map(account).collect())
    }

    fn shown(rings: &[(&str, u64, OnScreen)]) -> BTreeMap<AccountName, ShownRing> {
        rings
            .iter()
            .map(|(name, ring, on_screen)| (name.parse().unwrap(), ShownRing { ring: *ring, on_screen: *on_screen }))
            .collect()
    }

    fn show(name: &str, ring: u64, replaces: Option<u32>) -> Change {
        let account = name.parse().unwrap();
        Change::Show { account, ring, title: format!("{name}!"), body: format!("why {ring}"), replaces }
    }

    fn close(name: &str, notification: Option<u32>) -> Change {
        Change::Close { account: name.parse().unwrap(), notification }
    }

    #[test]
    fn from_what_is_shown_to_what_rings() {
        use OnScreen::{Dismissed, Never, Yes};
        for (name, before, view, changes) in [
            ("silence", shown(&[]), ringing(&[("ada", None)]), vec![]),
            ("a first ring", shown(&[]), ringing(&[("ada", Some(1))]), vec![show("ada", 1, None)]),
            ("the same ring", shown(&[("ada", 1, Yes(7))]), ringing(&[("ada", Some(1))]), vec![]),
            ("a reminder", shown(&[("ada", 1, Yes(7))]), ringing(&[("ada", Some(2))]), vec![show("ada", 2, Some(7))]),
            ("dismissed", shown(&[("ada", 1, Dismissed)]), ringing(&[("ada", Some(1))]), vec![]),
            (
                "a reminder after that",
                shown(&[("ada", 1, Dismissed)]),
                ringing(&[("ada", Some(2))]),
                vec![show("ada", 2, None)],
            ),
            ("not shown", shown(&[("ada", 1, Never)]), ringing(&[("ada", Some(1))]), vec![]),
            ("tried again", shown(&[("ada", 1, Never)]), ringing(&[("ada", Some(2))]), vec![show("ada", 2, None)]),
            (
                "an engine that counts anew",
                shown(&[("ada", 9, Yes(7))]),
                ringing(&[("ada", Some(1))]),
                vec![show("ada", 1, Some(7))],
            ),
            ("over", shown(&[("ada", 1, Yes(7))]), ringing(&[("ada", None)]), vec![close("ada", Some(7))]),
            ("over, dismissed", shown(&[("ada", 1, Dismissed)]), ringing(&[("ada", None)]), vec![close("ada", None)]),
            ("no such account now", shown(&[("ada", 1, Yes(7))]), ringing(&[]), vec![close("ada", Some(7))]),
            (
                "all at once",
                shown(&[("ada", 1, Yes(7)), ("bob", 2, Yes(8)), ("cy", 3, Yes(9))]),
                ringing(&[("bob", Some(2)), ("cy", Some(4)), ("di", Some(5))]),
                vec![close("ada", Some(7)), show("cy", 4, Some(9)), show("di", 5, None)],
            ),
        ] {
            assert_eq!(step(&before, &view), changes, "{name}");
        }
    }

    #[test]
    fn answers_belong_to_their_account_also_just_after_the_end() {
        let (answered, _) = mpsc::unbounded_channel();
        let mut ringer = Ringer::new(PathBuf::new(), answered);
        ringer.shown = shown(&[("ada", 1, OnScreen::Yes(7))]);
        let long_ago = Instant::now().checked_sub(AFTERMATH * 2).unwrap();
        ringer.closed = vec![
            (long_ago, 3, "old".parse().unwrap()),
            (Instant::now(), 4, "bob".parse().unwrap()),
            (Instant::now(), 7, "bob".parse().unwrap()),
        ];
        for (id, account) in [(7, Some("ada")), (4, Some("bob")), (3, None), (99, None)] {
            assert_eq!(ringer.account_of(id), account.map(|a| a.parse().unwrap()), "{id}");
        }
        let ada = || "ada".parse::<AccountName>().unwrap();
        for (button, wanted) in [
            ("sign-in", Some(Answered::SignIn(ada()))),
            ("default", Some(Answered::SignIn(ada()))),
            ("later", Some(Answered::Later(ada()))),
            ("reply", None),
        ] {
            assert_eq!(answer(button, ada()), wanted);
        }
    }
}
