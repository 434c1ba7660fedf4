//! `signbell add`: a service by its URL.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use signbell_engine::control::{AddService, Added, Failure, Grant, Reply, Request};
use signbell_engine::model::ServiceName;
use signbell_engine::secret::Secret;
use signbell_engine::view::StateName;
use signbell_engine::wording;

use super::sign_in::{self, Pages};
use super::{Context, tool};
use crate::args::{Add, UnattendedGrant};
use signbell_engine::wording::cli as words;

pub(super) async fn run(context: &Context, args: Add) -> Result<(), Failure> {
    let client_secret = if args.client_secret_stdin { Some(client_secret()?) } else { None };
    let client_key = args.client_key_file.as_deref().map(client_key).transpose()?;
    let grant = match (args.grant, &args.via) {
        (Some(UnattendedGrant::ClientCredentials), _) => Grant::ClientCredentials,
        (Some(UnattendedGrant::JwtBearer), _) => Grant::JwtBearer,
        (None, Some(_)) => Grant::IdentityAssertion,
        (None, None) => Grant::AuthorizationCode,
    };
    let add = AddService {
        url: args.url,
        name: args.name,
        account: args.account,
        issuer: args.issuer,
        provider: None,
        client_id: args.client_id,
        client_secret,
        client_key,
        client_key_id: args.client_key_id,
        grant,
        subject: args.subject,
        via: args.via,
        dpop: args.dpop,
        scopes: args.scopes,
        resource: args.resource,
        tool: args.tool,
        preset: args.preset,
        allow_missing_pkce: args.allow_missing_pkce,
        provider_preset: args.provider_preset,
    };
    if args.dry_run {
        let Reply::Found(found) = context.call(&Request::Look(add)).await? else { return Err(words::odd_reply()) };
        return context.out.result(&found, || wording::found_lines(&found).join("\n"));
    }
    let Reply::Added(added) = context.call(&Request::Add(add)).await? else { return Err(words::odd_reply()) };
    context.out.result(&added, || summary(&added))?;
    if args.sign_in {
        let mut pages = if args.no_browser { Pages::printed() } else { Pages::opened() };
        sign_in::one(context, sign_in::request(added.account, args.device), &mut pages).await?;
        return first_call(context, added.service).await;
    }
    if added.state == StateName::NeedsSignIn {
        context.out.say(&words::sign_in_next(&added.account));
    }
    Ok(())
}

/// People are shown that it works; a program asks the service itself.
async fn first_call(context: &Context, service: ServiceName) -> Result<(), Failure> {
    if context.out.is_json() {
        return Ok(());
    }
    match context.call(&Request::FirstCall { service }).await? {
        Reply::FirstCall(call) => context.out.text(&call.words),
        _ => Err(words::odd_reply()),
    }
}

fn summary(added: &Added) -> String {
    let mut lines = vec![words::added(added.service.as_str(), added.account.as_str(), &added.url)];
    lines.extend(added.preset.as_deref().map(words::preset_chosen));
    if let Some(tool) = &added.tool {
        lines.extend(tool::key_lines(tool, added.key.as_ref()));
    }
    lines.join("\n")
}

/// A private key, as the file has it; what is in it is looked at where it is used.
pub(super) fn client_key(file: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(file).map_err(|e| words::input_failed(&file.display().to_string(), &e))?;
    Ok(Secret::new(text))
}

/// One line: asked for without an echo in a terminal, else from what is piped in.
pub(super) fn client_secret() -> Result<Secret, Failure> {
    let failed = |e: io::Error| words::input_failed("client secret", &e);
    let line = if io::stdin().is_terminal() {
        rpassword::prompt_password(words::CLIENT_SECRET).map_err(failed)?
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(failed)?;
        line
    };
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() { Err(words::empty_secret()) } else { Ok(Secret::new(line)) }
}
