//! One refresh, from the vault's newest token to what it means.

use std::sync::Arc;
use std::time::Duration;

use super::failure::{self, RefreshFailure};
use super::state::Renewed;
use super::tokens::{self, Owner, TokenSet};
use crate::faults;
use crate::model::{Generation, GrantId};
use crate::provider::{Provider, TokenError};
use crate::vault::Vault;

/// How long the store may take to say whether another process has renewed the grant already.
const LOOK: Duration = Duration::from_secs(1);

/// Asks the token endpoint for a successor of `tokens`, unless the store has one already: two processes
/// may use one keyring, and a second use of a refresh token looks like theft and ends the session of
/// both.
///
/// An answer that was lost is asked for once more, at once: providers that rotate give a grace of
/// seconds for just that. Before a session is given up, the store is read again.
pub(super) async fn run(
    grant: &GrantId,
    provider: &Provider,
    vault: &Vault,
    tokens: Arc<TokenSet>,
    generation: Generation,
    claims: Option<Arc<str>>,
    blank_before: bool,
) -> Result<Renewed, RefreshFailure> {
    let owner = provider.registration().into();
    let used = Arc::clone(&tokens);
    let newer = || adopt(grant, vault, &owner, &used, generation);
    let (mut tokens, mut last) = (Arc::clone(&tokens), generation);
    if let Ok(Some(newer)) = tokio::time::timeout(LOOK, newer()).await {
        // What another process brought does not have the claims; its refresh token is the one that is good.
        match claims {
            None => return Ok(newer),
            Some(_) => (tokens, last) = (Arc::new(newer.tokens), newer.generation),
        }
    }
    let resource = grant.resource.as_deref().filter(|_| provider.takes_resource());
    let mut lost = false;
    faults::point("refresh-before");
    let mut result = provider.refresh(&tokens, resource, claims.as_deref()).await;
    faults::point("refresh-answer");
    if matches!(result, Err(TokenError::NoAnswer(_))) {
        lost = true;
        tracing::info!(%grant, "the answer to a refresh was lost, asking once more");
        result = provider.refresh(&tokens, resource, claims.as_deref()).await;
    }
    match result.map_err(|error| failure::read(error, lost, blank_before)) {
        Ok(tokens) => Ok(Renewed { tokens, generation: last.next(), claims, adopted: false }),
        Err(RefreshFailure::Ended(reason)) => newer().await.ok_or(RefreshFailure::Ended(reason)),
        Err(other) => Err(other),
    }
}

/// The token set in the store, if another process put it there: ours is written before it is used, so
/// what differs from it came later, unless ours could not be written.
async fn adopt(
    grant: &GrantId,
    vault: &Vault,
    owner: &Owner,
    used: &TokenSet,
    generation: Generation,
) -> Option<Renewed> {
    let item = vault.read(&super::item_of(grant).ok()?).await.ok()??;
    let (stored, number) = tokens::from_item(&item, owner).ok()?;
    (number >= generation && stored.access != used.access).then(|| {
        tracing::info!(%grant, "adopting the tokens that another process saved");
        Renewed { tokens: stored, generation: number.max(generation.next()), claims: None, adopted: true }
    })
}
