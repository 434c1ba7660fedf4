//! What the desktop offers, asked over its session bus; nothing is started or unlocked by asking.

use std::time::Duration;

use zbus::Connection;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use super::{Finding, State, found};
use signbell_engine::wording::cli::doctor as words;

const PATIENCE: Duration = Duration::from_secs(2);

const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const TRAY: &str = "org.kde.StatusNotifierWatcher";
const SECRETS: &str = "org.freedesktop.secrets";

/// Whether a name has an owner.
enum There {
    Yes,
    /// The bus would start it.
    Startable,
    No,
}

pub(super) async fn look() -> Vec<Finding> {
    match tokio::time::timeout(PATIENCE, Desktop::open()).await {
        Ok(Ok(desktop)) => vec![desktop.notifications().await, desktop.tray().await, desktop.keyring().await],
        // No bus, or one that does not answer: a machine without a screen has none.
        Ok(Err(_)) | Err(_) => vec![found("desktop", State::Note, words::NO_BUS)],
    }
}

struct Desktop {
    bus: Connection,
    startable: Vec<String>,
}

impl Desktop {
    async fn open() -> zbus::Result<Self> {
        let bus = Connection::session().await?;
        let names = DBusProxy::new(&bus).await?.list_activatable_names().await?;
        Ok(Self { startable: names.iter().map(ToString::to_string).collect(), bus })
    }

    async fn there(&self, name: &str) -> There {
        let owned = async {
            let bus = DBusProxy::new(&self.bus).await?;
            zbus::Result::Ok(bus.name_has_owner(BusName::try_from(name)?).await?)
        };
        match tokio::time::timeout(PATIENCE, owned).await {
            Ok(Ok(true)) => There::Yes,
            _ if self.startable.iter().any(|known| known == name) => There::Startable,
            _ => There::No,
        }
    }

    /// Desktop Notifications Specification 1.2, `GetServerInformation` and `GetCapabilities`.
    async fn notifications(&self) -> Finding {
        let check = "notifications";
        match self.there(NOTIFICATIONS).await {
            There::No => return found(check, State::Note, words::NO_NOTIFICATIONS),
            There::Startable => return found(check, State::Ok, words::starts_when_needed(NOTIFICATIONS)),
            There::Yes => {}
        }
        let ask = async {
            let (name, ..): (String, String, String, String) = self
                .call(NOTIFICATIONS, "/org/freedesktop/Notifications", NOTIFICATIONS, "GetServerInformation", &())
                .await?;
            let can: Vec<String> = self
                .call(NOTIFICATIONS, "/org/freedesktop/Notifications", NOTIFICATIONS, "GetCapabilities", &())
                .await?;
            zbus::Result::Ok((name, can.iter().any(|can| can == "actions")))
        };
        match tokio::time::timeout(PATIENCE, ask).await {
            Ok(Ok((name, true))) => found(check, State::Ok, words::notifications(&name)),
            Ok(Ok((name, false))) => found(check, State::Note, words::no_buttons(&name)),
            Ok(Err(_)) | Err(_) => found(check, State::Problem, words::silent(NOTIFICATIONS)),
        }
    }

    /// StatusNotifierWatcher: whether anything shows the icons.
    async fn tray(&self) -> Finding {
        match self.there(TRAY).await {
            There::No => return found("tray", State::Note, words::NO_TRAY),
            There::Startable => return found("tray", State::Ok, words::starts_when_needed(TRAY)),
            There::Yes => {}
        }
        match self.property(TRAY, "/StatusNotifierWatcher", TRAY, "IsStatusNotifierHostRegistered").await {
            Some(true) => found("tray", State::Ok, words::TRAY),
            Some(false) => found("tray", State::Note, words::NO_TRAY_HOST),
            None => found("tray", State::Note, words::silent(TRAY)),
        }
    }

    /// Secret Service API 0.2: the default collection, and whether it is locked. Asking unlocks nothing.
    async fn keyring(&self) -> Finding {
        let check = "keyring";
        match self.there(SECRETS).await {
            There::No => return found(check, State::Note, words::NO_KEYRING),
            There::Startable => return found(check, State::Ok, words::starts_when_needed(SECRETS)),
            There::Yes => {}
        }
        let alias = async {
            let api = "org.freedesktop.Secret.Service";
            self.call::<OwnedObjectPath>(SECRETS, "/org/freedesktop/secrets", api, "ReadAlias", &("default",)).await
        };
        let default = match tokio::time::timeout(PATIENCE, alias).await {
            Ok(Ok(default)) => default,
            Ok(Err(_)) | Err(_) => return found(check, State::Problem, words::KEYRING_SILENT),
        };
        if default.as_str() == "/" {
            return found(check, State::Note, words::NO_COLLECTION);
        }
        match self.property(SECRETS, default.as_str(), "org.freedesktop.Secret.Collection", "Locked").await {
            Some(false) => found(check, State::Ok, words::KEYRING_OPEN),
            Some(true) => found(check, State::Problem, words::KEYRING_LOCKED),
            None => found(check, State::Problem, words::KEYRING_SILENT),
        }
    }

    async fn property(&self, name: &str, path: &str, api: &str, property: &str) -> Option<bool> {
        let get = async {
            let properties = "org.freedesktop.DBus.Properties";
            self.call::<OwnedValue>(name, path, properties, "Get", &(api, property)).await
        };
        let value = tokio::time::timeout(PATIENCE, get).await.ok()?.ok()?;
        bool::try_from(value).ok()
    }

    async fn call<T>(
        &self,
        name: &str,
        path: &str,
        api: &str,
        method: &str,
        arguments: &(impl serde::Serialize + zbus::zvariant::DynamicType),
    ) -> zbus::Result<T>
    where
        T: for<'d> zbus::zvariant::DynamicDeserialize<'d>,
    {
        let reply = self.bus.call_method(Some(name), path, Some(api), method, arguments).await?;
        reply.body().deserialize()
    }
}
