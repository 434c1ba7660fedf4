//! The authorization server with its two APIs, which tests sign in at.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use ureq::Agent;

use crate::node::NodeServer;
use crate::sandbox::Sandbox;

/// How long it may take to answer.
const LIMIT: Duration = Duration::from_secs(60);

/// A running `tests/provider/server.mjs` on free loopback ports.
#[derive(Debug)]
pub struct Provider {
    server: NodeServer,
    agent: Agent,
    _sandbox: Sandbox,
}

impl Provider {
    /// Starts it with these options (its own documentation lists them; `{}` is fine) and waits for
    /// its ready line. The sandbox keeps its log.
    pub fn start(sandbox: &Sandbox, options: &Value) -> Result<Self> {
        let server = NodeServer::start(sandbox, "provider/server.mjs", &[&options.to_string()])?;
        let config = Agent::config_builder().timeout_global(Some(LIMIT)).http_status_as_error(false).proxy(None);
        Ok(Self { server, agent: config.build().into(), _sandbox: sandbox.clone() })
    }

    /// The issuer, for OAuth discovery.
    pub fn issuer(&self) -> Result<&str> {
        self.field("/issuer")
    }

    /// Base address of the first API.
    pub fn api(&self) -> Result<&str> {
        self.field("/api")
    }

    /// Base address of the API of this name (`notes`, `issues`).
    pub fn api_named(&self, name: &str) -> Result<&str> {
        self.field(&format!("/apis/{name}"))
    }

    /// Any string of the ready line, by JSON pointer.
    pub fn field(&self, pointer: &str) -> Result<&str> {
        self.server.field(pointer)
    }

    /// How often what was asked for since the start: token requests by grant type and outcome,
    /// requests of the APIs by status and by path.
    pub fn counts(&self) -> Result<Value> {
        self.control("GET", "/counts", &[], None)
    }

    /// Makes the refresh tokens of this login invalid, and with `access` its access tokens too.
    pub fn revoke_refresh(&self, login: &str, access: bool) -> Result<()> {
        let mut query = vec![("login", login)];
        query.extend(access.then_some(("access", "1")));
        self.control("POST", "/revoke-refresh", &query, None)?;
        Ok(())
    }

    /// Makes the access tokens of this login expire now.
    pub fn expire_access(&self, login: &str) -> Result<()> {
        self.control("POST", "/expire-access", &[("login", login)], None)?;
        Ok(())
    }

    /// Makes the token endpoint misbehave at the next requests: `{"mode": …, "ms": …, "times": 1}`
    /// with the mode `hang`, `500`, `429`, `drop` or `slow`. `null` ends it.
    pub fn fault(&self, token_endpoint: &Value) -> Result<()> {
        let body = json!({"tokenEndpoint": token_endpoint});
        self.control("POST", "/fault", &[], Some(&body))?;
        Ok(())
    }

    /// Signs this login in without any page from now on; `None` brings the pages back.
    pub fn auto_consent(&self, login: Option<&str>) -> Result<()> {
        let query: Vec<_> = login.map(|login| ("login", login)).into_iter().collect();
        self.control("POST", "/auto-consent", &query, None)?;
        Ok(())
    }

    /// What the last authorization request and the last token request said.
    pub fn last(&self) -> Result<Value> {
        self.control("GET", "/last", &[], None)
    }

    /// Any command at its control address.
    pub fn control(&self, method: &str, path: &str, query: &[(&str, &str)], body: Option<&Value>) -> Result<Value> {
        let url = format!("{}{path}", self.field("/control")?.trim_end_matches('/'));
        let context = || format!("the provider's control command {method} {path} {query:?}");
        let query = query.iter().copied();
        let answer = match (method, body) {
            ("GET", _) => self.agent.get(&url).query_pairs(query).call(),
            (_, Some(body)) => self.agent.post(&url).query_pairs(query).send_json(body),
            (_, None) => self.agent.post(&url).query_pairs(query).send_empty(),
        };
        let mut answer = answer.with_context(context)?;
        let text = answer.body_mut().read_to_string().with_context(context)?;
        if !answer.status().is_success() {
            bail!("{}: {} {text}", context(), answer.status());
        }
        serde_json::from_str(&text).with_context(|| format!("{}, no JSON: {text:?}", context()))
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> Result<String> {
        self.server.log()
    }

    /// Ends it, so that nobody listens at its addresses any more.
    pub fn stop(&mut self) -> Result<()> {
        self.server.stop()
    }
}
