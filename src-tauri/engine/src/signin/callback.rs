//! PURE: what the browser brought back.

use std::sync::Arc;

use oauth2::CsrfToken;

use crate::provider::Metadata;

/// Why a redirect brought no code. Only these end a sign-in; a redirect without our `state` does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// The provider or the person said no (RFC 6749 section 4.1.2.1).
    #[error("the provider answered {0}")]
    Refused(String),
    /// The answer is another server's (RFC 9207 section 2.4).
    #[error("the answer came from another server")]
    OtherIssuer,
    /// A refusal without the `iss` that its server announces: nobody knows whose it is (RFC 9207 section
    /// 2.4), so what it says is neither acted on nor shown.
    #[error("the answer does not say which server it comes from")]
    Anonymous,
}

/// A redirect that is not ours, or not whole: the sign-in goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stray {
    /// A parameter that must be there once is there twice.
    Twice,
    /// No `state`, or not this sign-in's.
    State,
    /// Neither a code nor an error.
    Empty,
}

/// What the redirect of one sign-in must show.
pub(super) struct Check {
    state: CsrfToken,
    metadata: Arc<Metadata>,
}

impl Check {
    pub(super) fn new(state: CsrfToken, metadata: Arc<Metadata>) -> Self {
        Self { state, metadata }
    }

    /// Reads the query of a redirect: the code, or why there is none.
    pub(super) fn read(&self, query: &str) -> Result<Result<String, CallbackError>, Stray> {
        let mut code = None;
        let mut state = None;
        let mut issuer = None;
        let mut error = None;
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*key {
                "code" => &mut code,
                "state" => &mut state,
                "iss" => &mut issuer,
                "error" => &mut error,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(Stray::Twice);
            }
        }
        // In constant time: the oauth2 crate compares digests.
        if state.is_none_or(|state| CsrfToken::new(state) != self.state) {
            return Err(Stray::State);
        }
        // The link to the page itself has our state too, and is easily pasted in place of where it ends.
        if error.is_none() && code.as_deref().is_none_or(str::is_empty) {
            return Err(Stray::Empty);
        }
        match &issuer {
            Some(issuer) if !self.metadata.is_issuer(issuer) => return Ok(Err(CallbackError::OtherIssuer)),
            None if self.metadata.authorization_response_iss_parameter_supported => {
                return Ok(Err(if error.is_some() { CallbackError::Anonymous } else { CallbackError::OtherIssuer }));
            }
            _ => {}
        }
        match (error, code) {
            (Some(error), _) => Ok(Err(CallbackError::Refused(known_code(&error)))),
            (None, Some(code)) => Ok(Ok(code)),
            (None, None) => Err(Stray::Empty),
        }
    }
}

/// An error code as RFC 6749 allows it; anything else is not repeated to anyone.
fn known_code(error: &str) -> String {
    let plain = !error.is_empty() && error.len() <= 60 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plain { error.to_owned() } else { "an unknown error".to_owned() }
}

/// What a redirect must show at `https://a.test`.
#[cfg(any(test, fuzzing))]
#[allow(clippy::panic, reason = "what is above is what it reads")]
pub(super) fn check(state: &str, announced: bool) -> Check {
    let metadata = serde_json::json!({
        "issuer": "https://a.test",
        "authorization_endpoint": "https://a.test/auth",
        "token_endpoint": "https://a.test/token",
        "authorization_response_iss_parameter_supported": announced,
    });
    let metadata = serde_json::from_value(metadata).unwrap_or_else(|e| panic!("{e}"));
    Check::new(CsrfToken::new(state.to_owned()), Arc::new(metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(announced: bool, query: &str) -> Result<Result<String, CallbackError>, Stray> {
        check("s", announced).read(query)
    }

    #[test]
    fn l1_to_l6() {
        let code = |c: &str| Ok(Ok(c.to_owned()));
        let refused = |e: &str| Ok(Err(CallbackError::Refused(e.to_owned())));
        let other = || Ok(Err(CallbackError::OtherIssuer));
        for (announced, query, expected) in [
            (false, "code=c&state=s", code("c")),
            (true, "code=c&state=s&iss=https%3A%2F%2Fa.test", code("c")),
            (false, "code=c&state=s&next=https://evil.test", code("c")),
            (false, "code=c", Err(Stray::State)),
            (false, "", Err(Stray::State)),
            (false, "code=c&state=x", Err(Stray::State)),
            (false, "code=c&code=d&state=s", Err(Stray::Twice)),
            (false, "code=c&state=s&state=s", Err(Stray::Twice)),
            (false, "state=s", Err(Stray::Empty)),
            (false, "code=&state=s", Err(Stray::Empty)),
            (true, "state=s", Err(Stray::Empty)),
            (true, "code=c&state=s", other()),
            (true, "error=access_denied&state=s", Ok(Err(CallbackError::Anonymous))),
            (true, "error=access_denied&state=s&iss=https%3A%2F%2Fa.test", refused("access_denied")),
            (false, "code=c&state=s&iss=https%3A%2F%2FA.test", other()),
            (false, "code=c&state=s&iss=https%3A%2F%2Fa.test%3A443", other()),
            (false, "code=c&state=s&iss=", other()),
            (true, "code=c&state=s&iss=https%3A%2F%2Fa.test&iss=https%3A%2F%2Fa.test", Err(Stray::Twice)),
            (true, "code=c&state=s&iss=https%3A%2F%2Fa.test%2F", other()),
            (false, "code=c&state=s&iss=https%3A%2F%2Fb.test", other()),
            (false, "error=access_denied", Err(Stray::State)),
            (false, "error=access_denied&state=s", refused("access_denied")),
            (true, "error=access_denied&state=s&iss=https%3A%2F%2Fb.test", other()),
            (false, "error=%3Csvg+onload%3D1%3E&state=s", refused("an unknown error")),
        ] {
            assert_eq!(read(announced, query), expected, "{query}");
        }
    }
}
