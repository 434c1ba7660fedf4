//! Takes a request target apart, and puts the upstream's address together.
//!
//! The target names a service and a place below that service's base URL; it never chooses the
//! upstream. Everything that could leave the base by way of path normalisation, here or at the
//! upstream, is refused; everything else goes through unchanged, since some APIs tell `%2F` from
//! `/`.

use std::borrow::Cow;
use std::fmt;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use url::Url;

/// The longest service name.
pub const SERVICE_NAME_LIMIT: usize = 40;

/// Why a request target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Absolute-form, authority-form or asterisk-form (RFC 9112 section 3.2).
    #[error("the request target is not a path")]
    NotOriginForm,
    /// `/`, or `/k/<key>/`, with nothing behind it.
    #[error("the request target names no service")]
    NoService,
    /// The first segment can't be a service's name.
    #[error("the first path segment is not a service name")]
    ServiceName,
    /// The key of `/k/<key>/…` can't be a key.
    #[error("the key in the path is malformed")]
    Key,
    /// An empty first segment: `//host` is a network-path reference (RFC 3986 section 4.2).
    #[error("the path begins with two slashes")]
    NetworkPath,
    /// `.` or `..`, plain, encoded (however often) or with parameters (RFC 3986 section 3.3).
    #[error("the path has a dot segment")]
    DotSegment,
    /// A backslash, which many parsers take for a slash.
    #[error("the path has a backslash")]
    Backslash,
    /// A character outside printable ASCII, or `#` (RFC 3986 section 2).
    #[error("the request target has a character that must be encoded")]
    Character,
    /// A `%` without two hexadecimal digits (RFC 3986 section 2.1).
    #[error("the path has a malformed percent-encoding")]
    PercentEncoding,
    /// What is put together isn't an address that HTTP can carry, for instance over 64 KiB.
    #[error("the upstream address is not usable")]
    Unusable,
}

/// What an origin-form request target (RFC 9112 section 3.2.1) asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `/<service>/rest`, or `/k/<key>/<service>/rest`.
    Service {
        /// The tool's key, if it came in the path.
        key: Option<PathKey<'a>>,
        /// A well-formed name; whether there is such a service isn't known here.
        service: &'a str,
        /// What goes below the service's base.
        rest: Rest<'a>,
    },
    /// A name that no service can have.
    Reserved(Reserved),
}

/// The names that no service can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// `/.well-known/…` (RFC 8615)
    WellKnown,
    /// `/register` (RFC 7591)
    Register,
    /// `/authorize` (RFC 6749 section 3.1)
    Authorize,
    /// `/token` (RFC 6749 section 3.2)
    Token,
    /// `/k`, without a key behind it
    Key,
}

impl Reserved {
    /// The reserved name that a path segment is, if it is one.
    #[must_use]
    pub fn of(segment: &str) -> Option<Self> {
        match segment {
            ".well-known" => Some(Self::WellKnown),
            "register" => Some(Self::Register),
            "authorize" => Some(Self::Authorize),
            "token" => Some(Self::Token),
            "k" => Some(Self::Key),
            _ => None,
        }
    }
}

/// A tool's key that came in the path. It is shown nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PathKey<'a>(&'a str);

impl<'a> PathKey<'a> {
    /// The key itself, to be compared in constant time.
    #[must_use]
    pub fn expose(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for PathKey<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PathKey(redacted)")
    }
}

/// A path and query below a service's base: empty, or beginning with `/` or `?`. There is none that
/// wasn't checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Checks a path and query, as it stands behind the service's name. Where the service is named
    /// by the host (`<service>.localhost`), this is the whole request target.
    ///
    /// # Errors
    ///
    /// Each [`TargetError`] that concerns a path.
    pub fn parse(rest: &'a str) -> Result<Self, TargetError> {
        let (path, query) = rest.find('?').map_or((rest, ""), |question| rest.split_at(question));
        match path.as_bytes() {
            [] => {}
            [b'/', b'/', ..] => return Err(TargetError::NetworkPath),
            [b'/', ..] => {}
            _ => return Err(TargetError::NotOriginForm),
        }
        if path.contains('\\') {
            return Err(TargetError::Backslash);
        }
        if !path.bytes().all(is_path_byte) || !query.bytes().all(is_query_byte) {
            return Err(TargetError::Character);
        }
        path.split('/').try_for_each(check_segment)?;
        Ok(Self(rest))
    }

    /// The path and query, unchanged.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// Takes the target of a request apart.
///
/// # Errors
///
/// See [`TargetError`].
pub fn of_request(uri: &Uri) -> Result<Target<'_>, TargetError> {
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err(TargetError::NotOriginForm);
    }
    parse(uri.path_and_query().map_or("", PathAndQuery::as_str))
}

/// Takes a request target, as it was sent, apart.
///
/// # Errors
///
/// See [`TargetError`].
pub fn parse(target: &str) -> Result<Target<'_>, TargetError> {
    // The whole target is checked, so that no part of it escapes.
    if target.is_empty() || target.starts_with('?') {
        return Err(TargetError::NotOriginForm);
    }
    Rest::parse(target)?;
    match first_segment(target) {
        ("k", behind) if behind.starts_with('/') => {
            let (key, behind) = first_segment(behind);
            if key.is_empty() && behind.is_empty() {
                return Ok(Target::Reserved(Reserved::Key));
            }
            if key.is_empty() || !key.bytes().all(is_key_byte) {
                return Err(TargetError::Key);
            }
            named(Some(PathKey(key)), behind)
        }
        _ => named(None, target),
    }
}

fn named<'a>(key: Option<PathKey<'a>>, target: &'a str) -> Result<Target<'a>, TargetError> {
    let (service, rest) = first_segment(target);
    if service.is_empty() {
        return Err(TargetError::NoService);
    }
    if let Some(reserved) = Reserved::of(service) {
        return Ok(Target::Reserved(reserved));
    }
    if !is_service_name(service) {
        return Err(TargetError::ServiceName);
    }
    let rest = Rest::parse(rest)?;
    Ok(Target::Service { key, service, rest })
}

/// The first segment without its slash, and what is behind it.
fn first_segment(target: &str) -> (&str, &str) {
    let path = target.strip_prefix('/').unwrap_or(target);
    let end = path.find(['/', '?']).unwrap_or(path.len());
    path.split_at(end)
}

/// Puts a checked path and query below a service's base URL.
///
/// Scheme, host and port are the base's, and the path begins with the base's; user information,
/// query and fragment of the base don't count. Without a path in `rest` the base itself is meant,
/// exactly as it was configured.
///
/// # Errors
///
/// [`TargetError::Unusable`] if the outcome is too long, or the base has no host.
pub fn join(base: &Url, rest: Rest<'_>) -> Result<Uri, TargetError> {
    let unusable = |_| TargetError::Unusable;
    let host = base.host_str().ok_or(TargetError::Unusable)?;
    let authority = match base.port() {
        Some(port) => Authority::try_from(format!("{host}:{port}")),
        None => Authority::try_from(host),
    };
    let path = match rest.as_str() {
        rest if rest.starts_with('/') => format!("{}{rest}", base.path().trim_end_matches('/')),
        rest => format!("{}{rest}", base.path()),
    };
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::try_from(base.scheme()).map_err(unusable)?);
    parts.authority = Some(authority.map_err(unusable)?);
    parts.path_and_query = Some(PathAndQuery::try_from(path).map_err(unusable)?);
    Uri::from_parts(parts).map_err(|_| TargetError::Unusable)
}

/// Whether a service may be called so: `[a-z0-9-]{1,40}`, and no reserved name.
#[must_use]
pub fn is_service_name(name: &str) -> bool {
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=SERVICE_NAME_LIMIT).contains(&name.len()) && name.bytes().all(allowed) && Reserved::of(name).is_none()
}

/// Printable ASCII without the fragment's sign and what [`Uri`] can't hold. Whether brackets or
/// braces should have been encoded is left to the upstream.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"#<>`".contains(&byte)
}

/// As [`is_path_byte`], where the query is concerned.
fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"#<\"".contains(&byte)
}

/// `unreserved` (RFC 3986 section 2.3).
fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Refuses a segment that is a dot segment to anyone: after any number of decodings (some servers
/// decode twice), with what is then a slash or backslash as a separator, and with parameters
/// (`..;x`, which servlet containers cut off first).
fn check_segment(segment: &str) -> Result<(), TargetError> {
    let mut decoded = Cow::Borrowed(segment.as_bytes());
    loop {
        if has_dot_segment(&decoded) {
            return Err(TargetError::DotSegment);
        }
        if !decoded.contains(&b'%') {
            return Ok(());
        }
        let (next, malformed) = decode(&decoded);
        let as_sent = matches!(decoded, Cow::Borrowed(_));
        if malformed && as_sent {
            return Err(TargetError::PercentEncoding);
        }
        if next.len() == decoded.len() {
            return Ok(());
        }
        decoded = Cow::Owned(next);
    }
}

fn has_dot_segment(path: &[u8]) -> bool {
    path.split(|byte| matches!(byte, b'/' | b'\\'))
        .filter_map(|segment| segment.split(|byte| *byte == b';').next())
        .any(|name| matches!(name, b"." | b".."))
}

/// Percent-decodes once, and says whether there was a `%` that doesn't encode anything.
fn decode(bytes: &[u8]) -> (Vec<u8>, bool) {
    let hex = |digit: u8| char::from(digit).to_digit(16);
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut malformed = false;
    let mut rest = bytes;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        if *byte == b'%' {
            if let [high, low, behind @ ..] = behind
                && let (Some(high), Some(low)) = (hex(*high), hex(*low))
            {
                decoded.push((high * 16 + low) as u8);
                rest = behind;
                continue;
            }
            malformed = true;
        }
        decoded.push(*byte);
    }
    (decoded, malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn service_and_rest() {
        for (target, key, service, rest) in [
            ("/linear", None, "linear", ""),
            ("/linear/", None, "linear", "/"),
            ("/linear?a=b", None, "linear", "?a=b"),
            ("/linear/?a=b", None, "linear", "/?a=b"),
            ("/linear/mcp", None, "linear", "/mcp"),
            ("/linear/a/b/", None, "linear", "/a/b/"),
            ("/linear/a//b", None, "linear", "/a//b"),
            ("/linear/a?q=/../b&c=//d", None, "linear", "/a?q=/../b&c=//d"),
            ("/linear/a?q=%2e%2e\\%zz", None, "linear", "/a?q=%2e%2e\\%zz"),
            ("/linear/a??", None, "linear", "/a??"),
            ("/git-hub-2/x", None, "git-hub-2", "/x"),
            ("/gl/projects/group%2Fproject/issues", None, "gl", "/projects/group%2Fproject/issues"),
            ("/gl/a%5cb", None, "gl", "/a%5cb"),
            ("/gl/a%252Fb", None, "gl", "/a%252Fb"),
            ("/gl/%ff%00", None, "gl", "/%ff%00"),
            ("/gl/100%25", None, "gl", "/100%25"),
            ("/gl/v1.0/...", None, "gl", "/v1.0/..."),
            ("/gl/.hidden/x..y/a.", None, "gl", "/.hidden/x..y/a."),
            ("/gl/k/token/register", None, "gl", "/k/token/register"),
            ("/gl/.well-known/x", None, "gl", "/.well-known/x"),
            ("/gl/users/a@b:c;d=e", None, "gl", "/users/a@b:c;d=e"),
            ("/gl/http://evil", None, "gl", "/http://evil"),
            ("/k/sb_Key-1~2.3/gl/x?y", Some("sb_Key-1~2.3"), "gl", "/x?y"),
            ("/k/abc/gl", Some("abc"), "gl", ""),
            ("/k/k/gl/x", Some("k"), "gl", "/x"),
            ("/k/token/gl", Some("token"), "gl", ""),
            ("/kk/gl", None, "kk", "/gl"),
        ] {
            let expected = Target::Service { key: key.map(PathKey), service, rest: Rest(rest) };
            assert_eq!(parse(target), Ok(expected), "{target}");
        }
        let longest = format!("/{}", "a".repeat(40));
        assert!(matches!(parse(&longest), Ok(Target::Service { .. })));
    }

    #[test]
    fn reserved_names() {
        for (target, reserved) in [
            ("/.well-known/oauth-protected-resource", Reserved::WellKnown),
            ("/.well-known/oauth-protected-resource/k/KEY/gl/mcp", Reserved::WellKnown),
            ("/.well-known", Reserved::WellKnown),
            ("/register", Reserved::Register),
            ("/authorize?client_id=x", Reserved::Authorize),
            ("/token/", Reserved::Token),
            ("/k", Reserved::Key),
            ("/k/", Reserved::Key),
            ("/k?x", Reserved::Key),
            ("/k/abc/register", Reserved::Register),
            ("/k/abc/.well-known/x", Reserved::WellKnown),
            ("/k/abc/k/abc", Reserved::Key),
        ] {
            assert_eq!(parse(target), Ok(Target::Reserved(reserved)), "{target}");
        }
    }

    #[test]
    fn i13_the_request_never_chooses_the_upstream() {
        use TargetError::*;
        for (target, error) in [
            ("", NotOriginForm),
            ("*", NotOriginForm),
            ("?x", NotOriginForm),
            ("http://evil.test/gl/x", NotOriginForm),
            ("https://127.0.0.1:8401/gl/x", NotOriginForm),
            ("evil.test:443", NotOriginForm),
            ("gl/x", NotOriginForm),
            ("/", NoService),
            ("/?x", NoService),
            ("/k/abc", NoService),
            ("/k/abc/", NoService),
            ("//evil.test/x", NetworkPath),
            ("///gl/x", NetworkPath),
            ("/\\evil.test/x", Backslash),
            ("/gl\\x", Backslash),
            ("/gl/a\\..\\b", Backslash),
            ("/gl//evil.test/x", NetworkPath),
            ("/k//gl/x", Key),
            ("/k/abc//gl", NoService),
            ("/k/a%20b/gl/x", Key),
            ("/k/a:b/gl/x", Key),
            ("/gl/..", DotSegment),
            ("/gl/.", DotSegment),
            ("/gl/../x", DotSegment),
            ("/gl/./x", DotSegment),
            ("/../x", DotSegment),
            ("/gl/a/../../x", DotSegment),
            ("/gl/..?q", DotSegment),
            ("/gl/%2e%2e/x", DotSegment),
            ("/gl/%2E%2e/x", DotSegment),
            ("/gl/.%2e/x", DotSegment),
            ("/gl/%2e./x", DotSegment),
            ("/gl/%2e/x", DotSegment),
            ("/gl/x/%2E%2E", DotSegment),
            ("/gl/..%2fx", DotSegment),
            ("/gl/a%2f..", DotSegment),
            ("/gl/a%2F%2e%2E%2fb", DotSegment),
            ("/gl/a%5c..%5Cb", DotSegment),
            ("/gl/%252e%252e/x", DotSegment),
            ("/gl/%25252e./x", DotSegment),
            ("/gl/a%252f..%252fb", DotSegment),
            ("/gl/..;/x", DotSegment),
            ("/gl/..;a=b/x", DotSegment),
            ("/gl/%2e%2e%3bx/y", DotSegment),
            ("/k/../gl/x", DotSegment),
            ("/k/abc/../gl/x", DotSegment),
            ("/gl/%", PercentEncoding),
            ("/gl/%2", PercentEncoding),
            ("/gl/%zz", PercentEncoding),
            ("/gl/%%32%65", PercentEncoding),
            ("/gl/a b", Character),
            ("/gl/a\tb", Character),
            ("/gl/a\0b", Character),
            ("/gl/a\r\nb", Character),
            ("/gl/a\x7fb", Character),
            ("/gl/ä", Character),
            ("/gl/x?ä", Character),
            ("/gl/x?a b", Character),
            ("/gl/x#y", Character),
            ("/gl/x`y", Character),
            ("/gl/<x>", Character),
            ("/gl/x?<y", Character),
            ("/Linear/x", ServiceName),
            ("/li_near/x", ServiceName),
            ("/%6cinear/x", ServiceName),
            ("/linear.app/x", ServiceName),
            ("/linear:443/x", ServiceName),
            ("/user@linear/x", ServiceName),
            ("/linear%2fx", ServiceName),
            ("/k/abc/Linear", ServiceName),
        ] {
            assert_eq!(parse(target), Err(error), "{target:?}");
        }
        let longer = format!("/{}", "a".repeat(41));
        assert_eq!(parse(&longer), Err(ServiceName));
    }

    #[test]
    fn only_origin_form_uris() {
        for (uri, good) in [
            ("/gl/x?y", true),
            ("http://evil.test/gl/x", false),
            ("evil.test:443", false),
            ("*", false),
            ("//evil.test/gl", false),
        ] {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(of_request(&uri).is_ok(), good, "{uri}");
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let shown = format!("{:?}", parse("/k/secret-key/gl/x").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("redacted"), "{shown}");
    }

    #[test]
    fn joined_below_the_base() {
        for (base, rest, expected) in [
            ("https://api.test", "", "https://api.test/"),
            ("https://api.test", "/", "https://api.test/"),
            ("https://api.test", "/x", "https://api.test/x"),
            ("https://api.test/", "?q", "https://api.test/?q"),
            ("https://api.test/v1", "", "https://api.test/v1"),
            ("https://api.test/v1", "/", "https://api.test/v1/"),
            ("https://api.test/v1", "?q=1", "https://api.test/v1?q=1"),
            ("https://api.test/v1", "/x?q", "https://api.test/v1/x?q"),
            ("https://api.test/v1/", "", "https://api.test/v1/"),
            ("https://api.test/v1/", "/", "https://api.test/v1/"),
            ("https://api.test/v1/", "/x", "https://api.test/v1/x"),
            ("https://api.test/v1/", "?q", "https://api.test/v1/?q"),
            ("https://api.test/v1//", "/x", "https://api.test/v1/x"),
            ("https://api.test:8443/v1", "/x", "https://api.test:8443/v1/x"),
            ("https://api.test:443/v1", "/x", "https://api.test/v1/x"),
            ("http://[::1]:80/v1", "/x", "http://[::1]/v1/x"),
            ("http://127.0.0.1:9/v1", "/x", "http://127.0.0.1:9/v1/x"),
            ("https://u:p@api.test/v1", "/x", "https://api.test/v1/x"),
            ("https://api.test/v1?a#b", "/x", "https://api.test/v1/x"),
            ("https://api.test/v4", "/projects/a%2Fb?c=%2F", "https://api.test/v4/projects/a%2Fb?c=%2F"),
        ] {
            let joined = join(&Url::parse(base).unwrap(), Rest::parse(rest).unwrap()).unwrap();
            assert_eq!(joined, expected, "{base} {rest}");
            assert_eq!(joined.to_string(), expected, "{base} {rest}");
        }
        let long = format!("/{}", "a".repeat(70_000));
        assert_eq!(
            join(&Url::parse("https://api.test/").unwrap(), Rest::parse(&long).unwrap()),
            Err(TargetError::Unusable)
        );
    }

    /// Whatever is accepted stays below the base, for us and for a parser that normalises.
    #[test]
    fn nothing_leaves_the_base() {
        let pieces = [
            "/",
            "/",
            "/",
            "//",
            ".",
            "..",
            "%2e",
            "%2E",
            "%252e",
            "%2f",
            "%5c",
            "\\",
            ";",
            "a",
            "b.c",
            "%",
            "%00",
            "?",
            "#",
            "@",
            ":",
            "evil.test",
            "http:",
            " ",
            "ü",
            "\t",
            "k",
            "{",
            "|",
            "\"",
            "<",
            "`",
            "^",
            "[",
            "'",
            "&",
            "=",
            "+",
            "~",
            "*",
        ];
        let bases = ["https://api.test/", "https://api.test/v1", "http://127.0.0.1:8080/a/b/", "http://[::1]:81/a.b"]
            .map(|base| Url::parse(base).unwrap());
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 33) as usize % below
        };
        let mut accepted = 0;
        for round in 0..200_000 {
            let mut target = String::from("/svc");
            for _ in 0..next(8) {
                target.push_str(pieces[next(pieces.len())]);
            }
            let Ok(Target::Service { rest, .. }) = parse(&target) else {
                continue;
            };
            accepted += 1;
            let base = &bases[round % bases.len()];
            let uri = join(base, rest).unwrap_or_else(|_| panic!("{target:?}"));
            assert_eq!(uri.scheme_str(), Some(base.scheme()), "{target}");
            assert_eq!(uri.host(), base.host_str(), "{target}");
            assert_eq!(uri.port_u16(), base.port(), "{target}");
            let below = base.path().trim_end_matches('/');
            let inside =
                |path: &str| path == base.path() || path.strip_prefix(below).is_some_and(|p| p.starts_with('/'));
            assert!(inside(uri.path()), "{target}: {uri}");
            let normal = Url::parse(&uri.to_string()).unwrap();
            assert_eq!(normal.origin(), base.origin(), "{target}");
            assert!(inside(normal.path()), "{target}: {normal}");
            assert_eq!(uri.query(), rest.as_str().split_once('?').map(|(_, query)| query));
        }
        assert!(accepted > 5_000, "{accepted}");
    }
}
