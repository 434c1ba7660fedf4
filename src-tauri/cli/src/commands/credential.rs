//! `signbell credential git`: git's credential helper (git-credential(1)). It hands out a key for our own
//! address, good for an hour, and never a token.

pub(super) mod others;

use std::io;

use signbell_engine::control::{Failure, Reply, Request, Through};
use signbell_engine::model::ToolName;
use signbell_engine::secret::Secret;
use url::Url;

use super::Context;
use signbell_engine::wording::cli as words;

/// How long the key is good for: the longest that a clone may take.
const SECONDS: u64 = 3600;

/// Answers one operation. What is not ours to answer gets no answer, so that git asks its next helper.
pub(super) async fn git(context: &Context, tool: ToolName, operation: &str) -> Result<(), Failure> {
    // `store` and `erase` tell how it went with what we gave, of which nothing is kept; others may come.
    if operation != "get" {
        return Ok(());
    }
    let asked = Asked::read(io::stdin().lock()).map_err(|e| words::input_failed("git's request", &e))?;
    let address = context.view().await?.proxy.address;
    if !asked.is_for(&address) {
        return Ok(());
    }
    let key = lend(context, &tool).await.map_err(|failure| words::no_tool_for_git(failure, &tool))?;
    context.out.text(&format!("username=signbell\npassword={}", key.expose()))
}

/// A key for as long as a clone may take.
async fn lend(context: &Context, tool: &ToolName) -> Result<Secret, Failure> {
    let request = Request::Lend { tool: tool.clone(), seconds: Some(SECONDS), forward: Through::No };
    let Reply::ToolKey(lent) = context.call(&request).await? else { return Err(words::odd_reply()) };
    lent.key.ok_or_else(words::odd_reply)
}

/// What git wants a credential for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    protocol: String,
    host: String,
}

impl Asked {
    /// `name=value` lines up to an empty one; what is unknown is passed over, as git wants it.
    fn read(input: impl io::BufRead) -> io::Result<Self> {
        let mut asked = Self::default();
        for line in input.lines() {
            let line = line?;
            if line.is_empty() {
                break;
            }
            match line.split_once('=') {
                Some(("protocol", value)) => value.clone_into(&mut asked.protocol),
                Some(("host", value)) => value.clone_into(&mut asked.host),
                _ => {}
            }
        }
        Ok(asked)
    }

    /// The same from an address.
    fn of(address: &str) -> Self {
        let (protocol, rest) = address.split_once("://").unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        Self { protocol: protocol.to_owned(), host: host.to_owned() }
    }

    /// Whether it is for the proxy: its own address, by any of the names that lead there.
    fn is_for(&self, address: &str) -> bool {
        let Ok(ours) = address.parse::<Url>() else { return false };
        let Ok(theirs) = format!("{}://{}", self.protocol, self.host).parse::<Url>() else { return false };
        let name = theirs.host_str().unwrap_or_default();
        theirs.scheme() == "http"
            && theirs.port_or_known_default() == ours.port_or_known_default()
            && (matches!(name, "127.0.0.1" | "localhost" | "[::1]") || name.ends_with(".localhost"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_for_our_own_address() {
        for (text, ours) in [
            ("protocol=http\nhost=127.0.0.1:8401\n", true),
            ("protocol=http\nhost=localhost:8401\npath=x\nwwwauth[]=Basic\n\n", true),
            ("host=github.localhost:8401\nprotocol=http\n", true),
            ("protocol=http\nhost=127.0.0.1:8402\n", false),
            ("protocol=https\nhost=127.0.0.1:8401\n", false),
            ("protocol=https\nhost=github.com\n", false),
            ("protocol=http\nhost=127.0.0.1.evil.test:8401\n", false),
            ("protocol=http\nhost=evil@127.0.0.1:8401/\n", true),
            ("", false),
            ("\nprotocol=http\nhost=127.0.0.1:8401\n", false),
        ] {
            assert_eq!(Asked::read(text.as_bytes()).unwrap().is_for("http://127.0.0.1:8401"), ours, "{text:?}");
        }
    }
}
