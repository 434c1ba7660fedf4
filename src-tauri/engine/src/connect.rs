//! What the command line and the window do to connect a client: which services and which key the engine has
//! for it, and `signbell_connect` for the client's file.

use std::path::{Path, PathBuf};

use serde::Serialize;
use signbell_connect::client::Kind;
use signbell_connect::plan::{Ask, Done, Journal, Plan};
use signbell_connect::{Client, Form, Key, Places, Problem, Target, connected};

use crate::checkup::Settings;
use crate::clock;
use crate::control::client::call;
use crate::control::{AddTool, Failure, FailureKind, Reply, Request, ToolKey};
use crate::model::{ExpiredAnswer, ServiceName, ToolName};
use crate::paths::Paths;
use crate::view::AppView;
use crate::wording;

/// What the person wishes.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which client.
    pub client: Client,
    /// Which services; none with `undo` means all.
    pub services: Vec<ServiceName>,
    /// The tool; named like the client where absent.
    pub tool: Option<ToolName>,
    /// The project's file instead of the person's.
    pub project: bool,
    /// Start `signbell mcp` although a key could stand in the file.
    pub stdio: bool,
    /// Take the key from the environment.
    pub env: bool,
    /// Take out instead of putting in.
    pub undo: bool,
    /// Give the tool a new key where the old one isn't known.
    pub rotate: bool,
}

impl Wish {
    /// The tool that it is for.
    #[must_use]
    pub fn tool(&self) -> Option<ToolName> {
        self.tool.clone().or_else(|| self.client.name().parse().ok())
    }
}

/// What is to be done, ready to be looked at.
pub struct Offer {
    /// The change of the file.
    pub plan: Plan,
    /// The tool whose key it is.
    pub tool: ToolName,
    /// Whether the tool is there already.
    pub tool_known: bool,
    wish: Wish,
}

/// One client, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientView {
    /// Its name.
    pub client: &'static str,
    /// As shown to people.
    pub title: &'static str,
    /// Whether it seems to be on this machine.
    pub found: bool,
    /// Where its file lies.
    pub file: PathBuf,
    /// The services that its file leads to.
    pub connected: Vec<String>,
    /// Why its file can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// All clients, those that are on this machine first.
#[must_use]
pub fn clients(places: &Places, proxy: &str) -> Vec<ClientView> {
    let view = |client: Client| {
        let file = places.file(client, false)?;
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let (connected, trouble) = match connected(client, &text, proxy) {
            Ok(connected) => (connected, None),
            Err(problem) => (vec![], Some(wording::connect::problem(&problem, client, Some(&file)).message)),
        };
        let found = places.found(client);
        Some(ClientView { client: client.name(), title: client.title(), found, file, connected, trouble })
    };
    let mut all: Vec<_> = Client::ALL.into_iter().filter_map(view).collect();
    all.sort_by_key(|client| !client.found);
    all
}

/// Looks at what is there, and says what is to be done. Nothing is changed.
///
/// # Errors
/// [`Failure`]: a service that is not there, a file that can't be changed, a key that nobody knows any more.
pub async fn offer(paths: &Paths, places: &Places, wish: Wish) -> Result<Offer, Failure> {
    let view = match call(&paths.engine_socket(), &Request::Status).await {
        Ok(Reply::View(view)) => Some(*view),
        Ok(_) => return Err(wording::cli::odd_reply()),
        // What leads to us can be taken out without us.
        Err(failure) if failure.kind == FailureKind::NotRunning && wish.undo => None,
        Err(failure) => return Err(failure),
    };
    let Some(tool) = wish.tool() else { return Err(wording::cli::odd_reply()) };
    let tool_known = view.as_ref().is_some_and(|view| view.tools.iter().any(|known| known.tool == tool));
    let mut ask = ask(places, &wish, view.as_ref(), &tool)?;
    let mut plan = plan(paths, places, &ask, None)?;
    if !wish.undo && !plan.needs_key && is_nobodys(paths, &plan) {
        ask.forget_key = true;
        plan = self::plan(paths, places, &ask, None)?;
    }
    if plan.needs_key && tool_known && !wish.rotate {
        return Err(wording::connect::key_unknown(&tool, wish.client));
    }
    Ok(Offer { plan, tool, tool_known, wish })
}

/// Whether the key that stands in the file is no tool's: removed since, or replaced by another.
fn is_nobodys(paths: &Paths, plan: &Plan) -> bool {
    let Form::Key(key) = &plan.form else { return false };
    let settings = Settings::load(&paths.config_file());
    settings.is_ok_and(|settings| settings.tool_of(key.expose()).is_none())
}

/// Does it: the tool first, then the file.
///
/// # Errors
/// [`Failure`]; the file is then as it was.
pub async fn carry_out(paths: &Paths, places: &Places, offer: Offer) -> Result<Done, Failure> {
    let Offer { plan: shown, tool, tool_known, wish } = offer;
    if wish.undo {
        return write(paths, &shown);
    }
    let socket = paths.engine_socket();
    let key = match shown.ask.client {
        // It gets the account's own token, and needs no tool.
        Client::Kubectl => None,
        _ => tool_for(&socket, &wish, &tool, tool_known && shown.needs_key).await?,
    };
    if wish.client.kind() == Kind::Registry {
        for service in &wish.services {
            call(&socket, &rewriting(service)).await?;
        }
    }
    let written = match (&key, shown.needs_key) {
        (Some(key), true) => plan(paths, places, &shown.ask, Some(key)).and_then(|plan| {
            let same = plan.is_of_the_same_file(&shown);
            let changed = || wording::connect::problem(&Problem::Changed, wish.client, Some(&plan.file));
            if same { write(paths, &plan) } else { Err(changed()) }
        }),
        (None, true) => Err(wording::cli::odd_reply()),
        _ if shown.changes() => write(paths, &shown),
        _ => Ok(Done { backup: None, removed: false }),
    };
    if written.is_err() && key.is_some() && !tool_known {
        // Nobody has the key of the tool that was just made.
        let _ = call(&socket, &Request::ToolRemove { tool }).await;
    }
    written
}

/// The tool with these services; its key where it is new, or was asked for anew.
async fn tool_for(socket: &Path, wish: &Wish, tool: &ToolName, anew: bool) -> Result<Option<Key>, Failure> {
    let add = AddTool {
        tool: tool.clone(),
        services: wish.services.clone(),
        expired: ExpiredAnswer::Automatic,
        key_in_path: false,
    };
    let mut requests = vec![Request::ToolAdd(add)];
    if anew {
        requests.push(Request::ToolRotate { tool: tool.clone() });
    }
    let mut last = None;
    for request in requests {
        match call(socket, &request).await? {
            Reply::ToolKey(ToolKey { key, .. }) => last = key.map(|key| Key::new(key.expose())),
            _ => return Err(wording::cli::odd_reply()),
        }
    }
    Ok(last)
}

fn rewriting(service: &ServiceName) -> Request {
    Request::ServiceSet {
        service: service.clone(),
        hold_seconds: None,
        replay_unsafe: None,
        rewrite_addresses: Some(true),
        expired: None,
        preset: None,
    }
}

fn ask(places: &Places, wish: &Wish, view: Option<&AppView>, tool: &ToolName) -> Result<Ask, Failure> {
    if wish.services.is_empty() && !wish.undo {
        return Err(wording::connect::no_service());
    }
    let target = |name: &ServiceName| match view {
        None => Ok(Target {
            name: name.to_string(),
            address: String::new(),
            upstream: String::new(),
            account: String::new(),
        }),
        Some(view) => {
            let known = view.services.iter().find(|service| service.service == *name);
            // A service may be gone while a client's file still names it.
            let Some(known) = known else {
                return match wish.undo {
                    true => Ok(Target {
                        name: name.to_string(),
                        address: String::new(),
                        upstream: String::new(),
                        account: String::new(),
                    }),
                    false => Err(wording::unknown_service(name)),
                };
            };
            let account = view.accounts.iter().find(|account| account.account == known.account);
            let allowed = account.is_some_and(|account| account.allow_token);
            if wish.client == Client::Kubectl && !wish.undo && !allowed {
                return Err(wording::connect::token_not_allowed(&known.account));
            }
            Ok(Target {
                name: name.to_string(),
                address: known.address.clone(),
                upstream: known.url.clone(),
                account: known.account.to_string(),
            })
        }
    };
    Ok(Ask {
        client: wish.client,
        services: wish.services.iter().map(target).collect::<Result<_, _>>()?,
        proxy: view.map_or_else(usual_address, |view| view.proxy.address.clone()),
        tool: tool.to_string(),
        program: program(places),
        project: wish.project,
        stdio: wish.stdio,
        env: wish.env,
        undo: wish.undo,
        forget_key: wish.rotate && !wish.undo,
    })
}

/// Where the proxy listens unless somebody says otherwise.
#[must_use]
pub fn usual_address() -> String {
    let port = std::env::var("SIGNBELL_PORT").ok().and_then(|port| port.parse::<u16>().ok());
    let port = port.filter(|port| *port != 0).unwrap_or_else(|| crate::config::ProxyConfig::default().port);
    format!("http://127.0.0.1:{port}")
}

/// How another program starts `signbell`: desktop programs have a path of their own, so with its folder.
fn program(places: &Places) -> String {
    let beside = std::env::current_exe().ok().map(|exe| exe.with_file_name("signbell")).filter(|file| file.exists());
    let in_path = places.program("signbell");
    // The same file by the name that a package's next version keeps.
    let same = |a: &Path, b: &Path| a.canonicalize().ok().is_some_and(|a| b.canonicalize().ok() == Some(a));
    match (beside, in_path) {
        (Some(beside), Some(in_path)) if same(&beside, &in_path) => in_path.display().to_string(),
        (Some(beside), _) => beside.display().to_string(),
        (None, Some(in_path)) => in_path.display().to_string(),
        (None, None) => "signbell".to_owned(),
    }
}

fn plan(paths: &Paths, places: &Places, ask: &Ask, key: Option<&Key>) -> Result<Plan, Failure> {
    Plan::new(places, ask, key, &Journal::in_folder(paths.state_folder())).map_err(|problem| {
        let file = places.file(ask.client, ask.project);
        wording::connect::problem(&problem, ask.client, file.as_deref())
    })
}

fn write(paths: &Paths, plan: &Plan) -> Result<Done, Failure> {
    let date = date();
    let done = plan.carry_out(&date, &Journal::in_folder(paths.state_folder()));
    done.map_err(|problem| wording::connect::problem(&problem, plan.ask.client, Some(&plan.file)))
}

/// For a backup's name, by the person's clock.
fn date() -> String {
    use chrono::TimeZone as _;
    let seconds = i64::try_from(clock::now().unix()).unwrap_or_default();
    let date = chrono::Local.timestamp_opt(seconds, 0).single();
    date.map(|date| date.format("%Y%m%d-%H%M%S").to_string()).unwrap_or_default()
}

/// Whether the key itself is to stand in the file.
#[must_use]
pub fn has_key(plan: &Plan) -> bool {
    matches!(plan.form, Form::Key(_))
}
