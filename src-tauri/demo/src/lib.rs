//! Signbell's demo: a provider, an API and a story, all on this machine.
//!
//! Clearly no part of the secure path: nothing in the engine knows this crate. It speaks to the
//! engine only as any client does, through the control socket and the proxy.
//!
//! | module | what it holds |
//! |---|---|
//! | [`provider`] | an OAuth authorization server whose sessions can be ended at will |
//! | [`api`] | an API that takes that provider's tokens |
//! | [`story`] | the whole story in a minute |
//! | [`hosted`] | the demo account without the story, for the window's "Try it" |
//! | [`follow`] | the demo's page without a browser |

pub mod api;
pub mod follow;
pub mod hosted;
mod http;
pub mod provider;
mod stage;
pub mod story;

pub use hosted::{Demo, start};
pub use provider::Provider;
pub use story::{Step, run};

#[cfg(test)]
mod fake_engine;
