//! Where Signbell keeps what it keeps: the one documented place.
//!
//! | what | with `SIGNBELL_HOME` | else |
//! |---|---|---|
//! | `config.toml` | `$SIGNBELL_HOME` | `$XDG_CONFIG_HOME/signbell` (`~/.config/signbell`) |
//! | `state.json`, `activity.jsonl`, `vault.age`, `authority.pem` | `$SIGNBELL_HOME` | `$XDG_STATE_HOME/signbell` (`~/.local/state/signbell`) |
//! | `control.sock`, `proxy.sock`, `engine.lock`, `shell.lock` | `$SIGNBELL_HOME` | `$XDG_RUNTIME_DIR/signbell`, else the state folder |

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

    /// Where the engine is spoken to.
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

    /// Held by the one process that runs the engine.
    #[must_use]
    pub fn engine_lock(&self) -> PathBuf {
        self.runtime.join("engine.lock")
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
}
