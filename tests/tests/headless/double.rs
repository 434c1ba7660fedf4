//! An authorization server that answers what a test says, with a service of its own beside it.
//!
//! A real one keeps to the standards; what is tested with this double is what becomes of answers that no
//! well-behaved server gives. All else it answers as a plain server would.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use signbell_tests::process::Output;
use signbell_tests::upstream::{Reply, Request, ok, response};
use signbell_tests::{Curl, Sandbox, Serve, Upstream, UrlCatcher};
use url::Url;

use crate::SOON;
use crate::world::{self, Access, access};

/// A sandbox with a running engine and no provider.
pub struct Bare {
    pub serve: Serve,
    pub sandbox: Sandbox,
}

impl Bare {
    pub fn new(name: &str) -> Result<Self> {
        Self::with(name, "")
    }

    /// The same with these settings.
    pub fn with(name: &str, config: &str) -> Result<Self> {
        let sandbox = Sandbox::new(name)?;
        sandbox.set_env("SIGNBELL_VAULT", "memory");
        world::follow_links(&sandbox)?;
        if !config.is_empty() {
            std::fs::create_dir_all(sandbox.signbell_home())?;
            std::fs::write(sandbox.signbell_home().join("config.toml"), config)?;
        }
        Ok(Self { serve: Serve::start(&sandbox)?, sandbox })
    }

    /// `signbell add URL --account ada --tool me …`
    pub fn add(&self, url: &str, more: &[&str]) -> Result<Access> {
        let lines = self.sandbox.run_json(&[&["add", url, "--account", "ada", "--tool", "me"], more].concat())?;
        access(lines.first().context("no line of `add`")?)
    }

    /// The double's service for the account `ada`, signed in.
    pub fn signed_in(&self, double: &Double) -> Result<Access> {
        self.add(&double.api(), &["--name", "api", "--sign-in"])
    }

    /// Starts a sign-in, and while its page waits, does `at` with the address that the provider's page leads
    /// to in the end. Gives what the command said.
    pub fn meanwhile(&self, args: &[&str], at: impl FnOnce(&str) -> Result<()>) -> Result<Output> {
        let catcher = UrlCatcher::install(&self.sandbox)?;
        thread::scope(|scope| {
            let command = scope.spawn(|| self.sandbox.run(&[&["sign-in"], args, &["--json"]].concat()));
            let visited = catcher.next_url(SOON).and_then(|page| {
                let location = Curl::new(page).run()?.header("location").context("no redirect")?.to_owned();
                at(&location)
            });
            if visited.is_err() {
                // The command would wait for ten minutes.
                world::control(&self.sandbox, &json!({"do": "quit"}))?;
            }
            let output = command.join().map_err(|_| anyhow!("the command's thread panicked"))?;
            visited?;
            output
        })
    }
}

/// The running double.
pub struct Double {
    server: Upstream,
}

/// What the double says where a test says nothing.
pub struct Usual {
    /// Its own address, which is its issuer.
    pub own: String,
    /// How many token requests there were before this one.
    pub tokens: usize,
}

impl Double {
    /// `answer` is asked first.
    pub fn start(answer: impl Fn(&Request, &Usual) -> Option<Vec<u8>> + Send + Sync + 'static) -> Result<Self> {
        Self::replying(move |request, usual| answer(request, usual).map(Reply::Bytes))
    }

    /// The same for replies of any kind.
    pub fn replying(answer: impl Fn(&Request, &Usual) -> Option<Reply> + Send + Sync + 'static) -> Result<Self> {
        let address = Arc::new(OnceLock::<String>::new());
        let (known, tokens) = (Arc::clone(&address), AtomicUsize::new(0));
        let server = Upstream::start(move |request| {
            let is_token = request.target == "/token";
            let tokens = tokens.fetch_add(usize::from(is_token), Ordering::SeqCst);
            let usual = Usual { own: known.get().cloned().unwrap_or_default(), tokens };
            answer(request, &usual).unwrap_or_else(|| Reply::Bytes(usual.answer(request)))
        })?;
        let _ = address.set(server.address().to_owned());
        Ok(Self { server })
    }

    /// One that says nothing unusual.
    pub fn plain() -> Result<Self> {
        Self::start(|_, _| None)
    }

    pub fn address(&self) -> &str {
        self.server.address()
    }

    /// Its service.
    pub fn api(&self) -> String {
        format!("{}/api", self.address())
    }

    pub fn seen(&self) -> Vec<Request> {
        self.server.seen()
    }

    /// The sign-in pages that a browser opened; what Signbell asked there itself is none.
    pub fn pages(&self) -> Vec<Request> {
        let ours = |request: &Request| request.header("user-agent").is_some_and(|agent| agent.starts_with("Signbell/"));
        self.asked("/authorize").into_iter().filter(|request| !ours(request)).collect()
    }

    /// What was asked of this path.
    pub fn asked(&self, path: &str) -> Vec<Request> {
        self.seen().into_iter().filter(|request| path_of(request) == path).collect()
    }

    /// The forms that the token endpoint got.
    pub fn forms(&self) -> Vec<Vec<(String, String)>> {
        self.asked("/token").iter().map(form).collect()
    }
}

impl Usual {
    /// Its metadata, with other members; null takes one away.
    pub fn metadata(&self, more: &Value) -> Vec<u8> {
        let own = &self.own;
        let mut document = json!({
            "issuer": own,
            "authorization_endpoint": format!("{own}/authorize"),
            "token_endpoint": format!("{own}/token"),
            "registration_endpoint": format!("{own}/register"),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        merge(&mut document, more);
        ok(&document.to_string())
    }

    /// A token answer, with other members. Each token has the number of its request.
    pub fn token(&self, more: &Value) -> Vec<u8> {
        let n = self.tokens;
        let mut document = json!({
            "access_token": format!("access-{n}"), "token_type": "Bearer", "expires_in": 600,
            "refresh_token": format!("refresh-{n}"),
        });
        merge(&mut document, more);
        ok(&document.to_string())
    }

    /// Back to the client with these parameters besides `state`.
    pub fn redirect(&self, request: &Request, more: &[(&str, &str)]) -> Vec<u8> {
        let asked = query(request);
        let value = |name: &str| asked.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value);
        let mut pairs = vec![("state", value("state"))];
        pairs.extend(more);
        let Ok(url) = Url::parse_with_params(value("redirect_uri"), pairs) else {
            return response("400 Bad Request", b"no redirect_uri");
        };
        response(&format!("302 Found\r\nlocation: {url}"), b"")
    }

    fn answer(&self, request: &Request) -> Vec<u8> {
        match path_of(request) {
            "/.well-known/oauth-authorization-server" => self.metadata(&json!({})),
            "/authorize" => {
                // The code tells which challenge it belongs to.
                let asked = query(request);
                let challenge = asked.iter().find(|(name, _)| name == "code_challenge").map_or("", |(_, value)| value);
                self.redirect(request, &[("code", &format!("code-{challenge}")), ("iss", &self.own)])
            }
            "/register" => response("201 Created\r\ncontent-type: application/json", br#"{"client_id":"double"}"#),
            "/token" => self.token(&json!({})),
            path if path.starts_with("/api") && !request.token().is_empty() => ok("{\"done\":true}"),
            path if path.starts_with("/api") => response("401 Unauthorized\r\nwww-authenticate: Bearer", b"who?"),
            _ => response("404 Not Found", b""),
        }
    }
}

fn merge(document: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        match value {
            Value::Null => drop(document.as_object_mut().and_then(|members| members.remove(name))),
            value => document[name] = value.clone(),
        }
    }
}

/// The path without its query.
pub fn path_of(request: &Request) -> &str {
    request.target.split('?').next().unwrap_or_default()
}

/// The parameters of the query.
pub fn query(request: &Request) -> Vec<(String, String)> {
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The parameters of the body.
pub fn form(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

/// The value of one of them.
pub fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
}

/// Follows a redirect to our loopback port as a browser does, and wants this status.
pub fn hit(location: &str, status: u16) -> Result<signbell_tests::Response> {
    let response = Curl::new(location).run()?;
    ensure!(response.status == status, "{location}: {} {}", response.status, response.text());
    Ok(response)
}
