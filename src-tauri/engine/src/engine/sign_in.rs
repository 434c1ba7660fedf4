//! Signing in, renewing and signing out, one account at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use url::Url;

use super::core::{Core, lock};
use crate::activity::Kind;
use crate::control::{Failure, SignedIn};
use crate::model::{AccountName, GrantId};
use crate::session::SessionHandle;
use crate::session::state::{State, Unready, Want};
use crate::signin::{self, SignIn, SignInError};
use crate::vault::VaultError;
use crate::wording;

/// A sign-in under way. A second one for the same grant joins it instead of opening another.
#[derive(Clone)]
pub(super) struct Underway {
    page: watch::Receiver<Option<Url>>,
    outcome: watch::Receiver<Option<Result<(), SignInError>>>,
    pasted: mpsc::Sender<String>,
}

/// What a sign-in tells while it goes on.
pub(crate) enum Progress {
    /// The page for the browser.
    Page(Url),
    /// Where a pasted redirect goes.
    Paste(mpsc::Sender<String>),
}

impl Core {
    /// Signs in every grant of the account that needs it, one page after the other.
    pub(crate) async fn sign_in(
        &self,
        account: &AccountName,
        force: bool,
        mut tell: impl FnMut(Progress),
    ) -> Result<SignedIn, Failure> {
        self.must_exist(account)?;
        let sessions = self.sessions_of(account);
        if sessions.is_empty() {
            return Err(wording::account_without_service(account));
        }
        for (grant, session) in sessions {
            if !force && !self.needs_sign_in(&session).await? {
                continue;
            }
            let mut underway = self.begin(&grant, &session)?;
            tell(Progress::Paste(underway.pasted.clone()));
            if let Ok(page) = underway.page.wait_for(Option::is_some).await
                && let Some(page) = page.clone()
            {
                tell(Progress::Page(page));
            }
            let outcome = underway.outcome.wait_for(Option::is_some).await.map(|o| o.clone());
            let title = self.titles(&self.config(), account).1;
            match outcome {
                Ok(Some(Ok(()))) => {}
                Ok(Some(Err(error))) => return Err(wording::sign_in_failed(&title, account, &error)),
                Ok(None) | Err(_) => return Err(wording::sign_in_failed(&title, account, &SignInError::Deadline)),
            }
        }
        Ok(self.signed_in(account))
    }

    async fn needs_sign_in(&self, session: &SessionHandle) -> Result<bool, Failure> {
        match session.lease(Want::default()).await {
            Err(Unready::NeedsPerson(_) | Unready::SignedOut | Unready::RefreshDidNotHelp) => Ok(true),
            // Where there is no keyring there is nothing to read either: in memory, with a banner (T1).
            Err(Unready::Vault(VaultError::Absent)) => Ok(true),
            Err(Unready::Vault(why)) => Err(wording::vault_failure(&why)),
            Ok(_) | Err(Unready::Provider { .. }) => Ok(false),
        }
    }

    /// Starts a sign-in on a task of its own, so that it outlives the window that began it.
    fn begin(&self, grant: &GrantId, session: &SessionHandle) -> Result<Underway, Failure> {
        let mut all = lock(&self.underway);
        if let Some(underway) = all.get(grant).filter(|u| u.outcome.borrow().is_none()) {
            return Ok(underway.clone());
        }
        let config = self.config();
        let settings = config.accounts.get(&grant.account).ok_or_else(|| wording::unknown_account(&grant.account))?;
        let provider =
            self.provider(&config, &grant.account).ok_or_else(|| wording::unknown_account(&grant.account))?;
        let what = SignIn {
            grant: grant.clone(),
            provider,
            scopes: settings.scopes.clone(),
            expected: self.known.identity(&grant.account),
            title: self.titles(&config, &grant.account).1,
        };
        let (show, page) = watch::channel(None);
        let (finish, outcome) = watch::channel(None);
        let (pasted, lines) = mpsc::channel(4);
        let underway = Underway { page, outcome, pasted };
        all.insert(grant.clone(), underway.clone());
        drop(all);
        let (core, session, guard) = (self.this.clone(), session.clone(), self.bell.signing_in(&grant.account));
        tokio::spawn(async move {
            let result = signin::run(&what, &session, |url| drop(show.send(Some(url))), lines).await;
            if let Some(core) = core.upgrade() {
                core.sign_in_ended(&what, &result);
            }
            drop(guard);
            finish.send_replace(Some(result.map(drop)));
        });
        Ok(underway)
    }

    fn sign_in_ended(&self, what: &SignIn, result: &Result<Option<crate::model::Identity>, SignInError>) {
        let account = &what.grant.account;
        if let Ok(Some(who)) = result {
            self.known.set_identity(account, who.clone());
            // Titles show it.
            self.apply();
        }
        let (kind, text) = match result {
            Ok(who) => (Kind::SignedIn, wording::signed_in(&what.title, who.as_ref())),
            Err(error) => (Kind::SignInFailed, wording::sign_in_failed(&what.title, account, error).message),
        };
        self.activity.record(kind, |record| {
            record.account = Some(account.clone());
            record.text = text;
        });
        self.changed.notify_one();
    }

    /// Renews every grant of the account now.
    pub(crate) async fn refresh(&self, account: &AccountName) -> Result<SignedIn, Failure> {
        self.must_exist(account)?;
        let title = self.titles(&self.config(), account).1;
        for session in self.sessions_of(account).values() {
            if let Err(unready) = session.renew().await {
                return Err(wording::unready(&title, account, &unready));
            }
        }
        Ok(self.signed_in(account))
    }

    /// Revokes where the provider offers it, and wipes the tokens in any case.
    pub(crate) async fn sign_out(&self, account: &AccountName, forget: bool) -> Result<(), Failure> {
        self.must_exist(account)?;
        let config = self.config();
        let title = self.titles(&config, account).1;
        let provider = self.provider(&config, account);
        let mut trouble = None;
        for session in self.sessions_of(account).values() {
            // What was never read could not be revoked.
            session.known().await;
            let tokens = match &*session.watch().borrow() {
                State::Active(held) | State::Refreshing(held) | State::Saving { new: held, .. } => {
                    Some(Arc::clone(&held.tokens))
                }
                _ => None,
            };
            let wiped = session.sign_out().await;
            if let (Some(tokens), Some(provider)) = (tokens, &provider) {
                let revoked = tokio::time::timeout(Duration::from_secs(10), provider.revoke(&tokens)).await;
                if !matches!(revoked, Ok(Ok(_))) {
                    tracing::info!("the tokens of {account} are wiped here, but the provider did not revoke them");
                }
            }
            // One that can't be wiped keeps no other from being wiped.
            trouble = trouble.or(wiped.err());
        }
        if let Some(why) = trouble {
            return Err(wording::vault_failure(&why));
        }
        self.activity.record(Kind::SignedOut, |record| {
            record.account = Some(account.clone());
            record.text = wording::signed_out(&title);
        });
        if forget { self.remove_account(account) } else { Ok(()) }
    }

    /// An access token for `signbell token`.
    pub(crate) async fn token(
        &self,
        account: &AccountName,
        min_valid: Duration,
    ) -> Result<crate::session::Lease, Failure> {
        self.must_exist(account)?;
        let config = self.config();
        let title = self.titles(&config, account).1;
        if !config.accounts.get(account).is_some_and(|a| a.allow_token) {
            return Err(wording::token_not_allowed(&title, account));
        }
        let session = self.sessions_of(account).into_values().next();
        let session = session.ok_or_else(|| wording::account_without_service(account))?;
        let lease = session
            .lease(Want { refused: None, min_valid })
            .await
            .map_err(|unready| wording::unready(&title, account, &unready))?;
        self.activity.record(Kind::Used, |record| {
            record.account = Some(account.clone());
            record.text = wording::token_printed(&title);
        });
        Ok(lease)
    }

    /// How the account stands.
    fn signed_in(&self, account: &AccountName) -> SignedIn {
        let view = self.snapshot().accounts.into_iter().find(|a| a.account == *account);
        match view {
            Some(view) => SignedIn {
                account: view.account,
                identity: view.identity,
                state: view.state,
                scopes: view.scopes,
                expires_at: view.expires_at,
            },
            None => SignedIn {
                account: account.clone(),
                identity: None,
                state: crate::view::StateName::SignedOut,
                scopes: vec![],
                expires_at: None,
            },
        }
    }

    pub(super) fn must_exist(&self, account: &AccountName) -> Result<(), Failure> {
        if self.config().accounts.contains_key(account) { Ok(()) } else { Err(wording::unknown_account(account)) }
    }
}
