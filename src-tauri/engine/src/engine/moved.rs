//! A known service that names another authorization server than before (D7).
//!
//! Its tokens and our registration belong to the old one and stay there. The person is told, and nothing
//! is asked of the new one until they write its address out.

use tokio::sync::broadcast;
use toml_edit::value;
use url::Url;

use super::core::{Core, grant_of};
use super::document::{set, unset};
use crate::activity::Kind;
use crate::config::ServiceConfig;
use crate::control::{AddService, Added, Failure, Notice};
use crate::model::{GrantId, ServiceName};
use crate::wording;

/// A service now leads elsewhere.
struct Moved {
    was: Url,
    now: Url,
}

impl Core {
    /// Refuses to sign in where a service of the grant now names another server: its tokens would be no
    /// good there, and the page that opens would be one that the service no longer stands by.
    pub(super) async fn same_server(&self, grant: &GrantId) -> Result<(), Failure> {
        let config = self.config();
        for (name, service) in config.services.iter().filter(|(_, service)| grant_of(service) == *grant) {
            if let Some(moved) = self.moved(service).await {
                self.tell_moved(name, service, &moved);
                return Err(wording::server_moved_failure(name, &moved.was, &moved.now));
            }
        }
        Ok(())
    }

    /// A service that refuses tokens which its server has just renewed: does it still belong there?
    pub(super) async fn look_into_suspects(&self) {
        let mut suspects = self.proxy.suspects.subscribe();
        loop {
            let name = match suspects.recv().await {
                Ok(name) => name,
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            let Some(service) = self.config().services.get(&name).cloned() else { continue };
            if let Some(moved) = self.moved(&service).await {
                self.tell_moved(&name, &service, &moved);
            }
        }
    }

    /// Where the service leads now, if it named its server itself and names others now. One that can't be
    /// asked, or says nothing, has not moved.
    async fn moved(&self, service: &ServiceConfig) -> Option<Moved> {
        let was = service.authorization_server.clone()?;
        let found = self.find_server(&service.url).await.ok()?;
        let still = found.resource.servers.is_empty() || found.resource.servers.contains(&was);
        (!still).then_some(Moved { was, now: found.resource.issuer })
    }

    fn tell_moved(&self, name: &ServiceName, service: &ServiceConfig, moved: &Moved) {
        let text = wording::server_moved(name, &moved.was, &moved.now);
        // Nobody listens: fine.
        let _ = self.notices.send(Notice::Say { text: text.clone() });
        self.activity.record(Kind::Hint, |record| {
            record.account = Some(service.account.clone());
            record.service = Some(name.clone());
            record.text = text;
        });
        self.changed.notify_one();
    }

    /// Takes the server that the service names now: a provider and an account of its own, as for a new
    /// service. The old account keeps its tokens; the service's tools keep their key and their address.
    pub(crate) async fn service_move(&self, name: &ServiceName, issuer: &Url) -> Result<Added, Failure> {
        let config = self.config();
        let service = config.services.get(name).ok_or_else(|| wording::unknown_service(name))?;
        let found = self.find_server(&service.url).await;
        let found = found.map_err(|e| wording::service_not_understood(&service.url, &e))?;
        if !found.resource.servers.contains(issuer) {
            return Err(wording::not_named(name, issuer, &found.resource.servers));
        }
        let now = config.accounts.get(&service.account).and_then(|account| config.providers.get(&account.provider));
        if now.is_some_and(|provider| provider.issuer == *issuer) {
            return Err(wording::not_moved(name, issuer));
        }
        let mut plan = self.plan(&AddService::of_url(service.url.clone()), Some(issuer)).await?;
        // The service was asked again, and may have said something else.
        let planned = match &plan.provider {
            (_, Some(new)) => Some(&new.issuer),
            (known, None) => config.providers.get(known).map(|provider| &provider.issuer),
        };
        if planned != Some(issuer) {
            return Err(wording::not_named(name, issuer, &found.resource.servers));
        }
        self.carry_out(&mut plan, false).await?;
        self.edit(|config, document| {
            plan.fit_account(config)?;
            plan.write_account(document);
            let (account, new) = (&plan.account.0, &plan.service.1);
            set(document, ["services", name.as_str(), "account"], value(account.as_str()));
            match new.dpop || service.dpop {
                true => set(document, ["services", name.as_str(), "dpop"], value(true)),
                false => unset(document, ["services", name.as_str(), "dpop"]),
            }
            for (key, text) in [
                ("resource", new.resource.as_deref()),
                ("authorization_server", new.authorization_server.as_ref().map(Url::as_str)),
            ] {
                match text {
                    Some(text) => set(document, ["services", name.as_str(), key], value(text)),
                    None => unset(document, ["services", name.as_str(), key]),
                }
            }
            Ok(())
        })?;
        let account = plan.account.0;
        self.changed_by_person(&wording::moved(name, &account, issuer), |record| {
            record.account = Some(account.clone());
            record.service = Some(name.clone());
        });
        let state = self.snapshot().accounts.into_iter().find(|a| a.account == account).map(|a| a.state);
        Ok(Added {
            service: name.clone(),
            url: self.address_of(name),
            state: state.unwrap_or(crate::view::StateName::NeedsSignIn),
            account,
            tool: None,
            key: None,
            preset: None,
        })
    }
}
