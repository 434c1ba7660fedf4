//! A web page in the person's own browser attacks the port: a real Chromium, a page of another origin, and the
//! worst case, a page that knows an address with a tool's key in it.

use anyhow::{Context as _, Result, ensure};
use signbell_tests::upstream::{Reply, Upstream, ok, response};
use signbell_tests::{Chromium, wait_ok};

use crate::SOON;
use crate::world::World;

/// Each way in which a page can have a browser send something to another origin. What the page could read
/// of the answers is noted.
const ATTACKS: &str = r"
const [at] = arguments;
window.read = [];
const note = (how) => (answer) => answer.text().then((text) => text && window.read.push([how, text]));
const quiet = () => {};
fetch(`${at}/me`).then(note('fetch'), quiet);
fetch(`${at}/me`, { credentials: 'include' }).then(note('with credentials'), quiet);
fetch(`${at}/me`, { mode: 'no-cors' }).then(note('no-cors'), quiet);
fetch(`${at}/echo`, { method: 'POST', mode: 'no-cors', body: 'x' }).then(note('post'), quiet);
fetch(`${at}/echo`, { method: 'POST', headers: { 'x-mine': '1' }, body: '{}' }).then(note('preflight'), quiet);
fetch(`${at}/echo`, { method: 'DELETE' }).then(note('delete'), quiet);
navigator.sendBeacon(`${at}/echo`, 'x');
new Image().src = `${at}/me`;
const put = (name, set) => { const it = document.createElement(name); set(it); document.body.append(it); return it; };
put('script', (it) => { it.src = `${at}/me`; });
put('link', (it) => { it.rel = 'stylesheet'; it.href = `${at}/me`; });
put('iframe', (it) => { it.src = `${at}/me`; });
put('iframe', (it) => { it.name = 'target'; });
put('form', (it) => { it.action = `${at}/echo`; it.method = 'post'; it.target = 'target'; }).submit();
new WebSocket(at.replace('http', 'ws') + '/me').onopen = () => window.read.push(['socket', 'open']);
new EventSource(`${at}/me`).onmessage = (event) => window.read.push(['events', event.data]);
";

#[test]
fn i3_i4_i5_a_web_page_gets_nothing_through() -> Result<()> {
    let (world, _) = World::signed_in("page")?;
    let tool = world.sandbox.run_json(&["tool", "add", "base-url", "--service", "notes", "--key-in-path"])?[0].clone();
    let with_key = tool["urls"]["notes"].as_str().context("no address")?.to_owned();
    let html = b"<!doctype html><title>kittens</title><body>kittens".as_slice();
    let site = Upstream::start(move |_| Reply::Bytes(response("200 OK\r\ncontent-type: text/html", html)))?;
    let chromium = Chromium::start(&world.sandbox)?;
    let session = chromium.session();

    // First at a server that refuses nothing: so many of them a browser really sends.
    let open = Upstream::start(|_| Reply::Bytes(ok("{}")))?;
    session.goto(site.address())?;
    session.eval_with(ATTACKS, &[open.address().into()])?;
    wait_ok("the requests of the page", SOON, || {
        let seen = open.seen().len();
        ensure!(seen >= 12, "{seen} so far");
        Ok(())
    })?;

    let before = world.provider.counts()?["api"].clone();
    session.goto(site.address())?;
    session.eval_with(ATTACKS, &[with_key.clone().into()])?;
    let settled = || {
        wait_ok("the end of the page's requests", SOON, || {
            let ended = session.eval("return performance.getEntriesByType('resource').length")?;
            ensure!(ended.as_u64().is_some_and(|ended| ended >= 8), "{ended}");
            Ok(())
        })
    };
    settled()?;
    // Rebound: the name of the page's own server leads here now, so that for the browser it is one origin.
    let port = world.serve.address().rsplit(':').next().context("no port")?.to_owned();
    let path = with_key.split_once(&port).map(|(_, path)| path.to_owned()).context("no path")?;
    let rebound = chromium.open(&format!("http://rebound.test:{port}{path}/me"))?;
    ensure!(rebound.text.contains("foreign_host"), "{rebound:?}");
    session.eval_with(ATTACKS, &[format!("http://rebound.test:{port}{path}").into()])?;
    wait_ok("what the rebound page could read", SOON, || {
        let read = session.eval("return window.read")?;
        let read = read.as_array().context("no list")?;
        ensure!(read.len() >= 3, "{read:?}");
        ensure!(read.iter().all(|read| read[1].as_str().is_some_and(|text| text.contains("foreign_host"))), "{read:?}");
        Ok(())
    })?;
    ensure!(world.provider.counts()?["api"] == before, "{before} became {}", world.provider.counts()?["api"]);
    session.goto(site.address())?;
    session.eval_with(ATTACKS, &[with_key.into()])?;
    settled()?;
    let read = session.eval("return window.read")?;
    ensure!(read.as_array().is_some_and(Vec::is_empty), "the page could read {read}");
    ensure!(world.provider.counts()?["api"] == before, "{before} became {}", world.provider.counts()?["api"]);
    Ok(())
}
