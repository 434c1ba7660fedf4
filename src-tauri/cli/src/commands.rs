//! One module a command; what each asks of the running engine, and how its answer is printed.

mod account;
mod activity;
mod add;
mod app;
mod connect;
mod credential;
mod demo;
mod doctor;
mod forward;
mod import;
mod manual;
mod mcp;
mod provider;
mod run;
mod serve;
mod service;
mod settings;
mod settings_file;
mod sign_in;
mod status;
mod token;
mod tool;

use std::future::Future;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use serde_json::json;
use signbell_engine::control::client::call;
use signbell_engine::control::{Failure, Reply, Request, SignedIn};
use signbell_engine::model::AccountName;
use signbell_engine::paths::Paths;
use signbell_engine::view::AppView;
use tracing_subscriber::EnvFilter;

use crate::args::{Command, Credential};
use crate::output::Output;
use crate::when;
use signbell_engine::wording::cli as words;

/// What every command has.
struct Context {
    out: Output,
    paths: Paths,
}

/// Does `command`; the exit code, where it is done.
///
/// # Errors
/// What is to be told, and its exit code with it.
pub(crate) fn run(command: Command, out: Output) -> Result<u8, Failure> {
    let paths = Paths::from_env().map_err(|e| words::no_home(&e))?;
    let context = Context { out, paths };
    match command {
        Command::App => Err(app::run()),
        Command::Completions { shell } => manual::completions(out, shell),
        Command::Man { folder } => manual::pages(out, folder.as_deref()),
        Command::Serve => serve::run(&context),
        Command::Demo { auto } => on_threads(demo::run(&context, auto)),
        command => on_this_thread(ask(&context, command)),
    }
}

async fn ask(context: &Context, command: Command) -> Result<u8, Failure> {
    match command {
        Command::Add(add) => add::run(context, *add).await?,
        Command::SignIn(args) => return sign_in::run(context, args).await,
        Command::Refresh { account } => context.refresh(account).await?,
        Command::Account(command) => account::run(context, command).await?,
        Command::SignOut { account, forget } => account::sign_out(context, account, forget).await?,
        Command::Status { account } => status::run(context, account).await?,
        Command::Service(command) => service::run(context, command).await?,
        Command::Provider(command) => provider::run(context, command).await?,
        Command::Tool(command) => tool::run(context, command).await?,
        Command::Settings(command) => settings::run(context, command).await?,
        Command::Token { account, min_valid } => token::run(context, account, min_valid).await?,
        Command::Mcp(args) => mcp::run(context, args).await?,
        Command::Forward(command) => forward::run(context, command).await?,
        Command::Run(args) => return run::run(context, args).await,
        Command::Connect(args) => connect::run(context, *args).await?,
        Command::Credential(Credential::Git { tool, operation }) => credential::git(context, tool, &operation).await?,
        Command::Credential(Credential::Cargo { tool }) => credential::others::cargo(context, tool).await?,
        Command::Credential(Credential::Docker { tool, operation }) => {
            credential::others::docker(context, tool, &operation).await?;
        }
        Command::Credential(Credential::Kubectl { account }) => credential::others::kubectl(context, account).await?,
        Command::Activity { follow } => activity::run(context, follow).await?,
        Command::Import(args) => return import::run(context, args).await,
        Command::Export(args) => settings_file::write(context, &args.file, args.force)?,
        Command::Doctor { test_vault } => return doctor::run(context, test_vault).await,
        Command::App | Command::Serve | Command::Demo { .. } | Command::Completions { .. } | Command::Man { .. } => {}
    }
    Ok(0)
}

impl Context {
    fn socket(&self) -> PathBuf {
        self.paths.control_socket()
    }

    async fn call(&self, request: &Request) -> Result<Reply, Failure> {
        call(&self.socket(), request).await
    }

    async fn view(&self) -> Result<AppView, Failure> {
        match self.call(&Request::Status).await? {
            Reply::View(view) => Ok(*view),
            _ => Err(words::odd_reply()),
        }
    }

    /// A request whose only answer is that it is done to `name`, a thing of this `kind`.
    async fn done(&self, request: &Request, kind: &str, name: &str, text: String) -> Result<(), Failure> {
        match self.call(request).await? {
            Reply::Done => self.out.result(&json!({ kind: name, "done": true }), || text),
            _ => Err(words::odd_reply()),
        }
    }

    /// Asks the person at the terminal; with `yes` they have said it already.
    ///
    /// # Errors
    /// `refusal`, where they say anything else or nobody can be asked.
    fn confirm(&self, question: &str, yes: bool, refusal: Failure) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(refusal);
        }
        self.out.say(question);
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(|e| words::input_failed("answer", &e))?;
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(refusal),
        }
    }

    async fn refresh(&self, account: AccountName) -> Result<(), Failure> {
        match self.call(&Request::Refresh { account }).await? {
            Reply::SignedIn(signed_in) => self.signed_in(&signed_in),
            _ => Err(words::odd_reply()),
        }
    }

    fn signed_in(&self, signed_in: &SignedIn) -> Result<(), Failure> {
        self.out.result(signed_in, || words::stands(signed_in, signed_in.expires_at.map(when::clock).as_deref()))
    }
}

fn on_this_thread<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| words::no_runtime(&e))?.block_on(work)
}

/// For what has an engine in it.
fn on_threads<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| words::no_runtime(&e))?;
    let outcome = runtime.block_on(work);
    // The engine has ended whatever must end; a thread that still waits for a keyring's prompt must
    // not keep the process.
    runtime.shutdown_background();
    outcome
}

/// Writes what the engine traces to standard error, as `SIGNBELL_LOG` says.
fn trace(out: Output) {
    let wanted = std::env::var("SIGNBELL_LOG").unwrap_or_default();
    let filter = match EnvFilter::builder().parse(&wanted) {
        Ok(filter) if !wanted.is_empty() => filter,
        given => {
            if given.is_err() {
                out.say(&words::bad_log_filter(&wanted));
            }
            EnvFilter::new("warn")
        }
    };
    // Fails only where somebody else traces already, which then goes on.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).try_init();
}
