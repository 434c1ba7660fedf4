//! JSON-RPC 2.0 requests: telling them, and answering under their own ids.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde_json::{Value, json};

use super::replay::{Budget, Source};

/// How long a body may take before its request counts as none of these.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// The ids, if the request is JSON-RPC. What is read of its body is kept for forwarding.
pub(super) async fn ids(parts: &Parts, body: &mut Source, budget: &Arc<Budget>) -> Option<Ids> {
    let content_type = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if parts.method != Method::POST || !content_type.trim_start().to_ascii_lowercase().starts_with("application/json") {
        return None;
    }
    read(&tokio::time::timeout(PATIENCE, body.peek(budget)).await.ok()??)
}

fn read(body: &[u8]) -> Option<Ids> {
    match serde_json::from_slice(body).ok()? {
        Value::Array(calls) if !calls.is_empty() => calls
            .iter()
            .all(is_call)
            .then(|| Ids::Batch(calls.iter().filter_map(|call| call.get("id").cloned()).collect())),
        call if is_call(&call) => Some(Ids::One(call.get("id").cloned().unwrap_or(Value::Null))),
        _ => None,
    }
}

fn is_call(value: &Value) -> bool {
    value.get("jsonrpc").and_then(Value::as_str) == Some("2.0")
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
            (r#"{"jsonrpc":"2.0","method":"x"}"#, Some(Ids::One(Value::Null))),
            (r#"[{"jsonrpc":"2.0","id":1},{"jsonrpc":"2.0"}]"#, Some(Ids::Batch(vec![json!(1)]))),
            (r#"[{"jsonrpc":"2.0","id":1},{}]"#, None),
            (r#"{"jsonrpc":"1.0","id":1}"#, None),
            ("[]", None),
            ("{}", None),
            ("x", None),
        ] {
            assert_eq!(read(body.as_bytes()), expected, "{body}");
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
