//! PURE: what a failed token request means for the session.
//!
//! Only a closed list of answers ends a session; a provider that is slow, down, rate-limiting or
//! talking nonsense ends nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::provider::TokenError;

/// Why only the person can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nobody signed in yet.
    NotYet,
    /// The provider no longer honours the refresh token (RFC 6749 section 5.2 `invalid_grant`).
    EndedByProvider,
    /// The provider wants to see the person (OpenID Connect Core section 3.1.2.6).
    InteractionRequired,
    /// The access token ended and there is no refresh token.
    NoRefreshToken,
    /// The answer to a rotation was lost, and the provider takes the old refresh token no more.
    AnswerLost,
    /// The provider does not know our client any more (`invalid_client`).
    ClientRejected,
}

impl Reason {
    /// The stable code that `status` shows.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotYet => "not_yet",
            Self::EndedByProvider => "ended_by_provider",
            Self::InteractionRequired => "interaction_required",
            Self::NoRefreshToken => "no_refresh_token",
            Self::AnswerLost => "answer_lost",
            Self::ClientRejected => "client_rejected",
        }
    }
}

/// Why a token request failed without telling anything about the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transient {
    /// No connection: name, network, TLS.
    Unreachable(String),
    /// Sent, and no answer in time or a broken one.
    NoAnswer(String),
    /// 429 or 503, with `Retry-After` where it was given.
    Busy(Option<Duration>),
    /// Any other status that is no OAuth error.
    Status(u16),
    /// A 400 without a word: the refresh token may be dead.
    Blank,
    /// A success that holds no token.
    Nonsense(String),
}

/// What a failed refresh means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshFailure {
    /// The session is over.
    Ended(Reason),
    /// It may work later.
    Transient(Transient),
}

/// Reads a failed *refresh*. `answer_lost_before`: an earlier try with the same refresh token was
/// sent and not answered. `blank_before`: the last one was answered with an empty 400.
#[must_use]
pub fn read(error: TokenError, answer_lost_before: bool, blank_before: bool) -> RefreshFailure {
    use RefreshFailure as F;
    match error {
        TokenError::NotSent(why) => F::Transient(Transient::Unreachable(why)),
        TokenError::NoAnswer(why) => F::Transient(Transient::NoAnswer(why)),
        TokenError::Nonsense(what) => F::Transient(Transient::Nonsense(what)),
        TokenError::VoucherNeedsPerson => F::Ended(Reason::InteractionRequired),
        // Some servers say so, and nothing else, that a refresh token is dead. Once it may be a gateway's
        // hiccup; two in a row, with a pause between them, are taken at their word. Else the session would
        // look alive for ever, and no request ever ring the bell.
        TokenError::Blank if blank_before => F::Ended(Reason::EndedByProvider),
        TokenError::Blank => F::Transient(Transient::Blank),
        TokenError::Answer { status, retry_after, .. } if status == 429 || status >= 500 => {
            F::Transient(if status == 429 || status == 503 {
                Transient::Busy(retry_after)
            } else {
                Transient::Status(status)
            })
        }
        TokenError::Answer { status, error, .. } => match error.as_deref() {
            Some("invalid_grant") if answer_lost_before => F::Ended(Reason::AnswerLost),
            Some("invalid_grant") => F::Ended(Reason::EndedByProvider),
            Some("interaction_required" | "consent_required" | "login_required") => {
                F::Ended(Reason::InteractionRequired)
            }
            Some("invalid_client" | "unauthorized_client") => F::Ended(Reason::ClientRejected),
            _ => F::Transient(Transient::Status(status)),
        },
    }
}

/// How long to wait before the next try: the provider's own word, else doubling from two seconds to
/// five minutes.
#[must_use]
pub fn backoff(tries: u32, cause: &Transient) -> Duration {
    const LONGEST: Duration = Duration::from_secs(300);
    let doubling = Duration::from_secs(2).saturating_mul(1 << tries.min(8)).min(LONGEST);
    match cause {
        // A provider may ask for hours; a person may not want to wait so long.
        Transient::Busy(Some(after)) => (*after).clamp(Duration::from_secs(1), LONGEST),
        _ => doubling,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, error: &str) -> TokenError {
        TokenError::Answer { status, error: (!error.is_empty()).then(|| error.to_owned()), retry_after: None }
    }

    #[test]
    fn only_a_closed_list_ends_a_session() {
        use Reason::*;
        let ended = |r| RefreshFailure::Ended(r);
        let status = |s| RefreshFailure::Transient(Transient::Status(s));
        for (error, lost, expected) in [
            (answer(400, "invalid_grant"), false, ended(EndedByProvider)),
            (answer(401, "invalid_grant"), false, ended(EndedByProvider)),
            (answer(200, "invalid_grant"), false, ended(EndedByProvider)),
            (answer(400, "invalid_grant"), true, ended(AnswerLost)),
            (answer(400, "interaction_required"), false, ended(InteractionRequired)),
            (answer(400, "consent_required"), false, ended(InteractionRequired)),
            (answer(401, "invalid_client"), false, ended(ClientRejected)),
            (answer(400, "temporarily_unavailable"), false, status(400)),
            (answer(400, "invalid_request"), false, status(400)),
            (answer(400, "slow_down"), false, status(400)),
            (answer(403, ""), false, status(403)),
            (answer(404, ""), false, status(404)),
            (answer(500, ""), false, status(500)),
            (answer(500, "invalid_grant"), false, status(500)),
        ] {
            assert_eq!(read(error.clone(), lost, false), expected, "{error:?}");
        }
    }

    #[test]
    fn an_empty_400_counts_when_it_comes_twice() {
        assert_eq!(read(TokenError::Blank, false, false), RefreshFailure::Transient(Transient::Blank));
        assert_eq!(read(TokenError::Blank, false, true), RefreshFailure::Ended(Reason::EndedByProvider));
        // Whatever else comes after one says nothing new.
        assert_eq!(read(answer(400, ""), false, true), RefreshFailure::Transient(Transient::Status(400)));
        assert_eq!(read(answer(500, ""), false, true), RefreshFailure::Transient(Transient::Status(500)));
    }

    #[test]
    fn d13_an_outage_is_no_sign_out() {
        let busy = |s, r| TokenError::Answer { status: s, error: None, retry_after: r };
        let five = Some(Duration::from_secs(5));
        for (error, expected) in [
            (busy(429, five), Transient::Busy(five)),
            (busy(503, None), Transient::Busy(None)),
            (busy(502, None), Transient::Status(502)),
            (TokenError::NotSent("dns".into()), Transient::Unreachable("dns".into())),
            (TokenError::NoAnswer("cut".into()), Transient::NoAnswer("cut".into())),
            (TokenError::Nonsense("html".into()), Transient::Nonsense("html".into())),
        ] {
            assert_eq!(read(error, true, true), RefreshFailure::Transient(expected));
        }
    }

    #[test]
    fn waits_grow_to_five_minutes() {
        let status = Transient::Status(500);
        let waits: Vec<u64> = (0..10).map(|n| backoff(n, &status).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(backoff(0, &Transient::Busy(Some(Duration::from_secs(7)))).as_secs(), 7);
        assert_eq!(backoff(0, &Transient::Busy(Some(Duration::from_secs(86_400)))).as_secs(), 300);
    }
}
