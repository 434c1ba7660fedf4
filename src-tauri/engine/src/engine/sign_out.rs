//! Signing out: the tokens are wiped here in any case, and the provider is told where it wants to be.

use super::core::{Core, lock};
use super::sign_in::Underway;
use crate::activity::Kind;
use crate::control::{Failure, Notice, SignedOut};
use crate::faults;
use crate::model::{AccountName, GrantId};
use crate::provider::{Provider, Revocation};
use crate::secret::Secret;
use crate::session::failure::Reason;
use crate::session::state::State;
use crate::session::tokens::{self, TokenSet};
use crate::session::{SessionHandle, item_of};
use crate::vault::VaultError;
use crate::wording;

impl Core {
    /// Revokes where the provider offers it, and wipes the tokens in any case.
    pub(crate) async fn sign_out(&self, account: &AccountName, forget: bool) -> Result<SignedOut, Failure> {
        self.must_exist(account)?;
        let config = self.config();
        if forget && let Some((other, _)) = config.providers.iter().find(|(_, p)| p.via.as_ref() == Some(account)) {
            return Err(wording::vouches_for(account, other));
        }
        let title = self.titles(&config, account).1;
        let provider = self.provider(&config, account);
        // Whoever still sits at the provider's page would sign in again what is being signed out.
        self.end_sign_ins(account).await;
        let (mut trouble, mut worst, mut sign_ins) = (None, Revocation::Nothing, 0);
        for session in self.sessions_of(account).values() {
            // What was never read could not be revoked.
            session.known().await;
            let held = self.held(session, provider.as_ref()).await;
            sign_ins += usize::from(!matches!(held, Held::Nothing));
            faults::point("sign-out-before");
            self.note_sign_out(session.grant()).await;
            faults::point("sign-out-noted");
            let wiped = session.sign_out().await;
            faults::point("sign-out-wiped");
            match &wiped {
                Ok(()) => self.known.wiped(session.grant()),
                // A renewal that ended meanwhile may have told of newer tokens, and so undone the note.
                Err(_) => self.note_sign_out(session.grant()).await,
            }
            worst = worst.max(take_back(provider.as_ref(), held).await);
            faults::point("sign-out-revoked");
            // One that can't be wiped keeps no other from being wiped.
            trouble = trouble.or(wiped.err());
        }
        // Grants whose services are gone have no session, and their items are there all the same.
        for grant in self.known.grants(account) {
            if !lock(&self.sessions).contains_key(&grant) {
                match self.wipe(&grant, provider.as_ref()).await {
                    Ok(revocation) => {
                        sign_ins += usize::from(revocation != Revocation::Nothing);
                        worst = worst.max(revocation);
                    }
                    Err(why) => trouble = trouble.or(Some(why)),
                }
            }
        }
        self.proxy.asks.forget(|grant| grant.account == *account);
        self.pools.forget(|grant| grant.account == *account);
        self.apply();
        self.settle(account);
        if let Some(why) = trouble {
            return Err(wording::vault_failure(&why));
        }
        let words = wording::at_provider(worst);
        let text = wording::signed_out(&title, &words);
        if worst >= Revocation::NotOffered {
            // Nobody listens: fine.
            let _ = self.notices.send(Notice::Say { text: text.clone() });
        }
        self.activity.record(Kind::SignedOut, |record| {
            record.account = Some(account.clone());
            record.text = text;
        });
        let removed = if forget { Some(self.remove_account(account, sign_ins).await?) } else { None };
        Ok(SignedOut { account: account.clone(), done: true, provider: worst, provider_words: words, removed })
    }

    /// Notes on the disk that the person signs out, before anything is wiped: killed in between, the next start
    /// finishes it ([`Core::finish_sign_outs`]).
    async fn note_sign_out(&self, grant: &GrantId) {
        if !self.is_ephemeral(&grant.account) {
            self.known.signs_out(grant);
            self.known.write_now(&self.usage).await;
        }
    }

    /// Wipes what a sign-out could not, before the person signs in again: else the next start would take the new
    /// tokens for the old ones. Where the vault still can't, it stays noted until the new ones are saved.
    pub(super) async fn wipe_what_was_left(&self, grant: &GrantId) {
        if !self.known.last(grant).is_some_and(|known| known.unwiped) {
            return;
        }
        let Ok(item) = item_of(grant) else { return };
        if self.vault.delete(&item).await.is_ok() {
            self.known.wiped(grant);
            self.known.write_now(&self.usage).await;
        }
    }

    /// Finishes what a crash came into: wipes the tokens of grants that the person signed out of, and tells the
    /// provider. A vault that is locked is tried again at the next start; until then nobody uses what it holds.
    pub(super) fn finish_sign_outs(&self) {
        let config = self.config();
        for grant in self.known.unwiped() {
            let Ok(item) = item_of(&grant) else { continue };
            // Both take their place in the vault's queue now, before any sign-in of this run can write.
            let (stored, deleted) = (self.vault.read(&item), self.vault.delete(&item));
            let provider = self.provider(&config, &grant.account);
            let core = self.this.clone();
            tokio::spawn(async move {
                let (stored, deleted) = (stored.await, deleted.await);
                let Some(core) = core.upgrade() else { return };
                if let Err(why) = deleted {
                    return tracing::warn!(%grant, "signed out, and not wiped yet: {why}");
                }
                core.known.wiped(&grant);
                let tokens = stored.ok().flatten().and_then(|stored| tokens_of(&stored, provider.as_ref()));
                let Some(tokens) = tokens else { return };
                let revocation = take_back(provider.as_ref(), Held::Tokens(tokens)).await;
                let title = core.titles(&core.config(), &grant.account).1;
                core.activity.record(Kind::SignedOut, |record| {
                    record.account = Some(grant.account.clone());
                    record.text = wording::signed_out(&title, &wording::at_provider(revocation));
                });
            });
        }
    }

    /// Ends the account's sign-ins under way; returns once none of them can bring tokens any more.
    pub(super) async fn end_sign_ins(&self, account: &AccountName) {
        let ours: Vec<Underway> = lock(&self.underway)
            .iter()
            .filter(|(grant, _)| grant.account == *account)
            .map(|(_, u)| u.clone())
            .collect();
        for mut underway in ours {
            underway.cancel.cancel();
            let _ = underway.outcome.wait_for(Option::is_some).await;
        }
    }

    /// What a session has that its provider may still honour.
    async fn held(&self, session: &SessionHandle, provider: Option<&Provider>) -> Held {
        let state = session.watch().borrow().clone();
        match state {
            State::Active(held) | State::Refreshing(held) | State::Saving { new: held, .. } => {
                Held::Tokens((*held.tokens).clone())
            }
            State::NeedsSignIn { reason: Reason::EndedByProvider, .. } => Held::Ended,
            // It can't be used any more, and may well be listed there.
            State::NeedsSignIn { .. } => {
                let stored = self.stored(session.grant(), provider).await;
                stored.ok().flatten().map_or(Held::Nothing, Held::Tokens)
            }
            _ => Held::Nothing,
        }
    }

    async fn stored(&self, grant: &GrantId, provider: Option<&Provider>) -> Result<Option<TokenSet>, VaultError> {
        let vault = if self.is_ephemeral(&grant.account) { &self.memory } else { &self.vault };
        let stored = vault.read(&item_of(grant)?).await?;
        Ok(stored.and_then(|stored| tokens_of(&stored, provider)))
    }

    /// Revokes and deletes what the vault holds of a grant that no service uses.
    async fn wipe(&self, grant: &GrantId, provider: Option<&Provider>) -> Result<Revocation, VaultError> {
        let tokens = self.stored(grant, provider).await?;
        self.note_sign_out(grant).await;
        self.vault.delete(&item_of(grant)?).await?;
        let revocation = take_back(provider, tokens.map_or(Held::Nothing, Held::Tokens)).await;
        self.known.forget_grant(grant);
        Ok(revocation)
    }
}

/// The tokens of an item, if they are of this provider's client.
fn tokens_of(stored: &Secret, provider: Option<&Provider>) -> Option<TokenSet> {
    let owner = provider?.registration().into();
    tokens::from_item(stored, &owner).ok().map(|(tokens, _)| tokens)
}

enum Held {
    Nothing,
    /// The provider said itself that it is over.
    Ended,
    Tokens(TokenSet),
}

/// What is wiped here must not live on there; a provider that can't be asked keeps nobody signed in.
async fn take_back(provider: Option<&Provider>, held: Held) -> Revocation {
    match (provider, held) {
        (Some(provider), Held::Tokens(tokens)) => provider.revoke(&tokens).await,
        (_, Held::Ended) => Revocation::Gone,
        (None, Held::Tokens(_)) | (_, Held::Nothing) => Revocation::Nothing,
    }
}
