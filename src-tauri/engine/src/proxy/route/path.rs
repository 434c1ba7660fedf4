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
use url::{Position, Url};

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
    let authority = Authority::try_from(&base[Position::BeforeHost..Position::AfterPort]);
    let path = match rest.as_str() {
        rest if rest.starts_with('/') => [base.path().trim_end_matches('/'), rest].concat(),
        rest => [base.path(), rest].concat(),
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
mod tests;
