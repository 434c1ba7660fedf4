//! Where the browser comes back to (RFC 8252 section 7.3).

use serde::Deserialize;
use url::{Host, Url};

/// The redirect that is registered: any free port where it names none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Url")]
pub struct Redirect {
    /// How this machine is called in it.
    pub host: LoopbackHost,
    /// The one port that the server takes.
    pub port: Option<u16>,
    /// With its slash.
    pub path: String,
}

/// How this machine is called in a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopbackHost {
    /// `127.0.0.1`: nobody's resolver has a say in it (RFC 8252 section 8.3).
    Literal,
    /// `localhost`, for servers that take nothing else.
    Localhost,
}

impl LoopbackHost {
    /// As it stands in an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Literal => "127.0.0.1",
            Self::Localhost => "localhost",
        }
    }
}

impl Default for Redirect {
    fn default() -> Self {
        Self { host: LoopbackHost::Literal, port: None, path: "/callback".into() }
    }
}

impl TryFrom<Url> for Redirect {
    type Error = &'static str;

    fn try_from(url: Url) -> Result<Self, Self::Error> {
        const WRONG: &str = "a redirect is http://127.0.0.1 or http://localhost, with a path and perhaps a port";
        let host = match url.host() {
            Some(Host::Ipv4(ip)) if ip == std::net::Ipv4Addr::LOCALHOST => LoopbackHost::Literal,
            Some(Host::Domain("localhost")) => LoopbackHost::Localhost,
            _ => return Err(WRONG),
        };
        if url.scheme() != "http" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(WRONG);
        }
        Ok(Self { host, port: url.port(), path: url.path().to_owned() })
    }
}

impl std::fmt::Display for Redirect {
    /// As it is entered in a provider's console.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.host.as_str();
        match self.port {
            Some(port) => write!(f, "http://{host}:{port}{}", self.path),
            None => write!(f, "http://{host}{}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_to_this_machine() {
        for (text, good) in [
            ("http://127.0.0.1/callback", true),
            ("http://127.0.0.1:8410/callback", true),
            ("http://localhost:8410/x/y", true),
            ("http://localhost/", true),
            ("https://localhost/callback", false),
            ("http://127.0.0.2/callback", false),
            ("http://localhost.evil.test/callback", false),
            ("http://evil@127.0.0.1/callback", false),
            ("http://127.0.0.1/callback?x", false),
            ("app:/callback", false),
        ] {
            let redirect = Redirect::try_from(text.parse::<Url>().unwrap());
            assert_eq!(redirect.as_ref().map(ToString::to_string).ok(), good.then(|| text.to_owned()), "{text}");
        }
    }
}
