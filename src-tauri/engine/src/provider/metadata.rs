//! Authorization server metadata: RFC 8414 and OpenID Connect Discovery 1.0.

use serde::Deserialize;
use url::Url;

use super::http::{FetchError, Http};
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

/// Fetches and checks the metadata of `issuer`: RFC 8414 first, then OpenID Discovery.
pub(super) async fn discover(http: &Http, issuer: &Url) -> Result<Metadata, MetadataError> {
    let mut trouble = None;
    for address in well_known(issuer) {
        match http.get_json(&address, None).await {
            Ok(document) => return check(issuer, document),
            // Not there: look at the next place. An outage must not look like an absence.
            Err(FetchError::Status { status, .. }) if status < 500 && status != 429 => {}
            Err(FetchError::NotJson { .. }) => {}
            Err(e) => trouble = Some(e),
        }
    }
    Err(trouble.map_or_else(|| MetadataError::Absent(issuer.clone()), MetadataError::Fetch))
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

fn check(asked: &Url, document: serde_json::Value) -> Result<Metadata, MetadataError> {
    let metadata: Metadata = serde_json::from_value(document)
        .map_err(|e| MetadataError::Malformed { issuer: asked.clone(), why: e.to_string() })?;
    // A URL without a path gains a slash when it is parsed; the person may have left it out.
    let named = metadata.issuer.as_str();
    if named != asked.as_str() && format!("{named}/") != asked.as_str() {
        return Err(MetadataError::OtherIssuer { asked: asked.clone(), named: named.chars().take(200).collect() });
    }
    let endpoints = [
        ("authorization_endpoint", Some(&metadata.authorization_endpoint)),
        ("token_endpoint", Some(&metadata.token_endpoint)),
        ("userinfo_endpoint", metadata.userinfo_endpoint.as_ref()),
        ("revocation_endpoint", metadata.revocation_endpoint.as_ref()),
        ("registration_endpoint", metadata.registration_endpoint.as_ref()),
        ("device_authorization_endpoint", metadata.device_authorization_endpoint.as_ref()),
        ("pushed_authorization_request_endpoint", metadata.pushed_authorization_request_endpoint.as_ref()),
    ];
    for (endpoint, url) in endpoints {
        if url.is_some_and(|url| !may_open(url)) {
            return Err(MetadataError::UnsafeEndpoint { issuer: asked.clone(), endpoint });
        }
    }
    if !metadata.code_challenge_methods_supported.iter().any(|m| m == "S256") {
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
            check(&url("https://a.test"), document)
        };
        assert!(with("x", json!(1)).is_ok());
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
        assert!(matches!(with("code_challenge_methods_supported", json!(["plain"])), Err(MetadataError::NoPkce(_))));
    }
}
