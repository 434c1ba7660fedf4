//! The credential helpers of cargo, docker and kubectl.

use std::io::{self, Read as _};

use serde_json::json;
use signbell_engine::control::{Failure, Reply, Request};
use signbell_engine::model::{AccountName, ToolName};

use super::{Asked, lend};
use crate::commands::Context;
use signbell_engine::wording::cli as words;

/// No address is longer.
const LONGEST: u64 = 4096;

/// What kubectl's token lives for at least, in seconds.
const MIN_VALID: u64 = 60;

/// cargo's `cargo:token-from-stdout`: the registry comes in the environment, the token goes to standard output.
pub(in crate::commands) async fn cargo(context: &Context, tool: ToolName) -> Result<(), Failure> {
    let index = std::env::var("CARGO_REGISTRY_INDEX_URL").unwrap_or_default();
    let address = context.view().await?.proxy.address;
    if !Asked::of(index.trim_start_matches("sparse+")).is_for(&address) {
        return Err(words::not_our_address(&index));
    }
    context.out.text(lend(context, &tool).await?.expose())
}

/// docker-credential-helpers: the operation is the argument, the server's address is on standard input, and
/// `credentials not found in native keychain` is what says that there are none.
pub(in crate::commands) async fn docker(context: &Context, tool: ToolName, operation: &str) -> Result<(), Failure> {
    match operation {
        "get" => {}
        "list" => return context.out.text("{}"),
        // Nothing is kept of what it tells.
        _ => return Ok(()),
    }
    let mut server = String::new();
    let read = io::stdin().lock().take(LONGEST).read_to_string(&mut server);
    read.map_err(|e| words::input_failed("docker's request", &e))?;
    let server = server.trim();
    let address = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    let proxy = context.view().await?.proxy.address;
    if !Asked::of(&address).is_for(&proxy) {
        context.out.text("credentials not found in native keychain")?;
        return Err(words::not_our_address(server));
    }
    let key = lend(context, &tool).await?;
    let answer = json!({"ServerURL": server, "Username": "signbell", "Secret": key.expose()});
    context.out.text(&answer.to_string())
}

/// An `ExecCredential` (client.authentication.k8s.io/v1). It is the account's own token, since kubectl sends
/// none over plain http; the engine gives it only where the person allowed that.
pub(in crate::commands) async fn kubectl(context: &Context, account: AccountName) -> Result<(), Failure> {
    let request = Request::Token { account, min_valid_seconds: MIN_VALID };
    let Reply::Token { token, expires_at } = context.call(&request).await? else { return Err(words::odd_reply()) };
    let mut status = json!({"token": token.expose()});
    let at = expires_at.and_then(|at| i64::try_from(at).ok()).and_then(|at| chrono::DateTime::from_timestamp(at, 0));
    if let Some(at) = at {
        status["expirationTimestamp"] = at.format("%Y-%m-%dT%H:%M:%SZ").to_string().into();
    }
    let credential =
        json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status});
    context.out.text(&credential.to_string())
}
