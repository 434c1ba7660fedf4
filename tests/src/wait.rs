//! Waiting with a limit, and saying what was awaited when the limit is reached.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

/// How often a condition is looked at again. Short, because tests do most of their waiting here.
const STEP: Duration = Duration::from_millis(20);

/// Asks `probe` again and again until it gives `Some`, at most for `timeout`.
///
/// `what` names the awaited thing in the error ("waited 5s for …"). Use [`wait_ok`] where the
/// state seen last would help to understand a failure.
pub fn wait_until<T>(what: &str, timeout: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    let end = Instant::now() + timeout;
    loop {
        if let Some(value) = probe() {
            return Ok(value);
        }
        if Instant::now() >= end {
            return Err(anyhow!("waited {timeout:?} in vain for {what}"));
        }
        thread::sleep(STEP);
    }
}

/// Like [`wait_until`], but `probe` says with its error what it saw, and the last such error
/// ends up in the message when time is over.
pub fn wait_ok<T>(what: &str, timeout: Duration, mut probe: impl FnMut() -> Result<T>) -> Result<T> {
    let end = Instant::now() + timeout;
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() >= end => {
                return Err(anyhow!("waited {timeout:?} in vain for {what}; seen last: {seen:#}"));
            }
            Err(_) => thread::sleep(STEP),
        }
    }
}

/// [`wait_until`] for tests that run on tokio: `probe` is asynchronous and sleeping blocks no
/// thread.
pub async fn wait_until_async<T, F>(what: &str, timeout: Duration, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Option<T>>,
{
    let search = async {
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            tokio::time::sleep(STEP).await;
        }
    };
    tokio::time::timeout(timeout, search).await.map_err(|_| anyhow!("waited {timeout:?} in vain for {what}"))
}

/// Takes a picture again and again until two in a row are the same, for a screen on which windows
/// are still being drawn. Something that always moves is taken as it is after some seconds.
pub(crate) fn still<T: PartialEq>(what: &str, mut take: impl FnMut() -> Result<T>) -> Result<T> {
    let context = || format!("taking a picture of {what}");
    let end = Instant::now() + Duration::from_secs(5);
    let mut before = take().with_context(context)?;
    loop {
        thread::sleep(Duration::from_millis(150));
        let now = take().with_context(context)?;
        if now == before || Instant::now() >= end {
            return Ok(now);
        }
        before = now;
    }
}
