//! Whether the secret service could be used without a prompt; and the prompt.
//!
//! Before each access this reads over D-Bus whether anything that the `keyring`
//! crate would touch is locked, which takes a millisecond or two and asks nobody.
//! If so, the answer is `Locked` at once, and the person is asked beside it, on a
//! thread of its own: one prompt at a time, for [`PROMPT_LIMIT`] at most. A person
//! who said no is not asked again until the keyring was seen open, or they ask for
//! it; else each request of each tool would raise a window.
//!
//! A secret service without a default collection counts as locked too: it may be a
//! password manager whose database is not open yet, and "no collection" must not
//! read as "no such item". A write then asks the person to make one.

use std::collections::HashMap;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use zbus::names::{BusName, InterfaceName};
use zbus::zvariant::{DynamicType, ObjectPath, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, Error, MatchRule, MessageStream};

use super::{ItemName, Need, SERVICE, VaultError};

/// How long looking may take. Shorter than the vault's own deadline, so that a
/// secret service that hangs does not keep the vault's thread.
const LOOK_LIMIT: Duration = Duration::from_secs(3);
/// How long the person has to answer the prompt before we take it for a no.
const PROMPT_LIMIT: Duration = Duration::from_secs(120);
/// How much longer a window that nobody answered keeps its connection.
const WINDOW_LIMIT: Duration = Duration::from_secs(3600);

const SECRETS: BusName<'static> =
    BusName::WellKnown(zbus::names::WellKnownName::from_static_str_unchecked("org.freedesktop.secrets"));
const SECRETS_PATH: &str = "/org/freedesktop/secrets";
const SERVICE_API: &str = "org.freedesktop.Secret.Service";
const COLLECTION_API: &str = "org.freedesktop.Secret.Collection";
const PROMPT_API: &str = "org.freedesktop.Secret.Prompt";
/// What the secret service says where it means "none".
const NO_OBJECT: &str = "/";

/// As long as a lock may last that nobody has to open.
const A_MOMENT: Duration = Duration::from_millis(150);

#[derive(Default)]
pub(super) struct Gate(Arc<Mutex<Asking>>);

/// What is known of the person's answer.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Asking {
    #[default]
    NotAsked,
    Now,
    /// They said no, or nothing for two minutes.
    Refused,
}

/// What stands between us and an item.
enum Obstacle {
    Locked(Vec<OwnedObjectPath>),
    NoCollection,
}

impl Gate {
    /// `Ok` if the item could be used now. If something is locked: starts asking
    /// the person, as far as the need allows and they have not refused.
    pub(super) fn pass(&self, item: &ItemName, need: Need) -> Result<(), VaultError> {
        let mut found = look(item)?;
        if found.is_some() && *lock(&self.0) == Asking::NotAsked {
            // A keyring that is just being opened, or busy, is locked for a moment. Nobody is asked for that.
            std::thread::sleep(A_MOMENT);
            found = look(item)?;
        }
        let Some(obstacle) = found else {
            // However it came open: perhaps not by our prompt, which then still hangs.
            self.forget_refusal();
            return Ok(());
        };
        let may_ask = match obstacle {
            Obstacle::Locked(_) => need != Need::Nothing,
            Obstacle::NoCollection => need == Need::Writing,
        };
        let mut asking = lock(&self.0);
        if may_ask && *asking == Asking::NotAsked {
            *asking = Asking::Now;
            drop(asking);
            self.ask(obstacle);
        }
        Err(VaultError::Locked)
    }

    pub(super) fn forget_refusal(&self) {
        let mut asking = lock(&self.0);
        if *asking == Asking::Refused {
            *asking = Asking::NotAsked;
        }
    }

    fn ask(&self, obstacle: Obstacle) {
        let asking = Arc::clone(&self.0);
        let ask = move || {
            if block_on(ask_and_wait(obstacle, &asking)).is_err() {
                *lock(&asking) = Asking::Refused;
            }
        };
        let started = std::thread::Builder::new().name("unlock".into()).spawn(ask);
        if let Err(error) = started {
            tracing::error!(%error, "could not ask to unlock the keyring");
            *lock(&self.0) = Asking::Refused;
        }
    }
}

fn lock(asking: &Mutex<Asking>) -> MutexGuard<'_, Asking> {
    asking.lock().unwrap_or_else(PoisonError::into_inner)
}

/// zbus works where a tokio runtime is; the vault's threads have none. A new one
/// with a new connection takes a millisecond and is never stale.
fn block_on<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    Ok(runtime.enable_all().build()?.block_on(work))
}

fn look(item: &ItemName) -> Result<Option<Obstacle>, VaultError> {
    let looked = block_on(async {
        tokio::time::timeout(LOOK_LIMIT, async {
            let bus = Connection::session().await.map_err(no_bus)?;
            find_obstacle(&bus, item).await.map_err(failed)
        })
        .await
        .map_err(|_| VaultError::Timeout)?
    });
    looked.map_err(|e| VaultError::Io(e.to_string()))?
}

async fn find_obstacle(bus: &Connection, item: &ItemName) -> zbus::Result<Option<Obstacle>> {
    let (default,): (OwnedObjectPath,) = call(bus, SECRETS_PATH, SERVICE_API, "ReadAlias", &("default",)).await?;
    if default.as_str() != NO_OBJECT {
        let property = (COLLECTION_API, "Locked");
        let properties = "org.freedesktop.DBus.Properties";
        let (locked,): (OwnedValue,) = call(bus, default.as_str(), properties, "Get", &property).await?;
        if bool::try_from(locked)? {
            return Ok(Some(Obstacle::Locked(vec![default])));
        }
    }
    // The item may also lie in another collection, and what is searched for there
    // would be unlocked with a prompt.
    let ours = HashMap::from([("service", SERVICE), ("username", item.as_str())]);
    let (open, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) =
        call(bus, SECRETS_PATH, SERVICE_API, "SearchItems", &(ours,)).await?;
    Ok(if !locked.is_empty() {
        Some(Obstacle::Locked(locked))
    } else if default.as_str() == NO_OBJECT && open.is_empty() {
        Some(Obstacle::NoCollection)
    } else {
        None
    })
}

async fn ask_and_wait(obstacle: Obstacle, asking: &Mutex<Asking>) {
    let mut answer = pin!(prompt(obstacle));
    let in_time = tokio::time::timeout(PROMPT_LIMIT, answer.as_mut()).await;
    let late = in_time.is_err();
    tracing::info!(answer = ?in_time, "the person was asked to unlock the keyring");
    *lock(asking) = match in_time {
        Ok(Ok(true)) => Asking::NotAsked,
        _ => Asking::Refused,
    };
    if late {
        // The window stays up, and unlocks the keyring whenever it is answered: taking
        // it back (`Dismiss`) makes gnome-keyring 42.1 abort, and so nearly does an
        // answer for a connection that is gone. So the connection stays too.
        let _ = tokio::time::timeout(WINDOW_LIMIT, answer).await;
    }
}

/// Shows the prompt and waits for the person; whether they agreed.
async fn prompt(obstacle: Obstacle) -> zbus::Result<bool> {
    let bus = Connection::session().await?;
    let prompt = request(&bus, obstacle).await?;
    if prompt.as_str() == NO_OBJECT {
        return Ok(true);
    }
    show(&bus, &prompt).await
}

/// The prompt to show, or [`NO_OBJECT`] if it is done without one.
async fn request(bus: &Connection, obstacle: Obstacle) -> zbus::Result<OwnedObjectPath> {
    match obstacle {
        Obstacle::Locked(objects) => {
            let unlocked = call(bus, SECRETS_PATH, SERVICE_API, "Unlock", &(objects,)).await;
            unlocked.map(|(_, prompt): (Vec<OwnedObjectPath>, _)| prompt)
        }
        Obstacle::NoCollection => {
            let label = "org.freedesktop.Secret.Collection.Label";
            let label = HashMap::from([(label, Value::from("Default keyring"))]);
            let new = (label, "default");
            let created = call(bus, SECRETS_PATH, SERVICE_API, "CreateCollection", &new).await;
            created.map(|(_, prompt): (OwnedObjectPath, _)| prompt)
        }
    }
}

async fn show(bus: &Connection, prompt: &ObjectPath<'_>) -> zbus::Result<bool> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(SECRETS)?
        .path(prompt)?
        .interface(PROMPT_API)?
        .member("Completed")?
        .build();
    let mut answers = MessageStream::for_match_rule(rule, bus, None).await?;
    let () = call(bus, prompt.as_str(), PROMPT_API, "Prompt", &("",)).await?;
    let answer = answers.next().await.ok_or(Error::InvalidReply)??;
    let (dismissed, _): (bool, OwnedValue) = answer.body().deserialize()?;
    Ok(!dismissed)
}

async fn call<T>(
    bus: &Connection,
    path: &str,
    api: &str,
    method: &str,
    arguments: &(impl serde::Serialize + DynamicType),
) -> zbus::Result<T>
where
    T: serde::de::DeserializeOwned + zbus::zvariant::Type,
{
    let api = InterfaceName::try_from(api)?;
    let reply = bus.call_method(Some(SECRETS), path, Some(api), method, arguments);
    reply.await?.body().deserialize()
}

/// There is a bus that won't have us, or there is none.
fn no_bus(error: Error) -> VaultError {
    match error {
        Error::Handshake(_) => VaultError::Denied,
        Error::InputOutput(e) | Error::Connection(e, _) if e.kind() == ErrorKind::PermissionDenied => {
            VaultError::Denied
        }
        _ => VaultError::Absent,
    }
}

fn failed(error: Error) -> VaultError {
    let text = error.to_string();
    let Error::MethodError(name, _, _) = &error else {
        return VaultError::Platform(text);
    };
    match name.as_str().strip_prefix("org.freedesktop.") {
        Some("Secret.Error.IsLocked") => VaultError::Locked,
        Some("DBus.Error.AccessDenied" | "DBus.Error.AuthFailed") => VaultError::Denied,
        Some("DBus.Error.NoReply" | "DBus.Error.Timeout" | "DBus.Error.TimedOut") => VaultError::Timeout,
        Some("DBus.Error.ServiceUnknown" | "DBus.Error.NameHasNoOwner") => VaultError::Absent,
        Some(name) if name.starts_with("DBus.Error.Spawn.") => VaultError::Absent,
        _ => VaultError::Platform(text),
    }
}
