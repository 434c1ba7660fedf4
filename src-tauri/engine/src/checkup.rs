//! What `signbell doctor` looks at: the parts of the engine that can be asked without a running one.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::config::{self, Config, KeyDigest};
use crate::model::{ServiceName, ToolName};
use crate::paths::Paths;
use crate::provider;
use crate::vault::SealedFile;
use crate::wording;
use crate::wording::language::Language;

pub use crate::browser::first_there as browser;
pub use crate::engine::owner::is_held as is_locked;
pub use crate::engine::port_holder::of as port_holder;
pub use crate::proxy::KEY_PREFIX;

/// `config.toml` as a whole, found good.
#[derive(Debug, Default)]
pub struct Settings(Config);

/// A mistake in `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What it is, on one line.
    pub what: String,
    /// What a running app says of it.
    pub banner: String,
}

impl Settings {
    /// Reads the file as the engine does: its form, each key, what its parts mean to each other, and who may
    /// write it. One that is not there is empty.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load(file: &Path) -> Result<Self, Mistake> {
        config::load(file)
            .map(Self)
            .map_err(|e| Mistake { what: one_line(&e.to_string()), banner: wording::config_banner(Language::En, &e) })
    }

    /// The proxy's port; 0 is any free one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.proxy.port
    }

    /// A file of authorities to trust besides the system's.
    #[must_use]
    pub fn extra_ca(&self) -> Option<&PathBuf> {
        self.0.network.extra_ca.as_ref()
    }

    /// Whether there is such a service.
    #[must_use]
    pub fn has_service(&self, name: &str) -> bool {
        self.0.services.contains_key(name)
    }

    /// The services whose own addresses become the tool's in what they answer (`rewrite_addresses`).
    #[must_use]
    pub fn rewriting(&self) -> Vec<String> {
        let on = self.0.services.iter().filter(|(_, service)| service.rewrite_addresses);
        on.map(|(name, _)| name.to_string()).collect()
    }

    /// Whose key it is, and what that tool may use.
    #[must_use]
    pub fn tool_of(&self, key: &str) -> Option<(&ToolName, &[ServiceName])> {
        let digest = KeyDigest(Sha256::digest(key.as_bytes()).into());
        let tool = self.0.tools.iter().find(|(_, tool)| tool.key_sha256 == digest);
        tool.map(|(name, tool)| (name, tool.services.as_slice()))
    }
}

/// toml_edit draws the line and points at the place; its first and its last line say the same in words.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, .., last] => format!("{first}: {last}"),
    }
}

/// Whom outgoing connections believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// Authorities of the system's store.
    pub system: usize,
    /// Those of the person's own file.
    pub extra: usize,
}

/// Loads the trust store as the engine does.
///
/// # Errors
/// Why no connection could be made with it.
pub fn trust(extra_ca: Option<&Path>) -> Result<Trust, String> {
    let extra = match extra_ca {
        None => 0,
        Some(file) => provider::authorities(file).map_err(|e| e.to_string())?,
    };
    provider::tls_config(extra_ca).map_err(|e| e.to_string())?;
    let system = rustls_native_certs::load_native_certs();
    match (system.certs.len(), system.errors.first()) {
        (0, Some(error)) => Err(error.to_string()),
        (system, _) => Ok(Trust { system, extra }),
    }
}

/// Whether a sealed file is there, whatever vault is in use.
#[must_use]
pub fn has_sealed_file(paths: &Paths) -> bool {
    SealedFile::exists(paths.sealed_folder())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_mistake_is_one_line_and_names_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        assert_eq!(Settings::load(&file).unwrap().port(), 8401);
        for (text, says) in [
            ("# mine\n[proxy]\nport = \n", "line 3"),
            ("[proxy]\nprot = 1\n", "unknown field `prot`"),
            ("[proxy]\nport = 99999\n", "line 2"),
            ("[accounts.a]\nprovider = \"gone\"\n", "gone, which is not there"),
        ] {
            std::fs::write(&file, text).unwrap();
            let why = Settings::load(&file).unwrap_err().what;
            assert!(why.contains(says) && !why.contains('\n'), "{text}: {why}");
        }
    }
}
