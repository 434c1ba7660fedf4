//! What values look like where they are typed.

use std::time::Duration;

use signbell_engine::model::ExpiredAnswer;
use url::Url;

pub(super) fn web_url(text: &str) -> Result<Url, String> {
    match text.parse::<Url>() {
        Ok(url) if matches!(url.scheme(), "https" | "http") => Ok(url),
        _ => Err("it must begin with https:// (or http:// on this machine)".to_owned()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let seconds = digits.parse::<u64>().ok().zip(factor).and_then(|(n, f)| n.checked_mul(f));
    seconds.map(Duration::from_secs).ok_or_else(|| "a time is written 90s, 5m or 1h".to_owned())
}

pub(super) fn expired_answer(text: &str) -> Result<ExpiredAnswer, String> {
    match text {
        "401" => Ok(ExpiredAnswer::Unauthorized),
        "503" => Ok(ExpiredAnswer::Unavailable),
        "automatic" => Ok(ExpiredAnswer::Automatic),
        _ => Err("it is 401, 503 or automatic".to_owned()),
    }
}
