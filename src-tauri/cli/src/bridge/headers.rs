//! PURE: the headers in which MCP's Streamable HTTP of 2026-07-28 repeats parts of a message (its section
//! "Request Metadata"). Clients that speak stdio don't send them; servers refuse requests without them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Where a message names its revision.
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The parameters of each tool that go into headers: the header's name and the path of the value.
#[derive(Debug, Default)]
pub(super) struct Annotations(BTreeMap<String, Vec<(String, Vec<String>)>>);

/// The revision that the message itself names; messages of revisions before 2026-07-28 don't.
pub(super) fn version(message: &Value) -> Option<&str> {
    message.get("params")?.get("_meta")?.get(VERSION)?.as_str()
}

/// The headers of a message that names its revision; none of any other.
pub(super) fn of(message: &Value, annotations: &Annotations) -> Vec<(String, String)> {
    let (Some(version), Some(method)) = (version(message), message.get("method").and_then(Value::as_str)) else {
        return vec![];
    };
    let mut headers =
        vec![("mcp-protocol-version".to_owned(), version.to_owned()), ("mcp-method".to_owned(), method.to_owned())];
    let param = |name: &str| message.get("params").and_then(|params| params.get(name)?.as_str());
    let name = match method {
        "tools/call" | "prompts/get" => param("name"),
        "resources/read" => param("uri"),
        _ if method.starts_with("tasks/") => param("taskId"),
        _ => None,
    };
    headers.extend(name.map(|name| ("mcp-name".to_owned(), encode(name))));
    if method == "tools/call" {
        let annotated = name.and_then(|name| annotations.0.get(name)).into_iter().flatten();
        for (header, path) in annotated {
            let arguments = message.get("params").and_then(|params| params.get("arguments"));
            let value = path.iter().try_fold(arguments, |value, key| Some(value?.get(key))).flatten();
            headers.extend(value.and_then(text).map(|text| (format!("mcp-param-{header}"), encode(&text))));
        }
    }
    headers
}

impl Annotations {
    /// Learns from the answer to `tools/list`. A tool whose annotations break the rules is taken out of it,
    /// as the specification wants; returns the names of those.
    pub(super) fn learn(&mut self, answer: &mut Value) -> Vec<String> {
        let Some(tools) = answer.pointer_mut("/result/tools").and_then(Value::as_array_mut) else { return vec![] };
        let mut refused = Vec::new();
        tools.retain(|tool| {
            let name = tool.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut found = Vec::new();
            let good = tool.get("inputSchema").is_none_or(|schema| collect(schema, &mut vec![], true, &mut found));
            let mut names: Vec<String> = found.iter().map(|(header, _)| header.to_ascii_lowercase()).collect();
            names.sort_unstable();
            let unique = names.windows(2).all(|pair| pair.first() != pair.last());
            if good && unique {
                self.0.insert(name, found);
            } else {
                refused.push(name);
            }
            good && unique
        });
        refused
    }
}

/// Finds the annotations of a schema; false where one breaks the rules. `reachable`: only `properties` led here.
fn collect(schema: &Value, path: &mut Vec<String>, reachable: bool, found: &mut Vec<(String, Vec<String>)>) -> bool {
    let Some(object) = schema.as_object() else {
        return schema.as_array().is_none_or(|all| all.iter().all(|part| collect(part, path, false, found)));
    };
    if let Some(header) = object.get("x-mcp-header") {
        let primitive = matches!(object.get("type").and_then(Value::as_str), Some("string" | "integer" | "boolean"));
        let token = header.as_str().filter(|text| !text.is_empty() && text.bytes().all(is_tchar));
        match token {
            Some(header) if reachable && primitive && !path.is_empty() => {
                found.push((header.to_owned(), path.clone()));
            }
            _ => return false,
        }
    }
    object.iter().all(|(keyword, part)| match (keyword.as_str(), part.as_object()) {
        ("x-mcp-header" | "default" | "const" | "enum" | "examples", _) => true,
        ("properties", Some(properties)) => properties.iter().all(|(name, property)| {
            path.push(name.clone());
            let good = collect(property, path, reachable, found);
            path.pop();
            good
        }),
        _ => collect(part, path, false, found),
    })
}

/// RFC 9110 section 5.6.2.
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.as_i64().map_or_else(|| number.to_string(), |whole| whole.to_string())),
        _ => None,
    }
}

/// What can't stand in a header, or looks encoded, is encoded.
fn encode(text: &str) -> String {
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    let padded = text.trim_matches([' ', '\t']) != text;
    let sentinel = text.starts_with("=?base64?") && text.ends_with("?=");
    if plain && !padded && !sentinel { text.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_as_the_specification_encodes_them() {
        for (value, expected) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encode(value), expected);
        }
    }

    fn call(arguments: Value) -> Value {
        json!({"id": 1, "method": "tools/call", "params": {
            "name": "sql", "arguments": arguments, "_meta": {VERSION: "2026-07-28"},
        }})
    }

    #[test]
    fn a_call_repeats_what_the_tool_asks_for() {
        let mut annotations = Annotations::default();
        let mut list = json!({"result": {"tools": [
            {"name": "sql", "inputSchema": {"type": "object", "properties": {
                "region": {"type": "string", "x-mcp-header": "Region"},
                "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            }}},
            {"name": "plain", "inputSchema": {"type": "object"}},
            {"name": "twice", "inputSchema": {"properties": {
                "a": {"type": "string", "x-mcp-header": "X"}, "b": {"type": "string", "x-mcp-header": "x"},
            }}},
            {"name": "number", "inputSchema": {"properties": {"a": {"type": "number", "x-mcp-header": "X"}}}},
            {"name": "hidden", "inputSchema": {"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "X"}}}]}},
            {"name": "crlf", "inputSchema": {"properties": {"a": {"type": "string", "x-mcp-header": "X\r\n"}}}},
        ]}});
        assert_eq!(annotations.learn(&mut list), ["twice", "number", "hidden", "crlf"]);
        assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(2));
        let headers = |arguments| of(&call(arguments), &annotations).split_off(2);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            headers(json!({"region": "us", "deep": {"n": 42}})),
            [pair("mcp-name", "sql"), pair("mcp-param-N", "42"), pair("mcp-param-Region", "us")]
        );
        assert_eq!(headers(json!({"region": null})), [pair("mcp-name", "sql")]);
        assert_eq!(headers(json!(null)), [pair("mcp-name", "sql")]);
    }

    #[test]
    fn older_revisions_have_none() {
        assert_eq!(of(&json!({"id": 1, "method": "tools/call", "params": {"name": "a"}}), &Annotations::default()), []);
    }
}
