//! What comes from other programs, or from Signbell on another machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ToolKey, expose_one};
use crate::model::{AccountName, ProviderName, ServiceName, ToolName};
use crate::secret::Secret;

/// The sign-in that another program began, to be gone on with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Adopt {
    /// For whose account.
    pub service: ServiceName,
    /// It is used once, here and now; what comes of it is ours.
    #[serde(serialize_with = "expose_one")]
    pub refresh_token: Secret,
    /// What it was granted, where the program wrote that down.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The program registered its client by itself (RFC 7591): where the server refuses it for us, we may
    /// register another.
    #[serde(default)]
    pub registered: bool,
}

/// Settings that `signbell export` wrote on another machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Merge {
    /// The file's text.
    pub settings: String,
    /// What the person decided, by kind and name: `service notes`; `*` for all others.
    #[serde(default)]
    pub choices: BTreeMap<String, Choice>,
    /// Only say what it would come to.
    #[serde(default)]
    pub dry_run: bool,
}

/// Two things of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The export's is left out.
    KeepOurs,
    /// The export's gets another name.
    AddBeside,
}

/// One name for two things, which the person has to decide on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// `account` or `service`.
    pub kind: String,
    /// The name of both.
    pub name: String,
    /// Where the export's is: an issuer or an address.
    pub theirs: String,
    /// Where ours is.
    pub ours: String,
}

/// What of an export is in force now, or would be. With conflicts nothing was done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Merged {
    /// New here.
    pub providers: Vec<ProviderName>,
    /// New here; each wants a sign-in.
    pub accounts: Vec<AccountName>,
    /// New here.
    pub services: Vec<ServiceName>,
    /// New here.
    pub tools_new: Vec<ToolName>,
    /// The same with their keys, shown this once.
    pub tools: Vec<ToolKey>,
    /// Providers whose client secret or key stayed on the other machine: an account of each.
    pub secrets_missing: Vec<AccountName>,
    /// Tools that were here already: they keep their key and what they may use.
    pub tools_kept: Vec<ToolName>,
    /// What the person has to decide first.
    pub conflicts: Vec<Conflict>,
}
