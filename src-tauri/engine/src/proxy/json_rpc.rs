//! JSON-RPC 2.0 requests: telling them, and answering under their own ids. MCP's other requests (the
//! stream that a client opens with GET, the end of its session) are told by their headers.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde_json::{Value, json};

use super::replay::{Budget, Source};

/// How long a body may take before its request counts as none of these.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who asks, as far as it matters to an answer of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Any program.
    Plain,
    /// An MCP client, with a request that is no JSON-RPC.
    Mcp,
    /// A JSON-RPC client.
    Rpc {
        /// What to answer under.
        ids: Ids,
        /// It asks what the server speaks (`server/discover` of the MCP revision 2026-07-28).
        probes: bool,
    },
}

impl Caller {
    /// Whether it takes a 401 for an invitation to sign in by itself, against us.
    pub(super) fn signs_in_by_itself(&self) -> bool {
        !matches!(self, Self::Plain)
    }
}

/// The ids of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ids {
    /// One request.
    One(Value),
    /// A batch; one id each, notifications left out.
    Batch(Vec<Value>),
}

impl Ids {
    /// The body that answers every request with this error (JSON-RPC 2.0 section 5.1).
    pub(super) fn error(&self, code: i64, message: &str, data: &Value) -> Value {
        let one =
            |id: &Value| json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}});
        match self {
            Self::One(id) => one(id),
            Self::Batch(ids) => ids.iter().map(one).collect(),
        }
    }
}

/// Who asks. What is read of the body is kept for forwarding.
pub(super) async fn caller(parts: &Parts, body: &mut Source, budget: &Arc<Budget>) -> Caller {
    if let Some(rpc) = rpc(parts, body, budget).await {
        return rpc;
    }
    // Streamable HTTP, section "Session Management" and "Protocol Version Header".
    match ["mcp-session-id", "mcp-protocol-version"].iter().any(|name| parts.headers.contains_key(*name)) {
        true => Caller::Mcp,
        false => Caller::Plain,
    }
}

/// How many calls and notifications the request holds.
pub(super) async fn members(parts: &Parts, body: &mut Source, budget: &Arc<Budget>) -> usize {
    if !is_json_post(parts) {
        return 1;
    }
    let whole = tokio::time::timeout(PATIENCE, body.peek(budget)).await.ok().flatten();
    match whole.and_then(|whole| serde_json::from_slice(&whole).ok()) {
        Some(Value::Array(calls)) => calls.len(),
        _ => 1,
    }
}

fn is_json_post(parts: &Parts) -> bool {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    parts.method == Method::POST && kind.trim_start().to_ascii_lowercase().starts_with("application/json")
}

async fn rpc(parts: &Parts, body: &mut Source, budget: &Arc<Budget>) -> Option<Caller> {
    if !is_json_post(parts) {
        return None;
    }
    read(&tokio::time::timeout(PATIENCE, body.peek(budget)).await.ok()??)
}

fn read(body: &[u8]) -> Option<Caller> {
    let (ids, probes) = match serde_json::from_slice(body).ok()? {
        Value::Array(calls) if !calls.is_empty() && calls.iter().all(is_message) => (
            Ids::Batch(calls.iter().filter(|call| is_call(call)).filter_map(|call| call.get("id").cloned()).collect()),
            false,
        ),
        call if is_call(&call) => {
            let probes = call.get("method").and_then(Value::as_str) == Some("server/discover");
            (Ids::One(call.get("id").cloned().unwrap_or(Value::Null)), probes)
        }
        // A notification, or an answer to the server: JSON-RPC, and there is nothing to answer.
        message if is_message(&message) => (Ids::Batch(vec![]), false),
        _ => return None,
    };
    Some(match &ids {
        Ids::Batch(ids) if ids.is_empty() => Caller::Mcp,
        _ => Caller::Rpc { ids, probes },
    })
}

fn is_message(value: &Value) -> bool {
    value.get("jsonrpc").and_then(Value::as_str) == Some("2.0")
}

/// A request that wants an answer (JSON-RPC 2.0 section 4.1: a notification has no id).
fn is_call(value: &Value) -> bool {
    is_message(value) && value.get("method").is_some() && value.get("id").is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_json_rpc() {
        for (body, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"method":"x"}"#, Some(Ids::One(json!(7)))),
            (r#"{"jsonrpc":"2.0","id":"a","method":"x"}"#, Some(Ids::One(json!("a")))),
            (r#"{"jsonrpc":"2.0","method":"server/discover","id":1}"#, Some(Ids::One(json!(1)))),
            (
                r#"[{"jsonrpc":"2.0","id":1,"method":"x"},{"jsonrpc":"2.0","method":"y"}]"#,
                Some(Ids::Batch(vec![json!(1)])),
            ),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"x"},{}]"#, None),
            (r#"{"jsonrpc":"1.0","id":1}"#, None),
            ("[]", None),
            ("{}", None),
            ("x", None),
        ] {
            let probes = body.contains("discover");
            let expected = expected.map(|ids| Caller::Rpc { ids, probes });
            assert_eq!(read(body.as_bytes()), expected, "{body}");
        }
        // Nothing is answered to these, so no id is made up (JSON-RPC 2.0 section 6).
        for body in [
            r#"{"jsonrpc":"2.0","method":"notify"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"[{"jsonrpc":"2.0","method":"notify"}]"#,
        ] {
            assert_eq!(read(body.as_bytes()), Some(Caller::Mcp), "{body}");
        }
    }

    #[test]
    fn errors_echo_the_ids() {
        let ids = Ids::Batch(vec![json!(1), json!("b")]);
        let error = ids.error(-32001, "m", &json!({}));
        assert_eq!(error[1]["id"], json!("b"));
        assert_eq!(error.as_array().unwrap().len(), 2);
    }
}
