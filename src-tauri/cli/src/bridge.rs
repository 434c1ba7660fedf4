//! A stdio MCP server that is a remote one: each line goes to the proxy as a POST, and what comes back is
//! written as lines. Messages are not understood more than is needed, so nothing of them is lost: typed
//! libraries drop the fields that they don't know.
//!
//! Streamable HTTP in both its shapes: revisions up to 2025-11-25 have a session and a stream of the
//! server's own; that of 2026-07-28 repeats parts of each message in headers ([`headers`]).

mod events;
mod headers;
mod relay;
mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use signbell_engine::wording::cli::bridge as words;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;

use self::headers::Annotations;
use self::relay::{deepest, is_ours};

/// What JSON-RPC calls a message that is none (section 5.1).
const PARSE_ERROR: i64 = -32700;
/// What we say ourselves; the range is the server's to use.
const BRIDGE_ERROR: i64 = -32000;
/// How long a request waits for the notifications before it to be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long what was asked may still be answered after the client's last line. A client that wants us gone
/// sooner says so by a signal, as MCP's stdio transport has it.
const LAST_ANSWERS: Duration = Duration::from_secs(30);

/// How the proxy is reached: the address and a key, both anew where they no longer hold.
pub(crate) trait Door: Send + Sync + 'static {
    /// The service's address and the key. `again`: what was given before is no good any more.
    fn open(&self, again: bool) -> impl Future<Output = Result<(String, String), String>> + Send;
}

/// What all messages share.
struct Bridge<D> {
    door: D,
    client: reqwest::Client,
    out: mpsc::UnboundedSender<Value>,
    shared: Mutex<Shared>,
    /// Notifications and answers, which keep their order, and how many of them have been sent.
    queue: mpsc::UnboundedSender<Value>,
    sent: watch::Sender<u64>,
    /// Told when a request has its answer.
    answered: Notify,
    /// Held while a forgotten session is begun anew.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Shared {
    /// How many messages were put into the queue.
    queued: u64,
    /// Up to 2025-11-25: the server's name for this conversation, and the revision agreed on.
    session: Option<String>,
    version: Option<String>,
    /// The client's `initialize`, for a server that has forgotten the session.
    initialize: Option<Value>,
    annotations: Annotations,
    /// What is under way, by the text of its id, so that it can be cancelled.
    running: HashMap<String, AbortHandle>,
    /// The stream of the server's own messages.
    listening: Option<AbortHandle>,
}

/// Carries messages until `input` ends.
///
/// # Errors
/// Where `input` or `output` breaks.
pub(crate) async fn run<D: Door>(
    door: D,
    client: reqwest::Client,
    mut input: impl AsyncBufRead + Unpin,
    mut output: impl AsyncWrite + Unpin + Send + 'static,
) -> std::io::Result<()> {
    let (out, mut lines) = mpsc::unbounded_channel::<Value>();
    let writing = tokio::spawn(async move {
        while let Some(message) = lines.recv().await {
            // Compact JSON has no line feed in it.
            output.write_all(format!("{message}\n").as_bytes()).await?;
            output.flush().await?;
        }
        Ok(())
    });
    let (queue, mut queued) = mpsc::unbounded_channel::<Value>();
    let (sent, renewing) = (watch::Sender::new(0), tokio::sync::Mutex::default());
    let (shared, answered) = (Mutex::default(), Notify::new());
    let bridge = Arc::new(Bridge { door, client, out, shared, queue, sent, answered, renewing });
    let sending = tokio::spawn({
        let bridge = Arc::downgrade(&bridge);
        async move {
            while let Some(message) = queued.recv().await {
                let Some(bridge) = bridge.upgrade() else { return };
                bridge.send_in_order(&message).await;
            }
        }
    });
    let mut line = String::new();
    while input.read_line(&mut line).await? > 0 {
        if !line.trim().is_empty() {
            bridge.take(line.trim());
        }
        line.clear();
    }
    // What the client said last is still said, if that takes no time.
    let _ = tokio::time::timeout(Duration::from_secs(1), bridge.all_sent()).await;
    // A script writes what it wants to know, ends its line and reads the answers.
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = bridge.all_answered() => {}
        () = tokio::time::sleep(LAST_ANSWERS) => {}
        _ = terminate.recv() => {}
    }
    sending.abort();
    bridge.close().await;
    drop(bridge);
    // Nobody may be there to read it.
    tokio::time::timeout(Duration::from_secs(1), writing).await.map_or(Ok(()), |ended| ended.unwrap_or(Ok(())))
}

impl<D: Door> Bridge<D> {
    /// One line of the client.
    fn take(self: &Arc<Self>, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return self.tell(&Value::Null, PARSE_ERROR, words::NO_JSON);
        };
        let method = message.get("method").and_then(Value::as_str);
        if method == Some("notifications/cancelled") && self.cancel(&message) {
            return;
        }
        if method == Some("initialize") {
            self.lock().initialize = Some(message.clone());
        }
        let Some(id) = message.get("id").filter(|_| method.is_some()).map(Value::to_string) else {
            // One that is held up must hold up nothing but those behind it.
            self.lock().queued += 1;
            let _ = self.queue.send(message);
            return;
        };
        let bridge = Arc::clone(self);
        let key = id.clone();
        // Taken before it runs: it must not end before it is noted.
        let mut shared = self.lock();
        let task = tokio::spawn(async move {
            let _ = tokio::time::timeout(PATIENCE, bridge.all_sent()).await;
            if let Err(why) = bridge.send(&message).await {
                bridge.tell(message.get("id").unwrap_or(&Value::Null), BRIDGE_ERROR, &why);
            }
            bridge.lock().running.remove(&key);
            bridge.answered.notify_one();
        });
        shared.running.insert(id, task.abort_handle());
    }

    /// Sends a notification or an answer.
    async fn send_in_order(self: &Arc<Self>, message: &Value) {
        if let Err(why) = self.send(message).await {
            tracing::warn!("a message was not taken: {why}");
        } else if message.get("method").and_then(Value::as_str) == Some("notifications/initialized") {
            self.listen();
        }
        self.sent.send_modify(|sent| *sent += 1);
    }

    /// Waits until all that is in the queue now has been sent.
    async fn all_sent(&self) {
        let queued = self.lock().queued;
        let _ = self.sent.subscribe().wait_for(|sent| *sent >= queued).await;
    }

    /// Waits until nothing that was asked is under way.
    async fn all_answered(&self) {
        while !self.lock().running.is_empty() {
            self.answered.notified().await;
        }
    }

    /// In the revision of 2026-07-28 a request is cancelled by leaving it; before, the server is told. Returns
    /// whether nothing is left to send.
    fn cancel(&self, message: &Value) -> bool {
        let id = message.pointer("/params/requestId").map(Value::to_string).unwrap_or_default();
        let mut shared = self.lock();
        if shared.version.is_some() {
            return false;
        }
        if let Some(running) = shared.running.remove(&id) {
            running.abort();
        }
        true
    }

    /// Sends a message and writes all that is answered. A key or a session that is gone is had anew, once.
    async fn send(self: &Arc<Self>, message: &Value) -> Result<(), String> {
        let session = self.lock().session.clone();
        let mut response = self.post(message, false).await?;
        if response.status() == StatusCode::UNAUTHORIZED && is_ours(&response) {
            response = self.post(message, true).await?;
        }
        if response.status() == StatusCode::NOT_FOUND && self.begin_anew(message, session).await? {
            response = self.post(message, false).await?;
        }
        self.note(message, &response);
        self.relay(message, response).await
    }

    async fn post(&self, message: &Value, again: bool) -> Result<Response, String> {
        let (url, key) = self.door.open(again).await?;
        let mut request = self
            .client
            .post(url)
            .bearer_auth(key)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .body(message.to_string());
        {
            let shared = self.lock();
            for (name, value) in
                headers::of(message, &shared.annotations).into_iter().chain(shared.conversation(message))
            {
                request = request.header(name, value);
            }
        }
        match request.send().await {
            Err(e) if e.is_connect() && !again => Box::pin(self.post(message, true)).await,
            outcome => outcome.map_err(|e| words::unreachable(&deepest(&e))),
        }
    }

    fn tell(&self, id: &Value, code: i64, message: &str) {
        self.write(json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}));
    }

    fn write(&self, message: Value) {
        // Nobody reads any more: the end is near.
        let _ = self.out.send(message);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
