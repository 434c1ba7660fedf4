//! PURE: whether the bell rings for one account, and when next.

use crate::clock::Now;

/// The bell of one account. `rung` counts its rings; each has a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// Nobody is needed.
    Quiet {
        /// So many rings so far.
        rung: u64,
    },
    /// It rings, for the `series`-th time in a row.
    Ringing {
        /// The number of this ring.
        rung: u64,
        /// How often in a row.
        series: usize,
        /// Since when, in boot-time milliseconds.
        since: u64,
    },
    /// "Later" was said.
    Snoozed {
        /// So many rings so far.
        rung: u64,
        /// How often in a row.
        series: usize,
        /// Until when, in boot-time milliseconds.
        until: u64,
    },
}

pub(super) enum Input {
    Needed,
    Settled,
    Later,
    Tick,
}

/// How long until the next ring of a series.
fn interval(series: usize) -> u64 {
    const MINUTES: [u64; 5] = [10, 30, 120, 480, 1440];
    MINUTES[series.min(MINUTES.len() - 1)] * 60_000
}

impl Ring {
    pub(super) fn step(self, input: Input, now: Now) -> Self {
        let at = now.boot_ms;
        match (self, input) {
            (Self::Quiet { rung }, Input::Needed) => Self::Ringing { rung: rung + 1, series: 0, since: at },
            (Self::Quiet { rung } | Self::Ringing { rung, .. } | Self::Snoozed { rung, .. }, Input::Settled) => {
                Self::Quiet { rung }
            }
            (Self::Ringing { rung, series, .. }, Input::Later) => {
                Self::Snoozed { rung, series, until: at + interval(series) }
            }
            (Self::Ringing { rung, series, .. } | Self::Snoozed { rung, series, .. }, Input::Tick)
                if self.due().is_some_and(|due| at >= due) =>
            {
                Self::Ringing { rung: rung + 1, series: series + 1, since: at }
            }
            (same, _) => same,
        }
    }

    /// When it has to be asked again, in boot-time milliseconds.
    pub(super) fn due(self) -> Option<u64> {
        match self {
            Self::Quiet { .. } => None,
            Self::Ringing { since, series, .. } => Some(since + interval(series)),
            Self::Snoozed { until, .. } => Some(until),
        }
    }

    /// The number of the ring that is on.
    #[must_use]
    pub fn ringing(self) -> Option<u64> {
        match self {
            Self::Ringing { rung, .. } => Some(rung),
            Self::Quiet { .. } | Self::Snoozed { .. } => None,
        }
    }

    pub(super) fn is_snoozed(self) -> bool {
        matches!(self, Self::Snoozed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Now {
        Now { boot_ms: minutes * 60_000, wall_ms: 0 }
    }

    #[test]
    fn reminders_come_at_growing_intervals() {
        let mut ring = Ring::Quiet { rung: 0 }.step(Input::Needed, at(0));
        let mut rings = vec![];
        for minute in 0..3000 {
            let next = ring.step(Input::Tick, at(minute));
            if next != ring {
                rings.push(minute);
            }
            ring = next;
        }
        assert_eq!(rings, [10, 40, 160, 640, 2080]);
        assert_eq!(ring.ringing(), Some(6));
    }

    #[test]
    fn needed_twice_rings_once_and_later_waits() {
        let ring = Ring::Quiet { rung: 4 }.step(Input::Needed, at(0)).step(Input::Needed, at(1));
        assert_eq!(ring.ringing(), Some(5));
        let ring = ring.step(Input::Later, at(2)).step(Input::Needed, at(3)).step(Input::Tick, at(11));
        assert!(ring.is_snoozed());
        let ring = ring.step(Input::Tick, at(12));
        assert_eq!(ring.ringing(), Some(6));
        assert_eq!(ring.step(Input::Settled, at(13)), Ring::Quiet { rung: 6 });
    }
}
