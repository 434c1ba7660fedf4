//! PURE: JSON as editors write it, with comments and trailing commas (VS Code's and Zed's settings).

use serde_json::Value;

/// The value; comments and trailing commas are passed over.
///
/// # Errors
/// What was expected and where, without the text itself.
pub fn parse(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        // serde_json names the position and what it expected, not the text.
        Err(_) => serde_json::from_str(&plain(text)).map_err(|e| e.to_string()),
    }
}

/// The same without comments and trailing commas; each line stays where it was.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    // Where the last comma stands that nothing but space has followed.
    let mut comma: Option<usize> = None;
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('"', _) => {
                comma = None;
                out.push(c);
                let mut escaped = false;
                for c in chars.by_ref() {
                    out.push(c);
                    if !escaped && c == '"' {
                        break;
                    }
                    escaped = !escaped && c == '\\';
                }
            }
            ('/', Some('/')) => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        out.push(c);
                        break;
                    }
                }
            }
            ('/', Some('*')) => {
                chars.next();
                let mut before = ' ';
                for c in chars.by_ref() {
                    if c == '\n' {
                        out.push(c);
                    }
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
                out.push(' ');
            }
            (',', _) => {
                comma = Some(out.len());
                out.push(c);
            }
            ('}' | ']', _) => {
                if let Some(at) = comma.take() {
                    out.replace_range(at..=at, " ");
                }
                out.push(c);
            }
            _ => {
                if !c.is_whitespace() {
                    comma = None;
                }
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::parse;

    #[test]
    fn what_editors_write() {
        for (text, value) in [
            ("{\"a\": 1}", json!({"a": 1})),
            ("// one\n{\"a\": [1, 2, /* three */], // four\n}", json!({"a": [1, 2]})),
            (
                "{\"u\": \"https://x.test//y\", \"s\": \"/* no */ , }\",}",
                json!({"u": "https://x.test//y", "s": "/* no */ , }"}),
            ),
            ("{\"q\": \"a\\\"// b\\\\\",}", json!({"q": "a\"// b\\"})),
            ("[1,/**/]", json!([1])),
        ] {
            assert_eq!(parse(text).unwrap(), value, "{text}");
        }
        for bad in ["", "{", "{\"a\": 1,, }", "[1 2]", "/* open", "{\"secret-word\": sk}"] {
            let why = parse(bad).unwrap_err();
            assert!(!why.contains("secret-word") && !why.contains("sk"), "{why}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err(), "nested without an end");
    }
}
