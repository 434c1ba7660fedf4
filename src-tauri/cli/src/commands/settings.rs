//! `signbell settings`: what is set of the program itself, and changing it.

use std::io::{self, IsTerminal as _};

use serde_json::Value;
use signbell_connect::Places;
use signbell_engine::connect::clients;
use signbell_engine::control::{Failure, Reply, Request, SettingView};
use signbell_engine::secret::Secret;
use signbell_engine::wording::{cli as words, connect::elsewhere};

use super::Context;
use crate::args::Settings;
use crate::table::table;

/// The one setting that takes more than its value.
const VAULT: &str = "vault.kind";
const PORT: &str = "proxy.port";
const FORWARD: &str = "proxy.forward";

pub(super) async fn run(context: &Context, command: Settings) -> Result<(), Failure> {
    match command {
        Settings::List => list(context).await,
        Settings::Get { key } => {
            let all = settings(context, &Request::Settings).await?;
            let found = all.into_iter().find(|setting| setting.key == key);
            let setting = found.ok_or_else(|| signbell_engine::wording::unknown_setting(&key))?;
            context.out.result(&setting, || text(&setting.value))
        }
        Settings::Set { key, value, yes } => {
            if key == FORWARD && value != "no" {
                super::forward::confirm(context, yes)?;
            }
            let passphrase = if key == VAULT && value == "sealed-file" { passphrase()? } else { None };
            let set = settings(context, &Request::SettingsSet { key, value, passphrase }).await?;
            let setting = set.first().ok_or_else(words::odd_reply)?;
            let overridden = setting.overridden_by.as_deref();
            context.out.result(setting, || words::set(&setting.key, &text(&setting.value), overridden))?;
            if setting.key == PORT && overridden.is_none() {
                say_who_is_left_behind(context, &setting.value);
            }
            Ok(())
        }
    }
}

/// The clients whose files lead to where we were.
fn say_who_is_left_behind(context: &Context, port: &Value) {
    let Some(port) = port.as_u64().filter(|port| *port != 0) else { return };
    let clients = Places::from_env().map(|places| clients(&places, &format!("http://127.0.0.1:{port}")));
    if let Some(said) = clients.as_deref().and_then(elsewhere) {
        context.out.say(&said);
    }
}

async fn settings(context: &Context, request: &Request) -> Result<Vec<SettingView>, Failure> {
    match context.call(request).await? {
        Reply::Settings { settings } => Ok(settings),
        _ => Err(words::odd_reply()),
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let all = settings(context, &Request::Settings).await?;
    if context.out.is_json() {
        return all.iter().try_for_each(|setting| context.out.result(setting, String::new));
    }
    let row = |setting: &SettingView| {
        let value = match &setting.overridden_by {
            Some(variable) => words::overridden(&text(&setting.value), variable),
            None => text(&setting.value),
        };
        [setting.key.clone(), value, text(&setting.default), setting.title.clone()]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    context.out.text(&table(["SETTING", "VALUE", "DEFAULT", "WHAT IT IS"], &rows))
}

/// As [`Request::SettingsSet`] takes it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => words::NONE.to_owned(),
        Value::Bool(value) => words::yes_no(*value).to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => words::NONE.to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// As `signbell serve` takes it: from the environment, else from the person.
fn passphrase() -> Result<Option<Secret>, Failure> {
    if let Some(given) = std::env::var("SIGNBELL_PASSPHRASE").ok().filter(|given| !given.is_empty()) {
        return Ok(Some(Secret::new(given)));
    }
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map_err(|e| words::input_failed("passphrase", &e));
    let passphrase = ask(words::PASSPHRASE)?;
    if passphrase != ask(words::PASSPHRASE_AGAIN)? {
        return Err(words::passphrases_differ());
    }
    Ok(Some(Secret::new(passphrase)))
}
