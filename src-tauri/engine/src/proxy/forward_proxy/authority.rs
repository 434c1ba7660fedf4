//! A local certificate authority, made on this machine: it vouches for the hosts of services to the tools
//! that trust it, and for no others (RFC 5280 section 4.2.1.10).

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256,
    PublicKeyData as _, SanType, SerialNumber,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::clock;
use crate::secret::Secret;
use crate::vault::VaultError;

/// How long a host's certificate lives.
const LEAF_LIFE: Duration = Duration::from_secs(24 * 3600);
/// After this it is made anew.
const LEAF_USE: Duration = Duration::from_secs(12 * 3600);
/// How far back a certificate begins, for a clock that was set back.
const LEEWAY: Duration = Duration::from_secs(3600);
/// A host that no name has (RFC 2606 section 2): with it alone permitted, none is.
const NO_HOST: &str = "none.invalid";

/// Why there is no authority.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthorityError {
    /// Its key can't be kept or read.
    #[error("its key: {0}")]
    Vault(#[from] VaultError),
    /// A certificate can't be made.
    #[error("a certificate: {0}")]
    Certificate(String),
    /// Its certificate can't be written for tools to trust.
    #[error("its file: {0}")]
    File(String),
}

impl From<rcgen::Error> for AuthorityError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl From<rustls::Error> for AuthorityError {
    fn from(error: rustls::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

/// The authority, and what it has vouched for.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
    hosts: BTreeSet<String>,
    /// One key for all leaves of this process; it is nowhere else.
    leaf_key: KeyPair,
    leaves: Mutex<HashMap<String, (clock::Now, Arc<ServerConfig>)>>,
}

impl Authority {
    /// Another key for it, as PEM text.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn new_key() -> Result<Secret, AuthorityError> {
        Ok(Secret::new(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem()))
    }

    /// The authority with this key, for these hosts, good for so long. The same key makes the same authority:
    /// an older certificate of it goes on vouching for the hosts that it names.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn with_key(what: &str, key: &Secret, hosts: BTreeSet<String>, life: Duration) -> Result<Self, AuthorityError> {
        let key = KeyPair::from_pem(key.expose())?;
        let short: String = Sha256::digest(key.der_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("Signbell on this machine ({what} {short})"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.name_constraints = Some(constraints(&hosts));
        live(&mut params, life)?;
        let certificate = params.self_signed(&key)?;
        let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Self { issuer: Issuer::new(params, key), certificate, hosts, leaf_key, leaves: Mutex::default() })
    }

    /// Its certificate as PEM text, for tools to trust.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.certificate.pem()
    }

    /// The hosts that it vouches for.
    #[must_use]
    pub fn hosts(&self) -> &BTreeSet<String> {
        &self.hosts
    }

    /// What a connection for `host` is answered with.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn server(&self, host: &str) -> Result<Arc<ServerConfig>, AuthorityError> {
        let now = clock::now();
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        leaves.retain(|_, (made, _)| now.since(*made) < LEAF_USE);
        if let Some((_, config)) = leaves.get(host) {
            return Ok(Arc::clone(config));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Signbell");
        params.subject_alt_names = vec![match address(host) {
            Some(ip) => SanType::IpAddress(ip),
            None => SanType::DnsName(host.try_into()?),
        }];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        live(&mut params, LEAF_LIFE)?;
        let leaf = params.signed_by(&self.leaf_key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)?;
        // What is inside goes through the same strict reader as at the port, which reads this alone.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        leaves.insert(host.to_owned(), (now, Arc::clone(&config)));
        Ok(config)
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// From a little while ago to so long from now, with a number that no other certificate of the issuer has.
fn live(params: &mut CertificateParams, life: Duration) -> Result<(), AuthorityError> {
    let unix = i64::try_from(clock::now().unix()).unwrap_or_default();
    let now = OffsetDateTime::from_unix_timestamp(unix).map_err(|e| AuthorityError::Certificate(e.to_string()))?;
    params.not_before = now - LEEWAY;
    params.not_after = now + (life - LEEWAY);
    let mut serial: [u8; 16] = rand::random();
    // Positive, and not shorter than the others (RFC 5280 section 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(())
}

/// Names and addresses are constrained apart, so each kind has a list that isn't empty: with none, all of
/// that kind would be permitted.
fn constraints(hosts: &BTreeSet<String>) -> NameConstraints {
    let addresses: Vec<IpAddr> = hosts.iter().filter_map(|host| address(host)).collect();
    let mut names: Vec<&str> = hosts.iter().filter(|host| address(host).is_none()).map(String::as_str).collect();
    if names.is_empty() {
        names.push(NO_HOST);
    }
    let mut permitted: Vec<GeneralSubtree> =
        names.into_iter().map(|name| GeneralSubtree::DnsName(name.to_owned())).collect();
    let mut excluded = vec![];
    if addresses.is_empty() {
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)));
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)));
    }
    for ip in addresses {
        let whole = if ip.is_ipv4() { 32 } else { 128 };
        permitted.push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(ip, whole)));
    }
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}

/// The address that a host is written as, if it is none by name.
fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    use rustls::{ClientConfig, RootCertStore};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    fn authority(key: &Secret, hosts: &[&str]) -> Authority {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Authority::with_key("a test", key, hosts, Duration::from_secs(3600 * 48)).unwrap()
    }

    /// Whether a client that trusts `trusted` alone accepts what `authority` answers for `host`.
    async fn accepts(trusted: &Authority, authority: &Authority, host: &str) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.certificate().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
        let server = TlsAcceptor::from(authority.server(host).unwrap());
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let (client, _server) = tokio::join!(client.connect(name, ours), server.accept(theirs));
        client.is_ok()
    }

    #[tokio::test]
    async fn a_client_believes_it_of_its_own_hosts_alone() {
        let key = Authority::new_key().unwrap();
        for (hosts, host, expected) in [
            (&["api.example"][..], "api.example", true),
            // RFC 5280 section 4.2.1.10: what is below a permitted name is permitted.
            (&["api.example"], "sub.api.example", true),
            (&["api.example"], "example", false),
            (&["api.example"], "evil.example", false),
            (&["api.example"], "notapi.example", false),
            (&["api.example"], "127.0.0.1", false),
            (&["api.example"], "::1", false),
            (&["127.0.0.1"], "127.0.0.1", true),
            (&["127.0.0.1"], "127.0.0.2", false),
            (&["127.0.0.1"], "::1", false),
            (&["127.0.0.1"], "api.example", false),
            (&[], "api.example", false),
            (&[], "127.0.0.1", false),
        ] {
            let authority = authority(&key, hosts);
            assert_eq!(accepts(&authority, &authority, host).await, expected, "{hosts:?}: {host}");
        }
    }

    #[tokio::test]
    async fn the_same_key_is_the_same_authority_and_another_is_another() {
        let (key, other) = (Authority::new_key().unwrap(), Authority::new_key().unwrap());
        let (old, new) = (authority(&key, &["a.example"]), authority(&key, &["a.example", "b.example"]));
        assert!(accepts(&old, &new, "a.example").await);
        assert!(!accepts(&old, &new, "b.example").await, "an older certificate does not name it");
        assert!(accepts(&new, &new, "b.example").await);
        let other = authority(&other, &["a.example"]);
        assert!(!accepts(&other, &new, "a.example").await);
        assert!(!old.certificate().contains("PRIVATE"));
    }

    #[test]
    fn a_host_s_answer_is_made_once() {
        let authority = authority(&Authority::new_key().unwrap(), &["a.example"]);
        let first = authority.server("a.example").unwrap();
        assert!(Arc::ptr_eq(&first, &authority.server("a.example").unwrap()));
        assert!(!Arc::ptr_eq(&first, &authority.server("b.example").unwrap()));
    }
}
