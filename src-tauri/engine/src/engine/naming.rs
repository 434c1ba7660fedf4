//! PURE: names that nobody had to think of.

use url::Url;

use crate::control::Failure;
use crate::model::BadName;
use crate::wording;

/// A made name that can't be one is told as any other.
pub(super) fn named<N>(name: Result<N, BadName>) -> Result<N, Failure> {
    name.map_err(|e| wording::bad_name(&e))
}

/// A name from a host: the label that tells most, without `mcp.`, `api.`, `www.` and the like.
pub(super) fn name_of_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').filter(|l| !l.is_empty()).collect();
    let telling = match labels.as_slice() {
        [.., name, _] if name.bytes().any(|b| b.is_ascii_alphabetic()) => (*name).to_owned(),
        [one] if one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => (*one).to_owned(),
        _ => "local".to_owned(),
    };
    telling.trim_matches('-').chars().take(32).collect()
}

/// `base`, or `base-2`, `base-3`, … whichever is free.
pub(super) fn free_name<N: std::str::FromStr>(base: &str, taken: impl Fn(&N) -> bool) -> Result<N, N::Err> {
    let mut name: N = base.parse()?;
    let mut number = 2u32;
    while taken(&name) {
        name = format!("{base}-{number}").parse()?;
        number += 1;
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::ServiceName;

    #[test]
    fn names_from_hosts() {
        for (url, expected) in [
            ("https://mcp.linear.app/mcp", "linear"),
            ("https://api.github.com", "github"),
            ("https://example.test", "example"),
            ("http://127.0.0.1:80/x", "local"),
            ("http://[::1]:80/x", "local"),
            ("http://localhost:80", "localhost"),
        ] {
            assert_eq!(name_of_host(&url.parse().unwrap()), expected, "{url}");
        }
        let name: ServiceName = free_name("a", |n: &ServiceName| n.as_str() == "a" || n.as_str() == "a-2").unwrap();
        assert_eq!(name.as_str(), "a-3");
    }
}
