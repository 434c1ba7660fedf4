//! A double of a real provider: it plays that provider's own answers, saved in `tests/providers`.
//!
//! The real ones can't be had here: each wants a registered client and a person's account. What differs
//! between them is what they answer, so those answers are played to the byte over a real connection, and
//! what was asked is kept to be looked at. Not literal are the addresses (`{{base}}`), and id_tokens, which
//! are made anew for each sign-in because their nonce, audience and end are checked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::saved::Saved;
use crate::upstream::{Reply, Request, Upstream, invalid_token, ok, response};

/// The client that the double knows; it looks at no more of it.
pub const CLIENT: &str = "app-1";

/// A running double, with an API that takes its newest access token.
pub struct KnownProvider {
    name: String,
    upstream: Upstream,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The saved answers that codes and refresh tokens are answered with.
    token: String,
    refresh: String,
    /// The access token of the last answer.
    access: String,
    /// The API takes no token any more until there is a newer one.
    refused: bool,
    authorize: Vec<(String, String)>,
    tokens: Vec<TokenRequest>,
    played: BTreeSet<String>,
}

/// What the token endpoint was asked.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// Its parameters, from a form or from JSON; a client that showed itself in the header is among them.
    pub form: Vec<(String, String)>,
    /// The request as it came.
    pub raw: Request,
}

impl TokenRequest {
    /// The parameter of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        value(&self.form, name)
    }
}

impl KnownProvider {
    /// Starts it with the answers of `tests/providers/NAME`.
    pub fn start(name: &str) -> Result<Self> {
        let folder = Self::folder().join(name);
        ensure!(folder.is_dir(), "no {}", folder.display());
        let state = State { token: "token".into(), refresh: "refresh".into(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let base = Arc::new(OnceLock::<String>::new());
        let (shared, own) = (Arc::clone(&state), Arc::clone(&base));
        let upstream = Upstream::start(move |request| {
            let base = own.get().cloned().unwrap_or_default();
            let answer = answer(&folder, &base, &mut lock(&shared), request);
            Reply::Bytes(answer.unwrap_or_else(|e| response("500 Internal Server Error", format!("{e:#}").as_bytes())))
        })?;
        let _ = base.set(upstream.address().to_owned());
        Ok(Self { name: name.to_owned(), upstream, state })
    }

    /// Where the saved answers are kept, a folder for each provider.
    #[must_use]
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("providers")
    }

    /// The names of the answers of this provider.
    pub fn files(name: &str) -> Result<BTreeSet<String>> {
        let entries = fs::read_dir(Self::folder().join(name)).with_context(|| name.to_owned())?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().replace(".http", ""))).collect()
    }

    /// `http://127.0.0.1:port`
    #[must_use]
    pub fn base(&self) -> &str {
        self.upstream.address()
    }

    /// The base of its API.
    #[must_use]
    pub fn api(&self) -> String {
        format!("{}/api", self.base())
    }

    /// Answers codes with this saved answer from now on.
    pub fn answer_code(&self, file: &str) {
        lock(&self.state).token = file.to_owned();
    }

    /// Answers refresh tokens with this saved answer from now on.
    pub fn answer_refresh(&self, file: &str) {
        lock(&self.state).refresh = file.to_owned();
    }

    /// The API refuses today's token.
    pub fn refuse(&self) {
        lock(&self.state).refused = true;
    }

    /// The parameters of the last authorization request.
    #[must_use]
    pub fn authorize(&self) -> Vec<(String, String)> {
        lock(&self.state).authorize.clone()
    }

    /// Every token request, in order.
    #[must_use]
    pub fn tokens(&self) -> Vec<TokenRequest> {
        lock(&self.state).tokens.clone()
    }

    /// The answers that were played.
    #[must_use]
    pub fn played(&self) -> BTreeSet<String> {
        lock(&self.state).played.clone()
    }

    /// A value of a `# key: value` line of one of its answers.
    pub fn note(&self, file: &str, key: &str) -> Result<String> {
        let saved = read(&Self::folder().join(&self.name), file)?;
        saved.note(key).map(str::to_owned).with_context(|| format!("{}/{file}: no {key}", self.name))
    }
}

/// The first value of this name.
#[must_use]
pub fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(folder: &Path, file: &str) -> Result<Saved> {
    Saved::read(&folder.join(format!("{file}.http")))
}

fn answer(folder: &Path, base: &str, state: &mut State, request: &Request) -> Result<Vec<u8>> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    match path {
        "/authorize" => {
            state.authorize = pairs(query.as_bytes());
            let back = value(&state.authorize, "redirect_uri").context("no redirect_uri")?;
            let request_state = encoded(value(&state.authorize, "state").unwrap_or_default());
            Ok(response(&format!("302 Found\r\nlocation: {back}?code=c0de&state={request_state}"), b""))
        }
        "/token" => token(folder, base, state, request),
        "/identity" => match request.token() == state.access {
            true => play(folder, base, state, "identity"),
            false => Ok(invalid_token()),
        },
        "/revoke" => Ok(ok("{}")),
        path if path.starts_with("/api") => Ok(match request.token() == state.access && !state.refused {
            true => ok(&json!({"token": request.token()}).to_string()),
            false => invalid_token(),
        }),
        path if path.ends_with("/.well-known/openid-configuration") && folder.join("metadata.http").exists() => {
            play(folder, base, state, "metadata")
        }
        _ => Ok(response("404 Not Found", b"no")),
    }
}

fn token(folder: &Path, base: &str, state: &mut State, request: &Request) -> Result<Vec<u8>> {
    let is_json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let mut form = match is_json {
        true => {
            let object: serde_json::Map<String, Value> = serde_json::from_slice(&request.body)?;
            object.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect()
        }
        false => pairs(&request.body),
    };
    if let Some(basic) = request.header("authorization").and_then(|value| value.strip_prefix("Basic ")) {
        let text = String::from_utf8(STANDARD.decode(basic)?)?;
        let (id, secret) = text.split_once(':').context("no Basic credentials")?;
        form.extend([("client_id".to_owned(), id.to_owned()), ("client_secret".to_owned(), secret.to_owned())]);
    }
    let file = match value(&form, "grant_type") {
        Some("authorization_code") => state.token.clone(),
        Some("refresh_token") => state.refresh.clone(),
        other => return Ok(response("400 Bad Request", format!("grant_type {other:?}").as_bytes())),
    };
    state.tokens.push(TokenRequest { form, raw: request.clone() });
    let saved = read(folder, &file)?;
    if let Some(access) = saved.note("access") {
        (state.access, state.refused) = (access.to_owned(), false);
    }
    play(folder, base, state, &file)
}

fn play(folder: &Path, base: &str, state: &mut State, file: &str) -> Result<Vec<u8>> {
    let saved = read(folder, file)?;
    state.played.insert(file.to_owned());
    let text = |bytes: &str| bytes.replace("{{base}}", base);
    let mut body = text(std::str::from_utf8(&saved.body)?);
    if let Some(claims) = saved.note("id-token") {
        let mut claims: Value = serde_json::from_str(&text(claims))?;
        #[expect(clippy::disallowed_methods, reason = "an id_token ends by the clock that it is read by")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        claims["aud"] = CLIENT.into();
        claims["exp"] = (now + 3600).into();
        claims["nonce"] = value(&state.authorize, "nonce").unwrap_or_default().into();
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let jwt = format!("{}.{}.c2ln", encode(&json!({"alg": "RS256"})), encode(&claims));
        body = body.replace("{{id_token}}", &jwt);
    }
    Ok(saved.response("", body.as_bytes()))
}

/// The pairs of a query or a form.
fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
