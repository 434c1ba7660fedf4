//! What the person changes: services, accounts, tools. Each change is one atomic edit of
//! `config.toml`, or of memory for what is there for a while only.

use std::collections::BTreeMap;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use toml_edit::value;
use url::Url;

use super::add::{Secrets, write_secrets};
use super::core::{Core, grant_of, lock};
use super::document::{allow, expired_text, remove, remove_service, set, unset, write_tool};
use crate::activity::Kind;
use crate::config::ServiceConfig;
use crate::config::{Config, KeyDigest, ToolConfig};
use crate::confirm::{Answer, Question};
use crate::control::{AddTool, Failure, Judged, ProviderChanged, ToolKey};
use crate::model::{AccountName, ExpiredAnswer, ServiceName, ToolName};
use crate::provider::jws::SigningKey;
use crate::proxy::Program;
use crate::rules;
use crate::rules::saved::{self, Saved};
use crate::secret::Secret;
use crate::session::state::Want;
use crate::wording;

impl Core {
    /// Changes what the account's provider knows us by. Tokens of another client are no longer used, so who is
    /// signed in there must sign in again: only with `agreed`.
    pub(crate) async fn provider_set(
        &self,
        account: &AccountName,
        client_id: Option<String>,
        client_key_id: Option<String>,
        secrets: Secrets,
        agreed: bool,
    ) -> Result<ProviderChanged, Failure> {
        let config = self.config();
        let name = &config.accounts.get(account).ok_or_else(|| wording::unknown_account(account))?.provider;
        let settings = config.providers.get(name).ok_or_else(|| wording::unknown_account(account))?;
        let mut ended = Vec::new();
        if client_id.as_ref().is_some_and(|id| *id != settings.client_id) {
            let there = config.accounts.iter().filter(|(_, settings)| settings.provider == *name);
            ended.extend(there.map(|(account, _)| account.clone()).filter(|account| self.known.is_signed_in(account)));
        }
        if !ended.is_empty() && !agreed {
            return Err(wording::slips::would_end_sign_ins(name, &ended));
        }
        if let Some(key) = &secrets.key {
            SigningKey::from_pem(key).map_err(|e| wording::bad_client_key(&e))?;
        }
        write_secrets(&self.vault, name, &settings.issuer, &secrets).await?;
        self.edit(|_, document| {
            let mut put = |key, item| set(document, ["providers", name.as_str(), key], item);
            if let Some(id) = &client_id {
                put("client_id", value(id));
                put("registered", value(false));
            }
            if secrets.secret.is_some() {
                put("client_secret_in_vault", value(true));
            }
            if secrets.key.is_some() {
                put("client_key_in_vault", value(true));
            }
            if let Some(id) = &client_key_id {
                put("client_key_id", value(id));
            }
            // Which of them is shown is found out anew.
            unset(document, ["providers", name.as_str(), "token_auth"]);
            Ok(())
        })?;
        // A provider reads its secret once; the next one is another.
        lock(&self.providers).remove(name);
        self.restart_sessions_at(name);
        self.changed_by_person(&wording::provider_changed(name), |record| record.account = Some(account.clone()));
        Ok(ProviderChanged { account: account.clone(), done: true, ended })
    }

    /// Changes an account's settings.
    pub(crate) fn account_set(
        &self,
        account: &AccountName,
        allow_token: Option<bool>,
        label: Option<String>,
    ) -> Result<(), Failure> {
        self.must_exist(account)?;
        self.edit(|_, document| {
            if let Some(allow) = allow_token {
                set(document, ["accounts", account.as_str(), "allow_token"], value(allow));
            }
            match label.as_deref() {
                None => {}
                Some("") => unset(document, ["accounts", account.as_str(), "label"]),
                Some(label) => set(document, ["accounts", account.as_str(), "label"], value(label)),
            }
            Ok(())
        })?;
        self.changed_by_person(&wording::account_changed(account, allow_token, label.as_deref()), |record| {
            record.account = Some(account.clone());
        });
        Ok(())
    }

    /// Changes a service's settings.
    pub(crate) fn service_set(
        &self,
        service: &ServiceName,
        hold_seconds: Option<u64>,
        replay_unsafe: Option<bool>,
        expired: Option<ExpiredAnswer>,
        preset: Option<String>,
    ) -> Result<(), Failure> {
        self.must_have_service(service)?;
        if let Some(unknown) = preset.as_ref().filter(|name| !name.is_empty() && rules::named(name).is_none()) {
            return Err(wording::unknown_preset(unknown));
        }
        let told: Vec<(&str, String)> = [
            hold_seconds.map(|seconds| ("hold_seconds", seconds.to_string())),
            replay_unsafe.map(|replay| ("replay_unsafe", replay.to_string())),
            expired.map(|expired| ("expired", expired_text(expired).to_owned())),
            preset.clone().map(|preset| ("preset", preset)),
        ]
        .into_iter()
        .flatten()
        .collect();
        self.edit(|_, document| {
            let mut put = |key, item| set(document, ["services", service.as_str(), key], item);
            if let Some(seconds) = hold_seconds {
                put("hold_seconds", value(i64::try_from(seconds).unwrap_or(i64::MAX)));
            }
            if let Some(replay) = replay_unsafe {
                put("replay_unsafe", value(replay));
            }
            if let Some(expired) = expired {
                put("expired", value(expired_text(expired)));
            }
            match preset.as_deref() {
                None => {}
                Some("") => unset(document, ["services", service.as_str(), "preset"]),
                Some(preset) => set(document, ["services", service.as_str(), "preset"], value(preset)),
            }
            Ok(())
        })?;
        // A request may set nothing here, and something else besides.
        if !told.is_empty() {
            self.changed_by_person(&wording::service_set(service, &told), |record| {
                record.service = Some(service.clone());
            });
        }
        Ok(())
    }

    /// Which rule of the service would match a saved response.
    pub(crate) fn judge(&self, service: &ServiceName, response: &[u8]) -> Result<Judged, Failure> {
        self.must_have_service(service)?;
        let saved = saved::parse(response).map_err(|e| wording::bad_saved(&e))?;
        self.judged(service, &saved)
    }

    /// Asks the service once, with its token, and says which rule would match. Nothing is renewed.
    pub(crate) async fn ask_and_judge(&self, service: &ServiceName, url: &Url) -> Result<Judged, Failure> {
        let config = self.config();
        let settings = config.services.get(service).ok_or_else(|| wording::unknown_service(service))?;
        let base = settings.url.path().trim_end_matches('/');
        let below = url.path().strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if url.origin() != settings.url.origin() || !below {
            return Err(wording::not_of_service(service, url, &settings.url));
        }
        let title = self.titles(&config, &settings.account).1;
        let session = self.sessions_of(&settings.account).remove(&grant_of(settings));
        let session = session.ok_or_else(|| wording::account_without_service(&settings.account))?;
        let unready = |why| wording::unready(&title, &settings.account, &why);
        let lease = session.lease(Want::default()).await.map_err(unready)?;
        let at = ServiceConfig { url: url.clone(), ..settings.clone() };
        let response = self.ask(&at, &lease, http::Method::GET, None, None).await;
        let response = response.map_err(|e| wording::not_asked(service, &e))?;
        let (parts, body) = response.into_parts();
        let saved = Saved {
            method: http::Method::GET,
            path: url.path().to_owned(),
            request: http::HeaderMap::new(),
            status: parts.status,
            headers: parts.headers,
            body,
            stale: lease.is_stale(),
        };
        self.judged(service, &saved)
    }

    fn judged(&self, service: &ServiceName, saved: &Saved) -> Result<Judged, Failure> {
        let config = self.config();
        let settings = config.services.get(service).ok_or_else(|| wording::unknown_service(service))?;
        let found = saved.judge(&settings.rule_set());
        let rule = found.as_ref().map(|found| &found.rule);
        Ok(Judged {
            service: service.clone(),
            status: saved.status.as_u16(),
            rule: rule.map(|rule| rule.name.clone()),
            verdict: rule.map(|rule| rule.verdict.as_str().to_owned()),
            why: rule.map(|rule| rule.why.clone()),
            source: rule.map(|rule| rule.source.clone()),
            action: found.as_ref().map_or_else(|| wording::PASSES.to_owned(), wording::rule_action),
            scopes: found.map(|found| found.scopes.into()).unwrap_or_default(),
        })
    }

    /// Removes a service; its account stays.
    pub(crate) fn service_remove(&self, service: &ServiceName) -> Result<(), Failure> {
        self.must_have_service(service)?;
        self.edit(|_, document| {
            remove_service(document, service);
            Ok(())
        })?;
        self.changed_by_person(&wording::service_removed(service), |record| record.service = Some(service.clone()));
        Ok(())
    }

    /// Registers a tool, or lets one use more.
    pub(crate) fn tool_add(&self, add: &AddTool) -> Result<ToolKey, Failure> {
        let (tool, key, widened) = self.edit(|config, document| {
            if let Some(unknown) = add.services.iter().find(|service| !config.services.contains_key(*service)) {
                return Err(wording::unknown_service(unknown));
            }
            let (mut tool, key) = tool_or_new(config, &add.tool);
            if key.is_some() {
                (tool.expired, tool.key_in_path) = (add.expired, add.key_in_path);
            }
            let before = tool.services.len();
            for service in &add.services {
                if !tool.services.contains(service) {
                    tool.services.push(service.clone());
                }
            }
            write_tool(document, &add.tool, &tool);
            let widened = key.is_some() || tool.services.len() > before;
            Ok((tool, key, widened))
        })?;
        // The trail tells what was widened, not what was asked for again.
        if widened {
            self.changed_by_person(&wording::tool_added(&add.tool, &tool.services, key.is_some()), |record| {
                record.tool = Some(add.tool.clone());
            });
        }
        Ok(self.tool_key(&add.tool, &tool, key))
    }

    /// Whether the service's own addresses in what it answers become the tool's.
    pub(crate) fn service_rewrites(&self, service: &ServiceName, on: bool) -> Result<(), Failure> {
        self.must_have_service(service)?;
        self.edit(|_, document| {
            let key = ["services", service.as_str(), "rewrite_addresses"];
            if on {
                set(document, key, value(true))
            } else {
                unset(document, key)
            };
            Ok(())
        })?;
        self.changed_by_person(&wording::service_set(service, &[("rewrite_addresses", on.to_string())]), |record| {
            record.service = Some(service.clone());
        });
        Ok(())
    }

    /// Changes a tool's settings.
    pub(crate) fn tool_set(&self, name: &ToolName, confirm: Option<bool>) -> Result<(), Failure> {
        self.edit(|config, document| {
            if !config.tools.contains_key(name) {
                return Err(wording::unknown_tool(name));
            }
            if let Some(confirm) = confirm {
                set(document, ["tools", name.as_str(), "confirm"], value(confirm));
            }
            Ok(())
        })?;
        self.changed_by_person(&wording::tool_set(name, confirm), |record| record.tool = Some(name.clone()));
        Ok(())
    }

    /// The person answers whether a program may use a service; "always" is written down.
    ///
    /// # Errors
    /// Where nobody waits for it any more, or a yes needs a click and does not come from the screen.
    pub(crate) fn confirm(&self, id: u64, answer: Answer, process: Option<u32>) -> Result<(), Failure> {
        let open = self.proxy.confirms.open().into_iter().find(|open| open.id == id);
        let Question { wish, program, .. } = open.ok_or_else(wording::not_asked_any_more)?;
        self.must_be_clicked(answer, process)?;
        if answer == Answer::Always {
            if program.as_deref().and_then(Program::remembered).is_none() {
                return Err(wording::no_path_to_remember(&wish.path));
            }
            self.edit(|config, document| {
                let tool = config.tools.get(&wish.tool).ok_or_else(|| wording::unknown_tool(&wish.tool))?;
                let known = tool.allowed.get(&wish.service).into_iter().flatten().map(String::as_str);
                let paths: toml_edit::Array = known.filter(|path| *path != wish.path).chain([&*wish.path]).collect();
                allow(document, &wish.tool, &wish.service, paths);
                Ok(())
            })?;
        }
        let answered = self.proxy.confirms.answer(id, answer).ok_or_else(wording::not_asked_any_more)?;
        self.changed_by_person(&wording::confirm_answered(&answered, answer), |record| {
            record.tool = Some(wish.tool.clone());
            record.service = Some(wish.service.clone());
        });
        Ok(())
    }

    /// Gives a tool a new key; the old one stops working at once.
    pub(crate) fn tool_rotate(&self, name: &ToolName) -> Result<ToolKey, Failure> {
        let key = new_key();
        let tool = self.edit(|config, document| {
            let mut tool = config.tools.get(name).cloned().ok_or_else(|| wording::unknown_tool(name))?;
            tool.key_sha256 = digest(Some(&key));
            write_tool(document, name, &tool);
            Ok(tool)
        })?;
        self.changed_by_person(&wording::tool_rotated(name), |record| record.tool = Some(name.clone()));
        Ok(self.tool_key(name, &tool, Some(key)))
    }

    /// Removes a tool; its key stops working at once.
    pub(crate) fn tool_remove(&self, name: &ToolName) -> Result<(), Failure> {
        self.edit(|config, document| {
            if !config.tools.contains_key(name) {
                return Err(wording::unknown_tool(name));
            }
            remove(document, "tools", name.as_str());
            Ok(())
        })?;
        self.changed_by_person(&wording::tool_removed(name), |record| record.tool = Some(name.clone()));
        Ok(())
    }

    pub(super) fn tool_key(&self, name: &ToolName, tool: &ToolConfig, key: Option<Secret>) -> ToolKey {
        let address = |service: &ServiceName| match (&key, tool.key_in_path) {
            (Some(key), true) => format!("{}/k/{}/{service}", self.address(), key.expose()),
            _ => self.address_of(service),
        };
        let urls: BTreeMap<_, _> = tool.services.iter().map(|service| (service.clone(), address(service))).collect();
        ToolKey { tool: name.clone(), key, urls, key_in_path: tool.key_in_path, forward: None }
    }

    pub(super) fn must_have_service(&self, service: &ServiceName) -> Result<(), Failure> {
        if self.config().services.contains_key(service) { Ok(()) } else { Err(wording::unknown_service(service)) }
    }

    pub(crate) fn changed_by_person(&self, text: &str, fill: impl FnOnce(&mut crate::activity::Record)) {
        self.activity.record(Kind::Changed, |record| {
            record.text = text.to_owned();
            fill(record);
        });
    }
}

/// The tool of this name as it is, or a new one that may use nothing yet, with its key.
pub(super) fn tool_or_new(config: &Config, name: &ToolName) -> (ToolConfig, Option<Secret>) {
    match config.tools.get(name) {
        Some(known) => (known.clone(), None),
        None => {
            let key = new_key();
            let tool = ToolConfig {
                key_sha256: digest(Some(&key)),
                services: vec![],
                expired: ExpiredAnswer::Automatic,
                key_in_path: false,
                confirm: false,
                allowed: BTreeMap::new(),
            };
            (tool, Some(key))
        }
    }
}

/// 256 random bits behind a prefix by which people and secret scanners know it.
pub(super) fn new_key() -> Secret {
    let bytes: [u8; 32] = rand::random();
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    Secret::new(format!("{}{text}", crate::proxy::KEY_PREFIX))
}

pub(super) fn digest(key: Option<&Secret>) -> KeyDigest {
    KeyDigest(Sha256::digest(key.map(Secret::expose).unwrap_or_default().as_bytes()).into())
}
