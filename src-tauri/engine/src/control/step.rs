//! Where, on the way from an address to a service that works, something went wrong.

use serde::{Deserialize, Serialize};

use super::Failure;

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// What the person entered.
    Address,
    /// The service was asked who signs people in there (RFC 9728).
    Service,
    /// The authorization server was asked to describe itself (RFC 8414).
    Server,
    /// Signbell was made known to it (RFC 7591).
    Registration,
    /// The page at which the person signs in (RFC 6749 section 4.1.1, RFC 9126).
    SignInPage,
    /// What the browser brought back (RFC 6749 section 4.1.2).
    Callback,
    /// The token endpoint was asked for the tokens (RFC 6749 section 4.1.3).
    Token,
    /// Who signed in was found out (OpenID Connect Core section 3.1.3.7).
    Identity,
    /// The tokens were put into the vault, or the settings into their file.
    Saving,
    /// The service was asked once with the new token.
    FirstCall,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 10] = [
        Self::Address,
        Self::Service,
        Self::Server,
        Self::Registration,
        Self::SignInPage,
        Self::Callback,
        Self::Token,
        Self::Identity,
        Self::Saving,
        Self::FirstCall,
    ];
}

impl Failure {
    /// The same, known to have happened there; what was known before stays.
    #[must_use]
    pub fn at(self, step: Step) -> Self {
        Self { step: self.step.or(Some(step)), ..self }
    }

    /// The same with what came back from whoever was asked: `401 invalid_client`, `no answer`.
    #[must_use]
    pub fn came(self, came: Option<String>) -> Self {
        Self { came: self.came.or(came), ..self }
    }
}
