//! `signbell mcp`: a stdio MCP server that is a remote one.

use signbell_engine::control::client::{Conversation, call};
use signbell_engine::control::{AddService, AddTool, Failure, Reply, Request, Through};
use signbell_engine::model::{ExpiredAnswer, ServiceName, ToolName};
use signbell_engine::paths::Paths;
use signbell_engine::view::StateName;
use tokio::io::{BufReader, stdin, stdout};
use tokio::sync::Mutex;
use url::Url;

use super::Context;
use crate::args::Mcp;
use crate::bridge::{self, Door};
use signbell_engine::wording::cli as words;

/// Carries messages between stdio and the service until the client leaves.
pub(super) async fn run(context: &Context, args: Mcp) -> Result<(), Failure> {
    super::trace(context.out);
    let service = match args.service.parse::<ServiceName>() {
        Ok(name) => name,
        Err(_) => by_address(context, &args.service).await?,
    };
    let tool = AddTool {
        tool: args.tool.clone(),
        services: vec![service.clone()],
        expired: ExpiredAnswer::Automatic,
        key_in_path: false,
    };
    context.call(&Request::ToolAdd(tool)).await?;
    let door = Loan { paths: context.paths.clone(), tool: args.tool, service, lent: Mutex::default() };
    // What is wrong is told now, and not at the first message.
    door.lend().await?;
    let view = context.view().await?;
    let account = view.services.iter().find(|service| service.service == door.service).map(|service| &service.account);
    let account = view.accounts.iter().find(|known| Some(&known.account) == account);
    if let Some(account) = account.filter(|account| account.state == StateName::NeedsSignIn) {
        context.out.say(&words::account_waits(&account.account));
    }
    // reqwest wants one named, although nothing here is encrypted: the proxy is on this machine, and no
    // proxy of the environment's leads there. Fails where one is named already, which then serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "it follows no redirect and no proxy of the environment's")]
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().map_err(|e| words::no_client(&e))?;
    let carried = bridge::run(door, client, BufReader::new(stdin()), stdout()).await;
    carried.map_err(|e| words::input_failed("standard input", &e))
}

/// The service at this address; one that nobody has added yet is added, as `signbell add` would.
async fn by_address(context: &Context, address: &str) -> Result<ServiceName, Failure> {
    let url: Url = address.parse().map_err(|_| words::no_service_or_address(address))?;
    let same = |other: &str| other.trim_end_matches('/') == url.as_str().trim_end_matches('/');
    if let Some(known) = context.view().await?.services.into_iter().find(|service| same(&service.url)) {
        return Ok(known.service);
    }
    // `add` has the flags that its advice names; this command has not.
    let added = context.call(&Request::Add(AddService::of_url(url))).await;
    match added.map_err(|failure| words::add_it_first(failure, address))? {
        Reply::Added(added) => Ok(added.service),
        _ => Err(words::odd_reply()),
    }
}

/// A key that is good while the conversation over which it was lent is open.
struct Loan {
    paths: Paths,
    tool: ToolName,
    service: ServiceName,
    lent: Mutex<Option<Lent>>,
}

struct Lent {
    url: String,
    key: String,
    _conversation: Conversation,
}

impl Loan {
    async fn lend(&self) -> Result<(String, String), Failure> {
        let request = Request::Lend { tool: self.tool.clone(), seconds: None, forward: Through::No };
        let mut conversation = Conversation::open(&self.paths.engine_socket(), &request).await?;
        let Some(Reply::ToolKey(lent)) = conversation.next().await? else { return Err(words::odd_reply()) };
        let url = lent.urls.get(&self.service).map(ToString::to_string);
        let (Some(url), Some(key)) = (url, lent.key) else {
            // It was taken out of the tool's services meanwhile.
            let view = call(&self.paths.engine_socket(), &Request::Status).await;
            return Err(view.err().unwrap_or_else(|| words::no_longer_granted(&self.tool, &self.service)));
        };
        let key = key.expose().to_owned();
        *self.lent.lock().await = Some(Lent { url: url.clone(), key: key.clone(), _conversation: conversation });
        Ok((url, key))
    }
}

impl Door for Loan {
    async fn open(&self, again: bool) -> Result<(String, String), String> {
        if !again && let Some(lent) = &*self.lent.lock().await {
            return Ok((lent.url.clone(), lent.key.clone()));
        }
        self.lend().await.map_err(|failure| failure.message)
    }
}
