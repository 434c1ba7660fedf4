//! `signbell import`: what other programs have is listed, and taken over only when ticked.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::json;
use signbell_engine::checkup::KEY_PREFIX;
use signbell_engine::control::{AddService, Added, Adopt, Failure, Reply, Request};
use signbell_engine::model::ServiceName;
use signbell_engine::secret::Secret;
use signbell_engine::view::{AppView, StateName};
use signbell_engine::wording::{cli, import as words, slips};
use url::Url;

use super::{Context, add, tool};
use crate::args::{Import, Origin};
use crate::import::{self, Found, Item, Note, Places, ReadError, Tokens};
use crate::output::field;

/// An item as it is shown; no secret of it is.
#[derive(Serialize)]
struct Listed {
    id: String,
    source: &'static str,
    places: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    client_secret: bool,
    scopes: Vec<String>,
    /// `none`, `refresh`, `theirs`, `sealed`.
    tokens: &'static str,
    /// Whether it can be taken over as it is.
    complete: bool,
    /// The service that has this address already.
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<ServiceName>,
    notes: Vec<String>,
}

/// What was taken over.
#[derive(Serialize)]
struct Taken<'a> {
    id: &'a str,
    #[serde(flatten)]
    added: &'a Added,
    /// Whether the other program's sign-in is ours now.
    with_tokens: bool,
}

pub(super) async fn run(context: &Context, args: Box<Import>) -> Result<u8, Failure> {
    let only = match &args.source {
        Some(Origin::Settings(file)) => return super::settings_file::take(context, file, &args).await,
        Some(Origin::Program(source)) => Some(*source),
        None => None,
    };
    // What is looked for at its usual place may well not be there; what the person named must be.
    if let Some(named) = args.from.as_ref().filter(|named| !named.exists()) {
        return Err(words::nothing_there(&named.display().to_string()));
    }
    let missing = || cli::no_home(&io::ErrorKind::NotFound.into());
    let places = Places::from_env(args.from.clone()).ok_or_else(missing)?;
    let found = import::find(&places, only);
    // Without a running app there is still something to list.
    let view = context.view().await;
    let chosen = choose(context, &args, &found, view.as_ref().ok())?;
    let Some(chosen) = chosen else { return Ok(0) };
    let view = view?;
    check(&args, &chosen)?;
    let secret = if args.client_secret_stdin { Some(add::client_secret()?) } else { None };
    let mut code = 0;
    for item in chosen {
        if let Err(failure) = take(context, &args, item, &view, secret.clone()).await {
            let failure = words::failed(&item.id(), &failure);
            context.out.failure(&failure);
            code = if code == 0 { failure.kind.exit_code() } else { code };
        }
    }
    context.out.say(words::SOURCES_UNCHANGED);
    Ok(code)
}

/// Lists what there is, unless it was named; what the person wants of it, nothing where that is to be left.
fn choose<'a>(
    context: &Context,
    args: &Import,
    found: &'a Found,
    view: Option<&AppView>,
) -> Result<Option<Vec<&'a Item>>, Failure> {
    for unusable in &found.unusable {
        let (file, why) = (unusable.file.display().to_string(), why(&unusable.why));
        if context.out.is_json() && args.take.is_empty() && !args.all {
            let line = json!({ "source": unusable.source.as_str(), "unusable": file, "why": why });
            context.out.result(&line, String::new)?;
        }
        context.out.say(&field(&words::unusable(&file, &why)));
    }
    if !args.take.is_empty() {
        let by_id = |id: &String| found.items.iter().find(|item| item.id() == *id).ok_or_else(|| words::unknown_id(id));
        return args.take.iter().map(by_id).collect::<Result<_, _>>().map(Some);
    }
    let new: Vec<&Item> = found.items.iter().filter(|item| item.is_whole() && here(item, view).is_none()).collect();
    if args.all {
        return Ok(Some(new));
    }
    for (number, item) in (1usize..).zip(&found.items) {
        let listed = listed(item, view);
        context.out.result(&listed, || lines(number, &listed))?;
    }
    if found.items.is_empty() {
        context.out.say(words::NOTHING_FOUND);
        return Ok(None);
    }
    if args.dry_run || context.out.is_json() || !io::stdin().is_terminal() {
        context.out.say(words::HOW_TO_TAKE);
        return Ok(None);
    }
    let answer = ask(words::QUESTION)?;
    let chosen: Vec<&Item> = match answer.as_str() {
        "all" => new,
        numbers => numbers
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .map(|word| {
                let number = word.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
                number.and_then(|n| found.items.get(n)).ok_or_else(|| words::unknown_id(word))
            })
            .collect::<Result<_, _>>()?,
    };
    if chosen.is_empty() {
        context.out.say(words::NOTHING_TAKEN);
        return Ok(None);
    }
    Ok(Some(chosen))
}

/// A line from the terminal, behind a question on standard error.
pub(super) fn ask(question: &str) -> Result<String, Failure> {
    let failed = |e: io::Error| cli::input_failed("answer", &e);
    let mut err = io::stderr().lock();
    write!(err, "{question}").and_then(|()| err.flush()).map_err(failed)?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(line.trim().to_owned())
}

/// All is looked at before anything is taken.
fn check(args: &Import, chosen: &[&Item]) -> Result<(), Failure> {
    for (option, given) in [("--url", args.url.is_some()), ("--client-id", args.client_id.is_some())] {
        if given && chosen.len() != 1 {
            return Err(words::one_at_a_time(option));
        }
    }
    for item in chosen {
        let lacks = item.notes.iter().find(|note| match note {
            Note::UnknownAddress | Note::NoService => item.url.is_none() && args.url.is_none(),
            Note::ClientIdNeeded => args.client_id.is_none(),
            Note::NoPerson(_) | Note::Placeholder(_) => true,
            Note::OwnHeader | Note::ProgramsClient(_) | Note::Sealed(_) => false,
        });
        if let Some(note) = lacks {
            return Err(words::not_whole(&item.id(), &note_words(note)));
        }
    }
    Ok(())
}

async fn take(
    context: &Context,
    args: &Import,
    item: &Item,
    view: &AppView,
    secret: Option<Secret>,
) -> Result<(), Failure> {
    // Two of one address are for two accounts, which `signbell add --account` is for.
    let known = here(item, Some(view)).and_then(|name| view.services.iter().find(|service| service.service == name));
    if let Some(known) = known {
        return Err(slips::here_already_failure(&known.service, &known.account));
    }
    let adopts = match &item.tokens {
        Tokens::Refresh { token, .. } if args.with_tokens => Some(token),
        _ => None,
    };
    let Some(url) = item.url.clone().or_else(|| args.url.clone()) else {
        return Err(words::not_whole(&item.id(), words::UNKNOWN_ADDRESS));
    };
    let mut add = AddService::of_url(url);
    // A name that is taken, or is none: then one is made from the host.
    let taken = |name: &ServiceName| view.services.iter().any(|service| service.service == *name);
    add.name = item.service_name().and_then(|name| name.parse().ok()).filter(|name| !taken(name));
    add.resource.clone_from(&item.resource);
    add.issuer.clone_from(&item.issuer);
    add.provider_preset = item.provider_preset.map(str::to_owned);
    add.tool.clone_from(&args.tool);
    // A client that another program registered for itself is good for its tokens and for nothing else.
    if !item.client_is_registered || adopts.is_some() {
        add.client_id.clone_from(&item.client_id);
        add.client_secret.clone_from(&item.client_secret);
    }
    if let Some(id) = &args.client_id {
        (add.client_id, add.client_secret) = (Some(id.clone()), secret);
    }
    if !item.client_is_registered {
        add.scopes.clone_from(&item.scopes);
    }
    let Reply::Added(added) = context.call(&Request::Add(add)).await? else { return Err(cli::odd_reply()) };
    let mut signed_in = None;
    if let Some(token) = adopts {
        let adopt = Adopt {
            service: added.service.clone(),
            refresh_token: token.clone(),
            scopes: item.scopes.clone(),
            registered: item.client_is_registered,
        };
        match context.call(&Request::Adopt(adopt)).await {
            Ok(Reply::SignedIn(state)) => signed_in = Some(state),
            Ok(_) => return Err(cli::odd_reply()),
            Err(why) => context.out.say(&words::not_adopted(&added.account, &why)),
        }
    }
    let id = item.id();
    let state = signed_in.as_ref().map_or(added.state, |signed_in| signed_in.state);
    let added = Added { state, ..added };
    let taken = Taken { id: &id, added: &added, with_tokens: signed_in.is_some() };
    context.out.result(&taken, || {
        let mut lines = vec![cli::added(added.service.as_str(), added.account.as_str(), &added.url)];
        if let Some(name) = &added.tool {
            lines.extend(tool::key_lines(name, added.key.as_ref()));
        }
        lines.join("\n")
    })?;
    if added.state == StateName::NeedsSignIn {
        context.out.say(&cli::sign_in_next(&added.account));
    }
    Ok(())
}

/// The service that has the item's address already.
fn here(item: &Item, view: Option<&AppView>) -> Option<ServiceName> {
    let url = item.url.as_ref()?.as_str().trim_end_matches('/');
    let ours = |address: &str| address.trim_end_matches('/') == url || url.starts_with(&format!("{address}/"));
    let view = view?;
    let known = view.services.iter().find(|s| s.url.trim_end_matches('/') == url || ours(&s.address));
    known.map(|service| service.service.clone())
}

fn listed(item: &Item, view: Option<&AppView>) -> Listed {
    let here = here(item, view);
    let mut notes: Vec<String> = here.iter().map(words::here_already).collect();
    if here.is_none() {
        notes.extend(item.notes.iter().map(note_words));
        notes.extend(tokens_words(item).map(str::to_owned));
    }
    Listed {
        id: item.id(),
        source: item.source.as_str(),
        places: item.places.iter().map(|place| place.display().to_string()).collect(),
        who: item.who.clone(),
        url: item.url.as_ref().map(shown),
        issuer: item.issuer.as_ref().map(shown),
        client_id: item.client_id.clone(),
        client_secret: item.client_secret.is_some(),
        scopes: item.scopes.clone(),
        tokens: match item.tokens {
            Tokens::None => "none",
            Tokens::Refresh { .. } => "refresh",
            Tokens::Theirs => "theirs",
            Tokens::Sealed => "sealed",
        },
        complete: item.is_whole(),
        here,
        notes,
    }
}

/// An address without what may be a secret in it: the user's name and password, the query, and a tool's key in
/// the path.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // Only an address without a host has no place for these.
    let _ = (shown.set_username(""), shown.set_password(None));
    shown.set_query(None);
    shown.set_fragment(None);
    let path: Vec<&str> =
        url.path().split('/').map(|part| if part.starts_with(KEY_PREFIX) { "…" } else { part }).collect();
    let origin = shown.as_str().strip_suffix(shown.path()).unwrap_or_default();
    let mut text = format!("{origin}{}", path.join("/"));
    if url.query().is_some() {
        text.push_str("?…");
    }
    text
}

/// What becomes of the other program's sign-in.
fn tokens_words(item: &Item) -> Option<&'static str> {
    match item.tokens {
        Tokens::None => None,
        Tokens::Refresh { shared: true, .. } => Some(words::TOKENS_SHARED),
        Tokens::Refresh { shared: false, .. } => Some(words::TOKENS_MOVE),
        Tokens::Theirs => Some(words::TOKENS_STAY),
        Tokens::Sealed => Some(words::TOKENS_SEALED),
    }
}

fn lines(number: usize, item: &Listed) -> String {
    let at = item.url.as_ref().or(item.issuer.as_ref()).map(|url| field(url)).unwrap_or_default();
    let mut lines = vec![format!("{number:>3}  {}  {at}", item.id)];
    let home = std::env::var("HOME").unwrap_or_default();
    let short = |place: &String| match place.strip_prefix(&home).filter(|rest| rest.starts_with('/')) {
        Some(rest) if !home.is_empty() => format!("~{rest}"),
        _ => place.clone(),
    };
    let places: Vec<String> = item.places.iter().map(short).collect();
    lines.push(format!("     {}", field(&places.join(", "))));
    lines.extend(item.notes.iter().map(|note| format!("     {}", field(note))));
    lines.join("\n")
}

fn note_words(note: &Note) -> String {
    match note {
        Note::UnknownAddress => words::UNKNOWN_ADDRESS.to_owned(),
        Note::NoService => words::NO_SERVICE.to_owned(),
        Note::OwnHeader => words::OWN_HEADER.to_owned(),
        Note::ClientIdNeeded => words::CLIENT_ID_NEEDED.to_owned(),
        Note::ProgramsClient(program) => words::programs_client(program),
        Note::Sealed(by) => words::sealed(by),
        Note::NoPerson(kind) => words::no_person(kind),
        Note::Placeholder(key) => words::placeholder(key),
    }
}

pub(super) fn why(error: &ReadError) -> String {
    match error {
        ReadError::Io(why) => why.clone(),
        ReadError::NotAFile => words::NOT_A_FILE.to_owned(),
        ReadError::ForeignOwner => words::FOREIGN_OWNER.to_owned(),
        ReadError::WritableByAll => words::WRITABLE_BY_ALL.to_owned(),
        ReadError::TooLarge => words::TOO_LARGE.to_owned(),
        ReadError::NotText => words::NOT_TEXT.to_owned(),
        ReadError::NotUnderstood(why) => words::not_understood(why),
    }
}
