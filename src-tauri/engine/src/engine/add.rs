//! Adding a service, with the provider, the account and the tool that it needs.

mod known_there;
mod plan;
mod server;

use url::Url;

use self::known_there::way_to;
pub(super) use self::known_there::write_secrets;
use self::server::{FoundServer, known_server, says_itself};
use super::core::{Core, lock, registration};
use super::naming::{free_name, name_of_host, named};
use crate::config::{self, AccountConfig, Config, ProviderConfig, ServiceConfig, ToolConfig};
use crate::control::{AddService, Added, Failure, FoundBy, Grant, RegistrationFound};
use crate::model::{AccountName, ExpiredAnswer, ProviderName, Scopes, ServiceName, ToolName};
use crate::provider::jws::SigningKey;
use crate::provider::preset as presets;
use crate::provider::resource::{self, ResourceError};
use crate::provider::{MetadataError, Provider, is_in_public};
use crate::rules;
use crate::secret::Secret;
use crate::wording;

/// Asked for where the person names no scope, as far as the provider offers them: who it is, and a
/// session that outlives the access token.
pub(super) const USUAL_SCOPES: [&str; 4] = ["openid", "email", "profile", "offline_access"];

/// What [`Core::plan`] found out and decided to add. Nothing is written or registered yet.
pub(super) struct Plan {
    pub(super) provider: (ProviderName, Option<ProviderConfig>),
    pub(super) account: (AccountName, Option<AccountConfig>),
    pub(super) service: (ServiceName, ServiceConfig),
    /// What the provider knows us by, as the person gave it.
    secrets: Secrets,
    /// How the server was found.
    pub(super) by: FoundBy,
    /// How we become known to it.
    pub(super) registration: RegistrationFound,
}

/// What a provider knows us by besides the client id; nothing of it is ever in the settings.
#[derive(Default)]
pub(crate) struct Secrets {
    pub(crate) secret: Option<Secret>,
    /// A private key as PEM text.
    pub(crate) key: Option<Secret>,
}

/// The tool that may use the new service, with its key if it is new too.
struct PlannedTool {
    name: ToolName,
    config: ToolConfig,
    key: Option<Secret>,
}

impl Core {
    /// Adds a service, with what it needs.
    pub(crate) async fn add(&self, add: AddService, ephemeral: bool) -> Result<Added, Failure> {
        let mut plan = self.plan(&add, None).await?;
        if ephemeral {
            plan.fit_alone(&self.config(), add.tool.as_ref())?;
        }
        self.carry_out(&mut plan, ephemeral).await?;
        let tool = if ephemeral {
            self.edit_ephemeral(|config, ephemeral| {
                let tool = plan.fit_alone(config, add.tool.as_ref())?;
                plan.merge_into(ephemeral, &tool);
                Ok(tool)
            })?
        } else {
            self.edit(|config, document| {
                let tool = plan.fit(config, add.tool.as_ref())?;
                plan.write_to(document, &tool);
                Ok(tool)
            })?
        };
        let widened = tool.as_ref().map(|tool| (tool.name.clone(), tool.config.services.clone(), tool.key.is_some()));
        let added = Added {
            service: plan.service.0.clone(),
            account: plan.account.0.clone(),
            url: self.address_of(&plan.service.0),
            state: crate::view::StateName::NeedsSignIn,
            tool: tool.as_ref().map(|tool| tool.name.clone()),
            key: tool.and_then(|tool| tool.key),
            preset: plan.service.1.preset.clone(),
        };
        self.changed_by_person(&wording::service_added(&added.service, &added.account), |record| {
            record.account = Some(added.account.clone());
            record.service = Some(added.service.clone());
        });
        if let Some((tool, services, is_new)) = widened {
            self.changed_by_person(&wording::tool_added(&tool, &services, is_new), |record| {
                record.tool = Some(tool);
                record.service = Some(added.service.clone());
            });
        }
        let state = self.snapshot().accounts.into_iter().find(|a| a.account == added.account).map(|a| a.state);
        Ok(Added { state: state.unwrap_or(added.state), ..added })
    }

    /// The same address once more is a slip, unless a name says that it is meant: another account, another
    /// resource, another name for it.
    fn must_be_new(&self, add: &AddService) -> Result<(), Failure> {
        if add.name.is_some() || add.account.is_some() || add.resource.is_some() {
            return Ok(());
        }
        let same = |other: &Url| other.as_str().trim_end_matches('/') == add.url.as_str().trim_end_matches('/');
        match self.config().services.iter().find(|(_, service)| same(&service.url)) {
            Some((name, service)) => Err(wording::slips::here_already_failure(name, &service.account)),
            None => Ok(()),
        }
    }

    /// Becomes known to a new provider, and puts what it knows us by into the vault.
    pub(super) async fn carry_out(&self, plan: &mut Plan, ephemeral: bool) -> Result<(), Failure> {
        let (name, Some(settings)) = &mut plan.provider else { return Ok(()) };
        if let (RegistrationFound::NeedsClientId, Some(known)) = (plan.registration, settings.known()) {
            return Err(wording::client_id_needed(&known));
        }
        if plan.registration != RegistrationFound::Given {
            let made = self.become_known(name, settings, &self.config().network).await?;
            let Secrets { secret, key } = std::mem::take(&mut plan.secrets);
            plan.secrets = Secrets { secret: secret.or(made.secret), key: key.or(made.key) };
        }
        let vault = if ephemeral { &self.memory } else { &self.vault };
        write_secrets(vault, name, &settings.issuer, &plan.secrets).await
    }

    /// Finds out what there is to find out, and writes and registers nothing. `server` is the one that
    /// counts, where the service names several.
    pub(super) async fn plan(&self, add: &AddService, server: Option<&Url>) -> Result<Plan, Failure> {
        config::check_upstream(&add.url).map_err(|why| wording::bad_address(&why))?;
        // Who names a server moves a service that is here already.
        if server.is_none() {
            self.must_be_new(add)?;
        }
        let wanted = add.resource.as_deref();
        let wanted =
            wanted.map(|text| resource::canonical(text).ok_or_else(|| wording::bad_resource(text))).transpose()?;
        let config = self.config();
        let service = match &add.name {
            Some(name) if config.services.contains_key(name) => {
                return Err(wording::name_taken("service", name.as_str()));
            }
            Some(name) => name.clone(),
            None => named(free_name(&name_of_host(&add.url), |n| config.services.contains_key(n)))?,
        };
        let known_account = add.account.as_ref().and_then(|name| config.accounts.get(name).map(|a| (name.clone(), a)));
        // Who names the server knows what they do; else the service is asked who signs people in there. Where
        // it does not say, it may be one of those that we know.
        let known_server = known_server(add, known_account.is_some())?;
        let found = if add.issuer.is_none() && add.provider.is_none() && add.provider_preset.is_none() {
            match self.find_server(&add.url).await {
                Ok(found) if found.resource.resource.is_none() && known_server.is_some() => known_server,
                Ok(found) => Some(found.prefer(&config, server)),
                Err(_) if known_server.is_some() => known_server,
                // A service of a known account need not tell.
                Err(e) if known_account.is_some() => {
                    tracing::info!("{} does not say who signs people in there: {e}", add.url);
                    None
                }
                Err(e) => return Err(wording::service_not_understood(&add.url, &e)),
            }
        } else {
            known_server
        };
        let secrets = Secrets { secret: add.client_secret.clone(), key: add.client_key.clone() };
        check_grant(add, &config)?;
        if let Some(key) = &secrets.key {
            SigningKey::from_pem(key).map_err(|e| wording::bad_client_key(&e))?;
        }
        let by = match &found {
            Some(found) => found.resource.by,
            None if known_account.is_some() => FoundBy::Account,
            None => FoundBy::Given,
        };
        let (provider, account, registration) = match known_account {
            Some((name, account)) => {
                let issuer = config.providers.get(&account.provider).map(|provider| &provider.issuer);
                // Nothing of one authorization server goes to another (D7).
                if let Some(other) = found.as_ref().filter(|found| found.resource.resource.is_some())
                    && issuer.is_some_and(|issuer| !other.resource.servers.contains(issuer))
                {
                    return Err(wording::other_server(&add.url, &other.resource.issuer, &name));
                }
                ((account.provider.clone(), None), (name, None), RegistrationFound::Known)
            }
            None => {
                let (provider, mut settings, registration) = self.plan_provider(&config, add, found.as_ref()).await?;
                let offered = found.as_ref().and_then(|found| found.resource.scopes.clone());
                let discovered = found.as_ref().is_some_and(|found| found.preset.is_none());
                let (scopes, assumed) =
                    self.plan_scopes(&config, add, &provider, settings.as_ref(), offered, discovered).await?;
                if let Some(settings) = &mut settings {
                    settings.default_endpoints = assumed;
                }
                let name = match &add.account {
                    Some(name) => name.clone(),
                    None => named(free_name(provider.as_str(), |n| config.accounts.contains_key(n)))?,
                };
                let account = AccountConfig { provider: provider.clone(), scopes, label: None, allow_token: false };
                ((provider, settings), (name, Some(account)), registration)
            }
        };
        let dpop = add.dpop || found.as_ref().is_some_and(|found| found.resource.bound);
        let authorization_server = match &account.1 {
            Some(_) => {
                found.as_ref().filter(|found| !found.resource.servers.is_empty()).map(|f| f.resource.issuer.clone())
            }
            None => {
                let issuer = config.providers.get(&provider.0).map(|provider| provider.issuer.clone());
                issuer.filter(|issuer| found.as_ref().is_some_and(|found| found.resource.servers.contains(issuer)))
            }
        };
        let resource = wanted.or(found.and_then(|found| found.resource.resource));
        let service_config = ServiceConfig {
            url: add.url.clone(),
            account: account.0.clone(),
            resource,
            dpop,
            authorization_server,
            hold_seconds: None,
            replay_unsafe: true,
            rewrite_addresses: false,
            expired: ExpiredAnswer::Automatic,
            preset: match add.preset.as_deref() {
                None => rules::of_host(&add.url).map(str::to_owned),
                Some("" | "none") => None,
                Some(name) if rules::named(name).is_none() => return Err(wording::unknown_preset(name)),
                Some(name) => Some(name.to_owned()),
            },
            scopes: Scopes::default(),
            token_variables: None,
            inject: None,
            rules: vec![],
        };
        Ok(Plan { provider, account, service: (service, service_config), secrets, by, registration })
    }

    /// Asks a service who signs people in there. What a public service names is looked for in public only.
    pub(super) async fn find_server(&self, url: &Url) -> Result<FoundServer, ResourceError> {
        let only_public = is_in_public(url).await;
        let http = if only_public { self.http.only_public() } else { self.http.clone() };
        Ok(FoundServer { resource: resource::discover(&http, url).await?, only_public, preset: None })
    }

    /// The provider to sign in at: a known one, or a new one, and how we become known there.
    async fn plan_provider(
        &self,
        config: &Config,
        add: &AddService,
        found: Option<&FoundServer>,
    ) -> Result<(ProviderName, Option<ProviderConfig>, RegistrationFound), Failure> {
        let issuer = found.map(|found| &found.resource.issuer).or(add.issuer.as_ref());
        let preset = found.and_then(|found| found.preset).or_else(|| issuer.and_then(presets::of_issuer));
        // Its tokens open its own API: no stranger's service gets one because it says so.
        if let Some(known) = preset.and_then(presets::named).filter(|known| !known.hosts.is_empty())
            && says_itself(found)
            && presets::of_host(&add.url) != preset
        {
            return Err(wording::provider_needs_naming(&add.url, issuer, &known));
        }
        let known = config.providers.iter().find(|(name, provider)| {
            add.provider.as_ref().is_none_or(|wanted| wanted == *name)
                && issuer.is_none_or(|issuer| *issuer == provider.issuer)
                && add.client_id.as_ref().is_none_or(|id| *id == provider.client_id)
                && (add.provider.is_some() || issuer.is_some())
        });
        let known = known.filter(|(_, provider)| {
            add.client_secret.is_none()
                && add.client_key.is_none()
                && provider.grant == add.grant
                && provider.via == add.via
        });
        if let Some((name, _)) = known {
            return Ok((name.clone(), None, RegistrationFound::Known));
        }
        let Some(issuer) = issuer else { return Err(wording::issuer_needed(&add.url)) };
        let name = match &add.provider {
            Some(name) if config.providers.contains_key(name) => {
                return Err(wording::name_taken("provider", name.as_str()));
            }
            Some(name) => name.clone(),
            None => {
                let base = preset.map_or_else(|| name_of_host(issuer), str::to_owned);
                named(free_name(&base, |n| config.providers.contains_key(n)))?
            }
        };
        let provider = ProviderConfig {
            issuer: issuer.clone(),
            client_id: add.client_id.clone().unwrap_or_default(),
            client_secret_in_vault: add.client_secret.is_some(),
            client_key_in_vault: add.client_key.is_some(),
            client_key_id: add.client_key_id.clone(),
            grant: add.grant,
            subject: add.subject.clone(),
            via: add.via.clone(),
            title: None,
            registered: false,
            token_auth: None,
            redirect_port: None,
            only_public: found.is_some_and(|found| found.only_public),
            allow_missing_pkce: add.allow_missing_pkce,
            default_endpoints: add.issuer.is_none() && found.is_some_and(|found| found.resource.default_endpoints),
            preset: preset.map(str::to_owned),
            authorization_endpoint: None,
            token_endpoint: None,
            revocation_endpoint: None,
            identity_endpoint: None,
        };
        let registration = match (&add.client_id, provider.known()) {
            (Some(_), Some(known)) => {
                let has_shown_itself = add.client_secret.is_some() || add.client_key.is_some();
                if known.secret == presets::SecretRule::Needed && !has_shown_itself {
                    return Err(wording::client_secret_needed(&known));
                }
                RegistrationFound::Given
            }
            (Some(_), None) => RegistrationFound::Given,
            // A service that named the server itself may be one that it registers clients for.
            (None, Some(known)) if !known.registers && !says_itself(found) => RegistrationFound::NeedsClientId,
            (None, _) => {
                let server = Provider::new(registration(&name, &provider), self.http.clone(), self.memory.clone());
                let metadata = server.metadata().await.map_err(|e| wording::discovery_failed(&e))?;
                if !self.is_there(metadata, provider.only_public).await {
                    return Err(wording::discovery_failed(&MetadataError::Absent(issuer.clone())));
                }
                way_to(metadata, &config.network)
            }
        };
        Ok((name, Some(provider), registration))
    }

    /// What to ask for, and whether the provider describes itself nowhere. Its metadata is read for that, so
    /// a wrong issuer is told now and not at the first sign-in.
    async fn plan_scopes(
        &self,
        config: &Config,
        add: &AddService,
        name: &ProviderName,
        new: Option<&ProviderConfig>,
        asked: Option<Scopes>,
        discovered: bool,
    ) -> Result<(Scopes, bool), Failure> {
        let Some(settings) = new.or_else(|| config.providers.get(name)) else { return Ok((Scopes::default(), false)) };
        let given: Scopes = add.scopes.iter().cloned().collect();
        let registered_by_hand = new.is_some_and(|new| new.client_id.is_empty()) && !discovered;
        let provider = Provider::new(registration(name, settings), self.http.clone(), self.memory.clone());
        let known = provider.registration().preset.clone().filter(|_| asked.is_none() && !discovered);
        let usual =
            |known: &presets::Preset| if given.is_empty() { known.scopes.default.clone() } else { given.clone() };
        if let Some(known) = known.as_deref().filter(|known| registered_by_hand && !known.registers) {
            // Where a client id is still missing nobody has to be asked what is known.
            return Ok((usual(known), false));
        }
        let metadata = provider.metadata().await.map_err(|e| wording::discovery_failed(&e))?;
        if let Some(known) = known.as_deref() {
            return Ok((usual(known), metadata.assumed));
        }
        if !given.is_empty() {
            return Ok((given, metadata.assumed));
        }
        let offered = |scope: &&str| metadata.scopes_supported.iter().any(|s| s == scope);
        // What the service asks for, and a session that lasts; never silently more.
        let usual: &[&str] = if discovered { &["offline_access"] } else { &USUAL_SCOPES };
        let usual: Scopes = usual.iter().filter(|s| offered(s)).map(|s| (*s).to_owned()).collect();
        Ok((asked.unwrap_or_default().union(&usual), metadata.assumed))
    }

    /// Removes what lived in memory only.
    pub(crate) fn remove_ephemeral(&self, added: &Added) {
        let mut settings = lock(&self.settings);
        let config = &mut settings.ephemeral;
        config.services.remove(&added.service);
        if let Some(account) = config.accounts.remove(&added.account) {
            config.providers.remove(&account.provider);
        }
        if let Some(tool) = &added.tool {
            config.tools.remove(tool);
        }
        drop(settings);
        self.bell.settled(&added.account);
        self.known.forget(&added.account);
        self.apply();
    }
}

impl FoundServer {
    /// Of several servers the one that was chosen, else one where we are known already.
    fn prefer(mut self, config: &Config, chosen: Option<&Url>) -> Self {
        let known = |issuer: &Url| match chosen {
            Some(chosen) => issuer == chosen,
            None => config.providers.values().any(|provider| provider.issuer == *issuer),
        };
        self.resource = self.resource.prefer(known);
        self
    }
}

/// What the way to tokens needs, before anybody is asked for anything.
fn check_grant(add: &AddService, config: &Config) -> Result<(), Failure> {
    let shows = add.client_secret.is_some() || add.client_key.is_some();
    match add.grant {
        Grant::JwtBearer if add.client_key.is_none() && add.client_id.is_some() => Err(wording::grant_needs_key()),
        Grant::ClientCredentials if !shows && add.client_id.is_some() => Err(wording::grant_needs_secret()),
        _ => match &add.via {
            Some(via) if !config.accounts.contains_key(via) => Err(wording::unknown_account(via)),
            _ => Ok(()),
        },
    }
}
