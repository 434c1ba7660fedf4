//! Signbell's desktop shell, in two kinds of process.
//!
//! `signbell-desktop` is the tray: an icon with a menu, and the notifications. It starts the engine,
//! unless another process (`signbell serve`) runs it already, and speaks to it through the control
//! socket either way, as every other client does. It lives for as long as the person is logged in, so
//! it never makes a webview.
//!
//! `signbell-desktop window` is the window, started by the tray and gone when it is closed: WebKit
//! keeps its helper processes for as long as the process that once showed a page.
//!
//! | module | what it does |
//! |---|---|
//! | [`watch`] | follows the engine, and finds it again when it went away |
//! | [`ask`] | everything that is asked of the engine |
//! | [`tray`] | the tray process: the icon, its menu, the window's process |
//! | [`notify`] | the bell: a notification for each account that needs the person |
//! | [`passphrase`] | the sealed file's passphrase, asked for where the tray starts the engine |
//! | [`window`] | the window process, and [`commands`], what its page may call |

mod ask;
mod clipboard;
mod commands;
mod connect;
mod demo;
mod desktop;
mod import;
mod notify;
mod passphrase;
mod plain;
mod tray;
mod watch;
mod window;

use std::fs::File;
use std::process::ExitCode;
use std::time::Duration;

use signbell_engine::control::{Failure, Request};
use signbell_engine::paths::Paths;
use signbell_engine::secret::Secret;
use signbell_engine::{Engine, Options, StartError, wording};
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;
use zeroizing_alloc::ZeroAlloc;

use crate::passphrase::Why;
use crate::watch::usual_language;
use crate::window::{Leader, Page};

/// Wipes what is freed: tokens pass through buffers of libraries that know nothing of secrets.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    log_to_stderr();
    let role = Role::from_args(std::env::args().skip(1));
    let is_tray = matches!(role, Ok(Role::Tray));
    match role.and_then(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Started at login it has no terminal.
            if is_tray {
                notify::not_started(&failure);
            }
            complain(&failure)
        }
    }
}

/// What this process is.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    Tray,
    Window { page: Page, leader: Leader },
}

impl Role {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let (mut page, mut leader) = (Page::Home, Leader::Nobody);
        match args.next().as_deref() {
            None => return Ok(Self::Tray),
            Some("window") => {}
            Some(_) => return Err(wording::tray::desktop_usage()),
        }
        while let Some(option) = args.next() {
            match option.as_str() {
                "--at" => {
                    let name = args.next().and_then(|name| name.parse().ok());
                    page = name.ok_or_else(wording::tray::desktop_usage)?;
                }
                "--led" => leader = Leader::Stdin,
                _ => return Err(wording::tray::desktop_usage()),
            }
        }
        Ok(Self::Window { page, leader })
    }
}

fn start(role: Role) -> Result<(), Failure> {
    let paths = Paths::from_env().map_err(|e| wording::tray::no_folder("The home folder", &e))?;
    // The toolkit ends the process with a panic where there is no screen, so it is asked first.
    if !desktop::has_screen() {
        return Err(wording::tray::no_screen());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| wording::tray::toolkit_failed(&e.to_string()))?;
    tauri::async_runtime::set(runtime.handle().clone());
    match role {
        Role::Tray => start_tray(&paths, &runtime),
        Role::Window { page, leader } => window::run(&paths, page, leader),
    }
}

/// What only one process of a person holds.
struct Mine {
    /// Released when the process ends, however it ends.
    _lock: File,
    /// Nothing where another process runs the engine.
    engine: Option<Engine>,
}

/// Why the engine did not start.
enum NotStarted {
    /// The sealed file wants its passphrase, which nobody gave.
    Passphrase(Why),
    Failed(Failure),
}

/// Runs the tray; the person is asked for the passphrase where that is all that is missing.
fn start_tray(paths: &Paths, runtime: &Runtime) -> Result<(), Failure> {
    let Some(lock) = runtime.block_on(take_lock(paths))? else { return Ok(()) };
    let mut typed = None;
    let engine = loop {
        match runtime.block_on(start_engine(paths, typed.take())) {
            Ok(engine) => break engine,
            Err(NotStarted::Failed(failure)) => return Err(failure),
            Err(NotStarted::Passphrase(why)) => match passphrase::ask(usual_language(), why) {
                Some(passphrase) => typed = Some(passphrase),
                // They know that it is not started.
                None => return Ok(()),
            },
        }
    };
    tray::run(paths, Mine { _lock: lock, engine })
}

/// Takes the shell's lock. Nothing, where the tray is there already: then its window comes up instead.
async fn take_lock(paths: &Paths) -> Result<Option<File>, Failure> {
    paths.create().map_err(|e| wording::tray::no_folder("Signbell's folder", &e))?;
    let lock_file = paths.shell_lock();
    let trouble = |e: std::io::Error| wording::tray::no_folder(&lock_file.display().to_string(), &e);
    let lock = File::options().create(true).append(true).open(&lock_file).map_err(trouble)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(std::fs::TryLockError::WouldBlock) => raise_window(paths).await.map(|()| None),
        Err(std::fs::TryLockError::Error(e)) => Err(trouble(e)),
    }
}

/// Nothing, where another process runs it already: then it doesn't matter how we would have.
async fn start_engine(paths: &Paths, typed: Option<Secret>) -> Result<Option<Engine>, NotStarted> {
    let options = match typed {
        Some(passphrase) => Options::from_env_with(paths.clone(), passphrase),
        None => Options::from_env(paths.clone()),
    };
    let started = match options {
        Ok(options) => Engine::start(options).await,
        Err(_) if ask::done(&paths.engine_socket(), &Request::Status).await.is_ok() => return Ok(None),
        Err(e) => Err(e),
    };
    match started {
        Ok(engine) => Ok(Some(engine)),
        Err(StartError::AlreadyRunning) => Ok(None),
        Err(e) => Err(match Why::of(&e, paths) {
            Some(why) => NotStarted::Passphrase(why),
            None => NotStarted::Failed(wording::start_failure(&e)),
        }),
    }
}

/// Asks the tray that runs already to show its window. A tray that has only just started has no
/// socket yet.
async fn raise_window(paths: &Paths) -> Result<(), Failure> {
    const TRIES: usize = 20;
    for _ in 1..TRIES {
        match ask::done(&paths.engine_socket(), &Request::OpenWindow).await {
            Ok(()) => return Ok(()),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    ask::done(&paths.engine_socket(), &Request::OpenWindow).await
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("SIGNBELL_LOG").unwrap_or_else(|_| EnvFilter::new("warn,signbell=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[expect(clippy::print_stderr, reason = "there is no window yet, and whoever started us reads this")]
fn complain(failure: &Failure) -> ExitCode {
    eprintln!("{failure}");
    failure.kind.exit_code().into()
}

/// The configuration, the page and the icons, compiled in.
#[allow(clippy::disallowed_methods, reason = "what the macro makes never comes to its exit")]
fn context() -> tauri::Context {
    tauri::generate_context!()
}
