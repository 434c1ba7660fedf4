//! The desktop's notification service (freedesktop.org's Desktop Notifications Specification), which
//! need not be there.
//!
//! Rings are sent by the same connection that listens for their answers: dunst tells a click to the
//! connection alone that sent the notification, and notify-rust makes a connection of its own for each.
//! Sentences have no answers, so notify-rust shows those.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use futures_util::StreamExt;
use notify_rust::{Hint, Notification, NotificationHandle, Urgency};
use signbell_engine::wording::tray as words;
use tokio::sync::mpsc;
use zbus::proxy::{OwnerChangedStream, Proxy, SignalStream};
use zbus::zvariant::Value;

use crate::plain::{markup, plain};

/// The button that signs in.
pub(super) const SIGN_IN: &str = "sign-in";
/// The button that doesn't.
pub(super) const LATER: &str = "later";
/// The button that lets a program for good.
pub(super) const ALWAYS: &str = "always";
/// The button that lets it for a while.
pub(super) const HOUR: &str = "hour";
/// The button that lets programs do more.
pub(super) const ALLOW: &str = "allow";
/// The button that does not let it.
pub(super) const NO: &str = "no";
/// A click beside the buttons, by the specification's own name.
pub(super) const DEFAULT: &str = "default";

/// How our desktop file is called.
const DESKTOP_ENTRY: &str = "signbell";
/// The specification's urgencies are 0, 1 and 2.
const NORMAL: u8 = 1;
/// It waits for the person, however long they are away.
const NEVER: i32 = 0;
/// How many sentences are kept: some services take a notification away with the connection that sent it.
const SENTENCES: usize = 8;

/// What the service tells.
pub(super) enum Signal {
    /// The person clicked.
    Clicked { id: u32, button: String },
    /// It is no longer on the screen.
    Closed { id: u32 },
    /// The service ended, and its notifications with it.
    Gone,
    /// A service started.
    Came,
}

/// The service, and what of ours it shows.
pub(super) struct Service {
    icon: String,
    link: Option<Link>,
    sentences: VecDeque<NotificationHandle>,
    /// That there is no service is said once.
    silent: bool,
}

/// The connection of our rings.
struct Link {
    proxy: Proxy<'static>,
    signals: mpsc::UnboundedReceiver<Signal>,
    /// Whether the service reads markup in bodies, as far as it was asked.
    markup: Option<bool>,
}

impl Service {
    pub(super) fn new(icon_file: PathBuf) -> Self {
        let picture = include_bytes!("../../../icons/128x128.png");
        // A theme has our icon only where we were installed.
        let written = std::fs::write(&icon_file, picture).ok().and_then(|()| icon_file.to_str().map(str::to_owned));
        Self {
            icon: written.unwrap_or_else(|| "signbell".to_owned()),
            link: None,
            sentences: VecDeque::new(),
            silent: false,
        }
    }

    /// The next signal. Never, while there is no connection: the next notification makes one. May be
    /// dropped and called again; nothing is lost.
    pub(super) async fn next_signal(&mut self) -> Signal {
        let Some(link) = &mut self.link else { return std::future::pending().await };
        let signal = link.signals.recv().await;
        match &signal {
            None => self.link = None,
            Some(Signal::Gone | Signal::Came) => link.markup = None,
            Some(_) => {}
        }
        signal.unwrap_or(Signal::Gone)
    }

    /// Shows a ring, in the place of an older one. The number is the service's; nothing, where it can't.
    pub(super) async fn show(
        &mut self,
        title: &str,
        body: &str,
        buttons: &[&str],
        replaces: Option<u32>,
    ) -> Option<u32> {
        let body = self.body(body).await;
        let link = self.link.as_ref()?;
        match link.notify(&self.icon, &plain(title), &body, buttons, replaces).await {
            Ok(id) => {
                self.silent = false;
                Some(id)
            }
            Err(e) => {
                self.cannot(&e);
                None
            }
        }
    }

    /// Takes a ring from the screen.
    pub(super) async fn close(&mut self, id: u32) {
        if let Some(link) = &self.link
            && let Err(e) = link.proxy.call_method("CloseNotification", &id).await
        {
            // It may have been closed at the same moment.
            tracing::debug!("not closed: {e}");
        }
    }

    /// Shows a sentence, for as long as the desktop likes.
    pub(super) async fn say(&mut self, title: &str, body: &str) {
        let body = self.body(body).await;
        let mut notification = Notification::new();
        notification
            .appname(words::NAME)
            .summary(&plain(title))
            .body(&body)
            .icon(&self.icon)
            .urgency(Urgency::Normal)
            .hint(Hint::DesktopEntry(DESKTOP_ENTRY.to_owned()));
        match notification.show_async().await {
            Ok(handle) => {
                self.sentences.push_back(handle);
                if self.sentences.len() > SENTENCES {
                    self.sentences.pop_front();
                }
            }
            Err(e) => self.cannot(&e),
        }
    }

    /// `text` as the service reads it. Makes the connection, where there is none.
    async fn body(&mut self, text: &str) -> String {
        if self.link.is_none() {
            match Link::new().await {
                Ok(link) => self.link = Some(link),
                Err(e) => self.cannot(&e),
            }
        }
        let reads_markup = match &mut self.link {
            Some(link) => link.reads_markup().await,
            None => true,
        };
        if reads_markup { markup(&plain(text)) } else { plain(text) }
    }

    fn cannot(&mut self, why: &dyn std::error::Error) {
        if !std::mem::replace(&mut self.silent, true) {
            tracing::info!("this desktop shows no notifications now: {why}");
        }
    }
}

impl Link {
    async fn new() -> zbus::Result<Self> {
        const NAME: &str = "org.freedesktop.Notifications";
        let bus = zbus::Connection::session().await?;
        let proxy = Proxy::new_owned(bus.clone(), NAME, "/org/freedesktop/Notifications", NAME).await?;
        // Listening begins before the first notification is sent.
        let owners = proxy.receive_owner_changed().await?;
        let signals = proxy.receive_all_signals().await?;
        let owned = zbus::fdo::DBusProxy::new(&bus).await?.name_has_owner(NAME.try_into()?).await?;
        let (tell, heard) = mpsc::unbounded_channel();
        tauri::async_runtime::spawn(listen(signals, owners, owned, tell));
        Ok(Self { proxy, signals: heard, markup: None })
    }

    async fn notify(
        &self,
        icon: &str,
        title: &str,
        body: &str,
        buttons: &[&str],
        replaces: Option<u32>,
    ) -> zbus::Result<u32> {
        let hints = HashMap::from([
            ("category", Value::from("x-signbell.needs-you")),
            ("desktop-entry", Value::from(DESKTOP_ENTRY)),
            ("urgency", Value::from(NORMAL)),
        ]);
        let call = (words::NAME, replaces.unwrap_or(0), icon, title, body, buttons, hints, NEVER);
        self.proxy.call("Notify", &call).await
    }

    async fn reads_markup(&mut self) -> bool {
        if self.markup.is_none() {
            let able: zbus::Result<Vec<String>> = self.proxy.call("GetCapabilities", &()).await;
            self.markup = able.ok().map(|able| able.iter().any(|ability| ability == "body-markup"));
        }
        // Where it can't be known, an ampersand too many is the smaller harm.
        self.markup.unwrap_or(true)
    }
}

/// Passes everything on at once, whatever the bell waits for: a full queue would stop the connection,
/// and with it the answer that the bell waits for.
async fn listen(
    mut signals: SignalStream<'static>,
    mut owners: OwnerChangedStream<'static>,
    mut owned: bool,
    tell: mpsc::UnboundedSender<Signal>,
) {
    // A bell that is gone hears nothing, and ends this below.
    let say = |signal| drop(tell.send(signal));
    loop {
        tokio::select! {
            // What a service said comes before its end.
            biased;
            message = signals.next() => match message {
                Some(message) => drop(read(&message).map(say)),
                None => return,
            },
            owner = owners.next() => match owner {
                Some(owner) => {
                    if std::mem::replace(&mut owned, owner.is_some()) {
                        say(Signal::Gone);
                    }
                    if owned {
                        say(Signal::Came);
                    }
                }
                None => return,
            },
            () = tell.closed() => return,
        }
    }
}

fn read(message: &zbus::Message) -> Option<Signal> {
    let header = message.header();
    match header.member()?.as_str() {
        "ActionInvoked" => {
            let (id, button) = message.body().deserialize().ok()?;
            Some(Signal::Clicked { id, button })
        }
        "NotificationClosed" => {
            let (id, _reason): (u32, u32) = message.body().deserialize().ok()?;
            Some(Signal::Closed { id })
        }
        _ => None,
    }
}
