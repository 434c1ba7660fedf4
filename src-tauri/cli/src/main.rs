//! `signbell`: the command line of Signbell, and its engine without a screen.
//!
//! Read the line ([`args`]), do it ([`commands`]), print what came of it ([`output`]). Names, exit
//! codes and JSON fields are a contract: `docs/cli.md`.

mod args;
mod bridge;
mod commands;
mod output;
mod table;
mod when;

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use zeroizing_alloc::ZeroAlloc;

use args::Cli;
use output::Output;

/// Wipes what is freed: tokens pass through buffers of libraries that know nothing of secrets.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

/// Docker finds a credential helper by its name alone (docker-credential-helpers), which a link to us may have.
fn called_as(mut words: Vec<OsString>) -> Vec<OsString> {
    let name = words.first().map(Path::new).and_then(Path::file_name);
    if name.is_some_and(|name| name == "docker-credential-signbell") {
        words.splice(1..1, ["credential".into(), "docker".into()]);
    }
    words
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(called_as(env::args_os().collect())) {
        Ok(cli) => cli,
        Err(said) => {
            Output::new(args::wants_json(env::args_os())).clap(&said);
            return ExitCode::from(if said.use_stderr() { 2 } else { 0 });
        }
    };
    let out = Output::new(cli.json);
    match commands::run(cli.command, out) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            out.failure(&failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}
