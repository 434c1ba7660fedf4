//! What may run in the window: our own code, and nothing that got into its page.

use anyhow::{Result, ensure};
use signbell_tests::upstream::{Reply, Upstream, ok};
use signbell_tests::wait_ok;

use crate::room::Room;
use crate::{SOON, turn};

/// Each way in, as a page would use it that somebody managed to write into. Whatever runs leaves its mark.
const WAYS_IN: &str = r"
window.ran = [];
window.blocked = [];
document.addEventListener('securitypolicyviolation', (event) => window.blocked.push(event.effectiveDirective));
const put = (name, set) => { const element = document.createElement(name); set(element); document.body.append(element); };
put('script', (it) => { it.textContent = 'window.ran.push(`inline`)'; });
put('script', (it) => { it.src = 'data:text/javascript,window.ran.push(`data`)'; });
put('script', (it) => { it.src = 'UPSTREAM/script.js'; });
put('img', (it) => { it.setAttribute('onerror', 'window.ran.push(`handler`)'); it.src = 'data:,'; });
put('img', (it) => { it.src = 'UPSTREAM/picture.png'; });
put('iframe', (it) => { it.src = 'UPSTREAM/frame'; });
put('object', (it) => { it.data = 'UPSTREAM/object'; });
put('link', (it) => { it.rel = 'stylesheet'; it.href = 'UPSTREAM/style.css'; });
put('form', (it) => { it.action = 'UPSTREAM/form'; it.method = 'post'; });
document.body.lastChild.submit();
fetch('UPSTREAM/fetch').then(() => window.ran.push('fetch'), () => {});
try { new WebSocket('UPSTREAM/socket'.replace('http', 'ws')).onopen = () => window.ran.push('socket'); } catch {}
navigator.sendBeacon('UPSTREAM/beacon', 'x');
setTimeout('window.ran.push(`timer`)', 0);
";

#[test]
fn u2_u3_nothing_but_our_own_code_runs_in_the_window_and_nothing_leaves_it() -> Result<()> {
    let _turn = turn();
    let room = Room::new("walls")?;
    let upstream = Upstream::start(|_| Reply::Bytes(ok("window.ran.push('loaded')")))?;
    let window = room.open()?;
    window.find("#begin")?;
    window.eval(&WAYS_IN.replace("UPSTREAM", upstream.address()))?;
    wait_ok("the policy's word on each", SOON, || {
        let blocked = window.eval("return [...new Set(window.blocked)]")?.to_string();
        for directive in [
            "script-src-elem",
            "script-src-attr",
            "img-src",
            "frame-src",
            "connect-src",
            "style-src-elem",
            "form-action",
        ] {
            ensure!(blocked.contains(directive), "{directive} is not in {blocked}");
        }
        Ok(())
    })?;
    // To another page it does not go either.
    window.eval(&format!("window.mark = 1; location.href = '{}/page'", upstream.address()))?;
    window.eval(&format!("open('{}/window')", upstream.address()))?;
    let at = || window.eval("return [location.href, window.mark, window.ran.length, window.frames.length]");
    let before = at()?;
    ensure!(before[1] == 1 && before[2] == 0, "{before}: {}", window.eval("return window.ran")?);
    ensure!(before[0].as_str().is_some_and(|address| address.starts_with("tauri://localhost")), "{before}");
    ensure!(upstream.seen().is_empty(), "{:#?}", upstream.seen());
    window.close();
    Ok(())
}
