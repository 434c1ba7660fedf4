//! Presses the demo page's button without a browser, so that the demo can run with no screen.

use http::StatusCode;
use signbell_engine::browser;
use signbell_engine::control::Failure;
use signbell_engine::wording::demo as wording;
use url::Url;

use crate::http::{get, post};
use crate::provider::TICKET;

const STEP: &str = "open_browser";

/// Opens `url`, presses the one button, and goes where the browser would go then.
///
/// # Errors
/// Where `url` is not a page of the demo, or the way back does not end well.
pub async fn approve(url: &Url) -> Result<(), Failure> {
    if !browser::is_loopback(url) {
        return Err(wording::unexpected(STEP, "the page is not on this machine"));
    }
    let page = get(url.as_str(), None).await.map_err(failed)?;
    let ticket = ticket(&page.text)
        .ok_or_else(|| wording::unexpected(STEP, &format!("the page has no button (status {})", page.status)))?;
    let mut form = url.clone();
    form.set_query(None);
    let answer = post(form.as_str(), &[(TICKET, ticket)]).await.map_err(failed)?;
    let back = answer.location.as_deref().and_then(|l| l.parse::<Url>().ok()).filter(browser::is_loopback);
    let (StatusCode::SEE_OTHER, Some(back)) = (answer.status, back) else {
        return Err(wording::unexpected(STEP, "the page did not lead back to Signbell"));
    };
    let end = get(back.as_str(), None).await.map_err(failed)?;
    if end.status.is_success() {
        Ok(())
    } else {
        Err(wording::unexpected(STEP, &format!("Signbell answered the redirect with {}", end.status)))
    }
}

/// The value of the page's hidden field. The page is our own, so its spelling is known.
pub(crate) fn ticket(html: &str) -> Option<&str> {
    let (_, rest) = html.split_once(&format!("name=\"{TICKET}\" value=\""))?;
    Some(rest.split_once('"')?.0)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    wording::unexpected(STEP, &error.to_string())
}
