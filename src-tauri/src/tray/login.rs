//! Starting at login, as the person set it. The plugin writes what each system reads: on Linux a desktop
//! entry below `~/.config/autostart` (freedesktop.org's Desktop Application Autostart Specification).

use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, Wry};
use tauri_plugin_autostart::ManagerExt as _;

/// What the plugin needs to know.
pub(super) fn plugin() -> TauriPlugin<Wry> {
    tauri_plugin_autostart::Builder::new().app_name("signbell").build()
}

/// Puts `wanted` in force where it is not what was `done` before; what is so then.
///
/// Nothing is written where the system has it so already: a person who turned it off in the desktop's own
/// list of programs, which marks the entry and leaves it there, finds it off.
pub(super) fn follow(app: &AppHandle, done: Option<bool>, wanted: bool) -> Option<bool> {
    if done == Some(wanted) {
        return done;
    }
    let system = app.autolaunch();
    let changed = match system.is_enabled() {
        Ok(now) if now == wanted => Ok(()),
        _ if wanted => system.enable(),
        _ => system.disable(),
    };
    if let Err(e) = changed {
        tracing::warn!("start at login could not be changed: {e}");
    }
    Some(wanted)
}
