//! `signbell demo`: plays the story, in the running engine or in one of its own.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use serde_json::json;
use signbell_demo::story::sign_in;
use signbell_demo::{Step, follow};
use signbell_engine::control::{Failure, FailureKind};
use signbell_engine::model::AccountName;
use signbell_engine::paths::Paths;
use signbell_engine::wording::{self, demo as sentences};
use signbell_engine::{Engine, Options, VaultChoice, browser};
use tempfile::TempDir;
use tokio::sync::mpsc;
use url::Url;

use super::serve::Ending;
use super::{Context, trace};
use crate::output::Output;
use signbell_engine::wording::cli as words;

pub(super) async fn run(context: &Context, auto: bool) -> Result<u8, Failure> {
    trace(context.out);
    let mut end = Ending::new().map_err(|e| words::no_runtime(&e))?;
    let own = match context.view().await {
        Ok(_) => None,
        Err(failure) if failure.kind == FailureKind::NotRunning => Some(Private::start().await?),
        Err(failure) => return Err(failure),
    };
    context.out.say(&if own.is_some() { sentences::private_engine() } else { sentences::running_engine() });

    let (trouble, mut troubles) = mpsc::unbounded_channel();
    let audience = Audience {
        out: context.out,
        auto,
        has_bell: own.is_none(),
        socket: own.as_ref().map_or_else(|| context.socket(), Private::socket),
        trouble,
    };
    let outcome = tokio::select! {
        outcome = signbell_demo::run(&audience.socket, |step| audience.told(&step)) => outcome,
        Some(failure) = troubles.recv() => Err(failure),
        () = end.asked() => Err(words::interrupted()),
    };
    if let Some(own) = own {
        own.engine.shutdown().await;
    }
    outcome.map(|()| 0)
}

/// An engine for this story alone; its folder goes with it.
struct Private {
    engine: Engine,
    folder: TempDir,
}

impl Private {
    async fn start() -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(|e| words::no_temporary_folder(&e))?;
        let options = Options { paths: Paths::below(folder.path()), port: Some(0), vault: VaultChoice::Memory };
        let engine = Engine::start(options).await.map_err(|e| wording::start_failure(&e))?;
        Ok(Self { engine, folder })
    }

    fn socket(&self) -> PathBuf {
        Paths::below(self.folder.path()).control_socket()
    }
}

/// Whoever the story is told to, and what they do at each step.
struct Audience {
    out: Output,
    /// Nobody is there: pages are followed without a browser.
    auto: bool,
    /// A tray may be running, whose notification can be clicked.
    has_bell: bool,
    socket: PathBuf,
    /// What ends the story early.
    trouble: mpsc::UnboundedSender<Failure>,
}

impl Audience {
    fn told(&self, step: &Step) {
        let text = match step {
            Step::OpenBrowser(_) if self.auto => sentences::follow_page(),
            step => step.text(),
        };
        let mut line = json!({ "step": step.name(), "text": text });
        if let Step::OpenBrowser(url) = step {
            line["url"] = url.as_str().into();
        }
        if let Err(failure) = self.out.result(&line, || text) {
            // Nobody reads any more: the story need not be played to its end.
            let _ = self.trouble.send(failure);
        }
        match step {
            Step::OpenBrowser(url) => open(url, self.auto, self.out, &self.trouble),
            Step::Rings { account, .. } => self.answer_the_bell(account),
            _ => {}
        }
    }

    fn answer_the_bell(&self, account: &AccountName) {
        if self.auto || (!self.has_bell && !io::stdin().is_terminal()) {
            tokio::spawn(come(self.visit(account)));
        } else if io::stdin().is_terminal() {
            self.out.say(&sentences::press_enter());
            let visit = self.visit(account);
            let mut enters = enters();
            tokio::spawn(async move {
                while enters.recv().await.is_some() {
                    tokio::spawn(come(visit.clone()));
                }
            });
        }
    }

    fn visit(&self, account: &AccountName) -> Visit {
        Visit {
            socket: self.socket.clone(),
            account: account.clone(),
            auto: self.auto,
            out: self.out,
            trouble: self.trouble.clone(),
        }
    }
}

/// A sign-in after the bell rang, as a click on the notification would begin it.
#[derive(Clone)]
struct Visit {
    socket: PathBuf,
    account: AccountName,
    auto: bool,
    out: Output,
    trouble: mpsc::UnboundedSender<Failure>,
}

async fn come(visit: Visit) {
    let Visit { socket, account, auto, out, trouble } = visit;
    let socket: &Path = &socket;
    if let Err(failure) = sign_in(socket, &account, |url| open(&url, auto, out, &trouble)).await {
        if auto {
            let _ = trouble.send(failure);
        } else {
            // A person can try again.
            out.say(&failure.message);
        }
    }
}

fn open(url: &Url, auto: bool, out: Output, trouble: &mpsc::UnboundedSender<Failure>) {
    if auto {
        let (url, trouble) = (url.clone(), trouble.clone());
        tokio::spawn(async move {
            if let Err(failure) = follow::approve(&url).await {
                let _ = trouble.send(failure);
            }
        });
    } else if let Err(e) = browser::open(url) {
        out.say(&words::no_browser(&e));
        out.say(url.as_str());
    }
}

/// Each time that Enter is pressed; a thread, because a read can't be cancelled.
fn enters() -> mpsc::UnboundedReceiver<()> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for _ in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(()).is_err() {
                return;
            }
        }
    });
    receiver
}
