//! Where Signbell keeps what it keeps: the one documented place.
//!
//! | what | with `SIGNBELL_HOME` | else |
//! |---|---|---|
//! | `config.toml` | `$SIGNBELL_HOME` | `$XDG_CONFIG_HOME/signbell` (`~/.config/signbell`) |
//! | `state.json`, `activity.jsonl`, `vault.age`, `authority.pem` | `$SIGNBELL_HOME` | `$XDG_STATE_HOME/signbell` (`~/.local/state/signbell`) |
//! | `engine.lock` | `$SIGNBELL_HOME` | beside `state.json`, and beside the sockets |
//! | `control.sock`, `proxy.sock`, `shell.lock` | `$SIGNBELL_HOME` | `$XDG_RUNTIME_DIR/signbell`, else the state folder |
//!
//! Two logins of one person may have a runtime folder each, and have one state folder: the lock there keeps
//! their engines to one, and says where that one is spoken to ([`Paths::engine_socket`]).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The folders and files of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    config: PathBuf,
    state: PathBuf,
    runtime: PathBuf,
}

impl Paths {
    /// Everything below one folder.
    #[must_use]
    pub fn below(home: &Path) -> Self {
        Self { config: home.to_owned(), state: home.to_owned(), runtime: home.to_owned() }
    }

    /// From the environment (see the table above).
    ///
    /// # Errors
    /// Where neither `SIGNBELL_HOME` nor `HOME` is set to an absolute path.
    pub fn from_env() -> io::Result<Self> {
        Self::from_vars(|name| std::env::var_os(name))
    }

    fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> io::Result<Self> {
        let absolute = |name: &str| var(name).map(PathBuf::from).filter(|p| p.is_absolute());
        if let Some(home) = absolute("SIGNBELL_HOME") {
            return Ok(Self::below(&home));
        }
        let home = absolute("HOME").ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "neither SIGNBELL_HOME nor HOME is an absolute path")
        })?;
        let state = absolute("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")).join("signbell");
        Ok(Self {
            config: absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("signbell"),
            runtime: absolute("XDG_RUNTIME_DIR").map_or_else(|| state.clone(), |dir| dir.join("signbell")),
            state,
        })
    }

    /// The settings that a person may edit.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// What was learned: identities, expiries, the last state of each session. No secret.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.state.join("state.json")
    }

    /// What happened.
    #[must_use]
    pub fn activity_file(&self) -> PathBuf {
        self.state.join("activity.jsonl")
    }

    /// Where the sealed file's two parts lie, for machines without a keyring.
    #[must_use]
    pub fn sealed_folder(&self) -> &Path {
        &self.state
    }

    /// Where else what was learned lies.
    #[must_use]
    pub fn state_folder(&self) -> &Path {
        &self.state
    }

    /// Where an engine of this login is spoken to.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.runtime.join("control.sock")
    }

    /// Where tools that can use a Unix socket reach the proxy.
    #[must_use]
    pub fn tool_socket(&self) -> PathBuf {
        self.runtime.join("proxy.sock")
    }

    /// The certificate that tools trust for the forward proxy. Its key lies in the vault.
    #[must_use]
    pub fn authority_file(&self) -> PathBuf {
        self.state.join("authority.pem")
    }

    /// Where the engine that runs is spoken to: here, or at another login of the same person.
    #[must_use]
    pub fn engine_socket(&self) -> PathBuf {
        let named = std::fs::read_to_string(self.engine_lock()).ok().map(|text| PathBuf::from(text.trim_end()));
        named.filter(|socket| socket.is_absolute() && socket.exists()).unwrap_or_else(|| self.control_socket())
    }

    /// Held by the one process that runs the engine. It holds the path of the control socket.
    #[must_use]
    pub fn engine_lock(&self) -> PathBuf {
        self.state.join("engine.lock")
    }

    /// The same for those who look beside the sockets alone, as the first versions do. Nothing where that is
    /// the same file.
    #[must_use]
    pub fn engine_lock_here(&self) -> Option<PathBuf> {
        Some(self.runtime.join("engine.lock")).filter(|lock| *lock != self.engine_lock())
    }

    /// Held by the one process that shows the tray.
    #[must_use]
    pub fn shell_lock(&self) -> PathBuf {
        self.runtime.join("shell.lock")
    }

    /// Makes the folders, open to this user alone.
    ///
    /// # Errors
    /// Where one can't be made.
    pub fn create(&self) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        for folder in [&self.config, &self.state, &self.runtime] {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn paths(vars: &[(&str, &str)]) -> io::Result<Paths> {
        Paths::from_vars(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
    }

    #[test]
    fn one_folder_or_the_desktop_s() {
        assert_eq!(
            paths(&[("SIGNBELL_HOME", "/s"), ("HOME", "/h")]).unwrap().config_file(),
            Path::new("/s/config.toml")
        );
        let xdg = paths(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1")]).unwrap();
        assert_eq!(xdg.config_file(), Path::new("/h/.config/signbell/config.toml"));
        assert_eq!(xdg.state_file(), Path::new("/h/.local/state/signbell/state.json"));
        assert_eq!(xdg.control_socket(), Path::new("/run/user/1/signbell/control.sock"));
        assert!(paths(&[("HOME", "relative")]).is_err());
    }

    #[test]
    fn two_logins_have_one_lock_and_find_one_socket() {
        let folder = tempfile::tempdir().unwrap();
        let login = |runtime: &str| {
            let runtime = folder.path().join(runtime).display().to_string();
            let home = folder.path().display().to_string();
            let paths = paths(&[("HOME", &home), ("XDG_RUNTIME_DIR", &runtime)]).unwrap();
            paths.create().unwrap();
            paths
        };
        let (one, two) = (login("one"), login("two"));
        assert_eq!(one.engine_lock(), two.engine_lock());
        assert_ne!(one.engine_lock_here(), two.engine_lock_here());
        assert_eq!(two.engine_socket(), two.control_socket(), "nobody runs");
        std::fs::write(one.control_socket(), "").unwrap();
        std::fs::write(one.engine_lock(), format!("{}\n", one.control_socket().display())).unwrap();
        assert_eq!(two.engine_socket(), one.control_socket());
        // Not even what a crash left here stands in the way; a name that leads nowhere, or is none, does not count.
        std::fs::write(two.control_socket(), "").unwrap();
        assert_eq!(two.engine_socket(), one.control_socket());
        for text in ["", "control.sock", "/nowhere/control.sock\n"] {
            std::fs::write(one.engine_lock(), text).unwrap();
            assert_eq!(two.engine_socket(), two.control_socket(), "{text:?}");
        }
        assert_eq!(Paths::below(folder.path()).engine_lock_here(), None);
    }
}
