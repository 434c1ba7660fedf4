//! How upstreams are reached: HTTP/2, the system's trust store and an extra authority, a corporate proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use signbell_tests::process::{Process, run};
use signbell_tests::{Sandbox, Serve, wait_ok};

use crate::SOON;
use crate::world::{Access, CLIENT, World, access};

/// A name that only the corporate proxy knows.
const INSIDE: &str = "api.corp.test";

/// An HTTPS upstream whose certificate no machine trusts by itself, and a corporate proxy.
pub struct Outside {
    _process: Process,
    pub upstream: String,
    proxy: String,
    pub authority: PathBuf,
}

impl Outside {
    pub fn start(sandbox: &Sandbox) -> Result<Self> {
        let file = |name: &str| sandbox.path(name);
        let (key, authority, ready) = (file("key.pem"), file("ca.pem"), file("ready.json"));
        let (leaf, signer) = (file("leaf.pem"), file("ca-key.pem"));
        certificate(&["-subj", "/CN=Test authority"], &signer, &authority)?;
        let names = format!("subjectAltName=IP:127.0.0.1,DNS:{INSIDE}");
        let (ca, ca_key) = (authority.to_string_lossy(), signer.to_string_lossy());
        let signed = ["-subj", "/CN=Test upstream", "-CA", &ca, "-CAkey", &ca_key, "-addext", &names];
        certificate(&[&signed[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat(), &key, &leaf)?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/provider/upstream.mjs");
        let mut node = sandbox.command(std::env::var("SIGNBELL_NODE").unwrap_or_else(|_| "node".into()));
        node.arg(script).arg(&key).arg(&leaf).arg(&ready);
        let (process, _log) = sandbox.spawn(node, "upstream")?;
        let addresses: Value =
            wait_ok("the upstream's addresses", SOON, || Ok(serde_json::from_slice(&fs::read(&ready)?)?))?;
        let address = |name: &str| addresses[name].as_str().map(str::to_owned).context("no address");
        Ok(Self { _process: process, upstream: address("upstream")?, proxy: address("proxy")?, authority })
    }
}

/// Makes a key and a certificate for it.
pub fn certificate(more: &[&str], key: &Path, certificate: &Path) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(more).arg("-keyout").arg(key).arg("-out").arg(certificate);
    run(openssl, b"", SOON)?.expect_code(0).map(drop)
}

/// Adds the service `name` at `url` to ada's account.
fn add(world: &World, name: &str, url: &str) -> Result<Access> {
    let issuer = world.provider.issuer()?;
    let usual = ["add", url, "--name", name, "--account", "ada", "--issuer", issuer, "--client-id", CLIENT];
    let lines = world.sandbox.run_json(&[&usual[..], &["--tool", name]].concat())?;
    access(lines.first().context("no line of `add`")?)
}

/// Starts again with these network settings; the vault was memory, so ada signs in again.
fn restart_with(world: &mut World, network: &str) -> Result<()> {
    ensure!(world.serve.stop()?.success(), "serve failed");
    let config = world.sandbox.signbell_home().join("config.toml");
    let text = fs::read_to_string(&config)?;
    fs::write(&config, format!("{text}\n[network]\n{network}"))?;
    world.serve = Serve::start(&world.sandbox)?;
    world.sandbox.run_ok(&["sign-in", "ada"]).map(drop)
}

#[test]
fn e8_d15_trust_and_the_corporate_proxy_are_settings() -> Result<()> {
    let mut world = World::new("network")?;
    let outside = Outside::start(&world.sandbox)?;
    // What the environment says of a proxy counts for nothing: with it, all would fail.
    world.sandbox.set_env("HTTPS_PROXY", "http://127.0.0.1:9");
    world.sandbox.set_env("https_proxy", "http://127.0.0.1:9");
    let mut here = add(&world, "here", &outside.upstream)?;
    let mut inside = add(&world, "inside", &format!("https://{INSIDE}"))?;
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let refused = here.curl("/").run()?;
    ensure!(refused.status == 502, "an unknown authority: {} {}", refused.status, refused.text());
    ensure!(refused.json()?["detail"].as_str().is_some_and(|d| d.contains("certificate")), "{}", refused.text());

    let (authority, proxy) = (outside.authority.display(), &outside.proxy);
    restart_with(&mut world, &format!("extra_ca = \"{authority}\"\nproxy = \"{proxy}\"\n"))?;
    for (access, name) in [(&mut here, "here"), (&mut inside, "inside")] {
        access.url = format!("{}/{name}", world.serve.address());
    }
    // On this machine: past the proxy, and HTTP/2, since the upstream offers it.
    let answer = here.get("/")?;
    ensure!(answer["version"] == "2.0" && answer["scheme"] == "Bearer", "{answer}");
    ensure!(answer["tunnels"].as_array().is_some_and(Vec::is_empty), "{answer}");
    // Elsewhere: through it, and still HTTP/2 inside the tunnel.
    let answer = inside.get("/")?;
    ensure!(answer["version"] == "2.0" && answer["scheme"] == "Bearer", "{answer}");
    ensure!(answer["tunnels"] == serde_json::json!([format!("{INSIDE}:443")]), "{answer}");
    Ok(())
}

/// A container without the package of authorities. An authority of the person's own is enough.
#[test]
fn without_any_trusted_authority_it_says_what_to_install() -> Result<()> {
    let sandbox = Sandbox::new("distrust")?;
    let nothing = sandbox.path("none.pem");
    fs::write(&nothing, "")?;
    sandbox.set_env("SSL_CERT_FILE", nothing.display().to_string());
    sandbox.set_env("SSL_CERT_DIR", sandbox.path("tmp").display().to_string());
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    let refused = sandbox.run(&["serve"])?.expect_code(11)?;
    ensure!(refused.stderr.contains("ca-certificates") && refused.stderr.contains("extra_ca"), "{}", refused.stderr);

    let authority = sandbox.path("ca.pem");
    certificate(&["-subj", "/CN=Test authority"], &sandbox.path("ca-key.pem"), &authority)?;
    let network = format!("[network]\nextra_ca = \"{}\"\n", authority.display());
    fs::write(sandbox.signbell_home().join("config.toml"), network)?;
    let mut serve = Serve::start(&sandbox)?;
    ensure!(serve.stop()?.success(), "serve failed");
    Ok(())
}
