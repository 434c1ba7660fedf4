//! `signbell run`: a command with the addresses and a key in its environment, both for as long as it runs.

mod through;

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use signbell_engine::control::client::Conversation;
use signbell_engine::control::{Failure, Reply, Request, Through, ToolKey};
use signbell_engine::model::ServiceName;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use crate::args::Run;
use signbell_engine::wording::cli as words;

/// Runs the command; the exit code is its own, or 128 and the signal that ended it.
pub(super) async fn run(context: &Context, args: Run) -> Result<u8, Failure> {
    let Some((program, rest)) = args.command.split_first() else { return Err(words::no_program()) };
    // The key is good while this conversation is open: it ends with us, however that happens.
    let forward = if args.forward { Through::Anyway } else { Through::IfOn };
    let request = Request::Lend { tool: args.tool, seconds: None, forward };
    let mut loan = Conversation::open(&context.socket(), &request).await?;
    // It may wait for a click first.
    let lent = loan.answer(|text| context.out.say(text)).await?;
    let Reply::ToolKey(lent) = lent else { return Err(words::odd_reply()) };
    let failed = |e| words::cannot_start(&program.to_string_lossy(), &e);
    // A terminal's Ctrl-C reaches the command too; it decides what to do about it.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    // Its file goes when this does, after the command.
    let through = through::prepare(&lent)?;
    let mut command = Command::new(program);
    command.args(rest).envs(environment(&lent)).envs(through.iter().flat_map(|through| through.variables()));
    let mut child = command.spawn().map_err(failed)?;
    let status = loop {
        tokio::select! {
            ended = child.wait() => break ended.map_err(failed)?,
            _ = interrupt.recv() => {}
            // Likewise when its terminal closes; what the command was given ends after it.
            _ = hangup.recv() => {}
            _ = terminate.recv() => pass_on(&child),
        }
    };
    drop((loan, through));
    Ok(code(status))
}

/// What the command finds in its environment: the key, and where each service is.
fn environment(lent: &ToolKey) -> Vec<(String, String)> {
    let mut all: Vec<_> = lent.urls.iter().map(|(service, url)| (variable(service), url.to_string())).collect();
    if let [(_, only)] = all.as_slice() {
        all.push(("SIGNBELL_URL".to_owned(), only.clone()));
    }
    all.extend(lent.key.as_ref().map(|key| ("SIGNBELL_KEY".to_owned(), key.expose().to_owned())));
    all
}

/// `linear-work` is `SIGNBELL_LINEAR_WORK_URL`.
fn variable(service: &ServiceName) -> String {
    format!("SIGNBELL_{}_URL", service.as_str().replace('-', "_").to_ascii_uppercase())
}

/// A service manager's SIGTERM is meant for the command as much as for us.
fn pass_on(child: &tokio::process::Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
