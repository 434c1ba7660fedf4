//! The control socket: how the tray, the window and the command line talk to the engine.
//!
//! A Unix socket that only the same user can open. One connection carries one [`Request`], a JSON
//! object on one line, and then any number of [`Reply`] lines, the last of which ends it
//! ([`Reply::is_last`]). While it signs in, the client may send further lines: a redirect pasted by
//! hand. A client that closes the connection of a [`Request::SignIn`] leaves the sign-in running (the
//! browser is open); closing that of [`Request::AddEphemeral`] removes what it added.

mod carried;
mod checkup;
pub mod client;
mod failure;
mod forward;
mod found;
mod reply;
mod request;
pub(crate) mod server;
mod settings;
mod step;

use serde::{Serialize, Serializer};

pub use self::carried::{Adopt, Choice, Conflict, Merge, Merged};
pub use self::checkup::{Checkup, ClockSeen, VaultSeen};
pub use self::failure::{Failure, FailureKind};
pub use self::forward::{Forwarded, Forwarding, Through};
pub use self::found::{AccountChoice, FirstCall, Found, FoundBy, Outcome, RegistrationFound, ScopeFound};
pub use self::reply::{
    Added, DeviceCode, Judged, Notice, ProviderChanged, Removed, Reply, SignedIn, SignedOut, ToolKey,
};
pub use self::request::{AddService, AddTool, Request};
pub use self::settings::{SettingKind, SettingView};
pub use self::step::Step;
pub use crate::confirm::Answer;
pub use crate::provider::Grant;
use crate::secret::Secret;

// The socket is the one place where a secret is meant to leave the process, to the same user.
fn expose<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

fn expose_one<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}
