//! gnome-keyring with a password of its own, spoken to directly: no prompt ever appears.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use crate::process::{Process, tail};
use crate::sandbox::Sandbox;
use crate::wait::wait_ok;

const NAME: &str = "org.freedesktop.secrets";
const PATH: &str = "/org/freedesktop/secrets";
const SERVICE: &str = "org.freedesktop.Secret.Service";
const ITEM: &str = "org.freedesktop.Secret.Item";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";

/// Password of the login collection. It must not be empty: the daemon would then ask for a new one
/// by a prompt later.
const PASSWORD: &[u8] = b"pw";

#[derive(Debug)]
pub(crate) struct Keyring {
    process: Process,
    log: PathBuf,
    sandbox: Sandbox,
}

impl Keyring {
    pub(crate) fn spawn(sandbox: &Sandbox) -> Result<Self> {
        let log = sandbox.log_path("keyring", "log");
        let file = fs::File::create(&log).context("creating the keyring's log")?;
        let mut command = sandbox.command("gnome-keyring-daemon");
        command
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped())
            .stdout(file.try_clone().context("sharing a log file")?)
            .stderr(file);
        let mut process = Process::spawn(command, "gnome-keyring-daemon")?;
        let mut stdin = process.take_stdin().context("the keyring has no stdin")?;
        stdin.write_all(PASSWORD).context("giving the keyring its password")?;
        Ok(Self { process, log, sandbox: sandbox.clone() })
    }

    /// Waits until the service answers and its default collection is there and unlocked.
    pub(crate) fn await_unlocked(&mut self, bus: &Connection, timeout: Duration) -> Result<()> {
        wait_ok("the unlocked keyring", timeout, || {
            if !self.process.is_running() {
                return Ok(Err(self.process.failure(&self.log)));
            }
            match self.is_locked(bus) {
                Ok(false) => Ok(Ok(())),
                Ok(true) => bail!("it is locked; log: {}", tail(&self.log, 2000)),
                Err(error) => Err(error),
            }
        })?
    }

    pub(crate) fn is_locked(&self, bus: &Connection) -> Result<bool> {
        let collection = default_collection(bus)?;
        let proxy = Proxy::new(bus, NAME, collection, COLLECTION)?;
        proxy.get_property("Locked").context("asking whether the collection is locked")
    }

    pub(crate) fn lock(&self, bus: &Connection) -> Result<()> {
        let collection = default_collection(bus)?;
        let service = Proxy::new(bus, NAME, PATH, SERVICE)?;
        let (_, prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) =
            service.call("Lock", &(vec![&collection],)).context("locking the keyring")?;
        ensure!(prompt.as_str() == "/", "locking the keyring wants a prompt");
        wait_ok("the locked keyring", Duration::from_secs(45), || {
            ensure!(self.is_locked(bus)?, "it is unlocked");
            Ok(())
        })
    }

    /// Gives the password to the running daemon the way a login does: over its control socket. (The
    /// program's own `--unlock` would start a second daemon instead.)
    pub(crate) fn unlock(&self, bus: &Connection) -> Result<()> {
        let limit = Duration::from_secs(45);
        let socket = self.sandbox.runtime().join("keyring/control");
        let mut stream = UnixStream::connect(&socket).with_context(|| format!("connecting to {}", socket.display()))?;
        stream.set_read_timeout(Some(limit))?;
        // A byte for the credentials; then, as 32-bit numbers in network order, the length of all
        // that follows with itself, the operation (1 is unlock) and the password as length and bytes.
        let length = u32::try_from(PASSWORD.len()).context("a password that long")?;
        let mut message = vec![0];
        for number in [12 + length, 1, length] {
            message.extend(number.to_be_bytes());
        }
        message.extend(PASSWORD);
        stream.write_all(&message).context("sending the password")?;
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).context("waiting for the keyring's answer")?;
        ensure!(answer == [0, 0, 0, 8, 0, 0, 0, 0], "refused: {answer:?}");
        wait_ok("the unlocked keyring", limit, || {
            ensure!(!self.is_locked(bus)?, "it is locked");
            Ok(())
        })
    }

    /// What is kept in the default collection, whosever it is.
    pub(crate) fn secrets(&self, bus: &Connection) -> Result<Vec<String>> {
        let session = plain_session(bus)?;
        let read = |item: OwnedObjectPath| -> Result<String> {
            let (secret,): (Secret,) = Proxy::new(bus, NAME, item, ITEM)?.call("GetSecret", &(&session,))?;
            Ok(String::from_utf8_lossy(&secret.2).into_owned())
        };
        items(bus)?.into_iter().map(read).collect()
    }

    /// Puts this in the place of all of them, as another program would.
    pub(crate) fn replace_secrets(&self, bus: &Connection, with: &str) -> Result<()> {
        let session = plain_session(bus)?;
        for item in items(bus)? {
            let secret: Secret = (session.clone(), Vec::new(), with.as_bytes().to_vec(), "text/plain".to_owned());
            Proxy::new(bus, NAME, item, ITEM)?.call::<_, _, ()>("SetSecret", &(secret,))?;
        }
        Ok(())
    }
}

/// A secret on the bus: session, parameters, value, content type.
type Secret = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

/// In which secrets are not encrypted: the bus is the test's own.
fn plain_session(bus: &Connection) -> Result<OwnedObjectPath> {
    let service = Proxy::new(bus, NAME, PATH, SERVICE)?;
    let (_, session): (OwnedValue, OwnedObjectPath) =
        service.call("OpenSession", &("plain", Value::from(""))).context("opening a session of the keyring")?;
    Ok(session)
}

fn items(bus: &Connection) -> Result<Vec<OwnedObjectPath>> {
    let collection = Proxy::new(bus, NAME, default_collection(bus)?, COLLECTION)?;
    collection.get_property("Items").context("asking what the keyring has")
}

fn default_collection(bus: &Connection) -> Result<ObjectPath<'static>> {
    let service = Proxy::new(bus, NAME, PATH, SERVICE)?;
    let path: OwnedObjectPath =
        service.call("ReadAlias", &("default",)).context("asking for the default collection")?;
    ensure!(path.as_str() != "/", "there is no default collection");
    Ok(path.into_inner())
}
