//! A stdio MCP server that is a remote one: each line goes to the proxy as a POST, and what comes back is
//! written as lines. Messages are not understood more than is needed, so nothing of them is lost: typed
//! libraries drop the fields that they don't know.
//!
//! Streamable HTTP in both its shapes: revisions up to 2025-11-25 have a session and a stream of the
//! server's own; that of 2026-07-28 repeats parts of each message in headers ([`headers`]).

mod events;
mod headers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use signbell_engine::wording::cli::bridge as words;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use self::events::Events;
use self::headers::Annotations;

/// What JSON-RPC calls a message that is none (section 5.1).
const PARSE_ERROR: i64 = -32700;
/// What we say ourselves; the range is the server's to use.
const BRIDGE_ERROR: i64 = -32000;
/// A message of a server that is longer is not kept.
const LONGEST: usize = 64 * 1024 * 1024;
/// How often a stream that broke is taken up again without anything new before its request is given up.
const RESUMES: u32 = 3;
/// How long to wait before that where the server does not say.
const PAUSE: Duration = Duration::from_secs(1);
/// No server keeps us waiting longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a request waits for the notifications before it to be taken.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// Held while a forgotten session is begun anew.
    renewing: tokio::sync::Mutex<()>,
}

/// Where a stream ended.
struct Ended {
    /// The id of its last event, if events have ids.
    last: Option<String>,
    retry: Option<Duration>,
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
    let bridge = Arc::new(Bridge { door, client, out, shared: Mutex::default(), queue, sent, renewing });
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
    sending.abort();
    bridge.close().await;
    drop(bridge);
    // What is still under way has nobody to answer.
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

    /// A server of an older revision that has forgotten `session` gets the client's `initialize` again; once,
    /// however many requests find out. Returns whether there is another session now.
    async fn begin_anew(self: &Arc<Self>, message: &Value, session: Option<String>) -> Result<bool, String> {
        if session.is_none() || message.get("method").and_then(Value::as_str) == Some("initialize") {
            return Ok(false);
        }
        let _one_at_a_time = self.renewing.lock().await;
        let (before, initialize) = {
            let mut shared = self.lock();
            if shared.session != session {
                return Ok(shared.session.is_some());
            }
            let before = (shared.session.take(), shared.version.take());
            (before, shared.initialize.clone())
        };
        let begun = match initialize {
            Some(initialize) => self.initialize(&initialize).await,
            None => Err(words::CUT.to_owned()),
        };
        if begun.is_err() {
            // The next request tries again.
            let mut shared = self.lock();
            (shared.session, shared.version) = before;
        } else {
            self.listen();
        }
        begun.map(|()| true)
    }

    async fn initialize(&self, initialize: &Value) -> Result<(), String> {
        let response = self.post(initialize, false).await?;
        let status = response.status();
        if !status.is_success() {
            let body = serde_json::from_slice(&whole(response).await?).unwrap_or_default();
            return Err(said(status, &body));
        }
        self.note(initialize, &response);
        // The client has its answer to this from before.
        self.answers(response, |bridge, answer| bridge.agreed(&answer)).await?;
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.post(&initialized, false).await.map(drop)
    }

    /// Keeps what a first answer says of the conversation.
    fn note(&self, message: &Value, response: &Response) {
        if message.get("method").and_then(Value::as_str) == Some("initialize") {
            let session = response.headers().get("mcp-session-id").and_then(|value| value.to_str().ok());
            self.lock().session = session.map(str::to_owned);
        }
    }

    fn agreed(&self, answer: &Value) {
        if let Some(version) = answer.pointer("/result/protocolVersion").and_then(Value::as_str) {
            self.lock().version = Some(version.to_owned());
        }
    }

    /// Writes what was answered, whatever its shape.
    async fn relay(&self, message: &Value, response: Response) -> Result<(), String> {
        let status = response.status();
        let wanted = message.get("id").filter(|_| message.get("method").is_some());
        if !status.is_success() {
            let body: Value = serde_json::from_slice(&whole(response).await?).unwrap_or_default();
            let Some(id) = wanted else { return Err(said(status, &body)) };
            // A JSON-RPC error is the server's own word, or ours in its form.
            match body.get("error").filter(|error| error.is_object()) {
                Some(error) => self.write(json!({"jsonrpc": "2.0", "id": id, "error": error})),
                None => self.tell(id, BRIDGE_ERROR, &said(status, &body)),
            }
            return Ok(());
        }
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        let mut answered = false;
        let mut last = self
            .answers(response, |bridge, mut answer| {
                let is_answer = wanted.is_some_and(|id| answer.get("id") == Some(id)) && answer.get("method").is_none();
                if is_answer && method == "initialize" {
                    bridge.agreed(&answer);
                }
                if is_answer && method == "tools/list" && headers::version(message).is_some() {
                    for tool in bridge.lock().annotations.learn(&mut answer) {
                        tracing::warn!("the tool {tool:?} is left out: its x-mcp-header breaks the rules");
                    }
                }
                answered |= is_answer;
                bridge.write(answer);
            })
            .await;
        // Up to 2025-11-25 a stream that broke, or that the server closed, can be taken up where it ended.
        let mut in_vain = 0;
        while let (Some(id), false) = (wanted, answered) {
            let (from, retry) = match last {
                Ok(Ended { last: Some(from), retry }) if headers::version(message).is_none() && in_vain < RESUMES => {
                    (from, retry)
                }
                Ok(_) => return Err(words::CUT.to_owned()),
                Err(why) => return Err(why),
            };
            tokio::time::sleep(retry.unwrap_or(PAUSE).min(LONGEST_PAUSE)).await;
            let response = self.get(Some(&from)).await?;
            if !response.status().is_success() {
                return Err(words::CUT.to_owned());
            }
            let ended = self
                .answers(response, |bridge, answer| {
                    answered |= answer.get("id") == Some(id) && answer.get("method").is_none();
                    bridge.write(answer);
                })
                .await;
            last = ended.map(|ended| {
                let is_new = ended.last.as_ref().is_some_and(|id| *id != from);
                in_vain = if is_new { 0 } else { in_vain + 1 };
                Ended { last: ended.last.or(Some(from)), retry: ended.retry.or(retry) }
            });
        }
        Ok(())
    }

    /// Each message of a response; where it ended, if it is a stream.
    async fn answers(&self, mut response: Response, mut each: impl FnMut(&Self, Value)) -> Result<Ended, String> {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            let body = whole(response).await?;
            if let Ok(message) = serde_json::from_slice::<Value>(&body) {
                each(self, message);
            }
            return Ok(Ended { last: None, retry: None });
        }
        let mut events = Events::default();
        // A stream that breaks off ends like one that is over: what matters is whether the answer was in it.
        while let Ok(Some(chunk)) = response.chunk().await {
            for event in events.push(&chunk) {
                if let Ok(message) = serde_json::from_str(&event.data) {
                    each(self, message);
                }
            }
            if events.pending() > LONGEST {
                return Err(words::TOO_LONG.to_owned());
            }
        }
        Ok(Ended { last: events.last_id().map(str::to_owned), retry: events.retry() })
    }

    /// Opens the stream of the server's own messages (up to 2025-11-25), and again when it ends.
    fn listen(self: &Arc<Self>) {
        let bridge = Arc::downgrade(self);
        let listening = tokio::spawn(async move {
            let mut last: Option<String> = None;
            let mut pause = PAUSE;
            loop {
                let Some(strong) = bridge.upgrade() else { return };
                let mut wait = pause;
                match strong.get(last.as_deref()).await {
                    // Servers need not have one.
                    Ok(response) if response.status() == StatusCode::METHOD_NOT_ALLOWED => return,
                    Ok(response) if response.status().is_success() => {
                        pause = PAUSE;
                        if let Ok(ended) = strong.answers(response, Self::write).await {
                            wait = ended.retry.unwrap_or(PAUSE).min(LONGEST_PAUSE);
                            last = ended.last.or(last);
                        }
                    }
                    // Another key, once the engine is there again.
                    Ok(response) if response.status() == StatusCode::UNAUTHORIZED && is_ours(&response) => {
                        let _ = strong.door.open(true).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                    _ => pause = (pause * 2).min(LONGEST_PAUSE),
                }
                drop(strong);
                tokio::time::sleep(wait).await;
            }
        });
        if let Some(before) = self.lock().listening.replace(listening.abort_handle()) {
            before.abort();
        }
    }

    async fn get(&self, from: Option<&str>) -> Result<Response, String> {
        let (url, key) = self.door.open(false).await?;
        let mut request = self.client.get(url).bearer_auth(key).header(ACCEPT, "text/event-stream");
        for (name, value) in self.lock().conversation(&Value::Null) {
            request = request.header(name, value);
        }
        if let Some(from) = from {
            request = request.header("last-event-id", from);
        }
        request.send().await.map_err(|e| words::unreachable(&deepest(&e)))
    }

    /// The client has left: requests under way are left too, and a session is ended where there is one.
    async fn close(&self) {
        let (running, listening, headers) = {
            let mut shared = self.lock();
            let headers = shared.session.is_some().then(|| shared.conversation(&Value::Null));
            (std::mem::take(&mut shared.running), shared.listening.take(), headers)
        };
        running.into_values().chain(listening).for_each(|task| task.abort());
        if let (Some(headers), Ok((url, key))) = (headers, self.door.open(false).await) {
            let request = self.client.delete(url).bearer_auth(key).timeout(Duration::from_secs(2));
            let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
            let _ = request.send().await;
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

impl Shared {
    /// The headers of a conversation of an older revision, for a message that names none itself.
    fn conversation(&self, message: &Value) -> Vec<(String, String)> {
        if headers::version(message).is_some() {
            return vec![];
        }
        let session = self.session.clone().map(|id| ("mcp-session-id".to_owned(), id));
        let version = self.version.clone().map(|version| ("mcp-protocol-version".to_owned(), version));
        session.into_iter().chain(version).collect()
    }
}

/// Whether the proxy itself refuses the key, and not the server behind it.
fn is_ours(response: &Response) -> bool {
    let challenges = response.headers().get_all(reqwest::header::WWW_AUTHENTICATE).iter();
    challenges.filter_map(|value| value.to_str().ok()).any(|value| value.contains("realm=\"signbell\""))
}

async fn whole(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| words::broke_off(&deepest(&e)))? {
        if body.len() + chunk.len() > LONGEST {
            return Err(words::TOO_LONG.to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What an answer that is no JSON-RPC says (RFC 9457, or OAuth's shape), for the person at the client.
fn said(status: StatusCode, body: &Value) -> String {
    let names = ["detail", "error_description", "message", "title", "error"];
    words::answered(status.as_u16(), names.iter().find_map(|name| body.get(name)?.as_str()))
}

fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
