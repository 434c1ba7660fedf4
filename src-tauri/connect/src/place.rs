//! Where a client's file lies.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Client;

/// The folders of one person, as the environment names them.
#[derive(Debug, Clone, Default)]
pub struct Places {
    home: PathBuf,
    folder: PathBuf,
    variables: BTreeMap<String, OsString>,
}

/// Those that move a client's file.
const VARIABLES: [&str; 12] = [
    "XDG_CONFIG_HOME",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "GEMINI_CLI_HOME",
    "OPENCODE_CONFIG",
    "GIT_CONFIG_GLOBAL",
    "NPM_CONFIG_USERCONFIG",
    "npm_config_userconfig",
    "PIP_CONFIG_FILE",
    "CARGO_HOME",
    "DOCKER_CONFIG",
    "PATH",
];

impl Places {
    /// From this process's environment; nothing where there is no home folder.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())?;
        let folder = std::env::current_dir().unwrap_or_else(|_| home.clone());
        let variables = VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?)));
        Some(Self { home, folder, variables: variables.collect() })
    }

    /// With these folders and variables.
    #[must_use]
    pub fn new(home: &Path, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value)));
        Self { home: home.to_owned(), folder: folder.to_owned(), variables: variables.collect() }
    }

    /// The client's file: the person's own, or that of the project in the current folder.
    #[must_use]
    pub fn file(&self, client: Client, project: bool) -> Option<PathBuf> {
        if project { self.of_project(client) } else { Some(self.of_person(client)) }
    }

    fn of_project(&self, client: Client) -> Option<PathBuf> {
        let name = match client {
            Client::ClaudeCode => ".mcp.json",
            Client::Codex => ".codex/config.toml",
            Client::Gemini => ".gemini/settings.json",
            Client::VsCode => ".vscode/mcp.json",
            Client::Cursor => ".cursor/mcp.json",
            Client::Zed => ".zed/settings.json",
            Client::Opencode => return Some(existing(&self.folder, &["opencode.json", "opencode.jsonc"])),
            Client::Npm => ".npmrc",
            Client::Cargo => ".cargo/config.toml",
            _ => return None,
        };
        Some(self.folder.join(name))
    }

    fn of_person(&self, client: Client) -> PathBuf {
        let (home, config) = (&self.home, self.config());
        match client {
            // The person's servers lie beside the folder of that name, or within the one that the variable names.
            Client::ClaudeCode => {
                self.variable("CLAUDE_CONFIG_DIR").unwrap_or_else(|| home.clone()).join(".claude.json")
            }
            Client::ClaudeDesktop => self.applications().join("Claude/claude_desktop_config.json"),
            Client::Codex => self.variable("CODEX_HOME").unwrap_or_else(|| home.join(".codex")).join("config.toml"),
            Client::Gemini => {
                self.variable("GEMINI_CLI_HOME").unwrap_or_else(|| home.clone()).join(".gemini/settings.json")
            }
            Client::VsCode => self.applications().join("Code/User/mcp.json"),
            Client::Cursor => home.join(".cursor/mcp.json"),
            Client::Zed => config.join("zed/settings.json"),
            Client::Windsurf => home.join(".codeium/windsurf/mcp_config.json"),
            Client::Opencode => self
                .variable("OPENCODE_CONFIG")
                .unwrap_or_else(|| existing(&config.join("opencode"), &["opencode.json", "opencode.jsonc"])),
            Client::Goose => config.join("goose/config.yaml"),
            Client::Git => self.variable("GIT_CONFIG_GLOBAL").unwrap_or_else(|| {
                // git-config(1), FILES: the second is written only where the first does not exist.
                let (first, second) = (home.join(".gitconfig"), config.join("git/config"));
                if !first.exists() && second.exists() { second } else { first }
            }),
            Client::Curl => config.join("signbell/curlrc"),
            Client::Npm => self
                .variable("npm_config_userconfig")
                .or_else(|| self.variable("NPM_CONFIG_USERCONFIG"))
                .unwrap_or_else(|| home.join(".npmrc")),
            Client::Pip => self.variable("PIP_CONFIG_FILE").unwrap_or_else(|| config.join("pip/pip.conf")),
            Client::Cargo => existing(
                &self.variable("CARGO_HOME").unwrap_or_else(|| home.join(".cargo")),
                &["config.toml", "config"],
            ),
            Client::Docker => {
                self.variable("DOCKER_CONFIG").unwrap_or_else(|| home.join(".docker")).join("config.json")
            }
            Client::Kubectl => config.join("signbell/kubeconfig"),
        }
    }

    /// Whether the file lies in the person's home folder, also through a link.
    #[must_use]
    pub fn is_at_home(&self, file: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        real(file).starts_with(real(&self.home))
    }

    /// Whether the client seems to be on this machine: its file, the folder that it keeps for itself, or its
    /// program.
    #[must_use]
    pub fn found(&self, client: Client) -> bool {
        let file = self.of_person(client);
        let own_folder = match client.kind() {
            // Ours, or the home folder.
            crate::client::Kind::Http | crate::client::Kind::Registry => None,
            crate::client::Kind::Mcp => file.parent().filter(|folder| *folder != self.home),
        };
        file.exists() || own_folder.is_some_and(Path::exists) || client.programs().iter().any(|name| self.runs(name))
    }

    /// Whether a program of this name is in the path.
    #[must_use]
    pub fn runs(&self, program: &str) -> bool {
        self.program(program).is_some()
    }

    /// The program of this name that the path leads to.
    #[must_use]
    pub fn program(&self, program: &str) -> Option<PathBuf> {
        let path = self.variables.get("PATH")?;
        std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file())
    }

    fn variable(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    fn config(&self) -> PathBuf {
        self.variable("XDG_CONFIG_HOME").filter(|dir| dir.is_absolute()).unwrap_or_else(|| self.home.join(".config"))
    }

    /// Where Electron keeps what belongs to a program.
    fn applications(&self) -> PathBuf {
        if cfg!(target_os = "macos") { self.home.join("Library/Application Support") } else { self.config() }
    }
}

/// The first of these that is there, else the first.
fn existing(folder: &Path, names: &[&str]) -> PathBuf {
    let mut all = names.iter().map(|name| folder.join(name));
    let first = all.next().unwrap_or_default();
    if first.exists() { first } else { all.find(|file| file.exists()).unwrap_or(first) }
}

/// Whether the file lies in a git work tree, where it is likely to be committed one day: also through a
/// link, as dotfiles are kept.
#[must_use]
pub fn in_work_tree(file: &Path) -> bool {
    // What isn't there yet lies where its folder lies.
    let real = file.ancestors().find_map(|part| part.canonicalize().ok());
    real.is_some_and(|real| real.ancestors().any(|folder| folder.join(".git").exists()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_client_s_file() {
        let plain = Places::new(Path::new("/h"), Path::new("/p"), &[]);
        let moved = [
            ("XDG_CONFIG_HOME", "/x"),
            ("CLAUDE_CONFIG_DIR", "/cc"),
            ("CODEX_HOME", "/co"),
            ("npm_config_userconfig", "/n/rc"),
            ("PIP_CONFIG_FILE", "/pip"),
            ("CARGO_HOME", "/ca"),
            ("DOCKER_CONFIG", "/d"),
            ("GIT_CONFIG_GLOBAL", "/g"),
        ];
        let moved = Places::new(Path::new("/h"), Path::new("/p"), &moved);
        for (client, usual, elsewhere, project) in [
            (Client::ClaudeCode, "/h/.claude.json", "/cc/.claude.json", Some("/p/.mcp.json")),
            (Client::Codex, "/h/.codex/config.toml", "/co/config.toml", Some("/p/.codex/config.toml")),
            (Client::Gemini, "/h/.gemini/settings.json", "/h/.gemini/settings.json", Some("/p/.gemini/settings.json")),
            (Client::Cursor, "/h/.cursor/mcp.json", "/h/.cursor/mcp.json", Some("/p/.cursor/mcp.json")),
            (Client::Zed, "/h/.config/zed/settings.json", "/x/zed/settings.json", Some("/p/.zed/settings.json")),
            (Client::Windsurf, "/h/.codeium/windsurf/mcp_config.json", "/h/.codeium/windsurf/mcp_config.json", None),
            (
                Client::Opencode,
                "/h/.config/opencode/opencode.json",
                "/x/opencode/opencode.json",
                Some("/p/opencode.json"),
            ),
            (Client::Goose, "/h/.config/goose/config.yaml", "/x/goose/config.yaml", None),
            (Client::Git, "/h/.gitconfig", "/g", None),
            (Client::Curl, "/h/.config/signbell/curlrc", "/x/signbell/curlrc", None),
            (Client::Npm, "/h/.npmrc", "/n/rc", Some("/p/.npmrc")),
            (Client::Pip, "/h/.config/pip/pip.conf", "/pip", None),
            (Client::Cargo, "/h/.cargo/config.toml", "/ca/config.toml", Some("/p/.cargo/config.toml")),
            (Client::Docker, "/h/.docker/config.json", "/d/config.json", None),
            (Client::Kubectl, "/h/.config/signbell/kubeconfig", "/x/signbell/kubeconfig", None),
        ] {
            assert_eq!(plain.file(client, false).unwrap(), Path::new(usual), "{client:?}");
            assert_eq!(moved.file(client, false).unwrap(), Path::new(elsewhere), "{client:?}");
            assert_eq!(plain.file(client, true).as_deref(), project.map(Path::new), "{client:?}");
        }
    }

    #[test]
    fn a_work_tree_is_seen_through_links_and_before_the_file_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let dotfiles = folder.path().join("dotfiles");
        std::fs::create_dir_all(dotfiles.join(".git")).unwrap();
        std::fs::write(dotfiles.join("zed.json"), "{}").unwrap();
        let link = folder.path().join("settings.json");
        std::os::unix::fs::symlink(dotfiles.join("zed.json"), &link).unwrap();
        assert!(in_work_tree(&link));
        assert!(in_work_tree(&dotfiles.join("a/b/new.json")));
        assert!(!in_work_tree(&folder.path().join("plain.json")));
    }
}
