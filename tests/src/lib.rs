//! The harness by which Signbell's end-to-end tests drive the real programs on real parts.
//!
//! A test starts from a [`Sandbox`] (its own folders and environment), adds what it needs
//! (a [`Desktop`] with tray panel, notification daemon and keyring, a [`Provider`], a
//! [`Chromium`]) and then drives `signbell` as a person would:
//!
//! ```no_run
//! use signbell_tests::{Desktop, Sandbox, Serve};
//! use std::time::Duration;
//!
//! # fn main() -> anyhow::Result<()> {
//! let sandbox = Sandbox::new("expiry")?;
//! let desktop = Desktop::start(&sandbox)?;
//! let serve = Serve::start(&sandbox)?;
//! let shown = desktop
//!     .notifications()
//!     .wait_for(|n| n.summary.contains("signed out"), Duration::from_secs(10))?;
//! desktop.notifications().invoke_label(shown.id, "Sign in")?;
//! # drop(serve); Ok(()) }
//! ```
//!
//! Rules every part keeps: ports, displays and folders are chosen free, so any number of copies
//! run side by side; every wait ends with an error naming what was awaited and what was seen
//! last; what was started is ended in `Drop`, by process id, and a watcher process ends it too
//! if the test itself is killed.

pub mod browser;
pub mod desktop;
pub mod http;
pub mod known_provider;
pub mod node;
pub mod notifications;
pub mod process;
pub mod provider;
pub mod sandbox;
pub mod saved;
pub mod serve;
pub mod tray;
pub mod upstream;
pub mod wait;
pub mod webdriver;
pub mod webview;

mod keyring;

pub use browser::{Chromium, Page, UrlCatcher};
pub use desktop::{Desktop, DesktopOptions};
pub use http::{Curl, Response};
pub use known_provider::KnownProvider;
pub use node::{NodeServer, node};
pub use notifications::{Notifications, Shown};
pub use process::{Output, Process};
pub use provider::Provider;
pub use sandbox::Sandbox;
pub use saved::Saved;
pub use serve::Serve;
pub use tray::{MenuItem, Tray};
pub use upstream::Upstream;
pub use wait::{wait_ok, wait_until, wait_until_async};
pub use webview::Webview;
