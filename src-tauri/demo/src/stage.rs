//! What the story and the hosted demo have in common: the servers, the account, a call as a tool.

use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use signbell_engine::control::client::Conversation;
use signbell_engine::control::{AddService, Failure, Grant, Reply, Request};
use signbell_engine::model::{AccountName, BadName, ToolName};
use signbell_engine::secret::Secret;
use signbell_engine::wording::{self, demo};

use crate::api::Api;
use crate::http::get;
use crate::provider::{CLIENT_ID, Provider, SCOPE};

/// What the demo calls its provider, account, service and tool.
const NAME: &str = "demo";

/// The demo's account in an engine, for as long as this lives.
pub(crate) struct Stage {
    // Dropped first: the engine then removes the account before the provider is gone.
    _hold: Conversation,
    pub(crate) account: AccountName,
    pub(crate) tool: ToolName,
    pub(crate) address: String,
    key: Secret,
    pub(crate) provider: Provider,
    pub(crate) api: Api,
}

/// What a call through the proxy came back with.
pub(crate) struct Call {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Stage {
    pub(crate) async fn open(socket: &Path, token_life: Duration) -> Result<Self, Failure> {
        let provider = Provider::start_with(token_life).await.map_err(|e| demo::servers_failed(&e))?;
        let api = Api::start(&provider).await.map_err(|e| demo::servers_failed(&e))?;
        let service = service(&provider, &api).map_err(|e| demo::unexpected("added", &e.to_string()))?;
        let mut hold = Conversation::open(socket, &Request::AddEphemeral(service)).await?;
        let added = loop {
            match hold.next().await {
                Ok(Some(Reply::Added(added))) => break added,
                Ok(Some(_)) => {}
                Ok(None) => return Err(wording::not_running()),
                // Another name can't be chosen here.
                Err(failure) if failure == wording::name_taken("tool", NAME) => return Err(demo::tool_taken(NAME)),
                Err(failure) => return Err(failure),
            }
        };
        let (Some(tool), Some(key)) = (added.tool, added.key) else {
            return Err(demo::tool_taken(NAME));
        };
        Ok(Self { _hold: hold, account: added.account, tool, address: added.url, key, provider, api })
    }

    /// What a tool does: asks the proxy with its own key, and knows nothing of tokens.
    pub(crate) async fn call(&self, step: &str) -> Result<Call, Failure> {
        let url = format!("{}/hello", self.address.trim_end_matches('/'));
        let answer = get(&url, Some(&self.key)).await.map_err(|e| demo::unexpected(step, &e.to_string()))?;
        let message = answer.field("message").or_else(|| answer.field("detail")).unwrap_or_default();
        Ok(Call { status: answer.status, message })
    }
}

fn service(provider: &Provider, api: &Api) -> Result<AddService, BadName> {
    Ok(AddService {
        url: api.url().clone(),
        name: Some(NAME.parse()?),
        account: Some(NAME.parse()?),
        issuer: Some(provider.issuer().clone()),
        provider: Some(NAME.parse()?),
        client_id: Some(CLIENT_ID.to_owned()),
        client_secret: None,
        client_key: None,
        client_key_id: None,
        grant: Grant::AuthorizationCode,
        subject: None,
        via: None,
        dpop: false,
        scopes: vec![SCOPE.to_owned()],
        resource: None,
        tool: Some(NAME.parse()?),
        provider_preset: None,
        preset: Some("none".to_owned()),
        allow_missing_pkce: false,
    })
}
