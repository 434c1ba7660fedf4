//! Signbell without a screen: sessions, sign-in, the vault, the proxy and the control socket.
//!
//! | module | what it holds |
//! |---|---|
//! | [`model`] | the words: account, grant, service, tool |
//! | [`secret`] | text that can't be printed |
//! | [`view`] | what the tray, the window and `status` see |
//! | [`control`] | the socket through which they speak to the engine |
//! | [`activity`] | what happened |
//! | [`confirm`] | asking once whether a program may use a service |
//! | [`permit`] | asking at the screen before programs may do more |
//! | [`connect`] | what its clients do to connect a program |
//! | [`choices`] | what can be picked instead of pasting an address |
//! | [`qr`] | an address as a picture |
//! | [`wording`] | every sentence for people |
//! | [`paths`] | where things are kept |
//!
//! Arrows point one way: `proxy, signin -> session -> vault`.

pub mod activity;
mod ask;
mod bell;
pub mod browser;
mod challenge;
pub mod checkup;
pub mod choices;
mod clock;
mod config;
pub mod confirm;
pub mod connect;
pub mod control;
mod engine;
pub mod export;
mod faults;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod model;
pub mod paths;
pub mod permit;
mod provider;
mod proxy;
pub mod qr;
pub mod rules;
pub mod secret;
mod session;
mod signin;
mod usage;
pub mod vault;
pub mod view;
pub mod wording;

pub use config::{Theme, Unit, document as config_document};
pub use provider::preset as providers;

pub use engine::{Engine, Options, StartError, VaultChoice};
