//! Everything that runs, in one place: configuration, sessions, the proxy's routes, the snapshot.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, watch};

use super::known::{Known, KnownGrant};
use super::sign_in::Underway;
use crate::activity::{Activity, Kind};
use crate::bell::Bell;
use crate::browser::is_loopback;
use crate::clock;
use crate::config::{self, Config, KeyDigest, ServiceConfig, ToolConfig};
use crate::control::{Failure, Notice};
use crate::model::{AccountName, GrantId, ProviderName, ServiceName, ToolName};
use crate::paths::Paths;
use crate::provider::{Http, Leeway, NetworkSettings, Provider, Registration};
use crate::proxy::{Limits, Pools, Proxy, Route, Routes, Tool};
use crate::session::state::{self, State};
use crate::session::{Event, SessionHandle};
use crate::usage::Usage;
use crate::vault::{Vault, VaultError};
use crate::view::AppView;
use crate::wording;

/// What an engine consists of.
pub(crate) struct Core {
    pub(crate) paths: Paths,
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) vault: Vault,
    /// For accounts that live in memory only.
    pub(super) memory: Vault,
    pub(super) http: Http,
    pub(super) pools: Pools,
    pub(crate) bell: Bell,
    pub(crate) activity: Activity,
    pub(super) usage: Usage,
    pub(super) known: Known,
    pub(super) settings: Mutex<Settings>,
    /// What the environment says in its place.
    pub(super) overrides: super::hot::Overrides,
    /// What of the settings is not in force.
    pub(super) troubles: Mutex<super::hot::Troubles>,
    /// The network settings in force.
    pub(super) network: Mutex<NetworkSettings>,
    /// Told when they are others.
    pub(super) network_changed: Notify,
    /// The port that is served; nothing before the start is through.
    pub(super) listening: tokio::sync::Mutex<Option<super::hot::Listening>>,
    /// Told when the port may have to move.
    pub(super) port_wanted: Notify,
    /// Held while the settings change and are put in force.
    pub(super) edits: Mutex<()>,
    pub(super) sessions: Mutex<HashMap<GrantId, SessionHandle>>,
    pub(super) providers: Mutex<HashMap<ProviderName, Provider>>,
    pub(super) underway: Mutex<HashMap<GrantId, Underway>>,
    /// Keys that are good for a while, and whose they are.
    pub(super) lent: Mutex<HashMap<KeyDigest, ToolName>>,
    pub(super) vault_trouble: Mutex<Option<VaultError>>,
    /// Grants whose renewal the person asked for just now.
    pub(super) asked_for: Mutex<HashSet<GrantId>>,
    pub(crate) view: watch::Sender<Arc<AppView>>,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(super) changed: Arc<Notify>,
    pub(crate) quit: Notify,
    /// For tasks that outlive the call that starts them.
    pub(super) this: Weak<Core>,
}

/// What the person set, and what is there for a while only.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// `config.toml`.
    pub(super) file: Config,
    /// In memory: the demo.
    pub(super) ephemeral: Config,
}

impl Settings {
    /// Both together.
    pub(super) fn whole(&self) -> Config {
        let mut whole = self.file.clone();
        let more = self.ephemeral.clone();
        whole.providers.extend(more.providers);
        whole.accounts.extend(more.accounts);
        whole.services.extend(more.services);
        whole.tools.extend(more.tools);
        whole
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn grant_of(service: &ServiceConfig) -> GrantId {
    GrantId { account: service.account.clone(), resource: service.resource.clone() }
}

impl Core {
    /// The settings in force.
    pub(super) fn config(&self) -> Config {
        lock(&self.settings).whole()
    }

    /// Changes `config.toml` and puts the result in force. `change` is given the settings as they are;
    /// nobody else changes them meanwhile.
    ///
    /// # Errors
    /// What `change` says, or a file that can't be used; nothing has changed then.
    pub(super) fn edit<T>(
        &self,
        change: impl FnOnce(&Config, &mut toml_edit::DocumentMut) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let one_at_a_time = lock(&self.edits);
        let now = self.config();
        if self.file_is_gone() {
            return Err(wording::config_gone_failure(&self.paths.config_file()));
        }
        let (file, outcome) = config::edit(&self.paths.config_file(), |document| change(&now, document))?;
        lock(&self.settings).file = file;
        self.put_in_force();
        drop(one_at_a_time);
        Ok(outcome)
    }

    /// Whether `config.toml` is missing or blank, while something else is in force: lost by a slip of the hand,
    /// a full disk, an editor between two steps. What is in force must not be forgotten for that (T10).
    pub(super) fn file_is_gone(&self) -> bool {
        let blank = match std::fs::read_to_string(self.paths.config_file()) {
            Ok(text) => text.trim().is_empty(),
            Err(e) => e.kind() == std::io::ErrorKind::NotFound,
        };
        blank && lock(&self.settings).file != Config::default()
    }

    /// The same for what is there for a while only.
    pub(super) fn edit_ephemeral<T>(
        &self,
        change: impl FnOnce(&Config, &mut Config) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _one_at_a_time = lock(&self.edits);
        let now = self.config();
        let outcome = change(&now, &mut lock(&self.settings).ephemeral)?;
        self.put_in_force();
        Ok(outcome)
    }

    /// Makes sessions and routes what the settings say. Sessions that go on keep their state.
    pub(super) fn apply(&self) {
        let _one_at_a_time = lock(&self.edits);
        self.put_in_force();
    }

    pub(super) fn put_in_force(&self) {
        let config = self.config();
        self.put_program_in_force(&config);
        lock(&self.providers).retain(|name, provider| {
            config.providers.get(name).is_some_and(|c| *provider.registration() == registration(name, c))
        });
        let vouching: Vec<GrantId> =
            config.providers.values().filter_map(|p| p.via.as_ref()).map(Self::vouching_grant).collect();
        let grants: Vec<GrantId> = config.services.values().map(grant_of).chain(vouching.iter().cloned()).collect();
        // A session keeps to the registration that it began with; where that changes, it begins anew.
        let same = |grant: &GrantId, session: &SessionHandle| {
            let account = config.accounts.get(&grant.account);
            let now = account.and_then(|a| config.providers.get(&a.provider).map(|p| registration(&a.provider, p)));
            now.is_some_and(|now| now == *session.registration())
        };
        lock(&self.sessions).retain(|grant, session| grants.contains(grant) && same(grant, session));
        // What nobody can be asked for any more rings for nobody.
        self.proxy.asks.forget(|grant| !grants.contains(grant));
        self.proxy.asks.drop_of(|service| !config.services.contains_key(service));
        for account in config.accounts.keys() {
            self.settle(account);
        }
        let services: Vec<Route> =
            config.services.iter().filter_map(|(name, service)| self.route(&config, name, service)).collect();
        for grant in &vouching {
            self.session(&config, grant);
        }
        let tool = |name: &ToolName, tool: &ToolConfig, key| Tool {
            name: name.clone(),
            key,
            services: tool.services.iter().cloned().collect(),
            expired: tool.expired,
            key_in_path: tool.key_in_path,
            confirm: tool.confirm,
            allowed: tool.allowed.clone(),
        };
        self.proxy.confirms.keep(|name| config.tools.get(name).is_some_and(|tool| tool.confirm));
        let lent = lock(&self.lent);
        let lent = lent.iter().filter_map(|(key, name)| Some(tool(name, config.tools.get(name)?, *key)));
        let own = config.tools.iter().map(|(name, settings)| tool(name, settings, settings.key_sha256));
        self.proxy.set_routes(Routes::new(services, own.chain(lent)));
        self.forward_as_set(&config);
        self.activity.leave_out(lock(&self.settings).ephemeral.accounts.keys().cloned().collect());
        self.changed.notify_one();
    }

    fn route(&self, config: &Config, name: &ServiceName, service: &ServiceConfig) -> Option<Route> {
        let session = self.session(config, &grant_of(service))?;
        let account_scopes = config.accounts.get(&service.account).map(|a| a.scopes.clone()).unwrap_or_default();
        let preset_scopes = service.known().map(|preset| preset.scopes.clone()).unwrap_or_default();
        let hold = |seconds| Duration::from_secs(service.hold_seconds.unwrap_or(seconds));
        Some(Route {
            name: name.clone(),
            base: service.url.clone(),
            account: service.account.clone(),
            title: self.titles(config, &service.account).1,
            pool: self.pools.of(session.grant(), is_loopback(&service.url)),
            session,
            limits: Limits {
                hold: hold(config.proxy.hold_seconds),
                hold_json_rpc: hold(config.proxy.hold_seconds_json_rpc),
                answer: Duration::from_secs(config.proxy.answer_seconds),
            },
            rules: service.rule_set(),
            inject: service.injection(),
            listed_scopes: account_scopes.union(&service.scopes).union(&preset_scopes),
            account_scopes,
            replay_unsafe: service.replay_unsafe,
            rewrite_addresses: service.rewrite_addresses,
            expired: service.expired,
        })
    }

    /// The session of a grant, started if it is new.
    fn session(&self, config: &Config, grant: &GrantId) -> Option<SessionHandle> {
        if let Some(session) = lock(&self.sessions).get(grant) {
            return Some(session.clone());
        }
        let provider = self.provider(config, &grant.account)?;
        let known = self.known.grant(grant, provider.registration());
        let initial = match &known {
            Some(KnownGrant { signed_out: true, generation, .. }) => State::SignedOut { generation: *generation },
            Some(known) => State::Unread { ended: known.ended.map(|reason| (known.generation, reason)) },
            None => State::Unread { ended: None },
        };
        let core = self.this.clone();
        let listener = Arc::new(move |grant: &GrantId, event: Event| {
            if let Some(core) = core.upgrade() {
                core.hear(grant, event);
            }
        });
        let vault = if self.is_ephemeral(&grant.account) { self.memory.clone() } else { self.vault.clone() };
        let session = SessionHandle::start(grant.clone(), provider, vault, initial, listener);
        tokio::spawn(follow(self.this.clone(), session.grant().clone(), session.watch()));
        // What was good when it was last seen is read when it is needed. All else is asked for now:
        // a crash may have come between the vault's write and ours.
        if known.is_none_or(|known| known.ended.is_some()) {
            session.wake();
        }
        lock(&self.sessions).insert(grant.clone(), session.clone());
        Some(session)
    }

    pub(super) fn provider(&self, config: &Config, account: &AccountName) -> Option<Provider> {
        let name = &config.accounts.get(account)?.provider;
        let settings = config.providers.get(name)?;
        let mut providers = lock(&self.providers);
        let provider = providers.entry(name.clone()).or_insert_with(|| {
            let employer = settings.via.clone().map(|via| self.employer(via));
            Provider::vouched(registration(name, settings), self.http.clone(), self.vault.clone(), employer)
        });
        Some(provider.clone())
    }

    /// Begins the sessions of a provider's accounts anew, so that they know it as it is now.
    pub(super) fn restart_sessions_at(&self, provider: &ProviderName) {
        let config = self.config();
        let at = |account: &AccountName| config.accounts.get(account).is_some_and(|a| a.provider == *provider);
        lock(&self.sessions).retain(|grant, _| !at(&grant.account));
        self.apply();
    }

    pub(super) fn is_ephemeral(&self, account: &AccountName) -> bool {
        lock(&self.settings).ephemeral.accounts.contains_key(account)
    }

    /// The sessions of an account, by resource.
    pub(super) fn sessions_of(&self, account: &AccountName) -> BTreeMap<GrantId, SessionHandle> {
        let sessions = lock(&self.sessions);
        sessions.iter().filter(|(grant, _)| grant.account == *account).map(|(g, s)| (g.clone(), s.clone())).collect()
    }

    /// Waits, a second at most, for the vault's word on grants that nothing is known of (a crash may have
    /// come right after a sign-in), so that the first `status` does not call them signed out.
    pub(super) async fn read_unknown(&self) {
        let is_unknown = |session: &SessionHandle| self.known.grant(session.grant(), session.registration()).is_none();
        let unknown = self.all_sessions().into_iter().filter(is_unknown);
        let read = async {
            for session in unknown {
                session.known().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), read).await;
    }

    /// Every session there is.
    pub(super) fn all_sessions(&self) -> Vec<SessionHandle> {
        lock(&self.sessions).values().cloned().collect()
    }

    /// Pauses the proxy, or resumes it.
    pub(crate) fn pause(&self, paused: bool) {
        let before = self.proxy.paused.swap(paused, std::sync::atomic::Ordering::Relaxed);
        if before != paused {
            self.activity.record(Kind::Changed, |record| record.text = wording::paused(paused));
            self.changed.notify_one();
        }
    }

    /// A session tells what happened.
    fn hear(&self, grant: &GrantId, event: Event) {
        let title = self.titles(&self.config(), &grant.account).1;
        let (kind, text, took) = match &event {
            Event::Refreshed(took) => (Kind::Refreshed, wording::refreshed(&title), Some(*took)),
            Event::RefreshFailed(cause) => (Kind::RefreshFailed, wording::refresh_failed(&title, cause), None),
            Event::Ended(reason) => (Kind::Ended, wording::ended(&title, *reason), None),
            Event::Unsaved(why) => (Kind::RefreshFailed, wording::unsaved(&title, why), None),
        };
        let asked_for = matches!(event, Event::Refreshed(_)) && lock(&self.asked_for).remove(grant);
        self.activity.record(kind, |record| {
            record.account = Some(grant.account.clone());
            record.text = text;
            record.by_person = asked_for;
            record.took_ms = took.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        });
        match event {
            Event::Ended(_) => self.bell.needed(&grant.account),
            Event::Unsaved(why) => *lock(&self.vault_trouble) = Some(why),
            Event::Refreshed(_) | Event::RefreshFailed(_) => {}
        }
        self.changed.notify_one();
    }

    /// Builds the snapshot anew after each change; many changes at once are one snapshot.
    pub(super) async fn keep_view(&self) {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = self.bell.changed() => {}
                () = self.proxy.confirms.changed() => {}
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
            let view = self.snapshot();
            self.view.send_if_modified(|current| {
                let differs = **current != view;
                if differs {
                    *current = Arc::new(view);
                }
                differs
            });
        }
    }
}

pub(super) fn registration(name: &ProviderName, config: &config::ProviderConfig) -> Registration {
    let preset = config.known();
    Registration {
        name: name.clone(),
        issuer: config.issuer.clone(),
        client_id: config.client_id.clone(),
        confidential: config.client_secret_in_vault,
        has_key: config.client_key_in_vault,
        key_id: config.client_key_id.clone(),
        token_auth: config.token_auth.or(preset.as_ref().and_then(|preset| preset.token_auth)),
        grant: config.grant,
        subject: config.subject.clone(),
        via: config.via.clone(),
        redirect_port: config.redirect_port,
        endpoints: config.endpoints(),
        only_public: config.only_public,
        leeway: Leeway { missing_pkce: config.allow_missing_pkce, default_endpoints: config.default_endpoints },
        preset,
    }
}

/// Keeps what is known of a grant in step with its session, until the session ends.
async fn follow(core: Weak<Core>, grant: GrantId, mut states: watch::Receiver<State>) {
    loop {
        {
            let Some(core) = core.upgrade() else { return };
            let state = states.borrow_and_update().clone();
            core.note(&grant, &state);
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

impl Core {
    fn note(&self, grant: &GrantId, state: &State) {
        let generation = state::generation_of(state);
        match state {
            State::Active(held) => {
                let now = clock::now();
                let owner = self.sessions_of(&grant.account).get(grant).map(|session| session.registration().into());
                self.remember(
                    grant,
                    KnownGrant {
                        owner,
                        generation,
                        ended: None,
                        signed_out: false,
                        unwiped: false,
                        scopes: held.tokens.scopes.clone().into(),
                        issued_at: Some(held.tokens.issued.wall_unix(now)),
                        expires_at: held.tokens.expires_at(now),
                        refreshable: held.tokens.is_renewable(),
                    },
                );
                if !held.unsaved {
                    *lock(&self.vault_trouble) = None;
                }
                self.settle(&grant.account);
            }
            State::NeedsSignIn { reason, .. } => {
                self.remember(grant, KnownGrant { generation, ended: Some(*reason), ..KnownGrant::default() });
            }
            State::SignedOut { .. } => {
                // Whoever signs out says when the tokens are gone.
                let unwiped = self.known.last(grant).is_some_and(|known| known.unwiped);
                self.remember(grant, KnownGrant { generation, signed_out: true, unwiped, ..KnownGrant::default() });
                self.settle(&grant.account);
            }
            State::Unavailable { why, .. } => *lock(&self.vault_trouble) = Some(why.clone()),
            State::Unread { .. } | State::Reading { .. } | State::Refreshing(_) | State::Saving { .. } => {}
        }
        self.changed.notify_one();
    }

    fn remember(&self, grant: &GrantId, known: KnownGrant) {
        // A session tells its state again and again. One from before a sign-out must not undo the note of that.
        let before = |last: KnownGrant| last.unwiped && !known.signed_out && known.generation <= last.generation;
        if !self.is_ephemeral(&grant.account) && !self.known.last(grant).is_some_and(before) {
            self.known.set_grant(grant, known);
        }
    }

    /// The bell is quiet once no grant of the account needs the person.
    pub(super) fn settle(&self, account: &AccountName) {
        let needed =
            self.sessions_of(account).values().any(|s| matches!(&*s.watch().borrow(), State::NeedsSignIn { .. }));
        if !needed && !self.proxy.asks.any(account) {
            self.bell.settled(account);
        }
    }
}
