//! The engine's handle: start it, ask where it listens, wait for its end.

mod add;
mod adopt;
mod checkup;
mod config_watch;
mod core;
mod document;
mod first_call;
mod forget;
mod forwarding;
mod hot;
mod known;
mod lend;
mod look;
mod merge;
mod moved;
mod naming;
mod narrow;
pub(crate) mod port_holder;
mod service_view;
mod settings;
mod sign_in;
mod sign_out;
mod snapshot;
mod token;
mod undumpable;
mod vault_move;
mod voucher;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::add::Secrets;
pub(crate) use self::core::Core;
use self::core::Settings;
use self::hot::{Listening, Overrides, Troubles};
pub(crate) use self::sign_in::{How, Progress};
use crate::activity::Activity;
use crate::bell::Bell;
use crate::config::{self, Config};
use crate::control;
use crate::paths::Paths;
use crate::provider::{Http, NetworkError, NetworkSettings};
use crate::proxy::forward_proxy::Authorities;
use crate::proxy::listen::{Door, Port};
use crate::proxy::{Budget, ForwardProxy, Pools, Proxy};
use crate::secret::Secret;
use crate::session::state::State;
use crate::usage::Usage;
use crate::vault::{KeyringStore, MemoryStore, SealedFile, Vault, VaultError};
use crate::view::AppView;

/// How long an ending engine waits for requests and writes under way.
const GRACE: Duration = Duration::from_secs(2);

/// How to start.
#[derive(Debug)]
pub struct Options {
    /// Where everything is kept.
    pub paths: Paths,
    /// Overrides the configured port; 0 takes any free one.
    pub port: Option<u16>,
    /// Where secrets are kept.
    pub vault: VaultChoice,
}

/// Where secrets are kept; the person's choice, never changed silently.
#[derive(Debug)]
pub enum VaultChoice {
    /// The operating system's keyring.
    Keyring,
    /// A file sealed with a passphrase, for machines without a keyring.
    SealedFile {
        /// Opens it.
        passphrase: Secret,
    },
    /// Gone at the end.
    Memory,
}

/// Why the engine did not start. [`crate::wording::start_failure`] has the sentences.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process runs the engine; talk to it through the control socket.
    #[error("already running")]
    AlreadyRunning,
    /// The proxy's port is taken.
    #[error("port taken: {address}")]
    PortTaken {
        /// Which.
        address: SocketAddr,
        /// The program that holds it, where the system tells.
        holder: Option<String>,
    },
    /// `config.toml` or `state.json` can't be used.
    #[error("{0}")]
    Config(String),
    /// The system has no certificate authorities that could be asked.
    #[error("trust store: {0}")]
    TrustStore(String),
    /// A variable of the environment has a value that means nothing.
    #[error("{name} is {value:?}, which is not {expected}")]
    Environment {
        /// Which variable.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it can be.
        expected: &'static str,
    },
    /// The sealed file wants a passphrase and none was given.
    #[error("the sealed file needs a passphrase")]
    PassphraseMissing,
    /// The sealed file could not be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A folder or file could not be made or read.
    #[error("{what}: {source}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
}

impl From<NetworkError> for StartError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Tls(why) => Self::TrustStore(why.to_string()),
            other => Self::Config(other.to_string()),
        }
    }
}

impl Options {
    /// What the environment says: `SIGNBELL_PORT`, `SIGNBELL_VAULT`, `SIGNBELL_PASSPHRASE`.
    ///
    /// # Errors
    /// [`StartError::Environment`] for a value that means nothing; [`StartError::PassphraseMissing`]
    /// where the sealed file is chosen and nothing opens it.
    pub fn from_env(paths: Paths) -> Result<Self, StartError> {
        Self::read_env(paths, variable("SIGNBELL_PASSPHRASE").map(Secret::new))
    }

    /// The same with a passphrase that the person typed.
    ///
    /// # Errors
    /// [`StartError::Environment`].
    pub fn from_env_with(paths: Paths, passphrase: Secret) -> Result<Self, StartError> {
        Self::read_env(paths, Some(passphrase))
    }

    fn read_env(paths: Paths, passphrase: Option<Secret>) -> Result<Self, StartError> {
        let wrong = |name, value, expected| StartError::Environment { name, value, expected };
        let port = match variable("SIGNBELL_PORT") {
            None => None,
            Some(value) => Some(value.parse().map_err(|_| wrong("SIGNBELL_PORT", value, "a port number"))?),
        };
        let chosen = variable("SIGNBELL_VAULT").unwrap_or_else(|| {
            // A file that can't be used is told when the engine reads it.
            let file = config::load(&paths.config_file()).unwrap_or_default();
            file.vault.kind.as_str().to_owned()
        });
        let vault = match chosen.as_str() {
            "keyring" => VaultChoice::Keyring,
            "memory" => VaultChoice::Memory,
            "sealed-file" => VaultChoice::SealedFile { passphrase: passphrase.ok_or(StartError::PassphraseMissing)? },
            _ => return Err(wrong("SIGNBELL_VAULT", chosen, "keyring, sealed-file or memory")),
        };
        Ok(Self { paths, port, vault })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A running engine. It runs on the tokio runtime on which it was started.
pub struct Engine {
    core: Arc<Core>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Ends the threads of the proxy, after all else.
    end: CancellationToken,
    /// Held while we run; the file itself stays.
    _lock: File,
}

impl Engine {
    /// Starts everything: takes the lock, opens the vault, listens.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        undumpable::keep_out_of_dumps();
        let Options { paths, port, vault } = options;
        paths.create().map_err(|source| StartError::Io { what: "the folders".into(), source })?;
        let lock = take_lock(&paths)?;
        let file = config::load(&paths.config_file()).map_err(|e| StartError::Config(e.to_string()))?;
        let overrides = Overrides {
            port: port.is_some(),
            vault: variable("SIGNBELL_VAULT").is_some() || matches!(vault, VaultChoice::Memory),
        };
        let asked = file.proxy.port;
        let vault = open_vault(&paths, vault).await?;
        let listening = bind(port.unwrap_or(asked)).await?;
        let socket = paths.tool_socket();
        let listening = listening
            .with_socket(&socket)
            .map_err(|source| StartError::Io { what: socket.display().to_string(), source })?;
        let control = listen_for_control(&paths)?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let core = assemble(paths, file, vault, &listening, overrides)?;
        core.apply();
        core.finish_sign_outs();
        core.read_unknown().await;
        tasks.spawn(until(stop.clone(), {
            let core = Arc::clone(&core);
            async move { core.keep_view().await }
        }));
        tasks.spawn(until(stop.clone(), {
            let core = Arc::clone(&core);
            async move { core.known.keep_written(&core.usage).await }
        }));
        tasks.spawn(until(stop.clone(), {
            let core = Arc::clone(&core);
            async move { core.look_into_suspects().await }
        }));
        tasks.spawn(until(
            stop.clone(),
            control::server::serve(control, Arc::clone(&core), tasks.clone(), stop.clone()),
        ));
        let end = CancellationToken::new();
        let door = Door::new(Arc::clone(&core.proxy), &tasks, &end);
        let door = door.map_err(|source| StartError::Io { what: "a thread".into(), source })?;
        *core.listening.lock().await = Some(Listening::begin(door, listening, asked, &stop));
        tasks.spawn(until(stop.clone(), {
            let core = Arc::clone(&core);
            async move {
                tokio::join!(core.keep_port(), core.keep_config(), core.keep_authorities());
            }
        }));
        Ok(Self { core, stop, tasks, end, _lock: lock })
    }

    /// Where tools reach the proxy: `http://127.0.0.1:8401`.
    #[must_use]
    pub fn address(&self) -> String {
        self.core.address()
    }

    /// Returns once a client asked the engine to quit ([`crate::control::Request::Quit`]).
    pub async fn quit_requested(&self) {
        self.core.quit.notified().await;
    }

    /// Stops listening, lets requests under way and vault writes end (2 s at most), releases the lock.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        let quiet = async {
            self.tasks.wait().await;
            // What a provider sent must be in the vault before we go.
            for session in self.core.all_sessions() {
                let busy = |s: &State| matches!(s, State::Refreshing(_) | State::Saving { .. });
                let _ = session.watch().wait_for(|s| !busy(s)).await;
            }
        };
        if tokio::time::timeout(GRACE, quiet).await.is_err() {
            tracing::info!("some requests or writes did not end in time");
        }
        self.end.cancel();
        self.core.known.write(&self.core.usage);
        let _ = std::fs::remove_file(self.core.paths.control_socket());
        let _ = std::fs::remove_file(self.core.paths.tool_socket());
    }
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = stop.cancelled() => {}
    }
}

/// One process runs the engine: the tray or `serve`. The lock goes with the process, however it ends.
fn take_lock(paths: &Paths) -> Result<File, StartError> {
    let path = paths.engine_lock();
    let io = |source| StartError::Io { what: path.display().to_string(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::AlreadyRunning),
        Err(std::fs::TryLockError::Error(e)) => Err(io(e)),
    }
}

async fn open_vault(paths: &Paths, choice: VaultChoice) -> Result<Vault, StartError> {
    match choice {
        VaultChoice::Keyring => Ok(Vault::open(KeyringStore::new())),
        VaultChoice::Memory => Ok(Vault::open(MemoryStore::new())),
        VaultChoice::SealedFile { passphrase } => {
            let folder = paths.sealed_folder().to_owned();
            // scrypt takes about a second, by design.
            let opened = tokio::task::spawn_blocking(move || {
                if SealedFile::exists(&folder) {
                    SealedFile::open(&folder, &passphrase)
                } else {
                    SealedFile::create(&folder, &passphrase)
                }
            });
            let store = opened.await.map_err(|e| VaultError::Platform(e.to_string()))??;
            Ok(Vault::open(store))
        }
    }
}

async fn bind(port: u16) -> Result<Port, StartError> {
    Port::bind(port).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => {
            StartError::PortTaken { address: SocketAddr::from(([127, 0, 0, 1], port)), holder: port_holder::of(port) }
        }
        _ => StartError::Io { what: format!("port {port}"), source },
    })
}

/// The lock is ours, so a socket that is there already was left by a process that is gone.
fn listen_for_control(paths: &Paths) -> Result<UnixListener, StartError> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = paths.control_socket();
    let io = |source| StartError::Io { what: path.display().to_string(), source };
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io(e)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(io)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(io)?;
    Ok(listener)
}

fn assemble(
    paths: Paths,
    file: Config,
    vault: Vault,
    listening: &Port,
    overrides: Overrides,
) -> Result<Arc<Core>, StartError> {
    let address = listening.address().map_err(|source| StartError::Io { what: "the port".into(), source })?;
    let network = NetworkSettings::from(&file.network);
    let http = Http::new(&network)?;
    let pools = Pools::new(&network)?;
    let (bell, usage) = (Bell::default(), Usage::default());
    let known = known::Known::load(paths.state_file(), &usage)
        .map_err(|e| StartError::Config(format!("{}: {e}", paths.state_file().display())))?;
    let activity = Activity::open(paths.activity_file());
    let budget = Arc::new(Budget::new(file.proxy.replay_bytes, file.proxy.replay_bytes_in_all));
    let changed = Arc::new(Notify::new());
    let notices = broadcast::channel(64).0;
    let proxy = Arc::new(Proxy::new(
        address,
        bell.clone(),
        activity.clone(),
        usage.clone(),
        Arc::clone(&changed),
        budget,
        notices.clone(),
        ForwardProxy::new(Authorities::new(vault.clone(), paths.authority_file()), pools.way_out()),
    ));
    for (grant, refused) in known.refused() {
        proxy.asks.restore(grant, refused);
    }
    Ok(Arc::new_cyclic(|this| Core {
        paths,
        proxy,
        vault,
        memory: Vault::open(MemoryStore::new()),
        http,
        pools,
        bell,
        activity,
        usage,
        known,
        settings: Mutex::new(Settings { file, ephemeral: Config::default() }),
        overrides,
        troubles: Mutex::new(Troubles::default()),
        network: Mutex::new(network),
        network_changed: Notify::new(),
        listening: tokio::sync::Mutex::new(None),
        port_wanted: Notify::new(),
        edits: Mutex::new(()),
        sessions: Mutex::new(HashMap::new()),
        providers: Mutex::new(HashMap::new()),
        underway: Mutex::new(HashMap::new()),
        lent: Mutex::default(),
        vault_trouble: Mutex::new(None),
        asked_for: Mutex::default(),
        view: watch::Sender::new(Arc::new(AppView::default())),
        notices,
        changed,
        quit: Notify::new(),
        this: this.clone(),
    }))
}
