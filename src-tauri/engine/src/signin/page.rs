//! The browser's last page: that it worked, or what happened instead.

use std::fmt::Write as _;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

/// What the page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Whether all is well.
    pub good: bool,
    /// One line.
    pub heading: String,
    /// A sentence or two.
    pub text: String,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#f6f5f2;--card:#fff;--ink:#1d1d1f;--soft:#62626a;--line:#e4e2dc;--good:#2f7d5b;--bad:#a4532a}\
@media(prefers-color-scheme:dark){:root{--paper:#17171a;--card:#212125;--ink:#f1f1f3;--soft:#a2a2ab;--line:#34343a;--good:#6cc49b;--bad:#e79a6d}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--paper);color:var(--ink);\
font:15px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{width:100%;max-width:400px;padding:40px 36px 36px;border:1px solid var(--line);border-radius:16px;background:var(--card);text-align:center}\
svg{display:block;margin:0 auto 20px;color:var(--good)}\
.bad svg{color:var(--bad)}\
h1{margin:0 0 8px;font-size:20px;line-height:1.3;font-weight:600;letter-spacing:-.01em;overflow-wrap:anywhere}\
p{margin:0;color:var(--soft);overflow-wrap:anywhere}\
footer{margin-top:28px;font-size:13px;color:var(--soft)}";

const BELL: &str = "M18 8a6 6 0 0 0-12 0c0 7-3 9-3 9h18s-3-2-3-9M13.7 21a2 2 0 0 1-3.4 0";
const CHECK: &str = "M9.2 10.8l2 2 3.6-4";

/// The page as HTML, without script and without anything from elsewhere.
#[must_use]
pub(super) fn render(words: &Words) -> String {
    let (class, mark) = if words.good { ("good", CHECK) } else { ("bad", "M12 7v4M12 13.6v.1") };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{heading} · Signbell</title>\
         <style>{STYLE}</style></head><body><main class=\"{class}\">\
         <svg width=\"56\" height=\"56\" viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\" \
         stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\"><path d=\"{BELL}\"/><path d=\"{mark}\"/></svg>\
         <h1>{heading}</h1><p>{text}</p><footer>Signbell</footer></main></body></html>",
        heading = escape(&words.heading),
        text = escape(&words.text),
    )
}

/// Nothing but our own style, known by its digest (CSP level 3 section 8.3).
#[must_use]
pub(super) fn content_security_policy() -> String {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Invisible characters that reorder what is read.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(escaped, "\u{fffd}");
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l5_nothing_becomes_markup() {
        let html = render(&Words { good: false, heading: "<svg onload=x>".into(), text: "a\"b'c&d\u{202e}".into() });
        assert!(!html.contains("<svg onload"));
        assert!(html.contains("&lt;svg onload=x&gt;") && html.contains("a&quot;b&#39;c&amp;d\u{fffd}"));
        assert!(content_security_policy().starts_with("default-src 'none'; style-src 'sha256-"));
    }
}
