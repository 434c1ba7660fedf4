//! `WWW-Authenticate` (RFC 9110 section 11.6.1): several challenges, token68, quoted pairs, any case.

use http::HeaderValue;

/// One challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    scheme: String,
    /// Names in lower case, values unquoted.
    params: Vec<(String, String)>,
}

impl Challenge {
    /// Whether its scheme is this, given in lower case.
    pub(super) fn is(&self, scheme: &str) -> bool {
        self.scheme == scheme
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
pub(super) fn parse(value: &HeaderValue) -> Vec<Challenge> {
    let text = String::from_utf8_lossy(value.as_bytes());
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
pub(super) fn without_resource_metadata(value: &HeaderValue) -> HeaderValue {
    const NAME: &str = "resource_metadata";
    let Ok(text) = std::str::from_utf8(value.as_bytes()) else { return value.clone() };
    if !text.to_ascii_lowercase().contains(NAME) {
        return value.clone();
    }
    let mut kept: Vec<String> = Vec::new();
    for element in elements(text) {
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
    let joined = kept.iter().map(|part| part.trim()).collect::<Vec<_>>().join(", ");
    HeaderValue::try_from(joined).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
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
}
