//! The account at a person's employer that vouches for them elsewhere.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use crate::clock;
use crate::model::{AccountName, GrantId};
use crate::provider::{Employer, TokenError, Vouched};
use crate::session::state::{Unready, Want};
use crate::session::tokens::jwt_expiry;
use crate::session::{Lease, SessionHandle};

/// How long an id_token must be good for to be worth showing.
const MARGIN_SECONDS: u64 = 30;

impl Core {
    /// What asks `via` for its word, each time that tokens are to be had by it.
    pub(super) fn employer(&self, via: AccountName) -> Employer {
        let core = self.this.clone();
        Arc::new(move || {
            let (core, via) = (core.clone(), via.clone());
            Box::pin(async move {
                let gone = || TokenError::NotSent("the account that vouches is not there".into());
                let core = core.upgrade().ok_or_else(gone)?;
                let provider = core.provider(&core.config(), &via).ok_or_else(gone)?;
                let session = core.sessions_of(&via).into_values().next().ok_or_else(gone)?;
                let lease = with_identity(&session).await?;
                let id_token = lease.id_token().cloned().ok_or(TokenError::VoucherNeedsPerson)?;
                Ok(Vouched { provider, id_token })
            })
        })
    }

    /// Whether this account has a word to give now.
    pub(super) async fn can_vouch(&self, via: &AccountName) -> bool {
        let session = self.sessions_of(via).into_values().next();
        match session {
            Some(session) => with_identity(&session).await.is_ok(),
            None => false,
        }
    }

    /// The grant of an account that only vouches, and has no service of its own.
    pub(super) fn vouching_grant(via: &AccountName) -> GrantId {
        GrantId { account: via.clone(), resource: None }
    }
}

/// A lease whose id_token is still good: a refresh brings a new one.
async fn with_identity(session: &SessionHandle) -> Result<Lease, TokenError> {
    let lease = session.lease(Want::default()).await.map_err(unready)?;
    if is_good(&lease) {
        return Ok(lease);
    }
    let lease = session.renew().await.map_err(unready)?;
    if is_good(&lease) { Ok(lease) } else { Err(TokenError::VoucherNeedsPerson) }
}

/// Whether its id_token is there and lives on for a moment.
fn is_good(lease: &Lease) -> bool {
    let now = lease.provider_unix(clock::now());
    lease.id_token().is_some_and(|token| jwt_expiry(token.expose()).is_none_or(|end| end > now + MARGIN_SECONDS))
}

fn unready(unready: Unready) -> TokenError {
    match unready {
        Unready::NeedsPerson(_) | Unready::SignedOut => TokenError::VoucherNeedsPerson,
        Unready::Provider { retry_after, .. } => {
            TokenError::NotSent(format!("the employer's server can't be asked for {} s", seconds(retry_after)))
        }
        Unready::Vault(why) => TokenError::NotSent(why.to_string()),
        Unready::RefreshDidNotHelp => TokenError::NotSent("the employer's sign-in is refused".into()),
    }
}

fn seconds(time: Duration) -> u64 {
    time.as_secs().max(1)
}
