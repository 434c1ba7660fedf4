//! PURE: issuers of which a part is each organisation's own.

use serde::Deserialize;
use url::Url;

/// An issuer with `{named}` parts: `https://{organisation}.okta.com/oauth2/{server}`.
///
/// A part in the host is one label, one in the path one segment; a part that is the whole host may be any
/// host and port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(String);

impl TryFrom<String> for Pattern {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let braces = |c| text.matches(c).count();
        match text.starts_with("https://") && braces('{') == braces('}') {
            true => Ok(Self(text)),
            false => Err("a pattern begins with https:// and closes its braces"),
        }
    }
}

impl Pattern {
    /// Whether `issuer` is of this form.
    #[must_use]
    pub fn matches(&self, issuer: &Url) -> bool {
        if issuer.query().is_some() || issuer.fragment().is_some() || !issuer.username().is_empty() {
            return false;
        }
        let issuer = issuer.as_str().trim_end_matches('/');
        let mut rest = issuer;
        let mut pattern = self.0.trim_end_matches('/');
        while let Some((literal, after)) = pattern.split_once('{') {
            let Some(behind) = rest.strip_prefix(literal) else { return false };
            let Some((_, next)) = after.split_once('}') else { return false };
            let whole_host = literal.ends_with("://") && (next.is_empty() || next.starts_with('/'));
            let stop = next.chars().next();
            let end = behind.find(|c| Some(c) == stop || !may_stand(c, whole_host)).unwrap_or(behind.len());
            if end == 0 {
                return false;
            }
            (rest, pattern) = (behind.get(end..).unwrap_or_default(), next);
        }
        rest == pattern
    }

    /// As a person reads it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names no host of its own.
    #[must_use]
    pub fn is_any_host(&self) -> bool {
        self.0.strip_prefix("https://").is_some_and(|rest| rest.split('/').next().is_some_and(|h| h.ends_with('}')))
    }
}

fn may_stand(c: char, whole_host: bool) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') || (whole_host && c == ':')
}

/// The path of the issuers that a server with many tenants names, whichever of them was asked:
/// `/{tid}/v2.0`. The part is a UUID, and in an id_token the claim of that name.
///
/// It is a path on purpose: whatever tenant comes back is one of the server that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct IssuerTemplate {
    before: String,
    claim: String,
    after: String,
}

impl TryFrom<String> for IssuerTemplate {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "an issuer template is a path with one {part}";
        let (before, rest) = text.split_once('{').ok_or(WRONG)?;
        let (claim, after) = rest.split_once('}').ok_or(WRONG)?;
        if !before.starts_with('/') || before.starts_with("//") || claim.is_empty() || after.contains(['{', '}']) {
            return Err(WRONG);
        }
        Ok(Self { before: before.to_owned(), claim: claim.to_owned(), after: after.to_owned() })
    }
}

impl IssuerTemplate {
    /// At the server that was asked.
    #[must_use]
    pub fn at(&self, asked: &Url) -> FilledTemplate {
        let origin = asked.origin().ascii_serialization();
        FilledTemplate {
            before: format!("{origin}{}", self.before),
            claim: self.claim.clone(),
            after: self.after.clone(),
        }
    }
}

/// An [`IssuerTemplate`] of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledTemplate {
    before: String,
    claim: String,
    after: String,
}

impl FilledTemplate {
    /// Whether `issuer` is that of a tenant here.
    #[must_use]
    pub fn is_tenant(&self, issuer: &str) -> bool {
        self.part(issuer).is_some_and(is_uuid)
    }

    /// Whether `issuer` stands for all tenants: its part is still in braces.
    #[must_use]
    pub fn is_open(&self, issuer: &str) -> bool {
        self.part(issuer).is_some_and(|part| {
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()))
        })
    }

    /// Who asks for one tenant by its id gets that one and no other.
    pub(super) fn may_be_named(&self, asked: &Url, named: &str) -> bool {
        !self.is_tenant(asked.as_str()) && (self.is_tenant(named) || self.is_open(named))
    }

    /// The issuer that an id_token with these claims must name.
    #[must_use]
    pub fn of_claims(&self, claims: &serde_json::Value) -> Option<String> {
        let tenant = claims.get(&self.claim).and_then(serde_json::Value::as_str).filter(|tenant| is_uuid(tenant))?;
        Some(format!("{}{tenant}{}", self.before, self.after))
    }

    fn part<'a>(&self, issuer: &'a str) -> Option<&'a str> {
        issuer.strip_prefix(&self.before)?.strip_suffix(&self.after)
    }
}

/// RFC 9562 section 4.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn which_issuers_are_of_a_form() {
        for (pattern, issuer, expected) in [
            ("https://{o}.okta.com", "https://acme.okta.com", true),
            ("https://{o}.okta.com", "https://acme.okta.com/", true),
            ("https://{o}.okta.com", "https://acme.okta.com.evil.test", false),
            ("https://{o}.okta.com", "https://evil.test/acme.okta.com", false),
            ("https://{o}.okta.com", "https://evil.test#.okta.com", false),
            ("https://{o}.okta.com", "https://evil.test:80@acme.okta.com", false),
            ("https://{o}.okta.com", "https://a.b.okta.com", false),
            ("https://{o}.okta.com", "https://.okta.com", false),
            ("https://{o}.okta.com", "http://acme.okta.com", false),
            ("https://{o}.okta.com", "https://acme.okta.com:444", false),
            ("https://{o}.okta.com/oauth2/{s}", "https://acme.okta.com/oauth2/default", true),
            ("https://{o}.okta.com/oauth2/{s}", "https://acme.okta.com/oauth2/a/b", false),
            ("https://{o}.okta.com/oauth2/{s}", "https://acme.okta.com/oauth2/", false),
            ("https://login.test/{t}/v2.0", "https://login.test/contoso.onmicrosoft.com/v2.0", true),
            ("https://login.test/{t}/v2.0", "https://login.test/a/b/v2.0", false),
            ("https://login.test/{t}/v2.0", "https://login.test/a/v2.0?x", false),
            ("https://{h}/realms/{r}", "https://id.acme.test:8443/realms/x", true),
            ("https://{h}/realms/{r}", "https://id.acme.test/auth/realms/x", false),
        ] {
            assert_eq!(Pattern::try_from(pattern.to_owned()).unwrap().matches(&url(issuer)), expected, "{issuer}");
        }
        assert!(Pattern::try_from("http://{o}.test".to_owned()).is_err());
    }

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const OTHER: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

    #[test]
    fn d2_a_template_lets_another_tenant_through_and_no_other_host() {
        let template = IssuerTemplate::try_from("/{tid}/v2.0".to_owned()).unwrap();
        let at = |tenant: &str| format!("https://login.test/{tenant}/v2.0");
        for (asked, named, expected) in [
            (at("common"), at("{tenantid}"), true),
            (at("organizations"), at("{tenantid}"), true),
            (at("consumers"), at(OTHER), true),
            (at("contoso.onmicrosoft.com"), at(TENANT), true),
            // Who asked for a tenant gets that one.
            (at(TENANT), at(OTHER), false),
            (at(TENANT), at("{tenantid}"), false),
            (at("common"), at("evil"), false),
            (at("common"), at(""), false),
            (at("common"), at("{}"), false),
            (at("common"), at(&format!("{TENANT}/x")), false),
            (at("common"), format!("https://evil.test/{TENANT}/v2.0"), false),
            (at("common"), format!("https://login.test.evil.test/{TENANT}/v2.0"), false),
            (at("common"), format!("https://login.test:444/{TENANT}/v2.0"), false),
            (at("common"), format!("http://login.test/{TENANT}/v2.0"), false),
            (at("common"), format!("https://login.test/{TENANT}/v2.0/"), false),
            (at("common"), "https://login.test/{evil.test/x}/v2.0".to_owned(), false),
        ] {
            assert_eq!(template.at(&url(&asked)).may_be_named(&url(&asked), &named), expected, "{asked}: {named}");
        }
        for bad in ["https://login.test/{tid}", "//evil.test/{tid}", "/v2.0", "/{}/x", "/{a}/{b}"] {
            assert!(IssuerTemplate::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn d2_an_id_token_names_its_own_tenant() {
        let template = IssuerTemplate::try_from("/{tid}/v2.0".to_owned()).unwrap();
        let template = template.at(&url("https://login.test/common/v2.0"));
        let of = |tid: serde_json::Value| template.of_claims(&serde_json::json!({"tid": tid}));
        assert_eq!(of(TENANT.into()).unwrap(), format!("https://login.test/{TENANT}/v2.0"));
        for bad in [serde_json::json!(null), "common".into(), "../evil".into(), 7.into()] {
            assert_eq!(of(bad), None);
        }
    }
}
