//! What comes back: a message or a stream of them, written as lines.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use signbell_engine::wording::cli::bridge as words;

use super::events::Events;
use super::{BRIDGE_ERROR, Bridge, Door, headers};

/// A message of a server that is longer is not kept.
const LONGEST: usize = 64 * 1024 * 1024;
/// How often a stream that broke is taken up again without anything new before its request is given up.
const RESUMES: u32 = 3;
/// How long to wait before that where the server does not say.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// No server keeps us waiting longer.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Where a stream ended.
pub(super) struct Ended {
    /// The id of its last event, if events have ids.
    pub(super) last: Option<String>,
    pub(super) retry: Option<Duration>,
}

impl<D: Door> Bridge<D> {
    /// Writes what was answered, whatever its shape.
    pub(super) async fn relay(&self, message: &Value, response: Response) -> Result<(), String> {
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
    pub(super) async fn answers(
        &self,
        mut response: Response,
        mut each: impl FnMut(&Self, Value),
    ) -> Result<Ended, String> {
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
}

/// Whether the proxy itself refuses the key, and not the server behind it.
pub(super) fn is_ours(response: &Response) -> bool {
    let challenges = response.headers().get_all(reqwest::header::WWW_AUTHENTICATE).iter();
    challenges.filter_map(|value| value.to_str().ok()).any(|value| value.contains("realm=\"signbell\""))
}

pub(super) async fn whole(mut response: Response) -> Result<Vec<u8>, String> {
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
pub(super) fn said(status: StatusCode, body: &Value) -> String {
    let names = ["detail", "error_description", "message", "title", "error"];
    words::answered(status.as_u16(), names.iter().find_map(|name| body.get(name)?.as_str()))
}

pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
