//! Why something was not done, and the exit code that it comes to.

use serde::{Deserialize, Serialize};

use super::Step;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind, which decides the command's exit code.
    pub kind: FailureKind,
    /// A stable code: `unknown_account`, `bad_config`.
    pub code: String,
    /// What happened, to what, and what to do: one or two sentences.
    pub message: String,
    /// At which step of adding or signing in, if it was at one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<Step>,
    /// What came back from whoever was asked, in a few words: `401 invalid_client`, `no answer`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub came: Option<String>,
}

/// The kinds of failure that CLI.md gives exit codes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Exit code 1.
    Failed,
    /// Exit code 2.
    Usage,
    /// Exit code 3.
    NotRunning,
    /// Exit code 10.
    SignInNeeded,
    /// Exit code 11: keyring or network.
    Unavailable,
    /// Exit code 12: by the provider.
    Refused,
    /// Exit code 13.
    NotAllowed,
}

impl FailureKind {
    /// The exit code of the command line's contract.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::SignInNeeded => 10,
            Self::Unavailable => 11,
            Self::Refused => 12,
            Self::NotAllowed => 13,
        }
    }
}
