//! The engine in the tray's process: kept while the tray runs, and taken over where another process that ran
//! it has ended.

use std::time::Duration;

use signbell_engine::control::Failure;
use signbell_engine::paths::Paths;
use signbell_engine::vault::StoreKind;
use signbell_engine::view::AppView;
use signbell_engine::wording::language::Language;
use signbell_engine::wording::{self, states};
use signbell_engine::{Engine, Options, StartError, VaultChoice};
use tauri::AppHandle;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

/// For so long a `serve` that is being started again goes first.
const GRACE: Duration = Duration::from_secs(5);

/// The engine that this process runs.
pub(super) struct OwnEngine {
    stop: oneshot::Sender<()>,
    stopped: JoinHandle<()>,
}

impl OwnEngine {
    /// Keeps it until [`OwnEngine::end`]; a client may ask for that too.
    pub(super) fn keep(engine: Engine, app: AppHandle) -> Self {
        let (stop, mut stopping) = oneshot::channel();
        let keeper = async move {
            tokio::select! {
                () = engine.quit_requested() => {
                    app.exit(0);
                    // An error means that `end` is not waiting, which is as good.
                    let _ = stopping.await;
                }
                _ = &mut stopping => {}
            }
            engine.shutdown().await;
        };
        let tauri::async_runtime::JoinHandle::Tokio(stopped) = tauri::async_runtime::spawn(keeper);
        Self { stop, stopped }
    }

    async fn end(self) {
        // The keeper is gone only if it panicked.
        let _ = self.stop.send(());
        let _ = self.stopped.await;
    }
}

/// The engine of this process, where there is one.
pub(super) struct Seat {
    paths: Paths,
    app: AppHandle,
    engine: Mutex<Option<OwnEngine>>,
}

impl Seat {
    pub(super) fn new(paths: Paths, app: AppHandle, engine: Option<OwnEngine>) -> Self {
        Self { paths, app, engine: Mutex::new(engine) }
    }

    /// Runs the engine here, as soon as nobody else does; whether it came to that. `last` is what the engine that
    /// is gone said of itself.
    ///
    /// # Errors
    /// Why it can't be run here; `kept_elsewhere` where that would hide the person's tokens.
    pub(super) async fn take_over(
        &self,
        last: Option<&AppView>,
        still_gone: impl Fn() -> bool,
    ) -> Result<bool, Failure> {
        let mut seat = self.engine.lock().await;
        // Ours is only slow to answer, and must not be held up when it is to end.
        if seat.is_some() {
            return Ok(false);
        }
        loop {
            tokio::time::sleep(GRACE).await;
            if !still_gone() {
                return Ok(false);
            }
            let options = Options::from_env(self.paths.clone()).map_err(|e| wording::start_failure(&e))?;
            let here = kind_of(&options.vault);
            // Their tokens lie where we would not look: every account would read as signed out.
            if let Some(view) = last.filter(|view| !is_called(&view.proxy.vault, here)) {
                let here = states::vault_kind(Language::En, here);
                return Err(wording::tray::kept_elsewhere(&view.proxy.vault, here));
            }
            match Engine::start(options).await {
                Ok(engine) => {
                    *seat = Some(OwnEngine::keep(engine, self.app.clone()));
                    return Ok(true);
                }
                // It is still ending, or came back.
                Err(StartError::AlreadyRunning) => {}
                Err(e) => return Err(wording::start_failure(&e)),
            }
        }
    }

    /// Ends it; it knows its own deadline.
    pub(super) async fn end(&self) {
        // Whoever takes it over just now is cut off with the process.
        let engine = self.engine.try_lock().ok().and_then(|mut seat| seat.take());
        if let Some(engine) = engine {
            engine.end().await;
        }
    }
}

fn kind_of(choice: &VaultChoice) -> StoreKind {
    match choice {
        VaultChoice::Keyring => StoreKind::Keyring,
        VaultChoice::SealedFile { .. } => StoreKind::SealedFile,
        VaultChoice::Memory => StoreKind::Memory,
    }
}

/// A view says it in the person's language.
fn is_called(words: &str, kind: StoreKind) -> bool {
    Language::ALL.into_iter().any(|language| states::vault_kind(language, kind) == words)
}
