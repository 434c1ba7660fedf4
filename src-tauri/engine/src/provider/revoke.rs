//! Signing out at the provider: revocation (RFC 7009), and whether it still knew the session (RFC 7662).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Metadata, Provider, TokenError};
use crate::secret::Secret;
use crate::session::tokens::TokenSet;

/// The whole of it. The person waits, and what counts here, the wiping, does not.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long the server may take to say whether it still knows the token.
const LOOK: Duration = Duration::from_secs(2);

/// What became of a session at its provider, from the best to the worst: of several grants the worst is
/// told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// There was nothing to revoke: nobody was signed in.
    Nothing,
    /// The provider took it back.
    Revoked,
    /// The provider did not know the session any more.
    Gone,
    /// It offers no revocation: there the session lives until it ends by itself.
    NotOffered,
    /// It said no, so it may still list the session.
    Refused,
    /// It could not be asked, so it still lists the session.
    Unreachable,
}

impl Provider {
    /// Takes the session of these tokens back at the provider. Revoking the refresh token ends the access
    /// tokens too, where the server can do that (RFC 7009 section 2.1); where there is none, the access token
    /// is revoked.
    pub async fn revoke(&self, tokens: &TokenSet) -> Revocation {
        let outcome = tokio::time::timeout(DEADLINE, self.take_back(tokens)).await;
        match outcome {
            Ok(Ok(revocation)) => revocation,
            Ok(Err(e)) => {
                tracing::info!("not revoked: {e}");
                read(&e, self.registration().confidential || self.registration().has_key)
            }
            Err(_) => Revocation::Unreachable,
        }
    }

    async fn take_back(&self, tokens: &TokenSet) -> Result<Revocation, TokenError> {
        let metadata = self.known_metadata().await?;
        let Some(endpoint) = &metadata.revocation_endpoint else { return Ok(Revocation::NotOffered) };
        let (token, hint) = match &tokens.refresh {
            Some(refresh) => (refresh, "refresh_token"),
            None => (&tokens.access, "access_token"),
        };
        // RFC 7009 section 2.2: a token that the server does not know is answered like one that it revoked.
        let gone = match &metadata.introspection_endpoint {
            // Only the wording hangs on it: it must not take the time of the revocation.
            Some(introspection) => {
                let asked = self.is_gone(metadata, introspection, token, hint);
                tokio::time::timeout(LOOK, asked).await.unwrap_or(false)
            }
            None => false,
        };
        let response = self.post_as_client(metadata, endpoint, form(token, hint)).await?;
        if response.status().is_success() {
            return Ok(if gone { Revocation::Gone } else { Revocation::Revoked });
        }
        #[derive(Deserialize)]
        struct Body {
            error: String,
        }
        let error = serde_json::from_slice::<Body>(response.body()).ok().map(|body| body.error);
        Err(TokenError::Answer { status: response.status().as_u16(), error, retry_after: None })
    }

    /// Whether the server says that it does not know the token. A server that won't tell us says nothing.
    async fn is_gone(&self, metadata: &Metadata, endpoint: &Url, token: &Secret, hint: &str) -> bool {
        #[derive(Deserialize)]
        struct Body {
            active: bool,
        }
        let response = self.post_as_client(metadata, endpoint, form(token, hint)).await;
        response.is_ok_and(|response| {
            response.status().is_success()
                && serde_json::from_slice::<Body>(response.body()).is_ok_and(|body| !body.active)
        })
    }
}

fn form<'a>(token: &'a Secret, hint: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("token", token.expose()), ("token_type_hint", hint)]
}

/// What a failed revocation means. Servers that don't keep to RFC 7009 section 2.2 call an unknown token an
/// error. A client that is not known has no sessions; where it shows a secret, that may be what is wrong.
fn read(error: &TokenError, shows_a_secret: bool) -> Revocation {
    match error {
        TokenError::Answer { error: Some(code), .. } if code == "invalid_client" && !shows_a_secret => Revocation::Gone,
        TokenError::Answer { status, .. } if *status == 429 || *status >= 500 => Revocation::Unreachable,
        TokenError::Answer { error: Some(code), .. } if ["invalid_token", "invalid_grant"].contains(&code.as_str()) => {
            Revocation::Gone
        }
        TokenError::Answer { .. } | TokenError::Blank => Revocation::Refused,
        TokenError::NotSent(_) | TokenError::NoAnswer(_) | TokenError::Nonsense(_) | TokenError::VoucherNeedsPerson => {
            Revocation::Unreachable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_session_is_no_outage() {
        let answer = |status, error: &str| TokenError::Answer {
            status,
            error: (!error.is_empty()).then(|| error.to_owned()),
            retry_after: None,
        };
        for (error, expected) in [
            (answer(400, "invalid_token"), Revocation::Gone),
            (answer(400, "invalid_grant"), Revocation::Gone),
            (answer(401, "invalid_client"), Revocation::Gone),
            (answer(400, "unsupported_token_type"), Revocation::Refused),
            (answer(403, ""), Revocation::Refused),
            (TokenError::Blank, Revocation::Refused),
            (answer(503, ""), Revocation::Unreachable),
            (answer(503, "invalid_token"), Revocation::Unreachable),
            (answer(429, ""), Revocation::Unreachable),
            (TokenError::NotSent("dns".into()), Revocation::Unreachable),
            (TokenError::NoAnswer("cut".into()), Revocation::Unreachable),
        ] {
            assert_eq!(read(&error, false), expected, "{error:?}");
        }
    }

    #[test]
    fn of_several_the_worst_is_told() {
        let worst = [Revocation::Revoked, Revocation::Unreachable, Revocation::Gone].into_iter().max();
        assert_eq!(worst, Some(Revocation::Unreachable));
    }
}
