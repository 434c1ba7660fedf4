//! Services out in the world: names that lead to doubles by TLS, through a corporate proxy, so that nothing of
//! the machine's own name resolution is touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::{Output, Process, run};
use signbell_tests::{Curl, Provider, Sandbox, Serve, Upstream, wait_ok};

use crate::SOON;
use crate::network::certificate;
use crate::world::{Access, CLIENT, World, access, follow_links, provider};

/// A world that has an outside.
pub struct Fronted {
    pub world: World,
    /// What the test's own clients trust besides: who vouches for the names outside.
    pub authority: PathBuf,
    /// The TLS server of all names: `127.0.0.1:port`.
    pub front: String,
    _process: Process,
}

impl Fronted {
    /// Each of `names` stands for a plain server at `http://127.0.0.1:port`. The forward proxy is off.
    pub fn new(name: &str, names: impl FnOnce(&Provider) -> Result<Vec<(String, String)>>) -> Result<Self> {
        let sandbox = Sandbox::new(name)?;
        sandbox.set_env("SIGNBELL_VAULT", "memory");
        follow_links(&sandbox)?;
        let provider = provider(&sandbox, &json!({}))?;
        let names = names(&provider)?;
        let file = |name: &str| sandbox.path(name);
        let (key, authority, ready) = (file("front-key.pem"), file("outside-ca.pem"), file("front.json"));
        let (leaf, signer) = (file("front.pem"), file("outside-ca-key.pem"));
        certificate(&["-subj", "/CN=Outside"], &signer, &authority)?;
        let hosts: String = names.iter().filter(|(n, _)| !n.is_empty()).map(|(n, _)| format!(",DNS:{n}")).collect();
        let hosts = format!("subjectAltName=IP:127.0.0.1{hosts}");
        let (ca, ca_key) = (authority.to_string_lossy(), signer.to_string_lossy());
        let signed = ["-subj", "/CN=Front", "-CA", &ca, "-CAkey", &ca_key, "-addext", &hosts];
        certificate(&[&signed[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat(), &key, &leaf)?;
        let targets: serde_json::Map<String, Value> =
            names.iter().map(|(name, at)| (name.clone(), at.trim_start_matches("http://").into())).collect();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/provider/front.mjs");
        let mut node = sandbox.command(std::env::var("SIGNBELL_NODE").unwrap_or_else(|_| "node".into()));
        node.arg(script).arg(&key).arg(&leaf).arg(&ready).arg(Value::Object(targets).to_string());
        let (process, _log) = sandbox.spawn(node, "front")?;
        let told: Value = wait_ok("the front's addresses", SOON, || Ok(serde_json::from_slice(&fs::read(&ready)?)?))?;
        let address = |name: &str| told[name].as_str().map(str::to_owned).context("no address");
        let settings =
            format!("[network]\nextra_ca = \"{}\"\nproxy = \"{}\"\n", authority.display(), address("proxy")?);
        fs::write(sandbox.signbell_home().join("config.toml"), settings)?;
        let serve = Serve::start(&sandbox)?;
        let world = World { serve, provider, sandbox };
        Ok(Self { world, authority, front: address("front")?, _process: process })
    }

    /// The names of these doubles.
    pub fn of(name: &str, doubles: &[(&str, &Upstream)]) -> Result<Self> {
        let names = doubles.iter().map(|(name, double)| ((*name).to_owned(), double.address().to_owned())).collect();
        Self::new(name, |_| Ok(names))
    }

    /// Adds the service `name` at `url` to the account `account`, for `tool`, and signs in.
    pub fn add(&self, url: &str, name: &str, account: &str, tool: &str) -> Result<Access> {
        let issuer = self.world.provider.issuer()?;
        let usual = ["add", url, "--name", name, "--account", account, "--issuer", issuer, "--client-id", CLIENT];
        let lines = self.world.sandbox.run_json(&[&usual[..], &["--tool", tool, "--sign-in"]].concat())?;
        access(lines.first().context("no line of `add`")?)
    }

    /// Turns the forward proxy on, and gives the file of its authority.
    pub fn forward(&self) -> Result<PathBuf> {
        let told = self.world.sandbox.run_json(&["forward", "on", "--yes"])?[0].clone();
        ensure!(told["on"] == true, "{told}");
        Ok(told["certificate"].as_str().context("no certificate")?.into())
    }

    /// `host:port` of the proxy.
    pub fn proxy(&self) -> &str {
        self.world.serve.address().trim_start_matches("http://")
    }

    /// A request through the forward proxy, with this key; `trusting` that file of authorities and no other.
    pub fn curl(&self, key: &str, url: &str, trusting: &Path) -> Curl {
        let proxy = format!("http://signbell:{key}@{}", self.proxy());
        // The later --noproxy counts.
        Curl::new(url)
            .arg("--noproxy")
            .arg("")
            .arg("--proxy")
            .arg(proxy)
            .arg("--cacert")
            .arg(trusting.to_string_lossy())
    }

    /// Sends these bytes inside TLS inside a tunnel, with a client that adds nothing of its own.
    pub fn inside(&self, key: &str, host: &str, trusting: &Path, bytes: &[u8]) -> Result<Output> {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-quiet", "-verify_return_error", "-verify_quiet", "-servername", host]);
        openssl.args(["-connect", &format!("{host}:443"), "-proxy", self.proxy(), "-proxy_user", "signbell"]);
        openssl.args(["-proxy_pass", &format!("pass:{key}"), "-CAfile"]).arg(trusting);
        run(openssl, bytes, SOON)
    }
}
