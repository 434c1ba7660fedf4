//! What a command needs to go through the forward proxy: where it is, whom to trust, and something in the
//! place of the tokens that its clients look for. It all ends with the command.

use std::env;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use signbell_engine::control::{Failure, Forwarded, ToolKey};
use signbell_engine::wording::cli as words;
use tempfile::TempDir;

/// Where programs look for the proxy.
const PROXY: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

/// Where programs look for a file of certificate authorities: OpenSSL and Go, curl, Python's requests, Node,
/// git, cargo, pip, AWS's tools, Deno, npm (whose own setting goes before Node's).
const BUNDLE: [&str; 10] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "DENO_CERT",
    "NPM_CONFIG_CAFILE",
];

/// This machine is reached directly: the services' own addresses are here.
const HERE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The variables, and the folder that they lead to.
pub(super) struct Through {
    variables: Vec<(String, String)>,
    /// Removed with this.
    _folder: TempDir,
}

impl Through {
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Nothing where the forward proxy is off, and the run was not started with it.
///
/// # Errors
/// Where the bundle can't be written.
pub(super) fn prepare(lent: &ToolKey) -> Result<Option<Through>, Failure> {
    let (Some(forwarded), Some(key)) = (&lent.forward, &lent.key) else { return Ok(None) };
    let failed = |e| words::no_temporary_folder(&e);
    // Of this user alone: who could change the bundle could make the command trust anybody.
    let private = fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("signbell-run-").permissions(private).tempdir().map_err(failed)?;
    let path = folder.path().join("certificates.pem");
    let mut file = fs::File::create(&path).map_err(failed)?;
    file.write_all(bundle(&forwarded.certificate).as_bytes()).map_err(failed)?;
    let address = forwarded.address.trim_start_matches("http://");
    let proxy = format!("http://signbell:{}@{address}", key.expose());
    let path = path.display().to_string();
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| variables.push((name.to_owned(), value.to_owned()));
    PROXY.iter().for_each(|name| set(name, &proxy));
    BUNDLE.iter().for_each(|name| set(name, &path));
    for name in ["NO_PROXY", "no_proxy"] {
        set(name, &direct(&env::var(name).unwrap_or_default(), forwarded));
    }
    // Node's own fetch looks at the proxy variables only if it is told to.
    set("NODE_USE_ENV_PROXY", "1");
    // git would ask without a key first, to learn which way the proxy wants it.
    set("GIT_HTTP_PROXY_AUTHMETHOD", "basic");
    forwarded.placeholders.iter().for_each(|(name, value)| set(name, value));
    Ok(Some(Through { variables, _folder: folder }))
}

/// Whom the command would trust anyway, and this run's authority.
fn bundle(certificate: &str) -> String {
    let mut bundle = String::new();
    // This looks at SSL_CERT_FILE and SSL_CERT_DIR as well. What it can't read, the command could not either.
    for known in rustls_native_certs::load_native_certs().certs {
        bundle.push_str(&pem(&known));
    }
    let own = BUNDLE.iter().skip(1).filter_map(|name| fs::read_to_string(env::var_os(name)?).ok());
    for text in own.chain([certificate.to_owned()]) {
        bundle.push_str(text.trim_end());
        bundle.push('\n');
    }
    bundle
}

/// RFC 7468 section 5.1.
fn pem(certificate: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// What the person had excepted before stays so, but for the hosts of the services.
fn direct(before: &str, forwarded: &Forwarded) -> String {
    let covers = |entry: &str, host: &str| {
        let name = entry.trim_start_matches('*').trim_start_matches('.');
        name.is_empty() || host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
    };
    let kept = before.split(',').map(str::trim).filter(|entry| {
        !entry.is_empty() && !HERE.contains(entry) && !forwarded.hosts.iter().any(|host| covers(entry, host))
    });
    HERE.into_iter().chain(kept).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_goes_past_the_proxy() {
        let forwarded = Forwarded {
            address: String::new(),
            certificate: String::new(),
            hosts: ["api.github.com".to_owned()].into(),
            placeholders: [].into(),
        };
        for (before, expected) in [
            ("", ""),
            ("*", ""),
            ("corp.test, .inside.test", ",corp.test,.inside.test"),
            ("github.com,localhost", ""),
            (".github.com,*.com,hub.com", ",hub.com"),
            ("api.github.com", ""),
        ] {
            assert_eq!(direct(before, &forwarded), format!("localhost,127.0.0.1,::1{expected}"), "{before}");
        }
    }

    #[test]
    fn a_bundle_ends_with_ours() {
        let ours = pem(&[7; 100]);
        let bundle = bundle(&ours);
        assert!(bundle.ends_with(&ours));
        assert!(ours.lines().all(|line| line.len() <= 64));
    }
}
