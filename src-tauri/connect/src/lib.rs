//! Writes the configuration of the clients that reach services through Signbell, and takes it out again.
//!
//! What a client's file is to say is a *pure* step from text to text: comments, order, indentation and line
//! ends of everything else stay as they are, to the byte. Around it: where the file lies, a diff that shows
//! no secret, a backup, and a write that is whole or not at all.
//!
//! | module | what it holds |
//! |---|---|
//! | [`client`] | the clients, and how each wants to be told |
//! | [`place`] | where a client's file lies, and whether it is likely to be committed |
//! | `edit` | PURE: text and what is wanted -> new text, by client |
//! | `servers` | PURE: what one MCP server looks like to each client |
//! | `json`, `toml`, `yaml`, `lines` | PURE: one entry into a file of that format, or out of it |
//! | `git`, `npm`, `pip`, `own` | PURE: the same for files that have a shape of their own |
//! | `diff` | PURE: what changes, with secrets shortened |
//! | [`plan`] | all of it in order, top to bottom |
//! | [`journal`] | what only a record can tell |
//! | `write` | reading, the backup, the atomic write |
//!
//! What is ours is recognised by what it says (our address, our key, our program), at whatever port we listened
//! when it was written, and not by a record: a person may have edited since. Only what a record alone can
//! tell, as that a file was not there before, is remembered ([`journal::Made`]).

pub mod client;
mod diff;
mod edit;
mod git;
pub mod journal;
mod json;
mod lines;
mod npm;
mod own;
mod pip;
pub mod place;
pub mod plan;
mod servers;
mod toml;
mod write;
mod yaml;

use std::fmt;
use std::io;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

pub use self::client::Client;
pub use self::edit::{Edited, connect, entries, key, moved, tool, undo};
pub use self::place::Places;

/// A tool's key. It can't be printed; whoever writes it somewhere says [`Key::expose`].
#[derive(Clone)]
pub struct Key(SecretString);

impl Key {
    /// How every key begins.
    pub const PREFIX: &str = "sbk_";

    /// Takes the text over.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// Stands for the key of a tool that does not exist yet, where a change is only shown.
    #[must_use]
    pub fn to_come() -> Self {
        Self::new("sbk_to-come")
    }

    /// A text with every key in it replaced by a word that is none.
    #[must_use]
    pub fn taken_out(text: &str) -> String {
        let mut pieces = text.split(Self::PREFIX);
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            out.push_str(Self::PREFIX);
            out.push_str("removed");
            out.push_str(piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        }
        out
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// How a client gets at its key.
#[derive(Debug, Clone)]
pub enum Form {
    /// The key itself stands in the file, which is the person's alone.
    Key(Key),
    /// The client takes it from the environment: `SIGNBELL_KEY`, which `signbell run` sets.
    Variable,
    /// The client starts a program of ours, which needs none.
    Program,
}

impl Form {
    /// The variable that [`Form::Variable`] names.
    pub const VARIABLE: &str = "SIGNBELL_KEY";

    /// Its name, as `--json` tells it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Variable => "variable",
            Self::Program => "program",
        }
    }
}

/// A service as a client is to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name at Signbell.
    pub name: String,
    /// `http://127.0.0.1:8401/linear`
    pub address: String,
    /// The upstream base URL.
    pub upstream: String,
    /// Whose tokens it gets.
    pub account: String,
}

/// An entry of ours in a client's file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The service that it leads to.
    pub service: String,
    /// The port of this machine at which it looks for us; nothing where it starts a program instead.
    pub port: Option<u16>,
}

impl Entry {
    /// Whether it looks for us where we are not: the proxy is `http://127.0.0.1:8401`.
    #[must_use]
    pub fn is_elsewhere(&self, proxy: &str) -> bool {
        self.port.is_some_and(|port| Some(port) != port_of(proxy))
    }
}

/// What is wanted of a client's file.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The services.
    pub services: Vec<Target>,
    /// The proxy: `http://127.0.0.1:8401`.
    pub proxy: String,
    /// The tool whose key it is.
    pub tool: String,
    /// How `signbell` is started from there.
    pub program: String,
    /// How the client gets at the key.
    pub form: Form,
}

/// Why a file was left alone.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not what its format says.
    #[error("line {line}: {what}")]
    Broken {
        /// From 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// It is well formed, but the place for our entry is taken by something else.
    #[error("{what} has another shape than expected")]
    Shape {
        /// Which part.
        what: String,
    },
    /// The change would touch more than our entry.
    #[error("{what} is written in a way that can't be changed safely")]
    ByHand {
        /// Which part.
        what: String,
    },
    /// A file that only we write was written by somebody else.
    #[error("the file is not ours")]
    NotOurs,
    /// The client has one registry at a time.
    #[error("one service at a time")]
    OneOnly,
    /// The file is likely to be committed, and the client knows no way around a key in it.
    #[error("no way around a key")]
    NoKeyHere,
    /// The client has no file of a project.
    #[error("no project file")]
    NoProject,
    /// The client does not know this form.
    #[error("the form is unknown to the client")]
    NoSuchForm,
    /// Others may read it, and it lies where that may be meant.
    #[error("others may read the file")]
    Shared,
    /// It changed between being shown and being written.
    #[error("the file changed meanwhile")]
    Changed,
    /// It can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Whether an address is the proxy's own: at `proxy` or, where something beside it is a `sign` of ours, at any
/// port of this machine.
pub(crate) fn is_ours(address: &str, proxy: &str, sign: bool) -> bool {
    port_of(address).is_some_and(|port| sign || Some(port) == port_of(proxy))
}

/// The port of an address of this machine: `http://127.0.0.1:8401/linear`.
pub(crate) fn port_of(address: &str) -> Option<u16> {
    let url: url::Url = address.parse().ok()?;
    let name = url.host_str()?;
    let here = matches!(name, "127.0.0.1" | "localhost" | "[::1]") || name.ends_with(".localhost");
    (here && url.scheme() == "http").then(|| url.port_or_known_default())?
}

/// A text in which what names this machine at the port `from` names it at `to`.
pub(crate) fn at_port(text: &str, from: u16, to: u16) -> String {
    ["127.0.0.1", "localhost", "[::1]"].iter().fold(text.to_owned(), |text, host| {
        let old = format!("{host}:{from}");
        let mut pieces = text.split(&old);
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            // Port 84 is not the beginning of port 8401.
            match piece.starts_with(|c: char| c.is_ascii_digit()) {
                true => out.push_str(&old),
                false => out.extend([host, ":", &to.to_string()]),
            }
            out.push_str(piece);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_at_another_port() {
        for (text, expected) in [
            ("http://127.0.0.1:8401/a", "http://127.0.0.1:9/a"),
            ("a.localhost:8401", "a.localhost:9"),
            ("http://[::1]:8401", "http://[::1]:9"),
            ("http://127.0.0.1:84011/a", "http://127.0.0.1:84011/a"),
            ("https://other.example:8401/a", "https://other.example:8401/a"),
        ] {
            assert_eq!(at_port(text, 8401, 9), expected);
        }
        for (address, port) in [
            ("http://127.0.0.1:8401/a", Some(8401)),
            ("http://a.localhost:1", Some(1)),
            ("https://127.0.0.1:8401/a", None),
            ("http://127.0.0.1.evil.test:8401/", None),
        ] {
            assert_eq!(port_of(address), port, "{address}");
        }
    }
}
