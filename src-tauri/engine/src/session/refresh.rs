//! One refresh, from the vault's newest token to what it means.

use std::sync::Arc;

use super::failure::{self, RefreshFailure};
use super::tokens::{self, TokenSet};
use crate::model::{Generation, GrantId};
use crate::provider::{Provider, TokenError};
use crate::vault::Vault;

/// Asks the token endpoint for a successor of `tokens`.
///
/// An answer that was lost is asked for once more, at once: providers that rotate give a grace of
/// seconds for just that. Before a session is given up, the store is read again: another process may
/// have renewed it.
pub(super) async fn run(
    grant: &GrantId,
    provider: &Provider,
    vault: &Vault,
    tokens: Arc<TokenSet>,
    generation: Generation,
) -> Result<TokenSet, RefreshFailure> {
    let resource = grant.resource.as_deref();
    let mut lost = false;
    let mut result = provider.refresh(&tokens, resource).await;
    if matches!(result, Err(TokenError::NoAnswer(_))) {
        lost = true;
        tracing::info!(%grant, "the answer to a refresh was lost, asking once more");
        result = provider.refresh(&tokens, resource).await;
    }
    match result.map_err(|error| failure::read(error, lost)) {
        Err(RefreshFailure::Ended(reason)) => match adopt(grant, vault, &tokens, generation).await {
            Some(newer) => Ok(newer),
            None => Err(RefreshFailure::Ended(reason)),
        },
        other => other,
    }
}

/// A token set in the vault that is newer than the one that was just refused.
async fn adopt(grant: &GrantId, vault: &Vault, used: &TokenSet, generation: Generation) -> Option<TokenSet> {
    let item = vault.read(&super::item_of(grant).ok()?).await.ok()??;
    let (stored, number) = tokens::from_item(&item).ok()?;
    (number > generation && stored.refresh != used.refresh).then(|| {
        tracing::info!(%grant, "adopting the tokens that another process saved");
        stored
    })
}
