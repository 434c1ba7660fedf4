//! A sign-in that another program began: its refresh token takes the place of the browser.

use std::sync::OnceLock;

use super::{SignIn, SignInError, finish};
use crate::clock::{self, Anchor};
use crate::model::{Identity, Scopes};
use crate::provider::Issued;
use crate::secret::Secret;
use crate::session::SessionHandle;
use crate::session::tokens::TokenSet;

/// Redeems the token once (RFC 6749 section 6) and signs in with what comes of it.
///
/// # Errors
/// [`SignInError`]. Where the server says no, the token was of no use to the other program either; where it
/// answered and we could not save, it is ours already.
pub(crate) async fn run(
    what: &SignIn,
    session: &SessionHandle,
    refresh_token: Secret,
    scopes: Scopes,
) -> Result<Option<Identity>, SignInError> {
    let theirs = TokenSet {
        access: Secret::new(""),
        refresh: Some(refresh_token),
        scopes: if scopes.is_empty() { what.scopes.clone() } else { scopes },
        issued: Anchor::new(None, clock::now()),
        lifetime: None,
        jwt_expiry: OnceLock::new(),
        unattended: false,
        dpop: None,
        id_token: None,
    };
    let tokens = what.provider.refresh(&theirs, what.resource(), None).await.map_err(SignInError::Obtain)?;
    let id_token = tokens.id_token.clone();
    finish(what, session, Issued { tokens, identity: None, id_token }, None).await
}
