//! `signbell`: the command line of Signbell, and its engine without a screen.
//!
//! Read the line ([`args`]), do it ([`commands`]), print what came of it ([`output`]). Names, exit
//! codes and JSON fields are a contract: `docs/cli.md`.

mod args;
mod bridge;
mod commands;
mod import;
mod output;
mod table;
mod when;

use std::env;
use std::process::ExitCode;

use clap::Parser;
use zeroizing_alloc::ZeroAlloc;

use args::Cli;
use output::Output;

/// Wipes what is freed: tokens pass through buffers of libraries that know nothing of secrets.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
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
