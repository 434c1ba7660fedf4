//! PURE: what to do about a response.

use super::Attempt;
use super::recognise::Verdict;

/// What the service allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    /// Whether POST and other unsafe methods are replayed.
    pub(super) replay_unsafe: bool,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// The tool gets the upstream's response.
    Relay,
    /// The token is renewed, and the tool gets the upstream's response all the same.
    RefreshOnly,
    /// The token is renewed (by the person, if it must be) and the request sent once more.
    RefreshAndReplay,
}

/// A 401 says that the request was not applied (RFC 9110 section 15.5.2), so any method may be sent
/// again, once, if its body is still there.
pub(super) fn decide(verdict: Verdict, attempt: Attempt, replayable: bool, safe: bool, policy: Policy) -> Decision {
    match (verdict, attempt) {
        (Verdict::Accepted | Verdict::NotOurs, _) | (Verdict::Expired, Attempt::Replay) => Decision::Relay,
        (Verdict::Expired, Attempt::First) if replayable && (safe || policy.replay_unsafe) => {
            Decision::RefreshAndReplay
        }
        (Verdict::Expired, Attempt::First) => Decision::RefreshOnly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        use Attempt::{First, Replay};
        use Decision::{RefreshAndReplay, RefreshOnly, Relay};
        for verdict in [Verdict::Accepted, Verdict::NotOurs, Verdict::Expired] {
            for attempt in [First, Replay] {
                for replayable in [true, false] {
                    for safe in [true, false] {
                        for replay_unsafe in [true, false] {
                            let expected = match (verdict, attempt) {
                                (Verdict::Expired, First) if !replayable => RefreshOnly,
                                (Verdict::Expired, First) if safe || replay_unsafe => RefreshAndReplay,
                                (Verdict::Expired, First) => RefreshOnly,
                                _ => Relay,
                            };
                            let got = decide(verdict, attempt, replayable, safe, Policy { replay_unsafe });
                            assert_eq!(got, expected, "{verdict:?} {attempt:?} {replayable} {safe} {replay_unsafe}");
                        }
                    }
                }
            }
        }
    }
}
