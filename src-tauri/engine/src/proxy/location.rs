//! Rewrites the addresses in `Location` (RFC 9110 section 10.2.2) and `Link` (RFC 8288 section 3)
//! response fields.
//!
//! All services share one origin here. A relative reference that an upstream sends would be
//! resolved by the tool against us, so one service could steer a tool, and the key that it sends,
//! to another. So each reference is resolved against the upstream's own address first and leaves
//! here absolute: below the service's base as the address that the tool used, elsewhere as what it
//! is.

use http::HeaderValue;
use url::{Host, Url};

/// Why an upstream's address isn't passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// It is no URI reference, or no list of links.
    #[error("the upstream sent an address that can't be understood")]
    Unparsable,
    /// It leads to ourselves, where the upstream has no business.
    #[error("the upstream sent an address of ours")]
    PointsAtUs,
}

/// The addresses of one exchange.
///
/// There is no `Debug`, since `tool_base` may have the tool's key in it.
#[derive(Clone, Copy)]
pub struct Addresses<'a> {
    /// The URL of the request as it was sent to the upstream.
    pub request: &'a Url,
    /// The base URL of the service.
    pub base: &'a Url,
    /// The base's address as the tool used it: `http://127.0.0.1:8401/<service>`, with the host and
    /// the key prefix that it came with. A slash at its end doesn't count.
    pub tool_base: &'a str,
    /// The port that we listen on.
    pub own_port: u16,
}

impl Addresses<'_> {
    /// The value for the tool's `Location`: an absolute URL.
    ///
    /// # Errors
    ///
    /// See [`LocationError`]; both are a 502.
    pub fn location(&self, value: &HeaderValue) -> Result<HeaderValue, LocationError> {
        let mut rewritten = Vec::new();
        self.rewrite(value.as_bytes(), &mut rewritten)?;
        to_value(&rewritten)
    }

    /// The value for the tool's `Link`: the target of each link is an absolute URL, everything else
    /// is as it was.
    ///
    /// # Errors
    ///
    /// See [`LocationError`]. An unparsable `Link` may as well be left out: the response makes
    /// sense without it.
    pub fn link(&self, value: &HeaderValue) -> Result<HeaderValue, LocationError> {
        let mut rest = value.as_bytes();
        let mut rewritten = Vec::with_capacity(rest.len());
        loop {
            // RFC 9110 section 5.6.1: a list may have empty elements.
            let start = rest.iter().position(|byte| !b" \t,".contains(byte));
            let (between, link) = rest.split_at(start.unwrap_or(rest.len()));
            rewritten.extend_from_slice(between);
            let target = match link {
                [] => return to_value(&rewritten),
                [b'<', target @ ..] => target,
                _ => return Err(LocationError::Unparsable),
            };
            let end = target.iter().position(|&byte| byte == b'>');
            let (target, behind) = target.split_at(end.ok_or(LocationError::Unparsable)?);
            rewritten.push(b'<');
            self.rewrite(target, &mut rewritten)?;
            let (parameters, behind) = behind.split_at(link_end(behind)?);
            rewritten.extend_from_slice(parameters);
            rest = behind;
        }
    }

    fn rewrite(&self, reference: &[u8], rewritten: &mut Vec<u8>) -> Result<(), LocationError> {
        let reference = str::from_utf8(reference).map_err(|_| LocationError::Unparsable)?;
        let resolved = self.request.join(reference).map_err(|_| LocationError::Unparsable)?;
        if is_ours(&resolved, self.own_port) {
            return Err(LocationError::PointsAtUs);
        }
        match self.below_base(&resolved) {
            Some(path) => {
                rewritten.extend_from_slice(self.tool_base.trim_end_matches('/').as_bytes());
                rewritten.extend_from_slice(path.as_bytes());
                let mut append = |sign, part: Option<&str>| {
                    if let Some(part) = part {
                        rewritten.push(sign);
                        rewritten.extend_from_slice(part.as_bytes());
                    }
                };
                append(b'?', resolved.query());
                append(b'#', resolved.fragment());
            }
            None => rewritten.extend_from_slice(resolved.as_str().as_bytes()),
        }
        Ok(())
    }

    /// The path behind the base's: empty, or beginning with a slash.
    fn below_base<'u>(&self, url: &'u Url) -> Option<&'u str> {
        let same_origin = url.scheme() == self.base.scheme()
            && url.host() == self.base.host()
            && url.port_or_known_default() == self.base.port_or_known_default();
        let path = url.path().strip_prefix(self.base.path().trim_end_matches('/'))?;
        (same_origin && (path.is_empty() || path.starts_with('/'))).then_some(path)
    }
}

/// Whether a connection to this address would reach our listener. The port decides whatever the
/// scheme, since the tool might change that.
pub(super) fn is_ours(url: &Url, own_port: u16) -> bool {
    if url.port_or_known_default() != Some(own_port) {
        return false;
    }
    match url.host() {
        // An unspecified address as a destination is this machine.
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => match ip.to_ipv4_mapped() {
            Some(ip) => ip.is_loopback() || ip.is_unspecified(),
            None => ip.is_loopback() || ip.is_unspecified(),
        },
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            // RFC 6761 section 6.3: every name below localhost is loopback.
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

/// Where the parameters of a link end: at a comma outside quoted strings, or at the end.
fn link_end(parameters: &[u8]) -> Result<usize, LocationError> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in parameters.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Ok(at),
            // A second link without a comma: what it belongs to would be a guess.
            b'<' if !quoted => return Err(LocationError::Unparsable),
            _ => {}
        }
    }
    match quoted {
        true => Err(LocationError::Unparsable),
        false => Ok(parameters.len()),
    }
}

fn to_value(bytes: &[u8]) -> Result<HeaderValue, LocationError> {
    HeaderValue::from_bytes(bytes).map_err(|_| LocationError::Unparsable)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::LocationError::*;
    use super::*;

    const TOOL: &str = "http://127.0.0.1:8401/k/KEY/svc";

    fn run(
        base: &str,
        request: &str,
        rewrite: impl Fn(&Addresses<'_>) -> Result<HeaderValue, LocationError>,
    ) -> Result<String, LocationError> {
        let addresses = Addresses {
            request: &Url::parse(request).unwrap(),
            base: &Url::parse(base).unwrap(),
            tool_base: TOOL,
            own_port: 8401,
        };
        let value = rewrite(&addresses)?;
        Ok(String::from_utf8(value.as_bytes().to_vec()).unwrap())
    }

    fn location(base: &str, value: &str) -> Result<String, LocationError> {
        let request = "https://api.test/v1/items?page=1";
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        run(base, request, |addresses| addresses.location(&value))
    }

    fn link(value: &[u8]) -> Result<Vec<u8>, LocationError> {
        let value = HeaderValue::from_bytes(value).unwrap();
        let addresses = Addresses {
            request: &Url::parse("https://api.test/v1/items").unwrap(),
            base: &Url::parse("https://api.test/v1").unwrap(),
            tool_base: TOOL,
            own_port: 8401,
        };
        Ok(addresses.link(&value)?.as_bytes().to_vec())
    }

    #[test]
    fn e1_inside_the_base_is_the_tools_address() {
        for (value, path) in [
            ("https://api.test/v1/x", "/x"),
            ("https://api.test:443/v1/x", "/x"),
            ("HTTPS://API.test/v1/x", "/x"),
            ("https://user:pw@api.test/v1/x", "/x"),
            ("//api.test/v1/x", "/x"),
            ("\\\\api.test\\v1\\x", "/x"),
            ("/v1/x?a=b#c", "/x?a=b#c"),
            ("/v1", ""),
            ("/v1/", "/"),
            ("/v1?q", "?q"),
            ("/v1#f", "#f"),
            ("/v1/x?", "/x?"),
            ("other", "/other"),
            ("./other", "/other"),
            ("?page=2", "/items?page=2"),
            ("#there", "/items?page=1#there"),
            ("", "/items?page=1"),
            (" /v1/x ", "/x"),
            ("/a/../v1/x", "/x"),
            ("/v2/%2e%2e/v1/x", "/x"),
            ("https:/v1/x", "/x"),
            ("https:other", "/other"),
            ("/v1/group%2Fproject", "/group%2Fproject"),
            ("/v1/ü", "/%C3%BC"),
            ("/v1//x", "//x"),
        ] {
            for base in ["https://api.test/v1", "https://api.test/v1/"] {
                let expected = format!("{TOOL}{path}");
                assert_eq!(location(base, value), Ok(expected), "{value:?} {base}");
            }
        }
        assert_eq!(location("https://api.test", "/anything"), Ok(format!("{TOOL}/anything")));
        assert_eq!(location("https://api.test/", "/"), Ok(format!("{TOOL}/")));
    }

    #[test]
    fn e1_elsewhere_is_absolute() {
        for (value, expected) in [
            ("/v2/x", "https://api.test/v2/x"),
            ("/v10/x", "https://api.test/v10/x"),
            ("/other-service/x", "https://api.test/other-service/x"),
            ("/v1/../x", "https://api.test/x"),
            ("/v1/%2E%2E/x", "https://api.test/x"),
            ("../../x", "https://api.test/x"),
            ("/", "https://api.test/"),
            ("//evil.test/v1/x", "https://evil.test/v1/x"),
            ("/\\evil.test", "https://evil.test/"),
            ("http://api.test/v1/x", "http://api.test/v1/x"),
            ("https://api.test:8443/v1/x", "https://api.test:8443/v1/x"),
            ("https://api.test./v1/x", "https://api.test./v1/x"),
            ("https://api.test@evil.test/v1", "https://api.test@evil.test/v1"),
            ("https://login.test/?next=http://127.0.0.1:8401/", "https://login.test/?next=http://127.0.0.1:8401/"),
            ("http://127.0.0.1:9999/cb?code=1", "http://127.0.0.1:9999/cb?code=1"),
            ("http://localhost/x", "http://localhost/x"),
            ("http://10.0.0.1:8401/x", "http://10.0.0.1:8401/x"),
            ("http://localhost.test:8401/x", "http://localhost.test:8401/x"),
            ("myapp://callback?code=1", "myapp://callback?code=1"),
            ("mailto:a@b.test", "mailto:a@b.test"),
        ] {
            assert_eq!(location("https://api.test/v1", value).as_deref(), Ok(expected), "{value:?}");
        }
    }

    #[test]
    fn e1_pointing_at_us() {
        for value in [
            "http://127.0.0.1:8401/other/x",
            "http://127.0.0.1:8401",
            "https://127.0.0.1:8401/",
            "ws://127.0.0.1:8401/",
            "//127.0.0.1:8401/other",
            "http://localhost:8401/other",
            "http://LOCALHOST:8401/other",
            "http://localhost.:8401/other",
            "http://other.localhost:8401/x",
            "http://[::1]:8401/other",
            "http://[0:0:0:0:0:0:0:1]:8401/",
            "http://[::ffff:127.0.0.1]:8401/",
            "http://[::ffff:7f00:1]:8401/",
            "http://[::]:8401/",
            "http://127.1:8401/",
            "http://2130706433:8401/",
            "http://0x7f000001:8401/",
            "http://0177.0.0.1:8401/",
            "http://127.0.0.2:8401/",
            "http://0.0.0.0:8401/",
            "http://0:8401/",
            "http://%31%32%37.0.0.1:8401/",
            "http://127。0。0。1:8401/",
            "http://user@127.0.0.1:8401/",
            "http:\\\\127.0.0.1:8401\\other",
            "ht\ttp://127.0.0.1:08401/",
        ] {
            assert_eq!(location("https://api.test/v1", value), Err(PointsAtUs), "{value}");
        }
    }

    #[test]
    fn a_port_that_goes_without_saying_is_ours_too() {
        let addresses = Addresses {
            request: &Url::parse("https://api.test/").unwrap(),
            base: &Url::parse("https://api.test/").unwrap(),
            tool_base: "http://127.0.0.1/svc",
            own_port: 80,
        };
        let value = HeaderValue::from_static("http://localhost/other");
        assert_eq!(addresses.location(&value), Err(PointsAtUs));
    }

    #[test]
    fn unparsable_locations() {
        for value in [
            "http://",
            "///evil.test/v1",
            "http://[::1/x",
            "http://a b/",
            "https://api.test:99999/",
            "http://exa<mple/",
        ] {
            assert_eq!(location("https://api.test/v1", value), Err(Unparsable), "{value}");
        }
        let value = HeaderValue::from_bytes(b"/v1/\xff").unwrap();
        let outcome = run("https://api.test/v1", "https://api.test/v1", |addresses| addresses.location(&value));
        assert_eq!(outcome, Err(Unparsable));
    }

    #[test]
    fn links() {
        for (value, expected) in [
            ("", ""),
            (",", ","),
            ("</v1/x>", "<T/x>"),
            ("<>; rel=self", "<T/items>; rel=self"),
            (
                "<https://api.test/v1/items?page=2>; rel=\"next\", <?page=9>; rel=\"last\"",
                "<T/items?page=2>; rel=\"next\", <T/items?page=9>; rel=\"last\"",
            ),
            ("</v2/x>;rel=next,</v1/y>;rel=prev", "<https://api.test/v2/x>;rel=next,<T/y>;rel=prev"),
            // A comma in the target, and every trap in quoted strings.
            ("</v1/a,b>; rel=x", "<T/a,b>; rel=x"),
            (
                "</v1/a>; title=\"x, </v2/evil>; y\" ; rel=z,  </v1/b>",
                "<T/a>; title=\"x, </v2/evil>; y\" ; rel=z,  <T/b>",
            ),
            ("</v1/a>; title=\"\\\", </v1/no>\", </v1/b>", "<T/a>; title=\"\\\", </v1/no>\", <T/b>"),
            ("</v1/a>; title=\"\\\\\", </v1/b>", "<T/a>; title=\"\\\\\", <T/b>"),
            ("</v1/a>;title*=UTF-8''%e2%82%ac;anchor=\"/x\"", "<T/a>;title*=UTF-8''%e2%82%ac;anchor=\"/x\""),
            (" , </v1/a> , ,</v1/b>,", " , <T/a> , ,<T/b>,"),
            ("<//evil.test/v1>; rel=next", "<https://evil.test/v1>; rel=next"),
        ] {
            let expected = expected.replace("<T", &format!("<{TOOL}"));
            let outcome = link(value.as_bytes()).map(|value| String::from_utf8(value).unwrap());
            assert_eq!(outcome, Ok(expected), "{value}");
        }
        // Bytes outside ASCII in a parameter stay what they are.
        let expected = [b"<", TOOL.as_bytes(), b"/a>; title=\"\xff\""].concat();
        assert_eq!(link(b"</v1/a>; title=\"\xff\""), Ok(expected));
    }

    #[test]
    fn bad_links() {
        for (value, error) in [
            ("/v1/x; rel=next", Unparsable),
            ("</v1/x", Unparsable),
            ("</v1/x>; title=\"open", Unparsable),
            ("</v1/x>; title=\"open\\\"", Unparsable),
            ("</v1/x> </v1/y>", Unparsable),
            ("x</v1/x>", Unparsable),
            ("<http://[>", Unparsable),
            ("</v1/x>, <http://localhost:8401/other>", PointsAtUs),
        ] {
            assert_eq!(link(value.as_bytes()), Err(error), "{value}");
        }
    }
}
