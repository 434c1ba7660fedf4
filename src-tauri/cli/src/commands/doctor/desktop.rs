//! What the desktop offers, asked of its session bus by name; nothing is started by asking.

use std::time::Duration;

use zbus::fdo::DBusProxy;
use zbus::names::BusName;

use super::{Finding, State, found};
use signbell_engine::wording::cli::doctor as words;

const PATIENCE: Duration = Duration::from_secs(2);

/// The check, the name on the bus, and what to say where nobody has it.
const SERVICES: [(&str, &str, &str); 3] = [
    ("notifications", "org.freedesktop.Notifications", words::NO_NOTIFICATIONS),
    ("tray", "org.kde.StatusNotifierWatcher", words::NO_TRAY),
    ("keyring", "org.freedesktop.secrets", words::NO_KEYRING),
];

pub(super) async fn look() -> Vec<Finding> {
    match tokio::time::timeout(PATIENCE, ask()).await {
        Ok(Ok(findings)) => findings,
        // No bus, or one that does not answer: a machine without a screen has none.
        Ok(Err(_)) | Err(_) => vec![found("desktop", State::Note, words::NO_BUS)],
    }
}

async fn ask() -> zbus::Result<Vec<Finding>> {
    let connection = zbus::Connection::session().await?;
    let bus = DBusProxy::new(&connection).await?;
    let startable = bus.list_activatable_names().await?;
    let mut findings = Vec::new();
    for (check, name, missing) in SERVICES {
        let name = BusName::try_from(name)?;
        let there = bus.name_has_owner(name.clone()).await? || startable.iter().any(|n| n.as_ref() == name);
        findings.push(match there {
            true => found(check, State::Ok, words::there(name.as_str())),
            false => found(check, State::Note, missing),
        });
    }
    Ok(findings)
}
