//! What the running engine knows of its own health.

use super::core::Core;
use crate::clock;
use crate::control::{Checkup, ClockSeen, VaultSeen};
use crate::session::state::State;
use crate::wording;
use crate::wording::language::Language;

impl Core {
    /// The vault, looked at or tried by writing, and how far each provider's clock is from ours.
    pub(crate) async fn checkup(&self, try_vault: bool) -> Checkup {
        let outcome = if try_vault { self.vault.check().await } else { self.vault.probe().await };
        let vault = VaultSeen {
            words: wording::states::vault_kind(Language::En, self.vault.kind()).to_owned(),
            tried: try_vault,
            trouble: outcome.err().map(|why| wording::vault_failure(&why).message),
        };
        let now = clock::now();
        let clocks = self.all_sessions().into_iter().filter_map(|session| {
            let watch = session.watch();
            let state = watch.borrow();
            let (State::Active(held) | State::Refreshing(held)) = &*state else { return None };
            // The provider's `Date` when it issued these, carried on by the clock that nobody can set.
            let theirs = held.tokens.issued.provider_unix(now);
            let ahead = i64::try_from(now.unix()).ok()?.checked_sub(i64::try_from(theirs).ok()?)?;
            Some(ClockSeen { account: session.grant().account.clone(), seconds_ahead: ahead })
        });
        Checkup { vault, clocks: clocks.collect() }
    }
}
