//! Signed JSON (RFC 7515) by a key of ours: client assertions (RFC 7523) and DPoP proofs (RFC 9449).
//!
//! The signatures are ring's, which is here for TLS anyway; what is left is three parts of base64.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// Why a private key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is locked by a passphrase.
    #[error("it is encrypted")]
    Encrypted,
    /// It is no PEM text with a private key in it.
    #[error("it is no private key in PEM form")]
    NotPem,
    /// The old form of an EC key, which ring does not read.
    #[error("it is in the old EC form")]
    OldEcForm,
    /// A key of a kind that we do not sign with.
    #[error("it is neither RSA (2048 bits or more) nor EC on P-256 or P-384")]
    Unsupported,
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    NoRandom,
}

/// A private key, and how it signs.
pub struct SigningKey {
    pair: Pair,
    random: SystemRandom,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Es384(EcdsaKeyPair),
    Rs256(Box<RsaKeyPair>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}

impl SigningKey {
    /// A new key on P-256, and its PEM text for the vault.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn generate() -> Result<(Self, Secret), KeyError> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| KeyError::NoRandom)?;
        let body = STANDARD.encode(document.as_ref());
        let pem = Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"));
        Ok((Self::from_pem(&pem)?, pem))
    }

    /// Reads a PEM text: PKCS#8 (`PRIVATE KEY`), or PKCS#1 (`RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(pem: &Secret) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        if pem.expose().contains("ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let pair = match PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| KeyError::NotPem)? {
            PrivateKeyDer::Pkcs8(der) => of_pkcs8(&der, &random)?,
            PrivateKeyDer::Pkcs1(der) => {
                let pair = RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| KeyError::Unsupported)?;
                Pair::Rs256(Box::new(pair))
            }
            PrivateKeyDer::Sec1(_) => return Err(KeyError::OldEcForm),
            _ => return Err(KeyError::Unsupported),
        };
        Ok(Self { pair, random })
    }

    /// The JWA name (RFC 7518 section 3.1) of its signatures.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Es384(_) => "ES384",
            Pair::Rs256(_) => "RS256",
        }
    }

    /// The public half as a JWK (RFC 7517) with the required members alone.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = |pair: &EcdsaKeyPair, curve: &str| {
            // SEC 1 section 2.3.3: 04, then both coordinates.
            let bytes = pair.public_key().as_ref().get(1..).unwrap_or_default();
            let (x, y) = bytes.split_at(bytes.len() / 2);
            json!({"crv": curve, "kty": "EC", "x": encode(x), "y": encode(y)})
        };
        match &self.pair {
            Pair::Es256(pair) => point(pair, "P-256"),
            Pair::Es384(pair) => point(pair, "P-384"),
            Pair::Rs256(pair) => {
                let public: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"e": encode(&public.e), "kty": "RSA", "n": encode(&public.n)})
            }
        }
    }

    /// The JWK's thumbprint (RFC 7638): its name where it needs one, and the `jkt` of DPoP.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // serde_json writes members in the order of their names, without spaces, as section 3.3 wants.
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.public_jwk().to_string()))
    }

    /// A JWS in compact form (RFC 7515 section 3.1). `header` gains `alg`.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn sign(&self, mut header: Value, claims: &Value) -> Result<String, KeyError> {
        header["alg"] = self.algorithm().into();
        let mut text = URL_SAFE_NO_PAD.encode(header.to_string());
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = match &self.pair {
            Pair::Es256(pair) | Pair::Es384(pair) => {
                pair.sign(&self.random, text.as_bytes()).map_err(|_| KeyError::NoRandom)?.as_ref().to_vec()
            }
            Pair::Rs256(pair) => {
                let mut bytes = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &self.random, text.as_bytes(), &mut bytes)
                    .map_err(|_| KeyError::NoRandom)?;
                bytes
            }
        };
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(text)
    }
}

fn of_pkcs8(der: &PrivatePkcs8KeyDer<'_>, random: &SystemRandom) -> Result<Pair, KeyError> {
    let bytes = der.secret_pkcs8_der();
    let ec = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, bytes, random);
    if let Ok(pair) = ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING) {
        return Ok(Pair::Es256(pair));
    }
    if let Ok(pair) = ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING) {
        return Ok(Pair::Es384(pair));
    }
    RsaKeyPair::from_pkcs8(bytes).map(|pair| Pair::Rs256(Box::new(pair))).map_err(|_| KeyError::Unsupported)
}

/// A value that is never the same twice (`jti`, RFC 7519 section 4.1.7).
#[must_use]
pub fn unique() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn part(jws: &str, index: usize) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(jws.split('.').nth(index).unwrap()).unwrap()
    }

    #[test]
    fn signs_what_others_verify() {
        let (key, pem) = SigningKey::generate().unwrap();
        let jws = key.sign(json!({"typ": "x"}), &json!({"a": 1})).unwrap();
        let header: Value = serde_json::from_slice(&part(&jws, 0)).unwrap();
        assert_eq!(header, json!({"alg": "ES256", "typ": "x"}));
        let (signed, _) = jws.rsplit_once('.').unwrap();
        let jwk = SigningKey::from_pem(&pem).unwrap().public_jwk();
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
        let public = signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
        public.verify(signed.as_bytes(), &part(&jws, 2)).unwrap();
        assert!(!format!("{key:?}").contains(jwk["x"].as_str().unwrap()));
    }

    /// RFC 7638 section 3.1 gives an RSA key and its thumbprint; the shape of ours must be the same.
    #[test]
    fn a_jwk_is_written_as_thumbprints_want_it() {
        let (key, _) = SigningKey::generate().unwrap();
        let text = key.public_jwk().to_string();
        assert!(text.starts_with(r#"{"crv":"P-256","kty":"EC","x":""#) && !text.contains(' '), "{text}");
        assert_eq!(key.thumbprint().len(), 43);
    }

    #[test]
    fn what_is_no_key() {
        for (pem, expected) in [
            ("", KeyError::NotPem),
            ("hello", KeyError::NotPem),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", KeyError::Encrypted),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", KeyError::Unsupported),
            ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", KeyError::OldEcForm),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", KeyError::NotPem),
        ] {
            assert_eq!(SigningKey::from_pem(&Secret::new(pem)).unwrap_err(), expected, "{pem}");
        }
    }
}
