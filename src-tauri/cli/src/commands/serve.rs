//! `signbell serve`: the engine in the foreground, until a signal or a client ends it.

use std::io::{self, IsTerminal};
use std::time::Duration;

use serde_json::{Value, json};
use signbell_engine::control::{Failure, FailureKind};
use signbell_engine::paths::Paths;
use signbell_engine::secret::Secret;
use signbell_engine::vault::SealedFile;
use signbell_engine::{Engine, Options, StartError, wording};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Context, on_threads, trace};
use signbell_engine::wording::cli as words;

pub(super) fn run(context: &Context) -> Result<u8, Failure> {
    trace(context.out);
    // Before anything else runs: a person who types a passphrase can still leave with Ctrl-C.
    let options = options(&context.paths)?;
    on_threads(serve(context, options)).map(|()| 0)
}

async fn serve(context: &Context, options: Options) -> Result<(), Failure> {
    let mut end = Ending::new().map_err(|e| words::no_runtime(&e))?;
    let engine = tokio::select! {
        started = Engine::start(options) => match started {
            Ok(engine) => engine,
            Err(StartError::AlreadyRunning) => return already_running(context).await,
            Err(e) => return Err(wording::start_failure(&e)),
        },
        () = end.asked() => return Ok(()),
    };
    let address = engine.address();
    let told = context.out.result(&ready(&address, false), || words::ready(&address, false));
    if told.is_ok() {
        tokio::select! {
            () = engine.quit_requested() => {}
            () = end.asked() => {}
        }
    }
    engine.shutdown().await;
    told
}

fn ready(address: &str, already: bool) -> Value {
    let mut line = json!({ "ready": true, "address": address });
    if already {
        line["already_running"] = true.into();
    }
    line
}

/// A second start says where the first one listens, which may still be starting.
async fn already_running(context: &Context) -> Result<(), Failure> {
    let mut tries = 20;
    let view = loop {
        match context.view().await {
            Err(failure) if failure.kind == FailureKind::NotRunning => {
                if tries == 0 {
                    return Err(wording::owner_silent());
                }
                tries -= 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            view => break view?,
        }
    };
    let address = &view.proxy.address;
    context.out.result(&ready(address, true), || words::ready(address, true))
}

fn options(paths: &Paths) -> Result<Options, Failure> {
    let options = match Options::from_env(paths.clone()) {
        Err(StartError::PassphraseMissing) if io::stdin().is_terminal() => {
            Options::from_env_with(paths.clone(), ask_passphrase(paths)?)
        }
        options => options,
    };
    options.map_err(|e| wording::start_failure(&e))
}

fn ask_passphrase(paths: &Paths) -> Result<Secret, Failure> {
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map_err(|e| words::input_failed("passphrase", &e));
    let passphrase = ask(words::PASSPHRASE)?;
    // A slip in the first passphrase would lock the person out of everything sealed with it.
    let is_new = !SealedFile::exists(paths.sealed_folder());
    if is_new && passphrase != ask(words::PASSPHRASE_AGAIN)? {
        return Err(words::passphrases_differ());
    }
    Ok(Secret::new(passphrase))
}

/// The signals that end a program which runs in the foreground.
pub(super) struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
