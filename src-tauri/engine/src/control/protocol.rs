//! The version of what is spoken at the control socket.
//!
//! Each line of either side says it. New requests and new fields don't raise it: who does not know a request
//! says so, and unknown fields are passed over. It is raised where one side would take a line for something
//! that the other did not mean; then neither does anything, and the person reads which of the two is older.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::wording;

/// What this program speaks.
pub const PROTOCOL: u32 = 1;

/// A request or a reply as it goes over the socket.
#[derive(Debug, Serialize)]
pub(crate) struct Said<'a, T> {
    protocol: u32,
    #[serde(flatten)]
    what: &'a T,
}

impl<'a, T> Said<'a, T> {
    pub(crate) fn now(what: &'a T) -> Self {
        Self { protocol: PROTOCOL, what }
    }
}

/// Which side of the socket is of an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// The engine.
    Engine,
    /// Whoever speaks to it.
    Client,
}

/// Read by itself first: in another version the rest may mean something else.
#[derive(Deserialize)]
struct Version {
    /// The first version did not say it.
    #[serde(default = "first")]
    protocol: u32,
}

fn first() -> u32 {
    1
}

/// Whether a client's line can be understood. One that is no JSON is told as that by whoever reads it.
///
/// # Errors
/// [`crate::control::FailureKind::Failed`], `other_version`.
pub(crate) fn check_request(line: &[u8]) -> Result<(), Failure> {
    check(line, |theirs| if theirs == Ordering::Greater { Older::Engine } else { Older::Client })
}

/// The same of an engine's line.
///
/// # Errors
/// As [`check_request`].
pub(crate) fn check_reply(line: &[u8]) -> Result<(), Failure> {
    check(line, |theirs| if theirs == Ordering::Greater { Older::Client } else { Older::Engine })
}

fn check(line: &[u8], older: impl FnOnce(Ordering) -> Older) -> Result<(), Failure> {
    match serde_json::from_slice::<Version>(line).map(|version| version.protocol.cmp(&PROTOCOL)) {
        Ok(Ordering::Equal) | Err(_) => Ok(()),
        Ok(theirs) => Err(wording::other_version(older(theirs))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::control::{Reply, Request};

    #[test]
    fn each_side_knows_which_is_older() {
        let newer = PROTOCOL + 1;
        for (line, request, reply) in [
            (format!(r#"{{"protocol":{PROTOCOL},"do":"status"}}"#), None, None),
            (format!(r#"{{"do":"status","protocol":{newer}}}"#), Some(Older::Engine), Some(Older::Client)),
            (
                format!(r#"{{"protocol":{newer},"do":{{"of":"a form to come"}}}}"#),
                Some(Older::Engine),
                Some(Older::Client),
            ),
            (r#"{"protocol":0,"do":"status"}"#.to_owned(), Some(Older::Client), Some(Older::Engine)),
            // Before it was said, it was the first.
            (r#"{"do":"status"}"#.to_owned(), None, None),
            ("no JSON".to_owned(), None, None),
        ] {
            let told = |older: Option<Older>| older.map_or(Ok(()), |older| Err(wording::other_version(older)));
            assert_eq!(check_request(line.as_bytes()), told(request), "{line}");
            assert_eq!(check_reply(line.as_bytes()), told(reply), "{line}");
        }
    }

    #[test]
    fn what_is_said_is_read_again() {
        let account = "ada".parse().unwrap();
        for request in [Request::Status, Request::Forward { on: Some(true) }, Request::Refresh { account }] {
            let line = serde_json::to_string(&Said::now(&request)).unwrap();
            assert!(line.starts_with("{\"protocol\":1,\"do\":"), "{line}");
            let again: Request = serde_json::from_str(&line).unwrap();
            assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&request).unwrap());
        }
        for reply in [Reply::Done, Reply::View(Box::default()), Reply::Failed(wording::not_running())] {
            let line = serde_json::to_string(&Said::now(&reply)).unwrap();
            let again: Reply = serde_json::from_str(&line).unwrap();
            assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&reply).unwrap());
        }
    }
}
