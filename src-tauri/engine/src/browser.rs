//! Opening a page in the person's browser, and nothing else.

use std::env;
use std::io;
use std::process::{Command, Stdio};

use url::{Host, Url};

/// Why no browser was opened.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// Only `https`, and `http` to loopback, ever reaches a browser (CVE-2025-6514).
    #[error("refusing to open {scheme}: address")]
    Scheme {
        /// The scheme it had.
        scheme: String,
    },
    /// No program that opens pages was found or could be started.
    #[error("no browser could be started: {0}")]
    Start(#[from] io::Error),
}

/// Opens `url` in the browser that `BROWSER` names, else in the desktop's own.
///
/// The URL is one argument of the program; no shell sees it. The browser outlives us.
///
/// # Errors
/// [`BrowserError`].
pub fn open(url: &Url) -> Result<(), BrowserError> {
    if !may_open(url) {
        return Err(BrowserError::Scheme { scheme: url.scheme().to_owned() });
    }
    let mut last = io::Error::new(io::ErrorKind::NotFound, "neither BROWSER nor xdg-open");
    for (program, args) in candidates(env::var("BROWSER").ok().as_deref(), url.as_str()) {
        match start(&program, &args) {
            Ok(()) => return Ok(()),
            Err(e) => last = e,
        }
    }
    Err(last.into())
}

/// The program that would open a page: the first of those that are there.
#[must_use]
pub fn first_there() -> Option<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &String| match program.contains('/') {
        true => std::path::Path::new(program).is_file(),
        false => env::split_paths(&path).any(|folder| folder.join(program).is_file()),
    };
    let all = candidates(env::var("BROWSER").ok().as_deref(), "");
    all.into_iter().map(|(program, _)| program).find(is_there)
}

/// Whether a page may be opened at all: `https`, or `http` on this machine.
#[must_use]
pub fn may_open(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Whether `url` names this machine by a loopback address or as `localhost`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// `BROWSER` is a colon-separated list of commands, in which `%s` stands for the address.
fn candidates(browser: Option<&str>, url: &str) -> Vec<(String, Vec<String>)> {
    let mut candidates = Vec::new();
    for command in browser.unwrap_or_default().split(':').filter(|c| !c.trim().is_empty()) {
        let mut words = command.split_ascii_whitespace().map(str::to_owned);
        let Some(program) = words.next() else { continue };
        let mut args: Vec<String> = words.map(|word| word.replace("%s", url)).collect();
        if !command.contains("%s") {
            args.push(url.to_owned());
        }
        candidates.push((program, args));
    }
    let own = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    candidates.push((own.to_owned(), vec![url.to_owned()]));
    candidates
}

fn start(program: &str, args: &[String]) -> io::Result<()> {
    use std::os::unix::process::CommandExt;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Its own process group: ending Signbell in a terminal must not close the browser.
        .process_group(0)
        .spawn()?;
    // Reaped whenever it ends, or it would stay as a zombie.
    std::thread::Builder::new().name("browser".into()).spawn(move || child.wait())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn u5_only_pages_reach_a_browser() {
        for good in ["https://a.test/x?y=1", "http://127.0.0.1:8/x", "http://[::1]/", "http://localhost:1/"] {
            assert!(may_open(&good.parse().unwrap()), "{good}");
        }
        for bad in ["http://a.test/", "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "ssh://a/"] {
            assert!(may_open(&bad.parse().unwrap()).eq(&false), "{bad}");
            assert!(matches!(open(&bad.parse().unwrap()), Err(BrowserError::Scheme { .. })));
        }
    }

    #[test]
    fn the_address_is_one_argument() {
        let own = ("xdg-open".to_owned(), vec!["u $(x)".to_owned()]);
        assert_eq!(candidates(None, "u $(x)"), std::slice::from_ref(&own));
        assert_eq!(
            candidates(Some("ff -new %s:lynx"), "u $(x)"),
            [
                ("ff".to_owned(), vec!["-new".to_owned(), "u $(x)".to_owned()]),
                ("lynx".to_owned(), vec!["u $(x)".to_owned()]),
                own
            ]
        );
    }
}
