//! `signbell export`, and `signbell import FILE`: our own settings on their way to another machine.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;
use signbell_engine::control::{Choice, Failure, Merge, Merged, Reply, Request};
use signbell_engine::export;
use signbell_engine::wording::{cli, export as export_words, import as words};
use signbell_import::{reading, why};

use super::import::ask;
use super::{Context, tool};
use crate::args::{Import, OnConflict};

/// Writes the settings to a file that only the person can read. Needs no running app.
pub(super) async fn write(context: &Context, file: &Path, force: bool) -> Result<(), Failure> {
    let export = export::export(&context.paths.config_file())?;
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    match force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let mut target = options.open(file).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => export_words::exists(file),
        _ => export_words::not_written(file, &e),
    })?;
    let written = target.write_all(export.text.as_bytes()).and_then(|()| target.sync_all());
    written.map_err(|e| export_words::not_written(file, &e))?;
    // Where nothing runs nobody is told.
    let _ = context.call(&Request::Exported { file: file.display().to_string() }).await;
    let line = json!({
        "file": file.display().to_string(),
        "accounts": export.accounts,
        "services": export.services,
        "tools": export.tools,
    });
    context.out.result(&line, || export_words::written(file, &export))
}

/// Adds what the file has and this machine does not.
pub(super) async fn take(context: &Context, file: &Path, args: &Import) -> Result<u8, Failure> {
    let name = file.display().to_string();
    let settings = match reading::text(file) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(words::export_missing(&name)),
        Err(error) => return Err(words::export_unusable(&name, &why(&error))),
    };
    let mut choices = BTreeMap::new();
    if let Some(all) = args.on_conflict {
        let choice = match all {
            OnConflict::Keep => Choice::KeepOurs,
            OnConflict::Add => Choice::AddBeside,
        };
        choices.insert("*".to_owned(), choice);
    }
    let merge = |choices: &BTreeMap<String, Choice>, dry_run| {
        Request::Merge(Merge { settings: settings.clone(), choices: choices.clone(), dry_run })
    };
    let mut look = merged(context, &merge(&choices, true)).await?;
    let is_asked = io::stdin().is_terminal() && !context.out.is_json() && !args.dry_run;
    if !look.conflicts.is_empty() && is_asked {
        for conflict in &look.conflicts {
            context.out.say(&words::conflict(conflict));
            let choice = match ask(words::CONFLICT_QUESTION)?.as_str() {
                "k" | "keep" => Choice::KeepOurs,
                "a" | "add" => Choice::AddBeside,
                _ => return stopped(context),
            };
            choices.insert(format!("{} {}", conflict.kind, conflict.name), choice);
        }
        look = merged(context, &merge(&choices, true)).await?;
    }
    if !look.conflicts.is_empty() {
        return Err(words::conflicts(&look.conflicts));
    }
    let is_new = !(look.accounts.is_empty() && look.services.is_empty() && look.tools_new.is_empty());
    if args.dry_run || !is_new {
        let nothing = || words::NOTHING_NEW.to_owned();
        context.out.result(&look, || if is_new { words::would_add(&look).join("\n") } else { nothing() })?;
        return Ok(0);
    }
    if !args.yes {
        context.out.say(&words::would_add(&look).join("\n"));
        if !is_asked {
            return Err(words::confirm_with_yes());
        }
        if !matches!(ask(words::MERGE_QUESTION)?.as_str(), "y" | "yes") {
            return stopped(context);
        }
    }
    let done = merged(context, &merge(&choices, false)).await?;
    if !done.conflicts.is_empty() {
        return Err(words::conflicts(&done.conflicts));
    }
    context.out.result(&done, || told(&done))?;
    done.secrets_missing.iter().for_each(|account| context.out.say(&words::secret_missing(account)));
    if !done.accounts.is_empty() {
        context.out.say(&words::sign_in_to(&done.accounts));
    }
    Ok(0)
}

fn stopped(context: &Context) -> Result<u8, Failure> {
    context.out.say(words::NOTHING_TAKEN);
    Ok(1)
}

async fn merged(context: &Context, request: &Request) -> Result<Merged, Failure> {
    match context.call(request).await? {
        Reply::Merged(merged) => Ok(*merged),
        _ => Err(cli::odd_reply()),
    }
}

fn told(done: &Merged) -> String {
    let mut lines = vec![words::merged(done)];
    for new in &done.tools {
        lines.push(words::new_key_of(&new.tool));
        lines.extend(tool::key_lines(&new.tool, new.key.as_ref()));
        lines.extend(new.urls.iter().map(|(service, url)| cli::tool_address(service.as_str(), url)));
    }
    lines.join("\n")
}
