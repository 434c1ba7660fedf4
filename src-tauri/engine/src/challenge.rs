//! `WWW-Authenticate` (RFC 9110 section 11.6.1): several challenges, token68, quoted pairs, any case.

use http::HeaderValue;

/// One challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    scheme: String,
    /// Names in lower case, values unquoted.
    params: Vec<(String, String)>,
}

impl Challenge {
    /// Whether its scheme is this, given in lower case.
    pub(crate) fn is(&self, scheme: &str) -> bool {
        self.scheme == scheme
    }

    /// The value of a parameter, named in lower case.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// A parameter with the bytes it takes, so that it can be left out.
struct Element<'a> {
    text: &'a str,
    kind: ElementKind,
}

enum ElementKind {
    /// `Scheme`, `Scheme token68`, or `Scheme name=value`.
    Begins { scheme: String, param: Option<(String, String)> },
    /// `name=value`
    Param(String, String),
    /// Nothing that the grammar knows.
    Other,
}

/// The challenges of one header value; what can't be read is passed over.
pub(crate) fn parse(value: &HeaderValue) -> Vec<Challenge> {
    let text = latin(value);
    let mut challenges: Vec<Challenge> = Vec::new();
    for element in elements(&text) {
        match element.kind {
            ElementKind::Begins { scheme, param } => {
                challenges.push(Challenge { scheme, params: param.into_iter().collect() })
            }
            ElementKind::Param(name, value) => {
                if let Some(challenge) = challenges.last_mut() {
                    challenge.params.push((name, value));
                }
            }
            ElementKind::Other => {}
        }
    }
    challenges
}

/// The value without any `resource_metadata` (RFC 9728 section 5.1): a client that followed it would
/// sign in by itself, past us.
pub(crate) fn without_resource_metadata(value: &HeaderValue) -> HeaderValue {
    const NAME: &str = "resource_metadata";
    let text = latin(value);
    if !text.to_ascii_lowercase().contains(NAME) {
        return value.clone();
    }
    let mut kept: Vec<String> = Vec::new();
    for element in elements(&text) {
        match &element.kind {
            ElementKind::Param(name, _) if name == NAME => {}
            ElementKind::Begins { scheme, param: Some((name, _)) } if name == NAME => {
                // The scheme stays; its next parameter, if there is one, follows it without a comma.
                let scheme = element.text.get(..scheme.len()).unwrap_or_default();
                kept.push(format!("{scheme} "));
            }
            _ => match kept.last_mut() {
                Some(last) if last.ends_with(' ') && matches!(element.kind, ElementKind::Param(..)) => {
                    last.push_str(element.text)
                }
                _ => kept.push(element.text.to_owned()),
            },
        }
    }
    // Not `trim`: a byte 0xA0, which is white space as a character, would be lost, and what no client reads as a
    // challenge become one.
    let joined = kept.iter().map(|part| part.trim_matches([' ', '\t'])).collect::<Vec<_>>().join(", ");
    // Every character came from one byte.
    let bytes: Vec<u8> = joined.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect();
    HeaderValue::from_bytes(&bytes).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
}

/// A character for each byte: a value need not be UTF-8 (RFC 9110 section 5.5), and one bad byte must not
/// hide what stands behind it.
fn latin(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

/// Splits at the commas that are not inside a quoted string.
fn elements(text: &str) -> Vec<Element<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
        .into_iter()
        .map(|part| part.trim_matches([' ', '\t']))
        .filter(|part| !part.is_empty())
        .map(|text| Element { text, kind: kind_of(text) })
        .collect()
}

fn kind_of(text: &str) -> ElementKind {
    if let Some((name, value)) = param(text) {
        return ElementKind::Param(name, value);
    }
    let (scheme, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    if scheme.is_empty() || !scheme.bytes().all(is_token) {
        return ElementKind::Other;
    }
    ElementKind::Begins { scheme: scheme.to_ascii_lowercase(), param: param(rest.trim_matches([' ', '\t'])) }
}

/// `name = value` or `name = "quoted"`; token68 is none of these, for nothing but `=` follows its `=`.
fn param(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim_end_matches([' ', '\t']), value.trim_start_matches([' ', '\t']));
    if name.is_empty() || !name.bytes().all(is_token) {
        return None;
    }
    let value = match value.strip_prefix('"') {
        Some(quoted) => unquote(quoted.strip_suffix('"')?),
        None if !value.is_empty() && value.bytes().all(is_token) => value.to_owned(),
        None => return None,
    };
    Some((name.to_ascii_lowercase(), value))
}

fn unquote(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    plain
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn schemes(text: &str) -> Vec<(String, usize)> {
        parse(&HeaderValue::from_str(text).unwrap()).into_iter().map(|c| (c.scheme, c.params.len())).collect()
    }

    #[test]
    fn the_cases_of_rfc_9110() {
        for (text, expected) in [
            ("Bearer", &[("bearer", 0)][..]),
            ("BEARER realm=\"a, b\", error=x", &[("bearer", 2)]),
            (
                "Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
                &[("basic", 1), ("newauth", 3)],
            ),
            ("Negotiate YWJj==, Bearer", &[("negotiate", 0), ("bearer", 0)]),
            ("Negotiate, , Bearer  scope = \"a b\" ", &[("negotiate", 0), ("bearer", 1)]),
            ("", &[]),
            ("=, \"", &[]),
        ] {
            let expected: Vec<(String, usize)> = expected.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect();
            assert_eq!(schemes(text), expected, "{text}");
        }
    }

    #[test]
    fn e10_resource_metadata_is_left_out() {
        for (text, expected) in [
            ("Bearer error=\"x\", resource_metadata=\"https://a.test/, b\"", "Bearer error=\"x\""),
            ("Bearer resource_metadata=\"https://a.test\"", "Bearer"),
            ("Bearer Resource_Metadata=\"u\", error=\"x\", scope=\"a b\"", "Bearer error=\"x\", scope=\"a b\""),
            (
                "Basic realm=\"r\", Bearer resource_metadata=u, Digest nonce=1",
                "Basic realm=\"r\", Bearer, Digest nonce=1",
            ),
            ("Bearer realm=\"untouched,  as is\"", "Bearer realm=\"untouched,  as is\""),
        ] {
            let value = without_resource_metadata(&HeaderValue::from_str(text).unwrap());
            assert_eq!(value.to_str().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn e10_what_is_no_challenge_becomes_none() {
        let value = HeaderValue::from_bytes(b"Bearer resource_metadata=u, \xa0Basic, \x85Digest nonce=1").unwrap();
        let passed = without_resource_metadata(&value);
        assert_eq!(passed.as_bytes(), b"Bearer, \xa0Basic, \x85Digest nonce=1");
        assert_eq!(parse(&passed).len(), parse(&value).len());
    }

    /// Random changes of good values: nothing panics, each challenge has a scheme, and what is left
    /// without `resource_metadata` has the same challenges.
    #[test]
    fn mutations_are_read_without_harm() {
        const SEEDS: [&str; 5] = [
            "Bearer realm=\"a, b\", error=\"invalid_token\", resource_metadata=\"https://a.test/x\"",
            "Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
            "Negotiate YWJj==, Bearer",
            "DPoP algs=\"ES256 PS256\", error=use_dpop_nonce",
            "Bearer",
        ];
        const BYTES: &[u8] = b"\"\\,= ;aB\t\xff\xa0\x85=bearer/";
        let mut seed = 0x5eed_u64;
        let mut roll = |sides: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % sides
        };
        for _ in 0..50_000 {
            let mut text = SEEDS[roll(SEEDS.len())].as_bytes().to_vec();
            for _ in 0..=roll(6) {
                let at = roll(text.len() + 1);
                match roll(3) {
                    0 => text.insert(at, BYTES[roll(BYTES.len())]),
                    1 if at < text.len() => drop(text.remove(at)),
                    _ => text.truncate(at.max(1)),
                }
            }
            let Ok(value) = HeaderValue::from_bytes(&text) else { continue };
            let read = parse(&value);
            assert!(read.iter().all(|challenge| !challenge.scheme.is_empty()), "{value:?}");
            let cleaned = parse(&without_resource_metadata(&value));
            let has = |challenges: &[Challenge]| challenges.iter().any(|c| c.param("resource_metadata").is_some());
            assert!(!has(&cleaned), "{value:?}");
            let schemes = |challenges: &[Challenge]| challenges.iter().map(|c| c.scheme.clone()).collect::<Vec<_>>();
            if has(&read) {
                assert_eq!(schemes(&cleaned), schemes(&read), "{value:?}");
            }
        }
    }
}
