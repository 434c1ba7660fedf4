//! `signbell import`: what other programs have is listed, and taken over only when ticked.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde_json::json;
use signbell_engine::control::Failure;
use signbell_engine::secret::Secret;
use signbell_engine::view::{AppView, StateName};
use signbell_engine::wording::{cli, import as words};
use signbell_import::{Found, Item, Listed, Note, Places, Terms, note_words, shortened, why};

use super::{Context, add, tool};
use crate::args::{Import, Origin};
use crate::output::field;

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
    let found = signbell_import::find(&places, only);
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
    let new: Vec<&Item> =
        found.items.iter().filter(|item| item.is_whole() && Listed::of(item, view).here.is_none()).collect();
    if args.all {
        return Ok(Some(new));
    }
    for (number, item) in (1usize..).zip(&found.items) {
        let listed = Listed::of(item, view);
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
    let terms = Terms {
        url: args.url.clone(),
        client: args.client_id.clone().map(|id| (id, secret)),
        tool: args.tool.clone(),
        with_tokens: args.with_tokens,
    };
    let taken = signbell_import::take(&context.socket(), item, &terms, view, |text| context.out.say(text)).await?;
    let added = &taken.added;
    if let Some(why) = &taken.not_adopted {
        context.out.say(&words::not_adopted(&added.account, why));
    }
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

fn lines(number: usize, item: &Listed) -> String {
    let at = item.url.as_ref().or(item.issuer.as_ref()).map(|url| field(url)).unwrap_or_default();
    let mut lines = vec![format!("{number:>3}  {}  {at}", item.id)];
    let places: Vec<String> = item.places.iter().map(|place| shortened(place)).collect();
    lines.push(format!("     {}", field(&places.join(", "))));
    lines.extend(item.notes.iter().map(|note| format!("     {}", field(note))));
    lines.join("\n")
}
