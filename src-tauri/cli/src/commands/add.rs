//! `signbell add`: a service by its URL.

use std::io::{self, BufRead, IsTerminal};

use signbell_engine::control::{AddService, Added, Failure, Reply, Request};
use signbell_engine::secret::Secret;
use signbell_engine::view::StateName;

use super::sign_in::{self, Pages};
use super::{Context, tool};
use crate::args::Add;
use signbell_engine::wording::cli as words;

pub(super) async fn run(context: &Context, args: Add) -> Result<(), Failure> {
    let client_secret = if args.client_secret_stdin { Some(client_secret()?) } else { None };
    let request = Request::Add(AddService {
        url: args.url,
        name: args.name,
        account: args.account,
        issuer: args.issuer,
        provider: None,
        client_id: args.client_id,
        client_secret,
        scopes: args.scopes,
        resource: args.resource,
        tool: args.tool,
        preset: args.preset,
    });
    let Reply::Added(added) = context.call(&request).await? else { return Err(words::odd_reply()) };
    context.out.result(&added, || summary(&added))?;
    if args.sign_in {
        return sign_in::one(context, added.account, false, vec![], &mut Pages::opened()).await;
    }
    if added.state == StateName::NeedsSignIn {
        context.out.say(&words::sign_in_next(&added.account));
    }
    Ok(())
}

fn summary(added: &Added) -> String {
    let mut lines = vec![words::added(added.service.as_str(), added.account.as_str(), &added.url)];
    lines.extend(added.preset.as_deref().map(words::preset_chosen));
    if let Some(tool) = &added.tool {
        lines.extend(tool::key_lines(tool, added.key.as_ref()));
    }
    lines.join("\n")
}

/// One line: asked for without an echo in a terminal, else from what is piped in.
fn client_secret() -> Result<Secret, Failure> {
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
