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
        /// Since when, in boot-time milliseconds.
        since: u64,
    },
}

pub(super) enum Input {
    Needed,
    Settled,
    Later,
    Tick,
}

/// After how many minutes it rings again, the first time and those after it; the last stands for all that
/// follow. None: it does not ring again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reminders(pub Vec<u64>);

impl Reminders {
    /// When the next ring of a series falls due that began, or was put off, at `from`.
    fn due(&self, series: usize, from: u64) -> Option<u64> {
        let minutes = self.0.get(series).or(self.0.last())?;
        Some(from.saturating_add(minutes.saturating_mul(60_000)))
    }
}

impl Ring {
    pub(super) fn step(self, input: Input, now: Now, reminders: &Reminders) -> Self {
        let at = now.boot_ms;
        match (self, input) {
            (Self::Quiet { rung }, Input::Needed) => Self::Ringing { rung: rung + 1, series: 0, since: at },
            (Self::Quiet { rung } | Self::Ringing { rung, .. } | Self::Snoozed { rung, .. }, Input::Settled) => {
                Self::Quiet { rung }
            }
            (Self::Ringing { rung, series, .. }, Input::Later) => Self::Snoozed { rung, series, since: at },
            (Self::Ringing { rung, series, .. } | Self::Snoozed { rung, series, .. }, Input::Tick)
                if self.due(reminders).is_some_and(|due| at >= due) =>
            {
                Self::Ringing { rung: rung + 1, series: series + 1, since: at }
            }
            (same, _) => same,
        }
    }

    /// When it has to be asked again, in boot-time milliseconds.
    pub(super) fn due(self, reminders: &Reminders) -> Option<u64> {
        match self {
            Self::Quiet { .. } => None,
            Self::Ringing { since, series, .. } | Self::Snoozed { since, series, .. } => reminders.due(series, since),
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

    fn usual() -> Reminders {
        Reminders(vec![10, 30, 120, 480, 1440])
    }

    fn at(minutes: u64) -> Now {
        Now { boot_ms: minutes * 60_000, wall_ms: 0 }
    }

    #[test]
    fn reminders_come_at_growing_intervals() {
        let mut ring = Ring::Quiet { rung: 0 }.step(Input::Needed, at(0), &usual());
        let mut rings = vec![];
        for minute in 0..3000 {
            let next = ring.step(Input::Tick, at(minute), &usual());
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
        let step = |ring: Ring, input, minutes| ring.step(input, at(minutes), &usual());
        let ring = step(step(Ring::Quiet { rung: 4 }, Input::Needed, 0), Input::Needed, 1);
        assert_eq!(ring.ringing(), Some(5));
        let ring = step(step(step(ring, Input::Later, 2), Input::Needed, 3), Input::Tick, 11);
        assert!(ring.is_snoozed());
        let ring = step(ring, Input::Tick, 12);
        assert_eq!(ring.ringing(), Some(6));
        assert_eq!(step(ring, Input::Settled, 13), Ring::Quiet { rung: 6 });
    }

    #[test]
    fn other_reminders_count_for_what_rings_already() {
        let ring = Ring::Quiet { rung: 0 }.step(Input::Needed, at(0), &usual());
        for (reminders, due) in [(vec![], None), (vec![1], Some(60_000)), (vec![1440], Some(1440 * 60_000))] {
            let reminders = Reminders(reminders);
            assert_eq!(ring.due(&reminders), due);
            assert_eq!(ring.step(Input::Later, at(5), &reminders).due(&reminders), due.map(|due| due + 5 * 60_000));
        }
    }
}
