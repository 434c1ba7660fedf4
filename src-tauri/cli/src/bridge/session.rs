//! A conversation up to revision 2025-11-25: the session that the server names, begun anew where it forgets it,
//! and the stream of its own messages.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use signbell_engine::wording::cli::bridge as words;

use super::relay::{LONGEST_PAUSE, PAUSE, deepest, is_ours, said, whole};
use super::{Bridge, Door, Shared, headers};

impl<D: Door> Bridge<D> {
    /// A server of an older revision that has forgotten `session` gets the client's `initialize` again; once,
    /// however many requests find out. Returns whether there is another session now.
    pub(super) async fn begin_anew(self: &Arc<Self>, message: &Value, session: Option<String>) -> Result<bool, String> {
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

    pub(super) async fn initialize(&self, initialize: &Value) -> Result<(), String> {
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
    pub(super) fn note(&self, message: &Value, response: &Response) {
        if message.get("method").and_then(Value::as_str) == Some("initialize") {
            let session = response.headers().get("mcp-session-id").and_then(|value| value.to_str().ok());
            self.lock().session = session.map(str::to_owned);
        }
    }

    pub(super) fn agreed(&self, answer: &Value) {
        if let Some(version) = answer.pointer("/result/protocolVersion").and_then(Value::as_str) {
            self.lock().version = Some(version.to_owned());
        }
    }

    /// Opens the stream of the server's own messages (up to 2025-11-25), and again when it ends.
    pub(super) fn listen(self: &Arc<Self>) {
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

    pub(super) async fn get(&self, from: Option<&str>) -> Result<Response, String> {
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
    pub(super) async fn close(&self) {
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
}

impl Shared {
    /// The headers of a conversation of an older revision, for a message that names none itself.
    pub(super) fn conversation(&self, message: &Value) -> Vec<(String, String)> {
        if headers::version(message).is_some() {
            return vec![];
        }
        let session = self.session.clone().map(|id| ("mcp-session-id".to_owned(), id));
        let version = self.version.clone().map(|version| ("mcp-protocol-version".to_owned(), version));
        session.into_iter().chain(version).collect()
    }
}
