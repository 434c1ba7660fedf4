//! An access token for a program that needs one in its hands.

use std::time::Duration;

use super::core::Core;
use crate::activity::Kind;
use crate::control::Failure;
use crate::model::AccountName;
use crate::session::Lease;
use crate::session::state::Want;
use crate::wording;

impl Core {
    /// An access token for `signbell token`.
    pub(crate) async fn token(&self, account: &AccountName, min_valid: Duration) -> Result<Lease, Failure> {
        self.must_exist(account)?;
        let config = self.config();
        let title = self.titles(&config, account).1;
        if !config.accounts.get(account).is_some_and(|a| a.allow_token) {
            return Err(wording::token_not_allowed(&title, account));
        }
        let session = self.sessions_of(account).into_values().next();
        let session = session.ok_or_else(|| wording::account_without_service(account))?;
        let unready = |unready| wording::unready(&title, account, &unready);
        let mut lease = session.lease(Want { refused: None, min_valid }).await.map_err(unready)?;
        // Too short, though the provider's tokens live longer than that: what is in use by others for half of
        // its life is not enough for this caller.
        let is_short =
            |lease: &Lease| lease.left_of().is_some_and(|(left, whole)| left < min_valid && whole > min_valid);
        if is_short(&lease) {
            lease = session.renew().await.map_err(unready)?;
            if is_short(&lease) {
                return Err(wording::slips::token_too_short(&title, account));
            }
        }
        if lease.dpop().is_some() {
            return Err(wording::token_is_bound(&title));
        }
        self.activity.record(Kind::Used, |record| {
            record.account = Some(account.clone());
            record.text = wording::token_printed(&title);
        });
        Ok(lease)
    }
}
