//! The bell: one notification on the screen for each account whose view rings, and for each question that
//! only the person can answer.
//!
//! [`step`] says, PURE, what has to change on the screen. A task of its own carries that out with the
//! desktop's notification service, and takes its signals in one unbroken stream, one thing after the
//! other: so an answer can't come before its notification is known, and none falls between two streams.

mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signbell_engine::control::{Answer, Failure};
use signbell_engine::model::AccountName;
use signbell_engine::view::AppView;
use signbell_engine::wording::tray::{self as words, Line};
use signbell_engine::wording::{self, language::Language};
use tokio::sync::{mpsc, oneshot};

use self::service::{Service, Signal};
use crate::watch::usual_language;

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// An account needs the person.
    Account(AccountName),
    /// A program wants to use a service.
    /// Whether there is a path that "always" could be kept for is part of it: its buttons say so.
    Confirm { id: u64, lasting: bool },
    /// A question of whether programs may do more.
    Permit(u64),
}

/// What the person answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The button, or a click on the notification itself.
    SignIn(AccountName),
    /// The other button.
    Later(AccountName),
    /// One of a question's buttons.
    Confirm(u64, Answer),
    /// The same of whether programs may do more.
    Permit(u64, bool),
    /// A click beside them, which says nothing yet: the window has the question too.
    Look,
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
    /// A new ring; it takes the place of the older notification on the same.
    Show { topic: Topic, ring: u64, title: String, body: String, replaces: Option<u32> },
    /// The ring is over.
    Close { topic: Topic, notification: Option<u32> },
}

/// PURE: from what was shown to what `view` asks for.
fn step(shown: &BTreeMap<Topic, ShownRing>, view: &AppView) -> Vec<Change> {
    let rings = rings(view);
    let over = shown.iter().filter(|(topic, _)| !rings.contains_key(topic));
    let closed = over.map(|(topic, old)| Change::Close { topic: topic.clone(), notification: old.notification() });
    let new = rings.iter().filter(|(topic, (ring, ..))| shown.get(topic).is_none_or(|old| old.ring != *ring));
    let show = new.map(|(topic, (ring, title, body))| Change::Show {
        topic: topic.clone(),
        ring: *ring,
        title: (*title).to_owned(),
        body: (*body).to_owned(),
        replaces: shown.get(topic).and_then(ShownRing::notification),
    });
    closed.chain(show).collect()
}

/// What rings: its number, title and body. Nothing where the person wants no notifications.
fn rings(view: &AppView) -> BTreeMap<Topic, (u64, &str, &str)> {
    if !view.desktop.notifications {
        return BTreeMap::new();
    }
    let accounts = view.accounts.iter().filter_map(|account| {
        let ring = account.ring.as_ref()?;
        Some((Topic::Account(account.account.clone()), (ring.id, ring.title.as_str(), ring.body.as_str())))
    });
    let confirms = view.confirms.iter().map(|ask| {
        let topic = Topic::Confirm { id: ask.id, lasting: ask.path.is_some() };
        (topic, (ask.id, &*ask.title, &*ask.body))
    });
    let permits = view.permits.iter().map(|ask| (Topic::Permit(ask.id), (ask.id, &*ask.title, &*ask.body)));
    accounts.chain(confirms).chain(permits).collect()
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
    shown: BTreeMap<Topic, ShownRing>,
    /// Notifications that were closed a moment ago, whose answers may still be on their way.
    closed: Vec<(Instant, u32, Topic)>,
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
                    Some(Order::Say { title, body }) => {
                        if self.view.desktop.notifications {
                            self.service.say(&title, &body).await;
                        }
                    }
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
                Change::Show { topic, ring, title, body, replaces } => {
                    let shown = self.service.show(&title, &body, &buttons(&topic, language), replaces).await;
                    let on_screen = shown.map_or(OnScreen::Never, OnScreen::Yes);
                    self.shown.insert(topic, ShownRing { ring, on_screen });
                }
                Change::Close { topic, notification } => {
                    self.shown.remove(&topic);
                    if let Some(id) = notification {
                        self.closed.push((Instant::now(), id, topic));
                        self.service.close(id).await;
                    }
                }
            }
        }
    }

    async fn hear(&mut self, signal: Signal) {
        match signal {
            Signal::Clicked { id, button } => {
                if let Some(answer) = self.topic_of(id).and_then(|topic| answer(&button, topic)) {
                    tracing::debug!(?answer, "answered");
                    // The shell ends before the bell does.
                    let _ = self.answered.send(answer);
                }
            }
            Signal::Closed { id } => {
                let found = self.shown.iter_mut().find(|(_, shown)| shown.on_screen == OnScreen::Yes(id));
                if let Some((topic, shown)) = found {
                    shown.on_screen = OnScreen::Dismissed;
                    // Some services say that it closed before they say what closed it.
                    self.closed.push((Instant::now(), id, topic.clone()));
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

    fn topic_of(&mut self, id: u32) -> Option<Topic> {
        self.closed.retain(|(at, ..)| at.elapsed() < AFTERMATH);
        let shown = self.shown.iter().find(|(_, shown)| shown.on_screen == OnScreen::Yes(id)).map(|(topic, _)| topic);
        let closed = || self.closed.iter().rev().find(|(_, closed, _)| *closed == id).map(|(.., topic)| topic);
        shown.or_else(closed).cloned()
    }
}

/// Says on the desktop that the tray could not be started. Where there is no desktop, whoever started us reads
/// it on standard error.
pub(crate) fn not_started(failure: &Failure) {
    let language = usual_language();
    let said = wording::labels::failure(language, failure);
    let mut notification = notify_rust::Notification::new();
    notification
        .appname(words::NAME)
        .summary(words::line(language, Line::NotStarted))
        .body(&crate::plain::markup(&said));
    // The runtime that the tray would have had is gone by now.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let told = runtime.map(|runtime| runtime.block_on(notification.show_async()).map(drop));
    if !matches!(told, Ok(Ok(()))) {
        tracing::debug!(?told, "not told on the desktop");
    }
}

/// The buttons of a notification: what a click sends, and the words. The first is a click beside them.
fn buttons(topic: &Topic, language: Language) -> Vec<&'static str> {
    let keys: &[(&str, Line)] = match topic {
        Topic::Account(_) => {
            &[(service::DEFAULT, Line::SignIn), (service::SIGN_IN, Line::SignIn), (service::LATER, Line::Later)]
        }
        Topic::Confirm { lasting: true, .. } => &[
            (service::DEFAULT, Line::Open),
            (service::ALWAYS, Line::Always),
            (service::HOUR, Line::ThisHour),
            (service::NO, Line::No),
        ],
        Topic::Confirm { lasting: false, .. } => {
            &[(service::DEFAULT, Line::Open), (service::HOUR, Line::ThisHour), (service::NO, Line::No)]
        }
        Topic::Permit(_) => &[(service::DEFAULT, Line::Open), (service::ALLOW, Line::Allow), (service::NO, Line::No)],
    };
    keys.iter().flat_map(|(key, line)| [*key, words::line(language, *line)]).collect()
}

fn answer(button: &str, topic: Topic) -> Option<Answered> {
    Some(match (topic, button) {
        (Topic::Account(account), service::SIGN_IN | service::DEFAULT) => Answered::SignIn(account),
        (Topic::Account(account), service::LATER) => Answered::Later(account),
        (Topic::Confirm { id, lasting: true }, service::ALWAYS) => Answered::Confirm(id, Answer::Always),
        (Topic::Confirm { id, .. }, service::HOUR) => Answered::Confirm(id, Answer::Hour),
        (Topic::Confirm { id, .. }, service::NO) => Answered::Confirm(id, Answer::No),
        (Topic::Permit(id), service::ALLOW) => Answered::Permit(id, true),
        (Topic::Permit(id), service::NO) => Answered::Permit(id, false),
        (Topic::Confirm { .. } | Topic::Permit(_), service::DEFAULT) => Answered::Look,
        _ => return None,
    })
}
