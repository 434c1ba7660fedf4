//! Every sentence that a person reads, in one place, ready for translation.
//!
//! Each says what happened, to which account or tool, and what to do. [`failures`] answers commands,
//! [`refusals`] answers tools, [`story`] tells what happened and how things stand, [`servers`] what authorization
//! servers did.

pub mod cli;
pub mod demo;
mod failures;
pub mod labels;
pub mod providers;
mod refusals;
mod servers;
mod story;
pub mod tray;

pub use self::failures::*;
pub use self::providers::*;
pub use self::refusals::*;
pub use self::servers::*;
pub use self::story::*;

use crate::control::{Failure, FailureKind};

pub(crate) fn failure(kind: FailureKind, code: &str, message: impl Into<String>) -> Failure {
    Failure { kind, code: code.to_owned(), message: message.into() }
}
