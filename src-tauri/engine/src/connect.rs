//! What the command line and the window do to connect a client: which services and which key the engine has
//! for it, and `signbell_connect` for the client's file.

mod list;

use std::path::Path;

use signbell_connect::journal::Journal;
use signbell_connect::plan::{Ask, Done, Plan, What};
use signbell_connect::{Client, Key, Places, Problem, Target};

pub use self::list::{ClientView, Elsewhere, clients, usual_address};
use crate::checkup::Settings;
use crate::clock;
use crate::control::client::{call, call_and_hear};
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
    /// The tool; where absent the one that the client's file has already, else one named like the client.
    pub tool: Option<ToolName>,
    /// The project's file instead of the person's.
    pub project: bool,
    /// Start `signbell mcp` although a key could stand in the file.
    pub stdio: bool,
    /// Take the key from the environment.
    pub env: bool,
    /// What is to be done.
    pub what: What,
    /// Give the tool a new key where the old one isn't known.
    pub rotate: bool,
}

impl Wish {
    /// This of the person's own file, of all services, in the client's usual way.
    #[must_use]
    pub fn plain(client: Client, what: What) -> Self {
        Self { client, services: vec![], tool: None, project: false, stdio: false, env: false, what, rotate: false }
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

impl Offer {
    /// The tool, if the client needs one: kubectl gets the account's own token.
    #[must_use]
    pub fn as_tool(&self) -> Option<&ToolName> {
        (self.wish.client != Client::Kubectl).then_some(&self.tool)
    }

    /// The plan's notes in words.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let say = |note| wording::connect::note(note, &self.plan, &self.tool);
        self.plan.notes.iter().map(say).collect()
    }

    /// What is told when it is done.
    #[must_use]
    pub fn told(&self, done: &Done) -> String {
        match self.wish.what {
            What::Connect => wording::connect::connected(&self.plan, done, self.as_tool()),
            What::Undo => wording::connect::undone(&self.plan, done, self.as_tool().filter(|_| self.tool_known)),
            What::Again => wording::connect::led_back(&self.plan, done),
        }
    }
}

/// Looks at what is there, and says what is to be done. Nothing is changed.
///
/// # Errors
/// [`Failure`]: a service that is not there, a file that can't be changed, a key that nobody knows any more.
pub async fn offer(paths: &Paths, places: &Places, wish: Wish) -> Result<Offer, Failure> {
    let view = match call(&paths.engine_socket(), &Request::Status).await {
        Ok(Reply::View(view)) => Some(*view),
        Ok(_) => return Err(wording::cli::odd_reply()),
        // What leads to us can be taken out, or led elsewhere, without us.
        Err(failure) if failure.kind == FailureKind::NotRunning && wish.what != What::Connect => None,
        Err(failure) => return Err(failure),
    };
    if wish.tool.is_some() && matches!(wish.client, Client::Docker | Client::Kubectl) {
        return Err(wording::connect::no_other_tool(wish.client));
    }
    let usual = || wish.client.name().parse::<ToolName>().map_err(|_| wording::cli::odd_reply());
    let settings = Settings::load(&paths.config_file()).ok();
    let mut tool = wish.tool.clone().map_or_else(usual, Ok)?;
    let mut ask = ask(paths, places, &wish, view.as_ref(), settings.as_ref(), &tool)?;
    let mut plan = plan(paths, places, &ask, None)?;
    // Whose key stands in the file: nobody's, if its tool was removed since, or got another.
    let holder = plan.known_key.as_ref().zip(settings.as_ref());
    let holder = holder.map(|(key, settings)| settings.tool_of(key.expose()).map(|(tool, _)| tool.clone()));
    // What goes is whoever's it is.
    if wish.tool.is_none() || wish.what != What::Connect {
        let named = plan.known_tool.as_ref().and_then(|name| name.parse().ok());
        tool = holder.clone().flatten().or(named).unwrap_or(tool);
    }
    let is_anothers = holder.is_some_and(|holder| holder.as_ref() != Some(&tool));
    if ask.tool != tool.as_str() || is_anothers {
        ask.tool = tool.to_string();
        ask.forget_key |= is_anothers && wish.what == What::Connect;
        plan = self::plan(paths, places, &ask, None)?;
    }
    let tool_known = view.as_ref().is_some_and(|view| view.tools.iter().any(|known| known.tool == tool));
    if plan.needs_key && tool_known && !wish.rotate {
        return Err(wording::connect::key_unknown(&tool, wish.client));
    }
    Ok(Offer { plan, tool, tool_known, wish })
}

/// Does it: the tool first, then the file. `say` hears what there is to tell the person meanwhile.
///
/// # Errors
/// [`Failure`]; the file is then as it was.
pub async fn carry_out(paths: &Paths, places: &Places, offer: &Offer, say: impl Fn(&str)) -> Result<Done, Failure> {
    let Offer { plan: shown, tool, tool_known, wish } = offer;
    let socket = paths.engine_socket();
    let connects = wish.what == What::Connect;
    let key = match shown.ask.client {
        _ if !connects => None,
        // It gets the account's own token, and needs no tool.
        Client::Kubectl => None,
        _ => tool_for(&socket, wish, tool, *tool_known && shown.needs_key, say).await?,
    };
    let written = match (rewrite(&socket, &shown.rewriting, connects).await, &key, shown.needs_key) {
        (Err(failure), ..) => Err(failure),
        (Ok(()), Some(key), true) => plan(paths, places, &shown.ask, Some(key)).and_then(|plan| {
            let same = plan.is_of_the_same_file(shown);
            let changed = || problem(&Problem::Changed, &plan.ask, Some(&plan.file));
            if same { write(paths, &plan) } else { Err(changed()) }
        }),
        (Ok(()), None, true) => Err(wording::cli::odd_reply()),
        _ if shown.changes() => write(paths, shown),
        _ => Ok(Done::default()),
    };
    if written.is_err() {
        // What fails now can't be told besides what failed first.
        let _ = rewrite(&socket, &shown.rewriting, !connects).await;
        if key.is_some() && !tool_known {
            // Nobody has the key of the tool that was just made.
            let _ = call(&socket, &Request::ToolRemove { tool: tool.clone() }).await;
        }
    }
    written
}

/// The tool with these services; its key where it is new, or was asked for anew.
async fn tool_for(
    socket: &Path,
    wish: &Wish,
    tool: &ToolName,
    anew: bool,
    say: impl Fn(&str),
) -> Result<Option<Key>, Failure> {
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
        match call_and_hear(socket, &request, &say).await? {
            Reply::ToolKey(ToolKey { key, .. }) => last = key.map(|key| Key::new(key.expose())),
            _ => return Err(wording::cli::odd_reply()),
        }
    }
    Ok(last)
}

async fn rewrite(socket: &Path, services: &[String], on: bool) -> Result<(), Failure> {
    for service in services {
        let request = Request::ServiceSet {
            service: service.parse().map_err(|_| wording::cli::odd_reply())?,
            hold_seconds: None,
            replay_unsafe: None,
            rewrite_addresses: Some(on),
            expired: None,
            preset: None,
        };
        call(socket, &request).await?;
    }
    Ok(())
}

fn ask(
    paths: &Paths,
    places: &Places,
    wish: &Wish,
    view: Option<&AppView>,
    settings: Option<&Settings>,
    tool: &ToolName,
) -> Result<Ask, Failure> {
    let connects = wish.what == What::Connect;
    if wish.services.is_empty() && connects {
        return Err(wording::connect::no_service());
    }
    let target = |name: &ServiceName| {
        let known = view.and_then(|view| view.services.iter().find(|service| service.service == *name));
        let Some((view, known)) = view.zip(known) else {
            // A service may be gone while a client's file still names it.
            let gone = || Target {
                name: name.to_string(),
                address: String::new(),
                upstream: String::new(),
                account: String::new(),
            };
            return if connects { Err(wording::unknown_service(name)) } else { Ok(gone()) };
        };
        let account = view.accounts.iter().find(|account| account.account == known.account);
        let allowed = account.is_some_and(|account| account.allow_token);
        if wish.client == Client::Kubectl && connects && !allowed {
            return Err(wording::connect::token_not_allowed(&known.account));
        }
        Ok(Target {
            name: name.to_string(),
            address: known.address.clone(),
            upstream: known.url.clone(),
            account: known.account.to_string(),
        })
    };
    Ok(Ask {
        client: wish.client,
        services: wish.services.iter().map(target).collect::<Result<_, _>>()?,
        proxy: view.map_or_else(|| usual_address(paths), |view| view.proxy.address.clone()),
        tool: tool.to_string(),
        program: program(places),
        project: wish.project,
        stdio: wish.stdio,
        env: wish.env,
        what: wish.what,
        forget_key: wish.rotate && connects,
        rewriting: view.and(settings).map(Settings::rewriting),
    })
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
    let plan = Plan::new(places, ask, key, &Journal::in_folder(paths.state_folder()));
    plan.map_err(|why| problem(&why, ask, places.file(ask.client, ask.project).as_deref()))
}

fn write(paths: &Paths, plan: &Plan) -> Result<Done, Failure> {
    let date = date();
    let done = plan.carry_out(&date, &Journal::in_folder(paths.state_folder()));
    done.map_err(|why| problem(&why, &plan.ask, Some(&plan.file)))
}

fn problem(why: &Problem, ask: &Ask, file: Option<&Path>) -> Failure {
    wording::connect::problem(why, ask.client, &ask.tool, file)
}

/// For a backup's name, by the person's clock.
fn date() -> String {
    use chrono::TimeZone as _;
    let seconds = i64::try_from(clock::now().unix()).unwrap_or_default();
    let date = chrono::Local.timestamp_opt(seconds, 0).single();
    date.map(|date| date.format("%Y%m%d-%H%M%S").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
