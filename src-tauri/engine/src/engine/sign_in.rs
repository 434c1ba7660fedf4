//! Signing in, renewing and signing out, one account at a time.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::add::write_secrets;
use super::core::{Core, grant_of, lock};
use super::document::{set, unset, write_registration};
use crate::activity::Kind;
use crate::ask::Ask;
use crate::config::Config;
use crate::control::{DeviceCode, Failure, SignedIn};
use crate::model::{AccountName, GrantId, Scopes};
use crate::session::SessionHandle;
use crate::session::failure::Reason;
use crate::session::state::{State, Unready, Want};
use crate::signin::{self, AttemptError, CallbackError, Pasted, Place, Prompt, SignIn, SignInError};
use crate::vault::VaultError;
use crate::view::DevicePage;
use crate::wording;

/// A sign-in under way. A second one for the same grant joins it instead of opening another.
#[derive(Clone)]
pub(super) struct Underway {
    page: watch::Receiver<Option<Prompt>>,
    pub(super) outcome: watch::Receiver<Option<Result<(), SignInError>>>,
    pasted: mpsc::Sender<Pasted>,
    /// Ends it: the person signed out meanwhile, or wants another one.
    pub(super) cancel: CancellationToken,
    /// What it asks for.
    scopes: Scopes,
    /// Where the person signs in.
    place: Place,
    /// The redirect's port, where the person named one.
    port: Option<u16>,
}

/// How to sign in.
#[derive(Debug, Clone, Default)]
pub(crate) struct How {
    /// Also where the session is good.
    pub(crate) force: bool,
    /// Scopes that the person wrote out: only so can one be added that no list names.
    pub(crate) typed: Scopes,
    /// Where.
    pub(crate) place: Place,
    /// The redirect's port, where a tunnel leads to it.
    pub(crate) port: Option<u16>,
    /// The server did not know us, and we have registered anew for this.
    pub(crate) registered_anew: bool,
}

/// Why the grants of an account are not signed in.
enum Setback {
    /// What is to be told.
    Failed(Failure),
    /// The server did not know us any more when this grant's turn came.
    Forgotten(GrantId),
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What a sign-in tells while it goes on.
pub(crate) enum Progress {
    /// The page for the browser.
    Page(AccountName, Url),
    /// The code for another device.
    Device(DeviceCode),
    /// Where a pasted redirect goes.
    Paste(mpsc::Sender<Pasted>),
}

impl Core {
    /// Signs in every grant of the account that needs it or is asked for more, one page after the other.
    pub(crate) async fn sign_in(
        &self,
        account: &AccountName,
        how: &How,
        mut tell: impl FnMut(Progress) + Send,
    ) -> Result<SignedIn, Failure> {
        self.must_exist(account)?;
        self.sign_in_voucher(account, how, &mut tell).await?;
        match self.sign_in_grants(account, how, &mut tell).await {
            Err(Setback::Forgotten(grant)) => {
                self.register_anew(&grant).await?;
                let how = How { registered_anew: true, ..how.clone() };
                self.sign_in_grants(account, &how, &mut tell).await.map_err(|setback| match setback {
                    Setback::Failed(failure) => failure,
                    Setback::Forgotten(_) => {
                        let title = self.titles(&self.config(), account).1;
                        wording::sign_in_failed(&title, account, &SignInError::ClientForgotten)
                    }
                })
            }
            Err(Setback::Failed(failure)) => Err(failure),
            Ok(signed_in) => Ok(signed_in),
        }
    }

    async fn sign_in_grants(
        &self,
        account: &AccountName,
        how: &How,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<SignedIn, Setback> {
        let typed = &how.typed;
        for (grant, session) in self.sessions_of(account) {
            // Once is enough: a new registration is there for all grants, and ends all their old sessions.
            if self.known_there(grant, session).await? {
                break;
            }
        }
        let sessions = self.sessions_of(account);
        if sessions.is_empty() {
            return Err(wording::account_without_service(account).into());
        }
        let asks: BTreeMap<GrantId, Ask> =
            sessions.keys().filter_map(|grant| Some((grant.clone(), self.proxy.asks.of(grant)?))).collect();
        // What the person typed is for the grant that was asked for it; for all where none was.
        let named = |ask: &Ask| !ask.scopes().intersection(typed).is_empty();
        let anybody = asks.values().any(named);
        let mut untyped = None;
        for (grant, session) in sessions {
            let ask = asks.get(&grant).cloned().unwrap_or_default();
            let own = if !anybody || named(&ask) { typed.clone() } else { Scopes::default() };
            if !how.force && own.is_empty() && !ask.is_for_a_click() && !self.needs_sign_in(&session).await? {
                if !ask.unlisted.is_empty() {
                    untyped = Some(ask.unlisted);
                }
                continue;
            }
            // Not even by force: what a newer Signbell keeps is not written over.
            session.known().await;
            if let State::Unavailable { why: why @ VaultError::NewerFormat, .. } = &*session.watch().borrow() {
                return Err(wording::vault_failure(why).into());
            }
            self.same_server(&grant).await?;
            self.proxy.asks.reconsider(&grant, &own);
            let mut underway = self.begin(&grant, &session, &ask.listed.union(&own), how)?;
            tell(Progress::Paste(underway.pasted.clone()));
            if let Ok(page) = underway.page.wait_for(Option::is_some).await
                && let Some(prompt) = page.clone()
            {
                tell(match prompt {
                    Prompt::Page(url) => Progress::Page(account.clone(), url),
                    Prompt::Device(code) => Progress::Device(device_code(account, &code)),
                });
            }
            let outcome = underway.outcome.wait_for(Option::is_some).await.map(|o| o.clone());
            let title = self.titles(&self.config(), account).1;
            match outcome {
                Ok(Some(Ok(()))) => {}
                // It has forgotten us since: once more, with a new registration.
                Ok(Some(Err(SignInError::ClientForgotten))) if !how.registered_anew => {
                    return Err(Setback::Forgotten(grant));
                }
                Ok(Some(Err(error))) => return Err(wording::sign_in_failed(&title, account, &error).into()),
                Ok(None) | Err(_) => {
                    return Err(wording::sign_in_failed(&title, account, &SignInError::Deadline).into());
                }
            }
        }
        match untyped {
            Some(scopes) => {
                let title = self.titles(&self.config(), account).1;
                Err(wording::scopes_need_typing(&title, account, &scopes).into())
            }
            None => Ok(self.signed_in(account)),
        }
    }

    /// The account that vouches for this one is signed in first.
    async fn sign_in_voucher(
        &self,
        account: &AccountName,
        how: &How,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), Failure> {
        let config = self.config();
        let provider = config.accounts.get(account).and_then(|account| config.providers.get(&account.provider));
        let Some(via) = provider.and_then(|provider| provider.via.clone()) else { return Ok(()) };
        // A sign-in that is good and brought no id_token can't vouch: then the person is asked for one.
        let force = !self.can_vouch(&via).await;
        let typed = if force { Scopes::parse("openid") } else { Scopes::default() };
        let how = How { force, typed, ..how.clone() };
        // Whoever vouches is signed in to by hand, so this goes no deeper.
        Box::pin(self.sign_in(&via, &how, tell)).await.map(drop)
    }

    /// A server that has forgotten our registration gets a new one first, where it registers by itself.
    /// Tokens of the old one are not used again. Returns whether it did.
    async fn known_there(&self, grant: GrantId, session: SessionHandle) -> Result<bool, Failure> {
        let rejected = matches!(&*session.watch().borrow(), State::NeedsSignIn { reason: Reason::ClientRejected, .. });
        if rejected { self.register_anew(&grant).await } else { Ok(false) }
    }

    /// Registers at the account's provider once more, if it was by itself that we did so before.
    async fn register_anew(&self, grant: &GrantId) -> Result<bool, Failure> {
        let config = self.config();
        let settings = config.accounts.get(&grant.account).and_then(|account| {
            config.providers.get(&account.provider).map(|provider| (account.provider.clone(), provider.clone()))
        });
        let Some((name, mut settings)) = settings.filter(|(_, provider)| provider.registered) else {
            return Ok(false);
        };
        let secrets = self.become_known(&name, &mut settings, &config.network).await?;
        write_secrets(&self.vault, &name, &settings.issuer, &secrets).await?;
        self.edit(|_, document| {
            set(document, ["providers", name.as_str(), "client_id"], toml_edit::value(settings.client_id.as_str()));
            let confidential = toml_edit::value(settings.client_secret_in_vault);
            set(document, ["providers", name.as_str(), "client_secret_in_vault"], confidential);
            unset(document, ["providers", name.as_str(), "client_key_in_vault"]);
            write_registration(document, name.as_str(), &settings);
            Ok(())
        })?;
        self.changed_by_person(&wording::registered_anew(&name), |record| record.account = Some(grant.account.clone()));
        Ok(true)
    }

    /// Whether we registered ourselves at the account's provider, and have signed in there since.
    fn was_registered_before(&self, config: &Config, account: &AccountName) -> bool {
        let Some(name) = config.accounts.get(account).map(|account| &account.provider) else { return false };
        let there = config.accounts.iter().filter(|(_, account)| account.provider == *name);
        config.providers.get(name).is_some_and(|provider| provider.registered)
            && there.map(|(account, _)| account).any(|account| self.known.ever_signed_in(account))
    }

    pub(super) async fn needs_sign_in(&self, session: &SessionHandle) -> Result<bool, Failure> {
        match session.lease(Want::default()).await {
            Err(Unready::NeedsPerson(_) | Unready::SignedOut | Unready::RefreshDidNotHelp) => Ok(true),
            // Where there is no keyring there is nothing to read either: in memory, with a banner (T1).
            Err(Unready::Vault(VaultError::Absent)) => Ok(true),
            Err(Unready::Vault(why)) => Err(wording::vault_failure(&why)),
            Ok(_) | Err(Unready::Provider { .. }) => Ok(false),
        }
    }

    /// Starts a sign-in on a task of its own, so that it outlives the window that began it.
    fn begin(&self, grant: &GrantId, session: &SessionHandle, more: &Scopes, how: &How) -> Result<Underway, Failure> {
        let mut all = lock(&self.underway);
        if let Some(underway) = all.get(grant).filter(|u| u.outcome.borrow().is_none()) {
            let same_port = how.port.is_none() || underway.port == how.port;
            if underway.scopes.covers(more) && underway.place == how.place && same_port {
                return Ok(underway.clone());
            }
            // It does not ask for what the person wants now: another page takes its place.
            underway.cancel.cancel();
        }
        let config = self.config();
        let settings = config.accounts.get(&grant.account).ok_or_else(|| wording::unknown_account(&grant.account))?;
        let provider =
            self.provider(&config, &grant.account).ok_or_else(|| wording::unknown_account(&grant.account))?;
        let what = SignIn {
            grant: grant.clone(),
            provider,
            scopes: settings.scopes.union(&self.known.added(grant)).union(more),
            claims: self.proxy.asks.of(grant).and_then(|ask| ask.claims),
            expected: self.known.identity(&grant.account),
            title: self.titles(&config, &grant.account).1,
            place: how.place,
            port: how.port,
            // Who has just been registered is known.
            ask_first: !how.registered_anew && self.was_registered_before(&config, &grant.account),
            bound: config.services.values().any(|service| service.dpop && grant_of(service) == *grant),
        };
        let (show, page) = watch::channel(None);
        let (finish, outcome) = watch::channel(None);
        let (pasted, lines) = mpsc::channel(4);
        let cancel = CancellationToken::new();
        let underway = Underway {
            page,
            outcome,
            pasted,
            cancel: cancel.clone(),
            scopes: what.scopes.clone(),
            place: how.place,
            port: how.port,
        };
        all.insert(grant.clone(), underway.clone());
        drop(all);
        let (core, session, guard) = (self.this.clone(), session.clone(), self.bell.signing_in(&grant.account));
        tokio::spawn(async move {
            if let Some(core) = core.upgrade() {
                core.wipe_what_was_left(&what.grant).await;
            }
            let prompt = |prompt| {
                let _ = show.send(Some(prompt));
                // The view shows a device's code.
                if let Some(core) = core.upgrade() {
                    core.changed.notify_one();
                }
            };
            let result = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(SignInError::Cancelled),
                result = signin::run(&what, &session, prompt, lines) => result,
            };
            if let Some(core) = core.upgrade() {
                core.sign_in_ended(&what, &result);
                core.known.write_now(&core.usage).await;
            }
            drop(guard);
            finish.send_replace(Some(result.map(drop)));
        });
        Ok(underway)
    }

    pub(super) fn sign_in_ended(&self, what: &SignIn, result: &Result<Option<crate::model::Identity>, SignInError>) {
        let account = &what.grant.account;
        if let Ok(Some(who)) = result {
            self.known.set_identity(account, who.clone());
            // Titles show it.
            self.apply();
        }
        self.answer_ask(what, result);
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

    /// What was asked for is granted now, or refused; either is remembered.
    fn answer_ask(&self, what: &SignIn, result: &Result<Option<crate::model::Identity>, SignInError>) {
        let (grant, account) = (&what.grant, &what.grant.account);
        let asks = &self.proxy.asks;
        match result {
            Ok(_) | Err(SignInError::Unsaved(_)) => {
                let session = lock(&self.sessions).get(grant).cloned();
                let state = session.map(|session| session.watch().borrow().clone());
                let granted = match state {
                    Some(State::Active(held) | State::Refreshing(held) | State::Saving { new: held, .. }) => {
                        held.tokens.scopes.clone()
                    }
                    _ => Scopes::default(),
                };
                let settings = self.config().accounts.get(account).map(|a| a.scopes.clone()).unwrap_or_default();
                let added = what.scopes.intersection(&granted).without(&settings);
                let refused = asks.signed_in(grant, &what.scopes, &granted);
                if !self.is_ephemeral(account) {
                    self.known.set_refused(grant, refused);
                    self.known.add_scopes(grant, &added);
                }
            }
            Err(SignInError::Callback(CallbackError::Refused(code))) if code == "access_denied" => {
                let refused = asks.declined(grant);
                if !self.is_ephemeral(account) {
                    self.known.set_refused(grant, refused);
                }
            }
            // A provider that does not take the claims would take no sign-in with them.
            Err(SignInError::Callback(CallbackError::Refused(_)) | SignInError::Attempt(AttemptError::Pushed(_)))
                if what.claims.is_some() =>
            {
                asks.claims_refused(grant);
            }
            Err(_) => return,
        }
        self.settle(account);
    }

    /// The person does not give what services ask for beyond what was granted.
    pub(crate) fn decline(&self, account: &AccountName) -> Result<(), Failure> {
        self.must_exist(account)?;
        for grant in self.sessions_of(account).keys() {
            let refused = self.proxy.asks.declined(grant);
            if !self.is_ephemeral(account) {
                self.known.set_refused(grant, refused);
            }
        }
        self.settle(account);
        self.changed_by_person(&wording::asks_declined(account), |record| record.account = Some(account.clone()));
        self.changed.notify_one();
        Ok(())
    }

    /// Renews every grant of the account now.
    pub(crate) async fn refresh(&self, account: &AccountName) -> Result<SignedIn, Failure> {
        self.must_exist(account)?;
        let title = self.titles(&self.config(), account).1;
        for (grant, session) in self.sessions_of(account) {
            lock(&self.asked_for).insert(grant.clone());
            let renewed = session.renew().await;
            lock(&self.asked_for).remove(&grant);
            if let Err(unready) = renewed {
                return Err(wording::unready(&title, account, &unready));
            }
        }
        Ok(self.signed_in(account))
    }

    /// What the account's sign-in on another device shows, while one is under way.
    pub(super) fn device_page(&self, account: &AccountName) -> Option<DevicePage> {
        let all = lock(&self.underway);
        let open = all.iter().filter(|(grant, u)| grant.account == *account && u.outcome.borrow().is_none());
        open.into_iter().find_map(|(_, underway)| match &*underway.page.borrow() {
            Some(Prompt::Device(code)) => Some(DevicePage::new(
                code.user_code.clone(),
                code.verification_uri.to_string(),
                code.verification_uri_complete.as_ref().map(Url::to_string),
            )),
            _ => None,
        })
    }

    /// The person does not want to sign in now.
    pub(crate) async fn cancel_sign_in(&self, account: &AccountName) -> Result<(), Failure> {
        self.must_exist(account)?;
        self.end_sign_ins(account).await;
        Ok(())
    }

    /// How the account stands.
    pub(super) fn signed_in(&self, account: &AccountName) -> SignedIn {
        let view = self.snapshot().accounts.into_iter().find(|a| a.account == *account);
        match view {
            Some(view) => SignedIn {
                account: view.account,
                identity: view.identity,
                state: view.state,
                not_granted: self.not_granted(account, &view.scopes),
                scopes: view.scopes,
                expires_at: view.expires_at,
            },
            None => SignedIn {
                account: account.clone(),
                identity: None,
                state: crate::view::StateName::SignedOut,
                scopes: vec![],
                expires_at: None,
                not_granted: vec![],
            },
        }
    }

    /// What the account asks for and was not given. Whether a session lasts and whose it is show elsewhere,
    /// and many servers leave the scopes for that out of what they say they granted.
    fn not_granted(&self, account: &AccountName, granted: &[String]) -> Vec<String> {
        let granted: Scopes = granted.iter().cloned().collect();
        let usual: Scopes = super::add::USUAL_SCOPES.iter().map(|s| (*s).to_owned()).collect();
        let asked = self.config().accounts.get(account).map(|a| a.scopes.clone()).unwrap_or_default();
        if granted.is_empty() { vec![] } else { asked.without(&granted).without(&usual).into() }
    }

    pub(super) fn must_exist(&self, account: &AccountName) -> Result<(), Failure> {
        let config = self.config();
        if config.accounts.contains_key(account) {
            return Ok(());
        }
        // Both have short names of one kind, and are easily mixed up.
        match config.services.get(account.as_str()) {
            Some(service) => Err(wording::slips::is_a_service(account, &service.account)),
            None => Err(wording::unknown_account(account)),
        }
    }
}

fn device_code(account: &AccountName, code: &crate::provider::DeviceCode) -> DeviceCode {
    DeviceCode {
        account: account.clone(),
        user_code: code.user_code.clone(),
        verification_uri: code.verification_uri.clone(),
        verification_uri_complete: code.verification_uri_complete.clone(),
        expires_in: code.lifetime.as_secs(),
    }
}
