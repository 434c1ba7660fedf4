//! The only place that reads the time.
//!
//! A token's life is told in relation to the provider's clock, which is carried on by this
//! machine's boot-time clock. That one counts while the machine sleeps and nobody can set it, so a
//! wrong wall clock neither kills a token nor keeps a dead one alive.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The time as the pure steps take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the machine started, sleep included.
    pub boot_ms: u64,
    /// Milliseconds since the Unix epoch by the wall clock, which may be wrong.
    pub wall_ms: u64,
}

impl Now {
    /// Unix seconds by the wall clock, for people and for files.
    #[must_use]
    pub fn unix(self) -> u64 {
        self.wall_ms / 1000
    }

    /// How long ago `earlier` was, on the boot-time clock.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.boot_ms.saturating_sub(earlier.boot_ms))
    }

    /// This moment and `span` more.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self { boot_ms: self.boot_ms.saturating_add(ms), wall_ms: self.wall_ms.saturating_add(ms) }
    }
}

/// Reads both clocks.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Now { boot_ms: boot_ms(), wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) };
    #[cfg(debug_assertions)]
    let now = now.plus(std::time::Duration::from_millis(crate::faults::boot_offset()));
    now
}

#[cfg(target_os = "linux")]
fn boot_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Elsewhere the process's own start stands in for the machine's; a restart is then like a reboot.
#[cfg(not(target_os = "linux"))]
fn boot_ms() -> u64 {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(std::time::Instant::now).elapsed().as_millis()).unwrap_or(0)
}

/// Which run of the machine this is: boot-time moments of two runs can't be compared.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootId(Cow<'static, str>);

impl BootId {
    /// This run's.
    #[must_use]
    pub fn current() -> Self {
        static ID: OnceLock<String> = OnceLock::new();
        // Every request asks how old its token is, so this copies nothing.
        Self(Cow::Borrowed(ID.get_or_init(|| {
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .map(|id| id.trim().to_owned())
                .unwrap_or_else(|_| format!("process-{}", std::process::id()))
        })))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A moment at which the provider's time was known: when its token response came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    boot: BootId,
    boot_ms: u64,
    /// The provider's clock then (the response's `Date`), in Unix milliseconds.
    provider_ms: u64,
}

impl Anchor {
    /// The provider said that it was `provider_unix` seconds just now; without a `Date`, our wall
    /// clock is the best guess.
    #[must_use]
    pub fn new(provider_unix: Option<u64>, now: Now) -> Self {
        Self {
            boot: BootId::current(),
            boot_ms: now.boot_ms,
            provider_ms: provider_unix.map_or(now.wall_ms, |s| s.saturating_mul(1000)),
        }
    }

    /// How long ago the moment was.
    #[must_use]
    pub fn age(&self, now: Now) -> Duration {
        if self.boot == BootId::current() {
            Duration::from_millis(now.boot_ms.saturating_sub(self.boot_ms))
        } else {
            // Another run of the machine: only the wall clock can tell.
            Duration::from_millis(now.wall_ms.saturating_sub(self.provider_ms))
        }
    }

    /// What the provider's clock shows now, in Unix seconds.
    #[must_use]
    pub fn provider_unix(&self, now: Now) -> u64 {
        (self.provider_ms.saturating_add(u64::try_from(self.age(now).as_millis()).unwrap_or(u64::MAX))) / 1000
    }

    /// The moment on this machine's wall clock, in Unix seconds, for people.
    #[must_use]
    pub fn wall_unix(&self, now: Now) -> u64 {
        now.unix().saturating_sub(self.age(now).as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: Now = Now { boot_ms: 1_000_000, wall_ms: 50_000_000 };

    #[test]
    fn the_provider_s_clock_goes_on_while_ours_is_set() {
        let anchor = Anchor::new(Some(900_000), THEN);
        let day = Duration::from_secs(86_400);
        let later = THEN.plus(Duration::from_secs(10));
        for wall_ms in [later.wall_ms, 0, later.wall_ms + 86_400_000] {
            let now = Now { wall_ms, ..later };
            assert_eq!(anchor.provider_unix(now), 900_010);
            assert_eq!(anchor.age(now), Duration::from_secs(10));
        }
        assert_eq!(anchor.provider_unix(later.plus(day)), 900_010 + 86_400);
    }

    #[test]
    fn after_a_reboot_the_wall_clock_tells() {
        let anchor = Anchor { boot: BootId("another".into()), boot_ms: 5, provider_ms: 1_000_000 };
        let now = Now { boot_ms: 1, wall_ms: 1_060_000 };
        assert_eq!(anchor.age(now), Duration::from_secs(60));
        assert_eq!(anchor.provider_unix(now), 1060);
    }
}
