//! Notifications as they pass over the bus, and clicking on them through dunst.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use zbus::MatchRule;
use zbus::blocking::fdo::MonitoringProxy;
use zbus::blocking::{Connection, MessageIterator, Proxy};
use zbus::message::{Message, Type};
use zbus::zvariant::OwnedValue;

use crate::desktop::connect;
use crate::sandbox::Sandbox;
use crate::wait::wait_ok;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const DUNST: &str = "org.dunstproject.cmd0";

/// How long dunst may take to carry out a click.
const CLICK: Duration = Duration::from_secs(30);

/// One call of `Notify` and what became of it.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// The id which the daemon gave it; 0 while (or because) there is no answer.
    pub id: u32,
    /// The name the program gave itself.
    pub app_name: String,
    /// The icon the program asked for.
    pub app_icon: String,
    /// The title.
    pub summary: String,
    /// The text below the title, with its markup.
    pub body: String,
    /// The buttons: key and label.
    pub actions: Vec<(String, String)>,
    /// The hint `urgency`: 0 low, 1 normal, 2 critical.
    pub urgency: Option<u8>,
    /// The other hints, by name, as they print.
    pub hints: HashMap<String, String>,
    /// Milliseconds after which it wishes to vanish; -1 leaves it to the daemon, 0 is never.
    pub expire_timeout: i32,
    /// The id of an earlier notification which it takes the place of, or 0.
    pub replaces_id: u32,
    /// Whether a later call took its place.
    pub replaced: bool,
    /// Whether the daemon said that it is closed.
    pub closed: bool,
    /// Why it was closed: 1 expired, 2 dismissed by the person, 3 closed by the program.
    pub close_reason: Option<u32>,
    /// Keys of the buttons which the daemon said were pressed.
    pub invoked: Vec<String>,
    /// Whether the program asked with `CloseNotification` to close it.
    pub close_asked: bool,
}

impl Shown {
    /// Whether it is on the screen now.
    pub fn is_open(&self) -> bool {
        self.id != 0 && !self.replaced && !self.closed
    }

    /// The key of the button with this label.
    pub fn key_of(&self, label: &str) -> Option<&str> {
        let mut actions = self.actions.iter();
        actions.find(|(_, text)| text == label).map(|(key, _)| key.as_str())
    }
}

/// What was shown on a desktop since its start. Comes from [`crate::Desktop::notifications`].
#[derive(Debug)]
pub struct Notifications {
    calls: Arc<Mutex<Calls>>,
    bus: Connection,
    /// What dunst's menu script is to pick.
    wish: PathBuf,
    /// The menu dunst offered last, for error messages.
    menu: PathBuf,
    clicking: Mutex<()>,
}

#[derive(Debug, Default)]
struct Calls {
    list: Vec<Shown>,
    /// Calls without an answer yet: sender and serial number, and the place in `list`.
    unanswered: HashMap<(String, u32), usize>,
}

impl Notifications {
    /// Begins to record everything said on the bus about notifications.
    pub(crate) fn watch(sandbox: &Sandbox, bus: Connection) -> Result<Self> {
        let calls = Arc::new(Mutex::new(Calls::default()));
        let monitor = connect(sandbox)?;
        let messages = MessageIterator::from(&monitor);
        let rules = [
            MatchRule::try_from("interface='org.freedesktop.Notifications'")?,
            MatchRule::try_from("type='method_return'")?,
        ];
        MonitoringProxy::new(&monitor)?.become_monitor(&rules, 0).context("becoming a monitor of the session bus")?;
        let record = Arc::clone(&calls);
        // Ends when the bus does.
        thread::spawn(move || {
            for message in messages.map_while(Result::ok) {
                let mut calls = record.lock().unwrap_or_else(PoisonError::into_inner);
                // A message of another form than the specification's is nothing to record.
                let _ = calls.take(&message);
            }
        });
        Ok(Self {
            calls,
            bus,
            wish: sandbox.path("dunst/wish"),
            menu: sandbox.path("dunst/menu"),
            clicking: Mutex::new(()),
        })
    }

    /// The notifications which the daemon took, oldest first, each in its latest form: those that
    /// were replaced are left out, closed ones are there with `closed`.
    pub fn shown(&self) -> Vec<Shown> {
        let mut all = self.calls();
        all.retain(|shown| shown.id != 0 && !shown.replaced);
        all
    }

    /// The notifications on the screen now.
    pub fn open(&self) -> Vec<Shown> {
        let mut all = self.calls();
        all.retain(Shown::is_open);
        all
    }

    /// Every call of `Notify` in order, also those replaced later or refused.
    pub fn calls(&self) -> Vec<Shown> {
        self.lock().list.clone()
    }

    /// The notification with this id in its latest form.
    pub fn get(&self, id: u32) -> Result<Shown> {
        let all = self.shown();
        let found = all.iter().rev().find(|shown| shown.id == id).cloned();
        found.with_context(|| format!("no notification {id} among {all:#?}"))
    }

    /// Waits until one of [`Notifications::shown`] is as `wanted` says (open or closed) and gives
    /// the latest such.
    pub fn wait_for(&self, wanted: impl Fn(&Shown) -> bool, timeout: Duration) -> Result<Shown> {
        wait_ok("a notification", timeout, || {
            let all = self.shown();
            let found = all.iter().rev().find(|shown| wanted(shown)).cloned();
            found.with_context(|| format!("{all:#?}"))
        })
    }

    /// Waits until dunst says that this notification is closed.
    pub fn wait_closed(&self, id: u32, timeout: Duration) -> Result<Shown> {
        wait_ok(&format!("the end of notification {id}"), timeout, || {
            let shown = self.get(id)?;
            ensure!(shown.closed, "{shown:#?}");
            Ok(shown)
        })
    }

    /// Presses the button with this key, through dunst: opens its menu of actions as a click does
    /// and picks the entry. Returns when dunst has told the program. dunst (unlike GNOME's shell)
    /// leaves the notification open after that: closing it is up to the program.
    pub fn invoke(&self, id: u32, action_key: &str) -> Result<()> {
        let _one_at_a_time = self.clicking.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = self.get(id)?;
        ensure!(shown.is_open(), "notification {id} is not open: {shown:#?}");
        let known = shown.actions.iter().any(|(key, _)| key == action_key);
        ensure!(known, "no button {action_key:?}: {shown:#?}");
        let before = shown.invoked.len();
        let _ = fs::remove_file(&self.menu);
        fs::write(&self.wish, format!("[{id},{action_key}]")).context("wishing for a button")?;
        let clicked = self.dunst("ContextMenuCall").and_then(|()| {
            wait_ok(&format!("the press of {action_key:?}"), CLICK, || {
                if self.get(id)?.invoked.len() > before {
                    return Ok(());
                }
                let menu = fs::read_to_string(&self.menu);
                bail!("menu {menu:?}, notification {:#?}", self.get(id)?)
            })
        });
        let _ = fs::remove_file(&self.wish);
        clicked
    }

    /// Presses the button with this label; see [`Notifications::invoke`].
    pub fn invoke_label(&self, id: u32, label: &str) -> Result<()> {
        let shown = self.get(id)?;
        let key = shown.key_of(label);
        let key = key.with_context(|| format!("no button labelled {label:?}: {shown:#?}"))?;
        self.invoke(id, key)
    }

    /// Dismisses everything on the screen, as a person does (close reason 2).
    pub fn dismiss_all(&self) -> Result<()> {
        self.dunst("NotificationCloseAll")?;
        wait_ok("an empty screen", CLICK, || {
            let open = self.open();
            ensure!(open.is_empty(), "{open:#?}");
            Ok(())
        })
    }

    /// How many notifications dunst itself says it displays; a check beside what was recorded.
    pub fn displayed(&self) -> Result<u32> {
        self.dunst_count("displayedLength")
    }

    /// The titles in dunst's own history (closed notifications), latest first.
    pub fn history(&self) -> Result<Vec<String>> {
        let dunst = Proxy::new(&self.bus, NAME, PATH, DUNST)?;
        let entries: Vec<HashMap<String, OwnedValue>> =
            dunst.call("NotificationListHistory", &()).context("asking dunst for its history")?;
        let title = |mut entry: HashMap<String, OwnedValue>| {
            let title = entry.remove("summary");
            title.and_then(|title| String::try_from(title).ok())
        };
        Ok(entries.into_iter().filter_map(title).collect())
    }

    fn dunst_count(&self, property: &str) -> Result<u32> {
        let dunst = zbus::blocking::proxy::Builder::<Proxy<'_>>::new(&self.bus)
            .destination(NAME)?
            .path(PATH)?
            .interface(DUNST)?
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()?;
        dunst.get_property(property).with_context(|| format!("asking dunst for {property}"))
    }

    fn dunst(&self, method: &str) -> Result<()> {
        let dunst = Proxy::new(&self.bus, NAME, PATH, DUNST)?;
        dunst.call::<_, _, ()>(method, &()).with_context(|| format!("calling {method} of dunst"))
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    fn take(&mut self, message: &Message) -> Result<()> {
        let header = message.header();
        let member = header.member().map_or("", |member| member.as_str());
        match (header.message_type(), member) {
            (Type::MethodCall, "Notify") => {
                let sender = header.sender().map(ToString::to_string);
                let serial = header.primary().serial_num().get();
                self.unanswered.insert((sender.unwrap_or_default(), serial), self.list.len());
                self.list.push(parse_notify(message)?);
            }
            (Type::MethodCall, "CloseNotification") => {
                let id: u32 = message.body().deserialize()?;
                self.update(id, |shown| shown.close_asked = true);
            }
            (Type::MethodReturn, _) => {
                let receiver = header.destination().map(ToString::to_string);
                let serial = header.reply_serial().context("an answer without serial")?;
                let key = (receiver.unwrap_or_default(), serial.get());
                if let Some(place) = self.unanswered.remove(&key) {
                    self.answered(place, message.body().deserialize()?);
                }
            }
            (Type::Signal, "ActionInvoked") => {
                let (id, key): (u32, String) = message.body().deserialize()?;
                self.update(id, |shown| shown.invoked.push(key));
            }
            (Type::Signal, "NotificationClosed") => {
                let (id, reason): (u32, u32) = message.body().deserialize()?;
                self.update(id, |shown| {
                    shown.closed = true;
                    shown.close_reason = Some(reason);
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn answered(&mut self, place: usize, id: u32) {
        for (index, shown) in self.list.iter_mut().enumerate() {
            if index == place {
                shown.id = id;
            } else if shown.id == id {
                shown.replaced = true;
            }
        }
    }

    fn update(&mut self, id: u32, change: impl FnOnce(&mut Shown)) {
        let mut latest = self.list.iter_mut().rev();
        if let Some(shown) = latest.find(|shown| shown.id == id && id != 0) {
            change(shown);
        }
    }
}

fn parse_notify(message: &Message) -> Result<Shown> {
    type Notify = (String, u32, String, String, String, Vec<String>, HashMap<String, OwnedValue>, i32);
    let body = message.body();
    let (app_name, replaces_id, app_icon, summary, body, actions, hints, expire_timeout): Notify =
        body.deserialize()?;
    let urgency = hints.get("urgency");
    Ok(Shown {
        app_name,
        app_icon,
        summary,
        body,
        actions: actions.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
        urgency: urgency.and_then(|value| u8::try_from(value).ok()),
        hints: hints.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
        expire_timeout,
        replaces_id,
        ..Shown::default()
    })
}
