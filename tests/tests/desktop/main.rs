//! Signbell on a desktop, as a person meets it: the real program with a real keyring, notification
//! daemon, panel, browser and authorization server. Each test has a desktop of its own.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;

mod a11y;
mod adding;
mod bell;
mod connect;
mod desk;
mod doctor;
mod fits;
mod german;
mod importing;
mod life;
mod package;
mod permits;
mod proc;
mod room;
mod scripted;
mod settings;
mod stage;
mod takeover;
mod tray;
mod walls;
mod window;
mod world;

/// How long anything that has to happen may take: generous, for machines that are busy.
const SOON: Duration = Duration::from_secs(90);

/// Desktops take the machine in turns: several browsers at once would only starve each other.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a picture of this name goes: the folder that SIGNBELL_SHOTS names, else `shots/` of the
/// repository.
fn shot(name: &str) -> Result<PathBuf> {
    let usual = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shots");
    let folder = std::env::var_os("SIGNBELL_SHOTS").map_or_else(usual, PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join(name))
}
