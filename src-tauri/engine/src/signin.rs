//! One sign-in, top to bottom.
//!
//! discover -> attempt (PKCE, `state`, `nonce`, resource) -> the system browser -> loopback ->
//! callback -> exchange -> identity -> the session, which saves before it is in force.

mod attempt;
mod callback;
mod identity;
pub(crate) mod loopback;
pub(crate) mod page;

use std::time::Duration;

use tokio::sync::mpsc;
use url::Url;

pub use self::attempt::AttemptError;
pub use self::callback::CallbackError;
pub use self::identity::IdentityError;
use crate::model::{GrantId, Identity, Scopes};
use crate::provider::{MetadataError, Provider, TokenError};
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
    /// Nobody came back in time.
    #[error("nobody came back within {} minutes", DEADLINE.as_secs() / 60)]
    Deadline,
    /// The person signed out meanwhile.
    #[error("the account was signed out meanwhile")]
    Cancelled,
    /// At the token endpoint.
    #[error(transparent)]
    Exchange(#[from] TokenError),
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
}

/// Signs in: `show` is given the page for the browser; `pasted` brings redirects that a person
/// pasted by hand, instead of the loopback.
///
/// # Errors
/// [`SignInError`].
pub async fn run(
    what: &SignIn,
    session: &SessionHandle,
    show: impl FnOnce(Url),
    pasted: mpsc::Receiver<String>,
) -> Result<Option<Identity>, SignInError> {
    let metadata = what.provider.metadata().await?;
    let listener = loopback::Loopback::bind(what.title.clone(), what.provider.registration().redirect_port)
        .await
        .map_err(AttemptError::Listen)?;
    let attempt = attempt::begin(what, metadata, listener.redirect_uri()).await?;
    show(attempt.authorize_url.clone());

    let check = attempt.check(metadata);
    let came = listener.wait(&check, pasted).await?;
    let (code, browser) = came.into_parts();
    let outcome = finish(what, session, attempt, code).await;
    // The browser waits for this: its last page tells how it really ended.
    browser.tell(&outcome).await;
    outcome
}

async fn finish(
    what: &SignIn,
    session: &SessionHandle,
    attempt: attempt::Attempt,
    code: Result<String, CallbackError>,
) -> Result<Option<Identity>, SignInError> {
    let attempt::Attempt { verifier, redirect, nonce, .. } = attempt;
    let resource = what.grant.resource.as_deref();
    let issued = what.provider.exchange(code?, verifier, &redirect, resource, &what.scopes).await?;
    let who = identity::of(&what.provider, &issued, &nonce, resource).await?;
    refuse_another(what, who.as_ref(), &issued.tokens).await?;
    session.signed_in(issued.tokens).await.map_err(SignInError::Unsaved)?;
    Ok(who)
}

/// Another person's tokens never take the place of the account's own; they are revoked where the
/// provider offers it, for nobody asked for them.
async fn refuse_another(what: &SignIn, who: Option<&Identity>, tokens: &TokenSet) -> Result<(), SignInError> {
    let (Some(expected), Some(found)) = (&what.expected, who) else { return Ok(()) };
    if expected.subject == found.subject {
        return Ok(());
    }
    if let Err(e) = what.provider.revoke(tokens).await {
        tracing::debug!("the other person's tokens were not revoked: {e}");
    }
    Err(SignInError::OtherIdentity { expected: expected.display.clone(), found: found.display.clone() })
}
