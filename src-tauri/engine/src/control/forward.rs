//! The forward proxy as clients are told of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Whether a key that is lent is good for the forward proxy too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Through {
    /// It isn't asked for.
    #[default]
    No,
    /// If the forward proxy is on.
    IfOn,
    /// Also where it is off: for this key alone, and until the key ends.
    Anyway,
}

/// How the forward proxy stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarding {
    /// Whether it is on.
    pub on: bool,
    /// Where it is: `http://127.0.0.1:8401`.
    pub address: String,
    /// The certificate to trust, a PEM file; nothing while there is none yet.
    pub certificate: Option<String>,
    /// The hosts that are opened for the tools that may use their services.
    pub hosts: BTreeSet<String>,
}

/// What one run of a program needs to go through the forward proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// Where it is: `http://127.0.0.1:8401`.
    pub address: String,
    /// The certificate of an authority that is this run's alone, as PEM text.
    pub certificate: String,
    /// The hosts that it vouches for: those of the tool's services at the start.
    pub hosts: BTreeSet<String>,
    /// Variables in which clients want some token before they call, and what to put there: never one.
    pub placeholders: BTreeMap<String, String>,
}
