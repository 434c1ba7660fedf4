//! Times for people: how long until, and what the clock on the wall says.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local};

/// Unix seconds.
#[expect(clippy::disallowed_methods, reason = "only to say how long ago or ahead a time of the engine is")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// `14:05` if it is today, with the date otherwise.
pub(crate) fn clock(at: u64) -> String {
    let local = |at: u64| {
        let at = i64::try_from(at).ok()?;
        DateTime::from_timestamp(at, 0).map(|utc| utc.with_timezone(&Local))
    };
    let (Some(at), Some(now)) = (local(at), local(now())) else { return at.to_string() };
    let form = if at.date_naive() == now.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.format(form).to_string()
}

/// `48 min`, `3 h`, `2 d`; `ended` for what is past.
pub(crate) fn left(until: u64, now: u64) -> String {
    let seconds = until.saturating_sub(now);
    match seconds {
        0 => "ended".to_owned(),
        1..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_in_words() {
        for (until, words) in [
            (90, "ended"),
            (100, "ended"),
            (101, "1 s"),
            (160, "1 min"),
            (100 + 7199, "119 min"),
            (100 + 7200, "2 h"),
            (100 + 3 * 86_400, "3 d"),
        ] {
            assert_eq!(left(until, 100), words);
        }
        // No time is too far away to be told.
        assert_eq!(clock(u64::MAX), u64::MAX.to_string());
    }
}
