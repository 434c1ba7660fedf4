//! A look at a service before it is added: what was found out, told to the person.

use super::add::Plan;
use super::core::{Core, registration};
use crate::config::Config;
use crate::control::{AccountChoice, AddService, Failure, Found, RegistrationFound, ScopeFound};
use crate::model::Scopes;
use crate::provider::Provider;
use crate::rules;
use crate::wording;

impl Core {
    /// What adding the service would come to. Asks the service and its server, and writes and registers
    /// nothing.
    pub(crate) async fn look(&self, add: &AddService) -> Result<Found, Failure> {
        let plan = self.plan(add, None).await?;
        let config = self.config();
        let (account, new_account) = &plan.account;
        let title = self.titles(&config, account).0;
        let scopes = new_account.as_ref().or(config.accounts.get(account)).map(|account| account.scopes.clone());
        let (service, settings) = &plan.service;
        let (provider, new_provider) = &plan.provider;
        let known_provider = config.providers.get(provider);
        let Some(server) = new_provider.as_ref().or(known_provider) else {
            return Err(wording::unknown_account(account));
        };
        let server_title = server.title.clone().unwrap_or_else(|| wording::capitalised(provider.as_str()));
        let preset = settings.preset.clone();
        let metadata = Provider::new(registration(provider, server), self.http.clone(), self.memory.clone());
        // Known to be there where the account is new; where it is not, this is worth no failure.
        let device = metadata.metadata().await.is_ok_and(|it| it.device_authorization_endpoint.is_some());
        Ok(Found {
            service: service.clone(),
            url: settings.url.clone(),
            issuer: server.issuer.clone(),
            by: plan.by,
            by_words: wording::found_by(plan.by, &settings.url),
            scopes: in_words(&scopes.unwrap_or_default()),
            registration: plan.registration,
            registration_words: wording::registration_found(
                plan.registration,
                &server_title,
                server.known().as_deref(),
            ),
            redirect: match plan.registration {
                RegistrationFound::NeedsClientId => registration(provider, server).redirect().to_string().parse().ok(),
                _ => None,
            },
            device,
            preset_title: preset.as_deref().and_then(rules::named).map(|preset| preset.title.clone()),
            preset,
            account: account.clone(),
            joins: new_account.is_none(),
            account_words: wording::account_found(account, &title, new_account.is_none()),
            accounts: self.accounts_at(&config, &plan),
            server: server_title,
        })
    }

    /// The accounts at the server that was found.
    fn accounts_at(&self, config: &Config, plan: &Plan) -> Vec<AccountChoice> {
        let (name, new) = &plan.provider;
        let issuer = new.as_ref().or(config.providers.get(name)).map(|provider| &provider.issuer);
        let is_there = |provider| config.providers.get(provider).is_some_and(|p| Some(&p.issuer) == issuer);
        let there = config.accounts.iter().filter(|(_, account)| is_there(&account.provider));
        there.map(|(name, _)| AccountChoice { account: name.clone(), title: self.titles(config, name).0 }).collect()
    }
}

fn in_words(scopes: &Scopes) -> Vec<ScopeFound> {
    scopes.iter().map(|scope| ScopeFound { scope: scope.to_owned(), words: wording::scope_words(scope) }).collect()
}
