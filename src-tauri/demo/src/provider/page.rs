//! The demo provider's sign-in page: one button, no script, nothing from elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use signbell_engine::wording::demo as wording;

use crate::http::{Reply, reply};

const STYLE: &str = ":root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center;background:Canvas;color:CanvasText}\
main{max-width:22rem;padding:2rem}\
h1{font-size:1.25rem;margin:0 0 .5rem}\
p{margin:0 0 1.5rem}\
button{font:inherit;padding:.5rem 1rem;border:0;border-radius:6px;background:#1f5fbf;color:#fff;cursor:pointer}\
button:focus-visible{outline:2px solid CanvasText;outline-offset:2px}";

/// The name of the hidden field that tells which sign-in the button is for.
pub(crate) const TICKET: &str = "ticket";

/// The page with its button, which posts to `path`. `back` is the origin to which the browser goes next.
pub(super) fn ask(ticket: &str, path: &str, back: &str) -> Reply {
    let form = format!(
        "<p>{}</p><form method=\"post\" action=\"{path}\">\
         <input type=\"hidden\" name=\"{TICKET}\" value=\"{ticket}\">\
         <button type=\"submit\" autofocus>{}</button></form>",
        wording::PAGE_BODY,
        wording::PAGE_BUTTON
    );
    // Chromium applies form-action to the redirect that answers the form, too.
    page(StatusCode::OK, &form, &format!("'self' {back}"))
}

/// The page of a sign-in that can't be.
pub(super) fn stale() -> Reply {
    page(StatusCode::BAD_REQUEST, &format!("<p>{}</p>", wording::PAGE_STALE), "'none'")
}

fn page(status: StatusCode, content: &str, form_action: &str) -> Reply {
    let title = wording::PAGE_TITLE;
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{content}</main></body></html>"
    );
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'",
        STANDARD.encode(Sha256::digest(STYLE.as_bytes()))
    );
    let mut reply = reply(status, "text/html; charset=utf-8", html);
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    reply.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    reply.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}
