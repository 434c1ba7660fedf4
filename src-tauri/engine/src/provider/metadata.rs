//! Authorization server metadata: RFC 8414 and OpenID Connect Discovery 1.0.

use serde::Deserialize;
use url::Url;

use super::Registration;
use super::http::{FetchError, Http};
use super::preset::{FilledTemplate, Preset};
use crate::browser::may_open;

/// What we use of a server's metadata (RFC 8414 section 2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// Equal to the issuer that was asked, to the letter.
    pub issuer: String,
    /// Where the browser goes.
    pub authorization_endpoint: Url,
    /// Where codes and refresh tokens are redeemed.
    pub token_endpoint: Url,
    /// OpenID Connect Core section 5.3.
    #[serde(default)]
    pub userinfo_endpoint: Option<Url>,
    /// RFC 7009.
    #[serde(default)]
    pub revocation_endpoint: Option<Url>,
    /// RFC 7662.
    #[serde(default)]
    pub introspection_endpoint: Option<Url>,
    /// What can be asked for.
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    /// RFC 7636; `S256` must be among them.
    #[serde(default)]
    pub code_challenge_methods_supported: Vec<String>,
    /// How a confidential client authenticates; the default is `client_secret_basic`.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 7591.
    #[serde(default)]
    pub registration_endpoint: Option<Url>,
    /// RFC 8628.
    #[serde(default)]
    pub device_authorization_endpoint: Option<Url>,
    /// RFC 9449 section 5.1: how a DPoP proof may be signed.
    #[serde(default)]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// RFC 9126.
    #[serde(default)]
    pub pushed_authorization_request_endpoint: Option<Url>,
    /// Client ID metadata documents: a URL of ours is our client id.
    #[serde(default)]
    pub client_id_metadata_document_supported: bool,
    /// RFC 9207 section 3: the callback carries `iss`.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// Nobody said any of this: these are the default endpoints of MCP 2025-03-26.
    #[serde(skip)]
    pub assumed: bool,
    /// The server did not spell its issuer, so a last slash makes no difference.
    #[serde(skip)]
    pub unspelled: bool,
    /// The issuers of its tenants, where it stands for all of them: `issuer` has a part in braces then.
    #[serde(skip)]
    pub tenants: Option<FilledTemplate>,
}

/// How far a server's own description need not go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leeway {
    /// The person takes it without an announcement of S256 (D6). PKCE is sent all the same.
    pub missing_pkce: bool,
    /// A service without any metadata is its own authorization server, with the default endpoints of
    /// MCP 2025-03-26 ("Fallbacks for Servers without Metadata Discovery").
    pub default_endpoints: bool,
}

impl Metadata {
    /// Whether an answer that names `issuer` is this server's (RFC 9207 section 2.4).
    #[must_use]
    pub fn is_issuer(&self, issuer: &str) -> bool {
        match &self.tenants {
            Some(tenants) => tenants.is_tenant(issuer),
            None if self.unspelled => self.issuer.trim_end_matches('/') == issuer.trim_end_matches('/'),
            None => self.issuer == issuer,
        }
    }

    /// The issuer that an id_token with these claims must name (OpenID Connect Core section 3.1.3.7).
    #[must_use]
    pub fn issuer_of(&self, claims: &serde_json::Value) -> Option<String> {
        match &self.tenants {
            Some(tenants) => tenants.of_claims(claims),
            None => {
                let named = claims.get("iss").and_then(serde_json::Value::as_str);
                let same = named.filter(|named| self.unspelled && self.is_issuer(named));
                Some(same.map_or_else(|| self.issuer.clone(), str::to_owned))
            }
        }
    }
}

/// Why a server's metadata can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// It can't be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It has no metadata where RFC 8414 and OpenID Discovery say that it is.
    #[error("{0} has no metadata")]
    Absent(Url),
    /// It is not of the shape that RFC 8414 gives.
    #[error("{issuer}: {why}")]
    Malformed {
        /// Whose.
        issuer: Url,
        /// What is missing or wrong.
        why: String,
    },
    /// It names another issuer (RFC 8414 section 3.3: must not be used).
    #[error("{asked} names itself {named}")]
    OtherIssuer {
        /// Whom we asked.
        asked: Url,
        /// Whom it names.
        named: String,
    },
    /// An endpoint is neither https nor on this machine.
    #[error("{issuer}: {endpoint} is not a safe address")]
    UnsafeEndpoint {
        /// Whose.
        issuer: Url,
        /// Which.
        endpoint: &'static str,
    },
    /// It does not announce PKCE with S256 (RFC 7636).
    #[error("{0} does not announce PKCE with S256")]
    NoPkce(Url),
}

/// What is known of a server without asking it, else what it says of itself. What the person set goes first.
pub(super) async fn of(http: &Http, registration: &Registration) -> Result<Metadata, MetadataError> {
    let preset = registration.preset.as_deref();
    // What is known is known of that server; one at another address gets nothing of it.
    let at_home = preset.filter(|preset| preset.is_at(&registration.issuer));
    let known = registration.endpoints.or(at_home.and_then(|preset| preset.endpoints.as_ref()));
    let mut metadata = match (&known.authorization, &known.token) {
        (Some(authorization), Some(token)) => {
            let document = serde_json::json!({
                "issuer": registration.issuer,
                "authorization_endpoint": authorization,
                "token_endpoint": token,
                "code_challenge_methods_supported": ["S256"],
            });
            let checked = check(&registration.issuer, document, registration.leeway, preset)?;
            Metadata { unspelled: true, ..checked }
        }
        _ => discover(http, &registration.issuer, registration.leeway, preset).await?,
    };
    let put = |slot: &mut Url, known: &Option<Url>| known.iter().for_each(|url| slot.clone_from(url));
    put(&mut metadata.authorization_endpoint, &known.authorization);
    put(&mut metadata.token_endpoint, &known.token);
    metadata.revocation_endpoint = known.revocation.or(metadata.revocation_endpoint);
    // Where the preset asks in its own way, that is the address for it.
    if preset.is_none_or(|preset| preset.identity.is_none()) {
        metadata.userinfo_endpoint = known.identity.or(metadata.userinfo_endpoint);
    }
    Ok(metadata)
}

/// Fetches and checks the metadata of `issuer`: RFC 8414 first, then OpenID Discovery.
async fn discover(
    http: &Http,
    issuer: &Url,
    leeway: Leeway,
    preset: Option<&Preset>,
) -> Result<Metadata, MetadataError> {
    let (mut trouble, mut refused) = (None, None);
    let mut absent = true;
    for address in well_known(issuer) {
        match http.get_metadata(&address).await {
            Ok(document) => match check(issuer, document, leeway, preset) {
                // Some servers answer any path of theirs. What is another's or no metadata is never used, and
                // the right one may still lie at the next place.
                Err(e @ (MetadataError::OtherIssuer { .. } | MetadataError::Malformed { .. })) => {
                    refused = refused.or(Some(e));
                }
                checked => return checked,
            },
            // Not there: look at the next place. An outage must not look like an absence.
            Err(FetchError::Status { status, .. }) if status < 500 && status != 429 => absent &= status >= 400,
            Err(FetchError::NotJson { .. }) => absent = false,
            Err(e) => trouble = Some(e),
        }
    }
    match (refused, trouble) {
        (Some(refused), _) => Err(refused),
        (None, Some(trouble)) => Err(MetadataError::Fetch(trouble)),
        (None, None) if absent && leeway.default_endpoints => Ok(defaults(issuer)),
        (None, None) => Err(MetadataError::Absent(issuer.clone())),
    }
}

/// Whom the metadata at the root of `origin` names, if that is somebody else (MCP 2025-03-26: the server's
/// own origin is the place to ask). Nothing of that document is used but the name: it must say the same
/// of itself at its own place.
pub(super) async fn named_at_root(http: &Http, origin: &Url) -> Option<Url> {
    let place = at_path(origin, "/.well-known/oauth-authorization-server");
    let document = http.get_metadata(&place).await.ok()?;
    let issuer: Url = document.get("issuer")?.as_str()?.parse().ok()?;
    (may_open(&issuer) && issuer != *origin).then_some(issuer)
}

/// MCP 2025-03-26, "Fallbacks for Servers without Metadata Discovery". That revision has every server do
/// OAuth 2.1, so PKCE with S256 too.
fn defaults(issuer: &Url) -> Metadata {
    Metadata {
        issuer: issuer.as_str().trim_end_matches('/').to_owned(),
        authorization_endpoint: at_path(issuer, "/authorize"),
        token_endpoint: at_path(issuer, "/token"),
        userinfo_endpoint: None,
        revocation_endpoint: None,
        introspection_endpoint: None,
        device_authorization_endpoint: None,
        dpop_signing_alg_values_supported: vec![],
        scopes_supported: vec![],
        code_challenge_methods_supported: vec!["S256".into()],
        token_endpoint_auth_methods_supported: vec![],
        registration_endpoint: Some(at_path(issuer, "/register")),
        pushed_authorization_request_endpoint: None,
        client_id_metadata_document_supported: false,
        authorization_response_iss_parameter_supported: false,
        assumed: true,
        unspelled: true,
        tenants: None,
    }
}

/// Where metadata may lie: RFC 8414 section 3.1 puts the issuer's path behind the well-known name,
/// OpenID Discovery section 4 before it.
fn well_known(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| at_path(issuer, &path);
    let mut places = vec![
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("/.well-known/openid-configuration{path}")),
        at(format!("{path}/.well-known/openid-configuration")),
    ];
    places.dedup();
    places
}

/// The address of this path at the origin of `url`.
pub(super) fn at_path(url: &Url, path: &str) -> Url {
    let mut url = url.clone();
    url.set_path(path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn check(
    asked: &Url,
    document: serde_json::Value,
    leeway: Leeway,
    preset: Option<&Preset>,
) -> Result<Metadata, MetadataError> {
    let mut metadata: Metadata = serde_json::from_value(document)
        .map_err(|e| MetadataError::Malformed { issuer: asked.clone(), why: e.to_string() })?;
    // RFC 8414 section 3.1 drops a trailing slash before it makes the address, so both spellings lead to the
    // same document. All that follows keeps to how the server itself writes it.
    let named = metadata.issuer.as_str();
    if named.strip_suffix('/').unwrap_or(named) != asked.as_str().strip_suffix('/').unwrap_or(asked.as_str()) {
        if !preset.is_some_and(|preset| preset.may_be_named(asked, named)) {
            return Err(MetadataError::OtherIssuer { asked: asked.clone(), named: named.chars().take(200).collect() });
        }
        let tenants = preset.and_then(|preset| preset.issuer_template.as_ref()).map(|template| template.at(asked));
        metadata.tenants = tenants.filter(|tenants| tenants.is_open(named));
    }
    let endpoints = [
        ("authorization_endpoint", Some(&metadata.authorization_endpoint)),
        ("token_endpoint", Some(&metadata.token_endpoint)),
        ("userinfo_endpoint", metadata.userinfo_endpoint.as_ref()),
        ("revocation_endpoint", metadata.revocation_endpoint.as_ref()),
        ("introspection_endpoint", metadata.introspection_endpoint.as_ref()),
        ("registration_endpoint", metadata.registration_endpoint.as_ref()),
        ("device_authorization_endpoint", metadata.device_authorization_endpoint.as_ref()),
        ("pushed_authorization_request_endpoint", metadata.pushed_authorization_request_endpoint.as_ref()),
    ];
    for (endpoint, url) in endpoints {
        if url.is_some_and(|url| !may_open(url)) {
            return Err(MetadataError::UnsafeEndpoint { issuer: asked.clone(), endpoint });
        }
    }
    let asserted = leeway.missing_pkce || preset.is_some_and(|preset| preset.asserts_s256);
    if !asserted && !metadata.code_challenge_methods_supported.iter().any(|m| m == "S256") {
        return Err(MetadataError::NoPkce(asked.clone()));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn both_standards_places() {
        let places = |issuer| well_known(&url(issuer)).iter().map(|u| u.path().to_owned()).collect::<Vec<_>>();
        assert_eq!(
            places("https://a.test"),
            ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
        );
        assert_eq!(
            places("https://a.test/t/1/"),
            [
                "/.well-known/oauth-authorization-server/t/1",
                "/.well-known/openid-configuration/t/1",
                "/t/1/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn what_is_refused() {
        let good = json!({
            "issuer": "https://a.test",
            "authorization_endpoint": "https://a.test/auth",
            "token_endpoint": "https://a.test/token",
            "code_challenge_methods_supported": ["plain", "S256"],
        });
        let with = |key: &str, value: serde_json::Value| {
            let mut document = good.clone();
            document[key] = value;
            check(&url("https://a.test"), document, Leeway::default(), None)
        };
        assert!(with("x", json!(1)).is_ok());
        assert!(with("issuer", json!("https://a.test/")).is_ok());
        assert!(matches!(with("issuer", json!("https://b.test")), Err(MetadataError::OtherIssuer { .. })));
        assert!(matches!(with("issuer", json!("https://a.test/x")), Err(MetadataError::OtherIssuer { .. })));
        assert!(matches!(with("token_endpoint", json!("a:$(calc)")), Err(MetadataError::UnsafeEndpoint { .. })));
        assert!(matches!(with("token_endpoint", json!("http://a.test/")), Err(MetadataError::UnsafeEndpoint { .. })));
        assert!(matches!(
            with("authorization_endpoint", json!("file:///x")),
            Err(MetadataError::UnsafeEndpoint { .. })
        ));
        assert!(matches!(
            with("authorization_endpoint", json!("javascript:1")),
            Err(MetadataError::UnsafeEndpoint { .. })
        ));
        assert!(matches!(with("token_endpoint", json!(7)), Err(MetadataError::Malformed { .. })));
    }

    #[test]
    fn d6_s256_is_announced_or_the_person_says_so() {
        for (methods, announced) in [
            (json!(["plain", "S256"]), true),
            (json!(["plain"]), false),
            (json!(["s256"]), false),
            (json!([]), false),
            (json!(null), false),
        ] {
            let mut document = json!({
                "issuer": "https://a.test", "authorization_endpoint": "https://a.test/auth",
                "token_endpoint": "https://a.test/token",
            });
            if !methods.is_null() {
                document["code_challenge_methods_supported"] = methods.clone();
            }
            let with = |missing_pkce| {
                let leeway = Leeway { missing_pkce, ..Leeway::default() };
                check(&url("https://a.test"), document.clone(), leeway, None).map(drop)
            };
            let refused = Err(MetadataError::NoPkce(url("https://a.test")));
            assert_eq!(with(false), if announced { Ok(()) } else { refused }, "{methods}");
            assert_eq!(with(true), Ok(()), "{methods}");
        }
    }

    #[test]
    fn d2_an_issuer_is_the_same_to_the_letter_but_for_a_last_slash() {
        for (asked, named, good) in [
            ("https://a.test", "https://a.test", true),
            ("https://a.test", "https://a.test/", true),
            ("https://a.test/t", "https://a.test/t/", true),
            ("https://a.test/t/", "https://a.test/t", true),
            ("https://a.test/t", "https://a.test/t//", false),
            ("https://a.test/t", "https://a.test/T", false),
            ("https://a.test/t", "https://a.test", false),
            ("https://a.test", "https://A.test", false),
            ("https://a.test", "https://a.test:443", false),
            ("https://a.test", "http://a.test", false),
            ("https://a.test", "https://a.test.evil.test", false),
            ("https://a.test", "", false),
        ] {
            let document = json!({
                "issuer": named, "authorization_endpoint": "https://a.test/auth",
                "token_endpoint": "https://a.test/token", "code_challenge_methods_supported": ["S256"],
            });
            let read = check(&url(asked), document, Leeway::default(), None);
            assert_eq!(read.is_ok(), good, "{named} for {asked}");
            // What is kept, and compared with `iss`, is the server's own spelling.
            assert!(!good || read.unwrap().issuer == named);
        }
    }

    #[test]
    fn default_endpoints_are_at_the_origin() {
        let metadata = defaults(&url("https://a.test/"));
        assert_eq!(metadata.issuer, "https://a.test");
        let endpoints = [&metadata.authorization_endpoint, &metadata.token_endpoint].map(Url::as_str);
        assert_eq!(endpoints, ["https://a.test/authorize", "https://a.test/token"]);
        assert_eq!(metadata.registration_endpoint, Some(url("https://a.test/register")));
        assert!(metadata.assumed);
    }

    #[test]
    fn d2_d6_what_a_preset_lets_through() {
        const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        let entra = super::super::preset::named("entra").unwrap();
        let at = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
        let read = |asked: &str, named: String, preset: Option<&Preset>| {
            let document = json!({
                "issuer": named,
                "authorization_endpoint": "https://login.microsoftonline.com/auth",
                "token_endpoint": "https://login.microsoftonline.com/token",
            });
            check(&url(&at(asked)), document, Leeway::default(), preset)
        };
        // It announces no S256, and its `common` names itself by a template.
        let common = read("common", at("{tenantid}"), Some(&entra)).unwrap();
        assert!(common.is_issuer(&at(TENANT)) && !common.is_issuer(&at("{tenantid}")) && !common.is_issuer(&at("x")));
        assert_eq!(common.issuer_of(&json!({"tid": TENANT})), Some(at(TENANT)));
        assert_eq!(common.issuer_of(&json!({})), None);
        // A tenant by its domain is one tenant: its own issuer and no other.
        let domain = read("contoso.onmicrosoft.com", at(TENANT), Some(&entra)).unwrap();
        assert!(domain.is_issuer(&at(TENANT)) && !domain.is_issuer(&at("9188040d-6c67-4c5b-b112-36a304b66dad")));
        assert_eq!(domain.issuer_of(&json!({"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"})), Some(at(TENANT)));
        // Strict in all else.
        let other =
            |named: String, preset| matches!(read("common", named, preset), Err(MetadataError::OtherIssuer { .. }));
        assert!(other(at("{tenantid}"), None));
        assert!(other(format!("https://evil.test/{TENANT}/v2.0"), Some(&entra)));
        assert!(matches!(read("common", at("common"), None), Err(MetadataError::NoPkce(_))));
    }
}
