//! One sign-in, top to bottom.
//!
//! discover -> attempt (PKCE, `state`, `nonce`, resource) -> the system browser -> loopback ->
//! callback -> exchange -> identity -> the session, which saves before it is in force. On another device
//! (RFC 8628) a code takes the place of browser and loopback; where a client asks in its own name, or an
//! employer vouches, nobody is shown anything.

pub(crate) mod adopt;
mod attempt;
mod callback;
mod identity;
pub(crate) mod loopback;
pub(crate) mod page;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use url::Url;

pub use self::attempt::AttemptError;
pub use self::callback::CallbackError;
pub(crate) use self::callback::Stray;
pub use self::identity::IdentityError;
pub(crate) use self::loopback::Pasted;
use crate::faults;
use crate::model::{GrantId, Identity, Scopes};
use crate::provider::{DeviceCode, DpopKey, Issued, MetadataError, Provider, TokenAsk, TokenError};
use crate::session::SessionHandle;
use crate::session::tokens::TokenSet;
use crate::vault::VaultError;

/// How long a person may take at the provider.
pub const DEADLINE: Duration = Duration::from_secs(600);

/// Why a sign-in came to nothing. The session that was there stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// At discovery.
    #[error(transparent)]
    Discovery(#[from] MetadataError),
    /// Before the browser.
    #[error(transparent)]
    Attempt(#[from] AttemptError),
    /// What the browser brought back.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The server does not know our client any more, which it registered by itself.
    #[error("the server has forgotten our registration")]
    ClientForgotten,
    /// Nobody came back in time.
    #[error("nobody came back within {} minutes", DEADLINE.as_secs() / 60)]
    Deadline,
    /// The person signed out meanwhile.
    #[error("the account was signed out meanwhile")]
    Cancelled,
    /// At the token endpoint, with the code.
    #[error(transparent)]
    Exchange(#[from] TokenError),
    /// On another device: no code for it, or what came of it.
    #[error(transparent)]
    Device(TokenError),
    /// Without the person: in the client's own name, or by an employer's word.
    #[error(transparent)]
    Obtain(TokenError),
    /// Who it is can't be told, or contradicts itself.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Somebody else signed in.
    #[error("{found} signed in, not {expected}")]
    OtherIdentity {
        /// Whose account it is.
        expected: String,
        /// Who came.
        found: String,
    },
    /// Signed in, and kept in memory: the vault could not be written.
    #[error("signed in, but the tokens could not be saved: {0}")]
    Unsaved(VaultError),
}

/// What to sign in to.
#[derive(Clone)]
pub struct SignIn {
    /// What the tokens will belong to.
    pub grant: GrantId,
    /// Where.
    pub provider: Provider,
    /// What to ask for.
    pub scopes: Scopes,
    /// The `claims` that a service wants of the token (OpenID Connect Core section 5.5).
    pub claims: Option<String>,
    /// Whose account it is, if somebody signed in before.
    pub expected: Option<Identity>,
    /// What the account is called on the last page.
    pub title: String,
    /// Where the person signs in.
    pub place: Place,
    /// The port of the redirect, where a tunnel leads to it.
    pub port: Option<u16>,
    /// Whether the server is asked first if it still knows us: it may forget whom it registered by itself.
    pub ask_first: bool,
    /// Whether the tokens are to be bound to a key (RFC 9449).
    pub bound: bool,
}

/// Where a person signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// In this machine's browser.
    #[default]
    Here,
    /// On another device (RFC 8628).
    OtherDevice,
}

/// What the person is shown.
#[derive(Debug, Clone)]
pub(crate) enum Prompt {
    /// The page for the browser.
    Page(Url),
    /// The code for another device.
    Device(DeviceCode),
}

/// Signs in: `show` is given what the person has to see; `pasted` brings redirects that a person
/// pasted by hand, instead of the loopback.
///
/// # Errors
/// [`SignInError`].
pub(crate) async fn run(
    what: &SignIn,
    session: &SessionHandle,
    show: impl FnOnce(Prompt),
    pasted: mpsc::Receiver<Pasted>,
) -> Result<Option<Identity>, SignInError> {
    let metadata = what.provider.metadata().await?;
    let key = what.new_key()?;
    let ask = TokenAsk { scopes: &what.scopes, resource: what.resource(), dpop: key.as_ref() };
    if what.provider.registration().grant.is_unattended() {
        return finish(what, session, what.provider.obtain(&ask, None).await.map_err(SignInError::Obtain)?, None).await;
    }
    if what.place == Place::OtherDevice {
        let code = what.provider.device_code(&ask).await.map_err(SignInError::Device)?;
        show(Prompt::Device(code.clone()));
        let issued = what.provider.await_device(&code, &ask).await.map_err(SignInError::Device)?;
        return finish(what, session, issued, None).await;
    }
    let listener = what.listen().await?;
    let attempt = attempt::begin(what, metadata, listener.redirect_uri(), key.as_deref()).await;
    let attempt = match attempt {
        Err(AttemptError::Pushed(why)) if what.ask_first && why.contains("invalid_client") => {
            return Err(SignInError::ClientForgotten);
        }
        attempt => attempt?,
    };
    // Its page would only say so to the person, and nobody would come back.
    if what.ask_first && !what.provider.knows_us(&attempt.authorize_url).await {
        return Err(SignInError::ClientForgotten);
    }
    show(Prompt::Page(attempt.authorize_url.clone()));
    faults::point("sign-in-page");

    let check = attempt.check(metadata);
    let came = listener.wait(&check, pasted).await?;
    let (code, browser) = came.into_parts();
    faults::point("sign-in-code");
    let outcome = redeem(what, session, attempt, code, &ask).await;
    // The browser waits for this: its last page tells how it really ended.
    browser.tell(&outcome).await;
    outcome
}

async fn redeem(
    what: &SignIn,
    session: &SessionHandle,
    attempt: attempt::Attempt,
    code: Result<String, CallbackError>,
    ask: &TokenAsk<'_>,
) -> Result<Option<Identity>, SignInError> {
    let attempt::Attempt { verifier, redirect, nonce, .. } = attempt;
    let issued = what.provider.exchange(code?, verifier, &redirect, ask).await?;
    faults::point("sign-in-answer");
    finish(what, session, issued, Some(&nonce)).await
}

async fn finish(
    what: &SignIn,
    session: &SessionHandle,
    issued: Issued,
    nonce: Option<&str>,
) -> Result<Option<Identity>, SignInError> {
    let who = identity::of(&what.provider, &issued, nonce, what.grant.resource.as_deref()).await?;
    refuse_another(what, who.as_ref(), &issued.tokens).await?;
    session.signed_in(issued.tokens).await.map_err(SignInError::Unsaved)?;
    faults::point("sign-in-saved");
    Ok(who)
}

impl SignIn {
    /// Takes the port that the person named, or none; else the registered one where it is free.
    async fn listen(&self) -> Result<loopback::Loopback, AttemptError> {
        let (title, registration) = (self.title.clone(), self.provider.registration());
        match self.port {
            Some(port) => loopback::Loopback::bind_to(title, registration.redirect(), port)
                .await
                .map_err(|why| AttemptError::Port { port, why }),
            None => loopback::Loopback::bind(title, registration.redirect(), registration.redirect_port).await,
        }
    }

    /// What the tokens are to be for, where the provider takes that.
    fn resource(&self) -> Option<&str> {
        self.grant.resource.as_deref().filter(|_| self.provider.takes_resource())
    }

    /// A key of its own for each sign-in: nothing of an earlier one is needed for the new tokens.
    fn new_key(&self) -> Result<Option<Arc<DpopKey>>, SignInError> {
        if !self.bound {
            return Ok(None);
        }
        let key = DpopKey::generate().map_err(|e| TokenError::NotSent(e.to_string()))?;
        Ok(Some(Arc::new(key)))
    }
}

/// Another person's tokens never take the place of the account's own; they are revoked where the
/// provider offers it, for nobody asked for them.
async fn refuse_another(what: &SignIn, who: Option<&Identity>, tokens: &TokenSet) -> Result<(), SignInError> {
    let (Some(expected), Some(found)) = (&what.expected, who) else { return Ok(()) };
    if expected.subject == found.subject {
        return Ok(());
    }
    let revocation = what.provider.revoke(tokens).await;
    tracing::debug!(?revocation, "another person's tokens");
    Err(SignInError::OtherIdentity { expected: expected.display.clone(), found: found.display.clone() })
}

/// Reads the query of a redirect that must show `state`.
#[cfg(fuzzing)]
pub(crate) fn read_redirect(state: &str, query: &str) -> Result<Result<String, CallbackError>, ()> {
    callback::check(state, true).read(query).map_err(|_| ())
}

/// The claims of a JWT.
#[cfg(fuzzing)]
pub(crate) fn read_claims(jwt: &str) -> Option<serde_json::Value> {
    identity::claims(jwt)
}
