//! The snapshot: one [`AppView`] of everything.

use std::collections::BTreeMap;

use super::core::{Core, grant_of, lock};
use super::known::KnownGrant;
use crate::ask::Ask;
use crate::clock::{self, Now};
use crate::config::{AccountConfig, Config};
use crate::confirm::Question;
use crate::model::{AccountName, GrantId, ServiceName};
use crate::permit;
use crate::proxy::Program;
use crate::session::SessionHandle;
use crate::session::state::{Held, State};
use crate::view::{
    AccountView, AppView, AskView, ConfirmView, GrantView, PermitView, ProxyView, RingView, StateName, ToolView,
    WaitingView,
};
use crate::wording;
use crate::wording::language::Language;
use crate::wording::states::{self, Said};

/// One grant as it stands.
struct Standing {
    view: GrantView,
    words: String,
    reason: Option<(&'static str, String)>,
    issued_at: Option<u64>,
    refreshable: bool,
}

impl Core {
    /// Everything at this moment, in English.
    pub(super) fn snapshot(&self) -> AppView {
        self.snapshot_in(Language::En)
    }

    /// The same for the desktop: in the language that the person set, else in `usual`.
    pub(crate) fn view_for(&self, usual: Language) -> AppView {
        self.snapshot_in(language_set(&self.config()).unwrap_or(usual))
    }

    fn snapshot_in(&self, language: Language) -> AppView {
        let config = self.config();
        let now = clock::now();
        let mut accounts: Vec<AccountView> = config
            .accounts
            .iter()
            .map(|(name, account)| self.account_view(&config, name, account, (now, language)))
            .collect();
        accounts.sort_by(|a, b| {
            let needs = |view: &AccountView| view.state != StateName::NeedsSignIn;
            needs(a).cmp(&needs(b)).then_with(|| a.account.cmp(&b.account))
        });
        AppView {
            proxy: ProxyView {
                address: self.address(),
                running: true,
                paused: self.proxy.paused.load(std::sync::atomic::Ordering::Relaxed),
                vault: states::vault_kind(language, self.vault.kind()).to_owned(),
                socket: self.paths.tool_socket().display().to_string(),
                forward: self.proxy.forwarding.is_on(),
            },
            accounts,
            services: config.services.iter().map(|(name, service)| self.service_view(&config, name, service)).collect(),
            tools: config
                .tools
                .iter()
                .map(|(name, tool)| ToolView {
                    tool: name.clone(),
                    services: tool.services.clone(),
                    last_seen: self.usage.of_tool(name),
                    expired: tool.expired,
                    key_in_path: tool.key_in_path,
                    confirm: tool.confirm,
                })
                .collect(),
            banners: {
                let vault = lock(&self.vault_trouble).as_ref().map(|why| states::vault_trouble(language, why));
                vault.into_iter().chain(self.setting_banners(language)).collect()
            },
            recoveries: self.activity.tally(),
            language: language_set(&config),
            desktop: Self::desktop_view(&config),
            permits: self.permits.open().iter().map(|asked| permit_view(asked, language)).collect(),
            confirms: self.proxy.confirms.open().iter().map(|asked| confirm_view(asked, language)).collect(),
        }
    }

    /// The same as the watchers get it.
    pub(crate) fn view_now(&self) -> AppView {
        self.snapshot()
    }

    /// Where tools reach the proxy.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.proxy.address())
    }

    /// Where tools reach a service.
    pub(crate) fn address_of(&self, service: &ServiceName) -> String {
        format!("{}/{service}", self.address())
    }

    /// An account's heading, and what it is called in a sentence.
    pub(super) fn titles(&self, config: &Config, account: &AccountName) -> (String, String) {
        let settings = config.accounts.get(account);
        let label = settings.and_then(|a| a.label.as_deref());
        let provider = provider_title(config, settings);
        let identity = self.known.identity(account).map(|who| who.display);
        let title = wording::account_title(identity.as_deref(), &provider, label);
        // "Linear needs you" says too little where there are two.
        let alone =
            config.accounts.values().filter(|a| settings.is_some_and(|own| own.provider == a.provider)).count() < 2;
        let mark = label.or(identity.as_deref()).unwrap_or(account.as_str());
        (title, wording::account_short_title(&provider, label.or((!alone).then_some(mark))))
    }

    fn account_view(
        &self,
        config: &Config,
        name: &AccountName,
        account: &AccountConfig,
        (now, language): (Now, Language),
    ) -> AccountView {
        let services: Vec<ServiceName> =
            config.services.iter().filter(|(_, s)| s.account == *name).map(|(n, _)| n.clone()).collect();
        let mut grants: Vec<Standing> = self
            .sessions_of(name)
            .iter()
            .map(|(grant, session)| self.standing(grant, session, now, language))
            .collect();
        if grants.is_empty() {
            // No service yet: there is nothing that could be signed in. Or none any more: then the tokens that
            // are there live on until somebody signs out.
            grants.extend(self.standing_without_service(name, language));
        }
        if grants.is_empty() {
            grants.push(Standing::none(language));
        }
        let (title, short_title) = self.titles(config, name);
        let bell = self.bell.view(name);
        let last_used = services.iter().filter_map(|s| self.usage.of_service(s)).max_by_key(|(_, at)| *at);
        let identity = self.known.identity(name).map(|who| who.display);
        // The order of `StateName` is from best to worst.
        let worst = grants.iter().max_by_key(|g| g.view.state);
        let (state, state_words, reason) = worst
            .map_or((StateName::SignedOut, String::new(), None), |g| (g.view.state, g.words.clone(), g.reason.clone()));
        let waiting_words = states::waiting(language, &bell.waiting);
        let (reason, reason_words) = reason.unzip();
        let asks: BTreeMap<GrantId, Ask> = self
            .sessions_of(name)
            .into_keys()
            .filter_map(|grant| self.proxy.asks.of(&grant).map(|ask| (grant, ask)))
            .collect();
        let rejected = asks.iter().any(|(grant, ask)| self.is_rejected_everywhere(config, grant, ask));
        let (state, reason, reason_words) = match state {
            StateName::Active if rejected => {
                let words = states::rejected_by_service(language).to_owned();
                (StateName::NeedsSignIn, Some("rejected_by_service"), Some(words))
            }
            state => (state, reason, reason_words),
        };
        let ask = asks.into_values().reduce(Ask::and);
        let state_words = match (state, &ask) {
            (StateName::NeedsSignIn, _) if rejected => states::state(language, Said::NeedsYou).to_owned(),
            (StateName::Active, Some(_)) => states::state(language, Said::Asked).to_owned(),
            _ => state_words,
        };
        let ask = ask.map(|ask| AskView {
            words: states::ask(language, &ask),
            scopes: ask.listed.into(),
            typed: ask.unlisted.into(),
        });
        let why = reason_words.as_deref().or(ask.as_ref().map(|ask| ask.words.as_str()));
        let ring = bell.ring.map(|id| RingView {
            id,
            title: states::ring_title(language, &short_title),
            body: states::ring_body(language, why, waiting_words.as_deref()),
        });
        AccountView {
            account: name.clone(),
            title,
            short_title,
            label: account.label.clone(),
            provider: provider_title(config, Some(account)),
            identity,
            state,
            state_words,
            reason: reason.map(str::to_owned),
            reason_words,
            scopes: worst.map(|g| g.view.scopes.clone()).unwrap_or_default(),
            issued_at: worst.and_then(|g| g.issued_at),
            expires_at: worst.and_then(|g| g.view.expires_at),
            refreshable: grants.iter().all(|g| g.refreshable),
            last_used: last_used.as_ref().map(|(_, at)| *at),
            last_used_by: last_used.map(|(tool, _)| tool),
            services,
            waiting: bell.requests.len(),
            waiting_requests: bell.requests.iter().map(|request| waiting_request(request, language)).collect(),
            waiting_words,
            signing_in: bell.signing_in,
            device: if bell.signing_in { self.device_page(name) } else { None },
            allow_token: account.allow_token,
            ephemeral: self.is_ephemeral(name),
            ring,
            ask,
            grants: grants.into_iter().map(|g| g.view).collect(),
        }
    }

    /// Whether every service of a grant says that only a new sign-in helps: the session is good by the
    /// provider's word, and of no use to anybody.
    fn is_rejected_everywhere(&self, config: &Config, grant: &GrantId, ask: &Ask) -> bool {
        let mut services = config.services.iter().filter(|(_, service)| grant_of(service) == *grant);
        !ask.sign_in.is_empty() && services.all(|(name, _)| ask.sign_in.contains(name))
    }

    /// What is known of grants whose services are gone. Nobody uses them, so nothing renews them.
    fn standing_without_service(&self, account: &AccountName, language: Language) -> Vec<Standing> {
        let lives = |grant: &GrantId| {
            let known = self.known.last(grant)?;
            let lives = known.generation.0 > 0 && known.ended.is_none() && !known.signed_out;
            lives.then(|| Standing {
                words: states::state(language, Said::WithoutService).to_owned(),
                ..Standing::of_known(grant, known, language)
            })
        };
        self.known.grants(account).iter().filter_map(lives).collect()
    }

    fn standing(&self, grant: &GrantId, session: &SessionHandle, now: Now, language: Language) -> Standing {
        let watch = session.watch();
        let state = &*watch.borrow();
        match state {
            State::Active(held) | State::Refreshing(held) | State::Saving { old: Some(held), .. } => {
                let renewing = matches!(state, State::Refreshing(_) | State::Saving { .. });
                Standing::of_tokens(grant, held, renewing, now, language)
            }
            State::Saving { old: None, new } => Standing::of_tokens(grant, new, true, now, language),
            State::Unread { ended: None } | State::Reading { ended: None } => {
                match self.known.grant(grant, session.registration()) {
                    Some(known) => Standing::of_known(grant, known, language),
                    None => Standing::needs(grant, crate::session::failure::Reason::NotYet, language),
                }
            }
            State::Unread { ended: Some((_, reason)) } | State::Reading { ended: Some((_, reason)) } => {
                Standing::needs(grant, *reason, language)
            }
            State::NeedsSignIn { reason, .. } => Standing::needs(grant, *reason, language),
            State::SignedOut { .. } => {
                Standing::plain(grant, StateName::SignedOut, states::state(language, Said::SignedOut), None)
            }
            State::Unavailable { why, .. } => {
                let reason = Some((wording::vault_code(why), states::vault_trouble(language, why)));
                Standing::plain(grant, StateName::Unavailable, states::vault_state(language, why), reason)
            }
        }
    }
}

impl Standing {
    fn none(language: Language) -> Self {
        Self {
            view: GrantView { resource: None, state: StateName::SignedOut, scopes: vec![], expires_at: None },
            words: states::state(language, Said::SignedOut).to_owned(),
            reason: None,
            issued_at: None,
            refreshable: false,
        }
    }

    fn plain(grant: &GrantId, state: StateName, words: &str, reason: Option<(&'static str, String)>) -> Self {
        let view = GrantView { resource: grant.resource.clone(), state, scopes: vec![], expires_at: None };
        Self { view, words: words.to_owned(), reason, issued_at: None, refreshable: false }
    }

    fn needs(grant: &GrantId, reason: crate::session::failure::Reason, language: Language) -> Self {
        let words = Some((reason.code(), states::reason(language, reason).to_owned()));
        Self::plain(grant, StateName::NeedsSignIn, states::state(language, Said::NeedsYou), words)
    }

    fn of_known(grant: &GrantId, known: KnownGrant, language: Language) -> Self {
        let mut standing = Self::plain(grant, StateName::Active, states::state(language, Said::SignedIn), None);
        standing.view.scopes = known.scopes;
        standing.view.expires_at = known.expires_at;
        standing.issued_at = known.issued_at;
        standing.refreshable = known.refreshable;
        standing
    }

    fn of_tokens(grant: &GrantId, held: &Held, renewing: bool, now: Now, language: Language) -> Self {
        let expires_at = held.tokens.expires_at(now);
        let words = match &held.trouble {
            Some(trouble) => states::renewing_fails(language, expires_at, held.tokens.is_dead(now), &trouble.cause),
            None if renewing => states::state(language, Said::Renewing).to_owned(),
            None => states::state(language, Said::SignedIn).to_owned(),
        };
        let state = if renewing { StateName::Refreshing } else { StateName::Active };
        let mut standing = Self::plain(grant, state, &words, None);
        standing.reason = held.trouble.as_ref().map(|t| ("renewing_fails", states::cause(language, &t.cause)));
        standing.view.scopes = held.tokens.scopes.clone().into();
        standing.view.expires_at = expires_at;
        standing.issued_at = Some(held.tokens.issued.wall_unix(now));
        standing.refreshable = held.tokens.is_renewable();
        standing
    }
}

/// The language that the person set for the desktop, if the catalogue has it.
fn language_set(config: &Config) -> Option<Language> {
    config.desktop.language.as_deref().and_then(Language::of_tag)
}

fn provider_title(config: &Config, account: Option<&AccountConfig>) -> String {
    let Some(account) = account else { return String::new() };
    let title = config
        .providers
        .get(&account.provider)
        .and_then(|provider| provider.title.clone().or_else(|| provider.known().map(|known| known.title.clone())));
    title.unwrap_or_else(|| wording::capitalised(account.provider.as_str()))
}

fn confirm_view(question: &Question, language: Language) -> ConfirmView {
    let wish = &question.wish;
    let program = question.program.as_deref();
    ConfirmView {
        id: question.id,
        tool: wish.tool.clone(),
        service: wish.service.clone(),
        program: program.map(|program| program.asker.name.clone()),
        path: program.and_then(Program::remembered).map(str::to_owned),
        title: wording::confirm_title(language, question),
        body: wording::confirm_body(language, question),
        waiting: question.waiting,
    }
}

fn permit_view(question: &permit::Question, language: Language) -> PermitView {
    PermitView {
        id: question.id,
        title: wording::permit_title(language, question),
        body: wording::permit_body(language, question),
    }
}

fn waiting_request(request: &crate::bell::Waiting, language: Language) -> WaitingView {
    let program = request.program.as_deref();
    WaitingView {
        tool: request.tool.clone(),
        service: request.service.clone(),
        program: program.map(|program| program.name.clone()),
        pid: program.map(|program| program.pid),
        parent: program.and_then(|program| program.parent.clone()),
        words: wording::waiting_request(language, request),
    }
}
