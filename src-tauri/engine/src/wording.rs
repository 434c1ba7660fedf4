//! Every sentence that a person reads, in one place, ready for translation.
//!
//! Each says what happened, to which account or tool, and what to do. [`failures`] answers commands,
//! [`steps`] says where on the way a sign-in failed, [`found`] what was found of a service, [`refusals`]
//! answers tools, [`servers`] says what authorization servers did, [`settings`] what can be set, [`states`] how
//! things stand, [`story`] what happened. What the desktop shows is in the person's [`language`];
//! docs/translating.md says which.

pub mod cli;
mod confirm;
pub mod connect;
pub mod demo;
mod engines;
pub mod export;
mod failures;
mod forwarding;
mod found;
pub mod import;
pub mod labels;
pub mod language;
mod permit;
mod programs;
pub mod providers;
mod refusals;
mod servers;
mod settings;
mod sign_ins;
pub mod slips;
pub mod states;
mod steps;
mod story;
pub mod tray;

pub use self::confirm::*;
pub use self::engines::*;
pub use self::failures::*;
pub use self::forwarding::*;
pub use self::found::*;
pub use self::permit::*;
pub use self::programs::*;
pub use self::providers::*;
pub use self::refusals::*;
pub use self::servers::*;
pub use self::settings::*;
pub(crate) use self::sign_ins::{NO_REDIRECT, stray_paste};
pub use self::steps::*;
pub use self::story::*;

use crate::control::{Failure, FailureKind};

pub(crate) fn failure(kind: FailureKind, code: &str, message: impl Into<String>) -> Failure {
    Failure { kind, code: code.to_owned(), message: message.into(), step: None, came: None }
}
