//! PURE: what to do about a response.

use super::Attempt;
use crate::ask::Standing;
use crate::rules::{Again, Verdict};

/// All that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// What the rule that matched says.
    pub(super) verdict: Verdict,
    /// What it says of a second time.
    pub(super) again: Option<Again>,
    /// How often the request has gone upstream.
    pub(super) attempt: Attempt,
    /// Whether it may go again: its body is whole, and what it asked for was not carried out.
    pub(super) replayable: bool,
    /// Whether its method changes nothing (RFC 9110 section 9.2.1).
    pub(super) safe: bool,
    /// Whether the service lets unsafe methods be replayed.
    pub(super) replay_unsafe: bool,
    /// Whether the token that was refused is still the newest.
    pub(super) current: bool,
    /// Whether a refresh has asked for these very claims already.
    pub(super) claimed: bool,
    /// How what is wanted (scopes, claims, a new sign-in) stands with the grant.
    pub(super) standing: Standing,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The tool gets the upstream's response.
    Relay,
    /// The token is renewed, and the tool gets the upstream's response all the same.
    RefreshOnly,
    /// The token is renewed (by the person, if it must be) and the request sent once more.
    RefreshAndReplay,
    /// A newer token is there already: the request is sent once more with that.
    Replay,
    /// A token with the claims is asked for, and the request sent once more.
    ClaimsAndReplay,
    /// A token with the claims is asked for, and the tool gets the upstream's response.
    ClaimsOnly,
    /// The person is asked (for scopes, for claims, to sign in); the request waits, and is sent once more.
    Ask,
    /// The person is asked, and the tool gets the upstream's response.
    AskOnly,
}

/// A 401 says that the request was not applied (RFC 9110 section 15.5.2), so any method may be sent
/// again, once, if its body is still there; and once more after the person came.
pub(super) fn decide(facts: Facts) -> Decision {
    use Attempt::{First, Last, Replay};
    let may = facts.replayable && (facts.safe || facts.replay_unsafe) && facts.attempt != Last;
    let or = |with: Decision, without: Decision| if may { with } else { without };
    let ask = || match facts.standing {
        Standing::Missing | Standing::Asked => or(Decision::Ask, Decision::AskOnly),
        Standing::Held | Standing::Refused | Standing::Unknown => Decision::Relay,
    };
    let refresh = || match facts.current {
        true => or(Decision::RefreshAndReplay, Decision::RefreshOnly),
        false => or(Decision::Replay, Decision::Relay),
    };
    match (facts.verdict, facts.attempt) {
        (Verdict::NotOurs, _) | (_, Last) => Decision::Relay,

        // A scope that the grant turned out to lack is not refreshed for again.
        (Verdict::Expired, First)
            if facts.again == Some(Again::NeedsScope)
                && matches!(facts.standing, Standing::Asked | Standing::Refused) =>
        {
            ask()
        }
        (Verdict::Expired, First) => refresh(),
        (Verdict::Expired, Replay) => match facts.again {
            Some(Again::NeedsPerson | Again::NeedsScope) => ask(),
            Some(Again::NotOurs) | None => Decision::Relay,
        },

        // Servers do reject good tokens for a moment.
        (Verdict::NeedsScope, First) if facts.standing == Standing::Held => refresh(),
        (Verdict::NeedsScope, _) => ask(),

        (Verdict::NeedsPerson | Verdict::NeedsClaims, _) if !facts.current => or(Decision::Replay, Decision::Relay),
        (Verdict::NeedsPerson, _) => ask(),
        (Verdict::NeedsClaims, _) if !facts.claimed && facts.standing == Standing::Missing => {
            or(Decision::ClaimsAndReplay, Decision::ClaimsOnly)
        }
        (Verdict::NeedsClaims, _) => ask(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERDICTS: [Verdict; 5] =
        [Verdict::Expired, Verdict::NeedsScope, Verdict::NeedsClaims, Verdict::NeedsPerson, Verdict::NotOurs];
    const STANDINGS: [Standing; 5] =
        [Standing::Held, Standing::Missing, Standing::Asked, Standing::Refused, Standing::Unknown];

    /// Every combination there is.
    fn all() -> impl Iterator<Item = Facts> {
        let again = [None, Some(Again::NeedsPerson), Some(Again::NeedsScope), Some(Again::NotOurs)];
        let attempts = [Attempt::First, Attempt::Replay, Attempt::Last];
        (0..5 * 4 * 3 * 5 * 32).map(move |n: usize| {
            let bit = |at: usize| (n / (5 * 4 * 3 * 5)) >> at & 1 == 1;
            Facts {
                verdict: VERDICTS[n % 5],
                again: again[n / 5 % 4],
                attempt: attempts[n / 20 % 3],
                standing: STANDINGS[n / 60 % 5],
                replayable: bit(0),
                safe: bit(1),
                replay_unsafe: bit(2),
                current: bit(3),
                claimed: bit(4),
            }
        })
    }

    /// Each worked out another way: by the rules of DESIGN.md, one after the other.
    #[test]
    fn the_whole_table() {
        use Decision::*;
        let mut seen = std::collections::HashMap::<Decision, usize>::new();
        for facts in all() {
            let got = decide(facts);
            *seen.entry(got).or_default() += 1;
            let again = matches!(got, RefreshAndReplay | Replay | ClaimsAndReplay | Ask);
            if again {
                assert!(facts.replayable, "a body that is gone can't be sent: {facts:?}");
                assert!(facts.safe || facts.replay_unsafe, "the service forbids it: {facts:?}");
            }
            let refreshes = matches!(got, RefreshAndReplay | RefreshOnly | ClaimsAndReplay | ClaimsOnly);
            let asks = matches!(got, Ask | AskOnly);
            // Nothing is renewed, and nobody asked, over a token that is not the newest, or at the end.
            if facts.attempt == Attempt::Last || facts.verdict == Verdict::NotOurs {
                assert_eq!(got, Relay, "{facts:?}");
            }
            assert!(!refreshes || facts.current || facts.verdict == Verdict::NeedsClaims, "{facts:?}");
            // Asked for exactly where it may help.
            assert!(!asks || matches!(facts.standing, Standing::Missing | Standing::Asked), "{facts:?}");
            if facts.standing == Standing::Refused {
                assert!(!asks && !matches!(got, ClaimsAndReplay | ClaimsOnly), "it was refused before: {facts:?}");
            }
            let (first, last) = (facts.attempt == Attempt::First, facts.attempt == Attempt::Last);
            match facts.verdict {
                Verdict::NotOurs => {}
                Verdict::Expired => {
                    let lacks = facts.again == Some(Again::NeedsScope)
                        && matches!(facts.standing, Standing::Asked | Standing::Refused);
                    assert_eq!(refreshes, first && facts.current && !lacks, "one refresh: {facts:?}");
                    let second = !first && matches!(facts.again, Some(Again::NeedsPerson | Again::NeedsScope));
                    let open = matches!(facts.standing, Standing::Missing | Standing::Asked);
                    assert_eq!(asks, !last && open && (second || (first && lacks)), "{facts:?}");
                }
                Verdict::NeedsScope => {
                    assert_eq!(refreshes, first && facts.current && facts.standing == Standing::Held, "{facts:?}");
                }
                Verdict::NeedsPerson => assert!(!refreshes, "a refresh is no help: {facts:?}"),
                Verdict::NeedsClaims => {
                    let untried = facts.current && !facts.claimed && facts.standing == Standing::Missing;
                    assert_eq!(refreshes, untried && !last, "claims are tried by a refresh once: {facts:?}");
                }
            }
        }
        assert_eq!(seen.values().sum::<usize>(), 5 * 4 * 3 * 5 * 32);
        assert_eq!(seen.len(), 8, "a decision that never falls: {seen:?}");
    }
}
