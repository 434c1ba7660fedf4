//! What tests do to a running engine: kill it at a named point, move its boot-time clock. Debug builds
//! only; in a release nothing of this is there.
//!
//! `SIGNBELL_FAULT=NAME` or `NAME:3` kills the process when it comes to that point, the third time.
//! `SIGNBELL_BOOT_OFFSET=FILE`: so many milliseconds have passed more than the kernel says, as after a
//! sleep; read anew each time. (A library that fakes clocks does not reach this one, which is read past
//! the C library.)

/// A point at which everything may end. Where it stands says what a crash there would meet.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn point(_name: &str) {}

/// See above.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static HITS: AtomicU32 = AtomicU32::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("SIGNBELL_FAULT").ok()?;
        let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), nth.parse().ok()?))
    });
    let Some((wanted, nth)) = wanted else { return };
    if wanted == name && HITS.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
        // SIGKILL: nothing of ours runs after it.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

/// How much later it is since the machine's start than the kernel says, in milliseconds.
#[cfg(debug_assertions)]
pub(crate) fn boot_offset() -> u64 {
    use std::sync::OnceLock;

    static FILE: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();
    let Some(file) = FILE.get_or_init(|| std::env::var_os("SIGNBELL_BOOT_OFFSET")) else { return 0 };
    std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
