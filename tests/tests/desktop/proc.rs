//! Which processes are there, and whose they are.

use std::fs;

use anyhow::{Result, ensure};
use signbell_tests::wait_ok;

use crate::SOON;

/// The processes that `root` started, and those that they started; those still running.
pub fn descendants(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(of) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    found.remove(0);
    found
}

/// The window processes below `root`.
pub fn windows(root: u32) -> Vec<u32> {
    let is_window = |pid: &u32| {
        let words = command(*pid);
        words.first().is_some_and(|program| program.ends_with("/signbell-desktop"))
            && words.get(1).is_some_and(|role| role == "window")
    };
    descendants(root).into_iter().filter(is_window).collect()
}

/// The words of its command line.
pub fn command(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Waits until none of them runs.
pub fn wait_gone(what: &str, pids: &[u32]) -> Result<()> {
    wait_ok(what, SOON, || {
        let left: Vec<_> = pids.iter().filter(|pid| parent(**pid).is_some()).map(|pid| command(*pid)).collect();
        ensure!(left.is_empty(), "still running: {left:?}");
        Ok(())
    })
}

/// Nothing for a process that has ended, also where nobody asked for its exit code yet.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let running = fields.next()? != "Z";
    fields.next()?.parse().ok().filter(|_| running)
}
