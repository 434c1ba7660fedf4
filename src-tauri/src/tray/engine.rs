//! The engine in the tray's process: kept while the tray runs, and taken over where another process that ran
//! it has ended.

use std::time::Duration;

use signbell_engine::control::Failure;
use signbell_engine::paths::Paths;
use signbell_engine::secret::Secret;
use signbell_engine::vault::StoreKind;
use signbell_engine::view::AppView;
use signbell_engine::wording::language::Language;
use signbell_engine::wording::{self, states};
use signbell_engine::{Engine, Options, StartError, VaultChoice};
use tauri::AppHandle;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use crate::passphrase::{self, Why};

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
    /// is gone said of itself; where the sealed file's passphrase is missing, the person is asked in `language`.
    ///
    /// # Errors
    /// Why it can't be run here; `kept_elsewhere` where that would hide the person's tokens.
    pub(super) async fn take_over(
        &self,
        last: Option<&AppView>,
        language: Language,
        still_gone: impl Fn() -> bool,
    ) -> Result<bool, Failure> {
        let mut seat = self.engine.lock().await;
        // Ours is only slow to answer, and must not be held up when it is to end.
        if seat.is_some() {
            return Ok(false);
        }
        tokio::time::sleep(GRACE).await;
        let mut typed = None;
        while still_gone() {
            let options = match typed.take() {
                Some(passphrase) => Options::from_env_with(self.paths.clone(), passphrase),
                None => Options::from_env(self.paths.clone()),
            };
            let here = match &options {
                Ok(options) => kind_of(&options.vault),
                Err(StartError::PassphraseMissing) => StoreKind::SealedFile,
                Err(e) => return Err(wording::start_failure(e)),
            };
            // Their tokens lie where we would not look: every account would read as signed out.
            if let Some(failure) = last.and_then(|view| elsewhere(&view.proxy.vault, here)) {
                return Err(failure);
            }
            let started = match options {
                Ok(options) => Engine::start(options).await,
                Err(e) => Err(e),
            };
            match started {
                Ok(engine) => {
                    *seat = Some(OwnEngine::keep(engine, self.app.clone()));
                    return Ok(true);
                }
                // It is still ending, or came back.
                Err(StartError::AlreadyRunning) => tokio::time::sleep(GRACE).await,
                Err(e) => {
                    let why = Why::of(&e, &self.paths).ok_or_else(|| wording::start_failure(&e))?;
                    typed = Some(self.ask(language, why).await.ok_or_else(|| wording::start_failure(&e))?);
                }
            }
        }
        Ok(false)
    }

    /// Asks for the passphrase. Nothing, where the person would rather not.
    async fn ask(&self, language: Language, why: Why) -> Option<Secret> {
        let (tell, told) = oneshot::channel();
        // The toolkit is the main thread's. Whoever waited is gone only with the process.
        let asks = move || drop(tell.send(passphrase::ask(language, why)));
        self.app.run_on_main_thread(asks).ok()?;
        told.await.ok().flatten()
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

/// What is to be told where the engine that is gone kept its tokens in another store than `here`. Its view says
/// in the person's language which.
fn elsewhere(words: &str, here: StoreKind) -> Option<Failure> {
    let is_called = |kind: &StoreKind| Language::ALL.into_iter().any(|it| states::vault_kind(it, *kind) == words);
    let there = [StoreKind::Keyring, StoreKind::SealedFile, StoreKind::Memory].into_iter().find(is_called);
    let named = |kind| states::vault_kind(Language::En, kind);
    (there != Some(here)).then(|| wording::tray::kept_elsewhere(there.map_or(words, named), named(here)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_elsewhere_is_named_in_the_sentences_language() {
        for words in ["sealed file", "versiegelte Datei"] {
            assert!(elsewhere(words, StoreKind::SealedFile).is_none(), "{words}");
            let told = elsewhere(words, StoreKind::Keyring).map(|failure| failure.message).unwrap_or_default();
            assert!(told.contains("in the sealed file;") && told.contains("in the keyring,"), "{told}");
        }
        assert!(elsewhere("a chest of a later version", StoreKind::Memory).is_some());
    }
}
