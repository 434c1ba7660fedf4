//! Dynamic client registration (RFC 7591): how Signbell becomes known to a server that nobody has told
//! of it.

use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::http::{FetchError, Http};
use super::jws::SigningKey;
use super::{Grant, Metadata, TokenAuth};
use crate::secret::Secret;

/// Our client registration at a server.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Our client id.
    pub client_id: String,
    /// For servers that know no public clients.
    pub client_secret: Option<Secret>,
    /// Our private key as PEM text, for servers that want an assertion.
    pub client_key: Option<Secret>,
    /// How the token endpoint wants to see it.
    pub token_auth: TokenAuth,
}

/// Why a server did not register us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// It registers nobody by itself.
    #[error("{0} registers no clients by itself")]
    NotOffered(Url),
    /// It can't be asked.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It said no (RFC 7591 section 3.2.2).
    #[error("{issuer} answered {status}{}", .error.as_ref().map(|e| format!(" {e}")).unwrap_or_default())]
    Refused {
        /// Who.
        issuer: Url,
        /// The status.
        status: u16,
        /// Its `error`.
        error: Option<String>,
    },
    /// We have no key to show.
    #[error("no key could be made: {0}")]
    Key(String),
    /// Its answer is no registration.
    #[error("{issuer}: {why}")]
    Malformed {
        /// Who.
        issuer: Url,
        /// What is wrong with it.
        why: String,
    },
}

/// RFC 7591 section 3.2.1. Servers may return other values than those that were asked for.
#[derive(Deserialize)]
struct Answer {
    client_id: String,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
}

/// Registers us as a native application (OpenID Connect Dynamic Client Registration section 2) with this
/// redirect.
///
/// # Errors
/// [`RegisterError`].
pub async fn register(
    http: &Http,
    issuer: &Url,
    metadata: &Metadata,
    redirect: &Url,
    grant: Grant,
) -> Result<Registered, RegisterError> {
    let Some(endpoint) = &metadata.registration_endpoint else {
        return Err(RegisterError::NotOffered(issuer.clone()));
    };
    let wanted = match (TokenAuth::preferred(&metadata.token_endpoint_auth_methods_supported), grant) {
        // Who asks in its own name must show something.
        (TokenAuth::None, Grant::ClientCredentials | Grant::JwtBearer) => TokenAuth::PrivateKeyJwt,
        (preferred, _) => preferred,
    };
    let mut document = json!({
        "client_name": "Signbell",
        "application_type": "native",
        "redirect_uris": [redirect],
        "grant_types": grant_types(grant, metadata),
        "response_types": ["code"],
        "token_endpoint_auth_method": wanted.as_str(),
    });
    if grant.is_unattended() {
        document["redirect_uris"] = json!([]);
        document["response_types"] = json!([]);
    }
    let key = match wanted {
        TokenAuth::PrivateKeyJwt => {
            let (key, pem) = SigningKey::generate().map_err(|e| RegisterError::Key(e.to_string()))?;
            let mut jwk = key.public_jwk();
            jwk["kid"] = key.thumbprint().into();
            jwk["alg"] = key.algorithm().into();
            jwk["use"] = "sig".into();
            document["jwks"] = json!({"keys": [jwk]});
            document["token_endpoint_auth_signing_alg"] = key.algorithm().into();
            Some(pem)
        }
        _ => None,
    };
    let response = http.post_json(endpoint, &document).await?;
    // RFC 7591 says 201; some answer 200.
    let (status, body) = (response.status(), response.body());
    if !status.is_success() {
        let error = serde_json::from_slice::<serde_json::Value>(body).ok();
        let error = error.and_then(|body| body["error"].as_str().map(|e| e.chars().take(100).collect()));
        return Err(RegisterError::Refused { issuer: issuer.clone(), status: status.as_u16(), error });
    }
    let malformed = |why: String| RegisterError::Malformed { issuer: issuer.clone(), why };
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| malformed("the answer is no client registration".into()))?;
    if answer.client_id.is_empty() || answer.client_id.len() > 2048 {
        return Err(malformed("the answer names no usable client id".into()));
    }
    let client_secret = answer.client_secret.filter(|secret| !secret.is_empty()).map(Secret::new);
    let token_auth = match (answer.token_endpoint_auth_method.as_deref(), &client_secret) {
        (Some(method), _) => TokenAuth::parse(method).ok_or_else(|| {
            malformed(format!("it wants the authentication {:?}", method.chars().take(60).collect::<String>()))
        })?,
        // RFC 7591 section 2: left out, it is client_secret_basic; without a secret it can only be none.
        (None, Some(_)) => TokenAuth::Basic,
        (None, None) => TokenAuth::None,
    };
    match token_auth {
        TokenAuth::Basic | TokenAuth::Post if client_secret.is_none() => {
            Err(malformed(format!("it wants {} and gave no secret", token_auth.as_str())))
        }
        TokenAuth::PrivateKeyJwt if key.is_none() => Err(malformed("it wants a key that it was not given".into())),
        // A key that the server does not ask for after all is not kept.
        TokenAuth::PrivateKeyJwt => {
            Ok(Registered { client_id: answer.client_id, client_secret: None, client_key: key, token_auth })
        }
        // A secret that nobody wants to see is not kept.
        TokenAuth::None => {
            Ok(Registered { client_id: answer.client_id, client_secret: None, client_key: None, token_auth })
        }
        _ => Ok(Registered { client_id: answer.client_id, client_secret, client_key: None, token_auth }),
    }
}

/// What we may want to do there.
fn grant_types(grant: Grant, metadata: &Metadata) -> Vec<&'static str> {
    match grant {
        Grant::AuthorizationCode => {
            let mut types = vec!["authorization_code", "refresh_token"];
            if metadata.device_authorization_endpoint.is_some() {
                types.push("urn:ietf:params:oauth:grant-type:device_code");
            }
            types
        }
        Grant::ClientCredentials => vec!["client_credentials"],
        Grant::JwtBearer | Grant::IdentityAssertion => vec!["urn:ietf:params:oauth:grant-type:jwt-bearer"],
    }
}
