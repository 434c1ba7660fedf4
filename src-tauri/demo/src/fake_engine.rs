//! As much of an engine as the demo needs, so that the story is tested apart from the real one.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use signbell_engine::control::{AddService, Added, Reply, Request, SignedIn};
use signbell_engine::secret::Secret;
use signbell_engine::view::{AppView, StateName};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use url::Url;

use crate::http::{Asked, Port, Server, get, json as json_reply, post, text};

const KEY: &str = "key";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[derive(Clone, Default)]
struct World {
    service: Option<(Url, Url)>,
    /// Access and refresh token.
    tokens: Option<(String, String)>,
    ring: bool,
}

type Shared = Arc<watch::Sender<World>>;

pub(crate) struct FakeEngine {
    folder: tempfile::TempDir,
    world: Shared,
    task: JoinHandle<()>,
    _proxy: Server,
}

impl FakeEngine {
    /// Needs a multi-threaded runtime: the demo's server answers without waiting, this proxy waits.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("control.sock")).unwrap();
        let world: Shared = Arc::new(watch::Sender::new(World::default()));
        let port = Port::bind().await.unwrap();
        let (address, shared) = (port.origin(), Arc::clone(&world));
        let proxy = port.serve(move |asked| {
            let work = proxy(asked, &shared);
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
        });
        let shared = Arc::clone(&world);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&shared), address.clone()));
            }
        });
        Self { folder, world, task, _proxy: proxy }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    pub(crate) fn has_account(&self) -> bool {
        self.world.borrow().service.is_some()
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: UnixStream, world: Shared, address: String) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let Ok(Some(line)) = lines.next_line().await else { return };
    let mut send = async |reply: Reply| {
        let line = serde_json::to_string(&reply).unwrap() + "\n";
        write.write_all(line.as_bytes()).await
    };
    match serde_json::from_str(&line).unwrap() {
        Request::AddEphemeral(service) => {
            let _ = send(Reply::Added(add(&world, service, &address))).await;
            let _ = lines.next_line().await;
            world.send_replace(World::default());
        }
        Request::SignIn { .. } => {
            let (url, mut codes, _callback) = attempt(&world).await;
            let _ = send(Reply::AuthorizeUrl { account: "demo".parse().unwrap(), url }).await;
            let (code, redirect) = codes.recv().await.unwrap();
            exchange(&world, &code, &redirect).await;
            let _ = send(Reply::SignedIn(SignedIn {
                account: "demo".parse().unwrap(),
                identity: Some("ada@example.com".into()),
                state: StateName::Active,
                scopes: vec![],
                expires_at: None,
                not_granted: vec![],
            }))
            .await;
        }
        Request::Status => {
            let view = view(&world.borrow());
            let _ = send(Reply::View(Box::new(view))).await;
        }
        Request::Watch => {
            let mut changes = world.subscribe();
            loop {
                let view = view(&changes.borrow_and_update());
                if send(Reply::View(Box::new(view))).await.is_err() || changes.changed().await.is_err() {
                    return;
                }
            }
        }
        other => unreachable!("{other:?}"),
    }
}

fn add(world: &Shared, service: AddService, address: &str) -> Added {
    world.send_modify(|w| w.service = Some((service.url, service.issuer.unwrap())));
    Added {
        service: "demo".parse().unwrap(),
        account: "demo".parse().unwrap(),
        url: format!("{address}/demo"),
        state: StateName::NeedsSignIn,
        tool: service.tool,
        key: Some(Secret::new(KEY)),
        preset: None,
    }
}

/// The page to open, the codes that come back, and what listens for them.
async fn attempt(world: &Shared) -> (Url, mpsc::Receiver<(String, String)>, Server) {
    let (sender, codes) = mpsc::channel(1);
    let port = Port::bind().await.unwrap();
    let redirect = format!("{}/callback", port.origin());
    let known = redirect.clone();
    let callback = port.serve(move |asked| {
        let code = asked.field("code").unwrap().to_owned();
        sender.try_send((code, known.clone())).unwrap();
        text(StatusCode::OK, "signed in")
    });
    let issuer = world.borrow().service.as_ref().unwrap().1.clone();
    let mut url: Url = format!("{issuer}/authorize").parse().unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", "signbell-demo"),
        ("redirect_uri", &redirect),
        ("code_challenge_method", "S256"),
        ("code_challenge", CHALLENGE),
        ("state", "s"),
    ]);
    (url, codes, callback)
}

async fn exchange(world: &Shared, code: &str, redirect: &str) {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "signbell-demo"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", VERIFIER),
    ];
    assert!(token(world, &form).await);
}

async fn renew(world: &Shared, refresh: &str) -> bool {
    token(world, &[("grant_type", "refresh_token"), ("client_id", "signbell-demo"), ("refresh_token", refresh)]).await
}

async fn token(world: &Shared, form: &[(&str, &str)]) -> bool {
    let issuer = world.borrow().service.as_ref().unwrap().1.clone();
    let answer = post(&format!("{issuer}/token"), form).await.unwrap();
    let tokens = answer.field("access_token").zip(answer.field("refresh_token"));
    let good = tokens.is_some();
    world.send_modify(|w| (w.ring, w.tokens) = (!good, tokens));
    good
}

async fn proxy(asked: &Asked, world: &Shared) -> crate::http::Reply {
    assert_eq!(asked.bearer.as_deref(), Some(KEY));
    let path = asked.path.strip_prefix("/demo/").unwrap();
    let mut changes = world.subscribe();
    loop {
        let now = changes.wait_for(|w| w.tokens.is_some() || w.service.is_none()).await.unwrap().clone();
        let (Some((url, _)), Some((access, refresh))) = (now.service, now.tokens) else {
            return text(StatusCode::UNAUTHORIZED, "gone");
        };
        let answer = get(url.join(path).unwrap().as_str(), Some(&Secret::new(access))).await.unwrap();
        if answer.status != StatusCode::UNAUTHORIZED {
            return json_reply(answer.status, &serde_json::from_str(&answer.text).unwrap());
        }
        renew(world, &refresh).await;
    }
}

fn view(world: &World) -> AppView {
    let state = if world.tokens.is_some() { "active" } else { "needs_sign_in" };
    let account = json!({
        "account": "demo", "title": "demo", "short_title": "demo", "provider": "demo", "state": state,
        "state_words": "", "scopes": [], "refreshable": true, "services": ["demo"], "waiting": 0,
        "signing_in": false, "allow_token": false, "ephemeral": true, "grants": [],
        "ring": world.ring.then(|| json!({ "id": 1, "title": "Demo needs you", "body": "" })),
    });
    let accounts = world.service.iter().map(|_| serde_json::from_value(account.clone()).unwrap()).collect();
    AppView { accounts, ..AppView::default() }
}

/// Whether `engine` forgets the demo's account soon.
pub(crate) async fn forgets(engine: &FakeEngine) -> bool {
    for _ in 0..200 {
        if !engine.has_account() {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    false
}

/// Opens pages as `--auto` does.
pub(crate) fn press(url: &Url) {
    let url = url.clone();
    tokio::spawn(async move { crate::follow::approve(&url).await.unwrap() });
}

/// Signs in as `--auto` does when the bell rings.
pub(crate) fn come(socket: &Path) {
    let socket = socket.to_owned();
    tokio::spawn(async move {
        let account = "demo".parse().unwrap();
        crate::story::sign_in(&socket, &account, |url| press(&url)).await.unwrap();
    });
}
