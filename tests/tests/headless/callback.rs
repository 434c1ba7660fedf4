//! The redirect's other end: what strangers, broken pages and hostile servers bring to the loopback port
//! (L1 to L12 of the threats).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use base64::Engine as _;
use signbell_tests::{Curl, UrlCatcher, wait_until};
use url::Url;

use crate::SOON;
use crate::double::{Bare, Double, hit, path_of, query, value};
use crate::world::{error_of, sha256};

/// A plain server's service, with nobody signed in.
fn waiting(name: &str) -> Result<(Bare, Double)> {
    let (bare, double) = (Bare::new(name)?, Double::plain()?);
    bare.add(&double.api(), &["--name", "api"])?;
    Ok((bare, double))
}

/// The callback's address without its query, and the query.
fn split(location: &str) -> Result<(&str, &str)> {
    location.split_once('?').context("no query")
}

/// A query that is no answer to our request, one that is then, and the sign-in that goes on in between.
fn is_ignored(name: &str, stray: impl FnOnce(&str, &str) -> String) -> Result<()> {
    let (bare, double) = waiting(name)?;
    let output = bare.meanwhile(&["ada"], |location| {
        let (redirect, query) = split(location)?;
        let page = hit(&format!("{redirect}?{}", stray(query, double.address())), 400)?;
        ensure!(page.text().contains("This is not a sign-in"), "{}", page.text());
        ensure!(double.asked("/token").is_empty(), "a stranger caused a token request");
        hit(location, 200).map(drop)
    })?;
    output.expect_code(0)?;
    ensure!(double.asked("/token").len() == 1);
    Ok(())
}

#[test]
fn l1_no_state() -> Result<()> {
    is_ignored("l1", |_, own| format!("code=x&iss={own}"))
}

#[test]
fn l2_a_wrong_state() -> Result<()> {
    is_ignored("l2", |query, _| query.replace("state=", "state=x"))
}

#[test]
fn l2_a_used_state() -> Result<()> {
    let (bare, double) = waiting("l2-used")?;
    let mut used = String::new();
    let output = bare.meanwhile(&["ada"], |location| {
        used = split(location)?.1.to_owned();
        hit(location, 200).map(drop)
    })?;
    output.expect_code(0)?;
    let output = bare.meanwhile(&["ada", "--force"], |location| {
        hit(&format!("{}?{used}", split(location)?.0), 400)?;
        ensure!(double.asked("/token").len() == 1, "a used state caused a token request");
        hit(location, 200).map(drop)
    })?;
    output.expect_code(0)?;
    Ok(())
}

#[test]
fn l3_a_parameter_twice() -> Result<()> {
    is_ignored("l3", |query, _| format!("{query}&code=again"))?;
    is_ignored("l3-state", |query, _| format!("{query}&{}", query.split('&').next().unwrap_or_default()))
}

#[test]
fn l4_an_answer_that_is_another_server_s_is_thrown_away() -> Result<()> {
    let (bare, double) = waiting("l4")?;
    let good = format!("iss={}", url::form_urlencoded::byte_serialize(double.address().as_bytes()).collect::<String>());
    for (iss, code) in [
        ("iss=https%3A%2F%2Fevil.test".to_owned(), "other_issuer"),
        (format!("{good}%2F"), "other_issuer"),
        (good.replace("http%3A", "HTTP%3A"), "other_issuer"),
        ("iss=".to_owned(), "other_issuer"),
        // It is announced, so its absence is as good as a wrong one (RFC 9207 section 2.4).
        (String::new(), "other_issuer"),
    ] {
        let output = bare.meanwhile(&["ada"], |location| {
            ensure!(location.contains(&good), "{location}");
            let page = hit(&location.replace(&good, &iss), 400)?;
            ensure!(page.text().contains("Not signed in"), "{}", page.text());
            Ok(())
        })?;
        let error = error_of(&output.expect_code(12)?)?;
        ensure!(error["code"] == code, "{iss}: {error}");
    }
    ensure!(double.asked("/token").is_empty(), "a code went to the wrong server's rival");
    Ok(())
}

#[test]
fn l4_a_refusal_that_is_another_server_s_is_neither_shown_nor_believed() -> Result<()> {
    let (bare, double) = waiting("l4-error")?;
    for (iss, code) in [("&iss=https%3A%2F%2Fevil.test", "other_issuer"), ("", "anonymous_refusal")] {
        let output = bare.meanwhile(&["ada"], |location| {
            let (redirect, asked) = split(location)?;
            let state = asked.split('&').find(|pair| pair.starts_with("state=")).context("no state")?;
            let said = "error=evil_code&error_description=call+0900+1234";
            let page = hit(&format!("{redirect}?{state}&{said}{iss}"), 400)?.text();
            ensure!(!page.contains("evil_code") && !page.contains("0900"), "{page}");
            ensure!(page.contains("is not one of") && page.contains("still stands"), "{page}");
            Ok(())
        })?;
        let error = error_of(&output.expect_code(12)?)?;
        ensure!(error["code"] == code && !error.to_string().contains("evil_code"), "{error}");
    }
    ensure!(double.asked("/token").is_empty());
    Ok(())
}

#[test]
fn l5_what_a_server_says_becomes_no_markup() -> Result<()> {
    let (bare, double) = waiting("l5")?;
    let output = bare.meanwhile(&["ada"], |location| {
        let (redirect, asked) = split(location)?;
        let state = asked.split('&').find(|pair| pair.starts_with("state=")).context("no state")?;
        let own: String = url::form_urlencoded::byte_serialize(double.address().as_bytes()).collect();
        let svg = "%3Csvg+onload%3Dalert(1)%3E";
        let page = hit(&format!("{redirect}?{state}&iss={own}&error={svg}&error_description={svg}"), 400)?;
        ensure!(!page.text().contains("onload") && !page.text().contains("alert"), "{}", page.text());
        let policy = page.header("content-security-policy").unwrap_or_default();
        ensure!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        ensure!(page.header("x-content-type-options") == Some("nosniff"), "{page:?}");
        ensure!(page.header("referrer-policy") == Some("no-referrer"), "{page:?}");
        Ok(())
    })?;
    let output = output.expect_code(12)?;
    ensure!(!format!("{output:?}").contains("onload"), "{output:?}");
    Ok(())
}

#[test]
fn l6_an_error_without_our_state() -> Result<()> {
    is_ignored("l6", |_, own| format!("error=access_denied&iss={own}"))?;
    is_ignored("l6-state", |_, own| format!("error=access_denied&state=wrong&iss={own}"))
}

#[test]
fn l7_a_foreign_host() -> Result<()> {
    let (bare, double) = waiting("l7")?;
    let output = bare.meanwhile(&["ada"], |location| {
        let port = Url::parse(location)?.port().context("no port")?;
        for host in [format!("127.0.0.1.evil.test:{port}"), "127.0.0.1".into(), format!("localhost:{port}")] {
            let response = Curl::new(location).header("host", &host).run()?;
            ensure!(response.status == 403, "{host}: {}", response.status);
        }
        ensure!(double.asked("/token").is_empty(), "a rebound name brought a code");
        hit(location, 200).map(drop)
    })?;
    output.expect_code(0)?;
    Ok(())
}

#[test]
fn l8_what_no_browser_sends_leaves_the_listener_alive() -> Result<()> {
    let (bare, _double) = waiting("l8")?;
    let output = bare.meanwhile(&["ada"], |location| {
        let url = Url::parse(location)?;
        let address = format!("127.0.0.1:{}", url.port().context("no port")?);
        let long = Curl::new(format!("{}?state={}", split(location)?.0, "x".repeat(17 * 1024))).run()?;
        ensure!([414, 431].contains(&long.status), "17 KiB: {}", long.status);
        let post = Curl::new(location).method("POST").run()?;
        ensure!(post.status == 405 && post.header("allow") == Some("GET"), "{post:?}");
        // Half a line, and then nothing: closed by us, sooner or later.
        let mut half = TcpStream::connect(&address)?;
        half.set_read_timeout(Some(SOON))?;
        half.write_all(b"GET /callback?co")?;
        let mut said = Vec::new();
        half.read_to_end(&mut said).context("half a line was neither answered nor closed")?;
        ensure!(said.is_empty() || said.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&said));
        hit(location, 200).map(drop)
    })?;
    output.expect_code(0)?;
    Ok(())
}

#[test]
fn l9_two_sign_ins_at_once_have_a_verifier_each() -> Result<()> {
    let (bare, double) = (Bare::new("l9")?, Double::plain()?);
    for account in ["a", "b"] {
        let api = format!("{}/{account}", double.api());
        bare.sandbox.run_json(&["add", &api, "--name", account, "--account", account])?;
    }
    let catcher = UrlCatcher::install(&bare.sandbox)?;
    thread::scope(|scope| {
        let sign_in = |account: &'static str| {
            let sandbox = &bare.sandbox;
            scope.spawn(move || sandbox.run(&["sign-in", account, "--json"]))
        };
        let commands = [sign_in("a"), sign_in("b")];
        let visited = (|| {
            let mut locations = Vec::new();
            for _ in 0..2 {
                let page = Curl::new(catcher.next_url(SOON)?).run()?;
                locations.push(page.header("location").context("no redirect")?.to_owned());
            }
            // The state of one at the port of the other is a stranger's.
            let crossed = format!("{}?{}", split(&locations[0])?.0, split(&locations[1])?.1);
            hit(&crossed, 400)?;
            // In the other order than they were begun.
            locations.iter().rev().try_for_each(|location| hit(location, 200).map(drop))
        })();
        if visited.is_err() {
            crate::world::control(&bare.sandbox, &serde_json::json!({"do": "quit"}))?;
        }
        let outputs = commands.map(|command| command.join().map_err(|_| anyhow!("a thread panicked")));
        visited?;
        for output in outputs {
            output??.expect_code(0)?;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    let forms = double.forms();
    ensure!(forms.len() == 2 && value(&forms[0], "code_verifier") != value(&forms[1], "code_verifier"), "{forms:?}");
    for form in &forms {
        // RFC 7636 section 4.6, computed by programs that are not ours.
        let digest = sha256(value(form, "code_verifier").as_bytes())?;
        let digest: Vec<u8> =
            (0..64).step_by(2).filter_map(|i| u8::from_str_radix(digest.get(i..i + 2)?, 16).ok()).collect();
        let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest);
        ensure!(value(form, "code") == format!("code-{challenge}"), "{form:?}");
    }
    Ok(())
}

#[test]
fn l10_a_hit_after_success_finds_nobody() -> Result<()> {
    let (bare, double) = waiting("l10")?;
    let output = bare.meanwhile(&["ada"], |location| {
        hit(location, 200)?;
        wait_until("the closed loopback port", SOON, || Curl::new(location).run_any().ok().filter(|r| r.exit == 7))?;
        Ok(())
    })?;
    output.expect_code(0)?;
    ensure!(double.asked("/token").len() == 1);
    Ok(())
}

#[test]
fn l11_the_literal_address_and_a_port_that_is_free_or_registered() -> Result<()> {
    let (bare, double) = (Bare::new("l11")?, Double::plain()?);
    let redirects = |path: &str| -> Vec<Url> {
        let asked = double.seen();
        let asked = asked.iter().filter(|request| path_of(request) == path);
        asked.filter_map(|request| Url::parse(value(&query(request), "redirect_uri")).ok()).collect()
    };
    // Given by hand: any port will do, so a new one each time.
    bare.add(&double.api(), &["--name", "free", "--issuer", double.address(), "--client-id", "x", "--sign-in"])?;
    let blocked = redirects("/authorize").last().and_then(Url::port).context("no port")?;
    let _taken = std::net::TcpListener::bind(("127.0.0.1", blocked))?;
    bare.sandbox.run_ok(&["sign-in", "ada", "--force"])?;
    let seen = redirects("/authorize");
    ensure!(seen.len() == 2 && seen[0].port() != seen[1].port(), "{seen:?}");
    ensure!(seen.iter().all(|url| url.host_str() == Some("127.0.0.1") && url.path() == "/callback"), "{seen:?}");
    // The token request names the same one (RFC 6749 section 4.1.3).
    for (form, redirect) in double.forms().iter().zip(&seen) {
        ensure!(value(form, "redirect_uri") == redirect.as_str(), "{form:?}");
    }
    // Registered: that port and no other.
    let other = Double::plain()?;
    bare.sandbox.run_json(&["add", &other.api(), "--name", "fixed", "--account", "eve", "--sign-in"])?;
    bare.sandbox.run_ok(&["sign-in", "eve", "--force"])?;
    let registered: serde_json::Value = serde_json::from_slice(&other.asked("/register")[0].body)?;
    let asked = other.asked("/authorize");
    // Before the second page the server is asked whether it still knows us.
    ensure!(asked.len() == 3, "{asked:?}");
    for request in &asked {
        ensure!(registered["redirect_uris"][0] == value(&query(request), "redirect_uri"), "{registered}");
    }
    Ok(())
}

#[test]
fn l12_it_never_redirects() -> Result<()> {
    let (bare, _double) = waiting("l12")?;
    let output = bare.meanwhile(&["ada"], |location| {
        let more = "next=https%3A%2F%2Fevil.test&redirect_uri=https%3A%2F%2Fevil.test";
        let page = hit(&format!("{location}&{more}"), 200)?;
        ensure!(page.header("location").is_none() && page.header("refresh").is_none(), "{page:?}");
        ensure!(!page.text().contains("evil.test"), "{}", page.text());
        Ok(())
    })?;
    output.expect_code(0)?;
    Ok(())
}

#[test]
fn an_answer_with_neither_code_nor_error_is_ignored() -> Result<()> {
    is_ignored("empty-answer", |query, _| {
        let rest: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("code=")).collect();
        rest.join("&")
    })
}
