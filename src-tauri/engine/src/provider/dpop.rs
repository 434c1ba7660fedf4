//! Tokens that are good only with a key (DPoP, RFC 9449): the tool that uses them through the proxy need
//! not have heard of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::jws::{KeyError, SigningKey, unique};
use crate::challenge;
use crate::secret::Secret;

/// The header of a proof (section 4.1).
pub const PROOF: HeaderName = HeaderName::from_static("dpop");
/// The header in which a server hands out its nonce (section 8).
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// A nonce that is longer is not kept.
const LONGEST_NONCE: usize = 1024;

/// The key that a grant's tokens are bound to, and the nonces that servers gave for it.
#[derive(Debug)]
pub struct DpopKey {
    key: SigningKey,
    pem: Secret,
    nonces: Mutex<HashMap<String, String>>,
}

/// What a proof is for.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// The request's method.
    pub method: &'a str,
    /// Its address; query and fragment are left out of the proof (section 4.2).
    pub uri: &'a Uri,
    /// The access token that goes along, if one does.
    pub access: Option<&'a Secret>,
    /// The time in Unix seconds, as the server's clock shows it.
    pub unix: u64,
}

impl DpopKey {
    /// A new key on P-256, which every server that knows DPoP takes.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn generate() -> Result<Self, KeyError> {
        let (key, pem) = SigningKey::generate()?;
        Ok(Self { key, pem, nonces: Mutex::default() })
    }

    /// The key that [`DpopKey::to_pem`] wrote.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(pem: Secret) -> Result<Self, KeyError> {
        Ok(Self { key: SigningKey::from_pem(&pem)?, pem, nonces: Mutex::default() })
    }

    /// The private key, for the vault.
    #[must_use]
    pub fn to_pem(&self) -> &Secret {
        &self.pem
    }

    /// The key's thumbprint: `dpop_jkt` of the authorization request (section 10).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.key.thumbprint()
    }

    /// A proof (section 4.2) with the server's newest nonce.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn proof(&self, what: Proof<'_>) -> Result<HeaderValue, KeyError> {
        let mut claims = json!({
            "jti": unique(),
            "htm": what.method,
            "htu": format!("{}{}", origin(what.uri), what.uri.path()),
            "iat": what.unix,
        });
        if let Some(access) = what.access {
            claims["ath"] = URL_SAFE_NO_PAD.encode(Sha256::digest(access.expose())).into();
        }
        if let Some(nonce) = self.nonces().get(&origin(what.uri)) {
            claims["nonce"] = nonce.clone().into();
        }
        let header = json!({"typ": "dpop+jwt", "jwk": self.key.public_jwk()});
        let text = self.key.sign(header, &claims)?;
        // Three parts of base64url are always a header value.
        Ok(HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("")))
    }

    /// Puts the token and its proof in (section 7.1): whatever `Authorization` there was is replaced.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn put(&self, headers: &mut HeaderMap, what: Proof<'_>) -> Result<(), KeyError> {
        let proof = self.proof(what)?;
        let token = what.access.map_or("", Secret::expose);
        // Tokens are visible ASCII: that was looked at when they came.
        let mut value = HeaderValue::try_from(format!("DPoP {token}")).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        headers.insert(::http::header::AUTHORIZATION, value);
        headers.insert(PROOF, proof);
        Ok(())
    }

    /// Keeps the nonce that an answer from `uri` brings, if it does; returns whether it is a new one.
    pub fn note(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(nonce) = headers.get(NONCE).and_then(|value| value.to_str().ok()) else { return false };
        // Section 8.1: NQCHAR, which is visible ASCII without quotes and backslashes.
        let good = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if nonce.is_empty() || nonce.len() > LONGEST_NONCE || !nonce.bytes().all(good) {
            return false;
        }
        self.nonces().insert(origin(uri), nonce.to_owned()).is_none_or(|before| before != nonce)
    }

    fn nonces(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a resource server only wants its nonce (section 9): nothing is wrong with the token.
#[must_use]
pub fn wants_nonce(headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(::http::header::WWW_AUTHENTICATE).iter().flat_map(challenge::parse);
    headers.contains_key(NONCE)
        && challenges
            .into_iter()
            .any(|challenge| challenge.is("dpop") && challenge.param("error") == Some("use_dpop_nonce"))
}

/// Scheme, host and port, the port only where it is not the scheme's own (section 4.3 compares normalised).
fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    match (scheme, uri.port_u16()) {
        (_, None) | ("https", Some(443)) | ("http", Some(80)) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    fn claims(proof: &HeaderValue) -> Value {
        let payload = proof.to_str().unwrap().split('.').nth(1).unwrap().to_owned();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    fn headers(nonce: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(NONCE, nonce.parse().unwrap());
        headers
    }

    #[test]
    fn a_proof_says_what_it_is_for() {
        let key = DpopKey::generate().unwrap();
        let uri: Uri = "https://API.test:443/a/b?token=x".parse().unwrap();
        let access = Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
        let what = Proof { method: "POST", uri: &uri, access: Some(&access), unix: 7 };
        let first = claims(&key.proof(what).unwrap());
        assert_eq!(first["htm"], "POST");
        assert_eq!(first["htu"], "https://api.test/a/b");
        assert_eq!(first["iat"], 7);
        // The pair of RFC 9449 section 7.1.
        assert_eq!(first["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
        assert_eq!(first["nonce"], Value::Null);
        let second = claims(&key.proof(Proof { access: None, ..what }).unwrap());
        assert_ne!(first["jti"], second["jti"]);
        assert_eq!(second["ath"], Value::Null);
    }

    #[test]
    fn nonces_are_kept_by_server() {
        let key = DpopKey::generate().unwrap();
        let (one, two): (Uri, Uri) = ("https://a.test/x".parse().unwrap(), "https://b.test/x".parse().unwrap());
        assert!(key.note(&one, &headers("n1")));
        assert!(!key.note(&one, &headers("n1")), "not a new one");
        for bad in ["", "a b", "a\"b", &"x".repeat(2000)] {
            assert!(!key.note(&one, &headers(bad)), "{bad}");
        }
        assert!(!key.note(&one, &HeaderMap::new()));
        let nonce = |uri: &Uri| {
            claims(&key.proof(Proof { method: "GET", uri, access: None, unix: 1 }).unwrap())["nonce"].clone()
        };
        assert_eq!(nonce(&one), "n1");
        assert_eq!(nonce(&two), Value::Null);
    }

    #[test]
    fn who_wants_a_nonce() {
        for (challenge, with_nonce, expected) in [
            ("DPoP error=\"use_dpop_nonce\"", true, true),
            ("Bearer realm=x, DPoP algs=\"ES256\", error=\"use_dpop_nonce\"", true, true),
            ("DPoP error=\"use_dpop_nonce\"", false, false),
            ("DPoP error=\"invalid_token\"", true, false),
            ("Bearer error=\"use_dpop_nonce\"", true, false),
        ] {
            let mut headers = if with_nonce { headers("n") } else { HeaderMap::new() };
            headers.insert(::http::header::WWW_AUTHENTICATE, challenge.parse().unwrap());
            assert_eq!(wants_nonce(&headers), expected, "{challenge}");
        }
    }
}
