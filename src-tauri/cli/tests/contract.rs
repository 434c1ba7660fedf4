//! The binary against a scripted engine: what it asks, what it prints, how it exits.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

/// An engine that answers each connection with the next of its replies.
struct Scripted {
    home: TempDir,
    asked: Receiver<Value>,
}

impl Scripted {
    /// `scripts` has the reply lines of each connection in turn. After a reply `"read"` it takes a
    /// line from the client first.
    fn new(scripts: Vec<Vec<Value>>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(home.path().join("control.sock")).unwrap();
        let (sender, asked) = channel();
        thread::spawn(move || {
            for script in scripts {
                let (stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let mut read = || lines.next().unwrap().unwrap();
                sender.send(serde_json::from_str(&read()).unwrap()).unwrap();
                for reply in script {
                    if reply == "read" {
                        sender.send(read().into()).unwrap();
                    } else {
                        writeln!(&stream, "{reply}").unwrap();
                    }
                }
            }
        });
        Self { home, asked }
    }

    fn run(&self, line: &str, input: &str) -> Ran {
        run(self.home.path(), line, input)
    }

    fn asked(&self) -> Value {
        self.asked.recv_timeout(std::time::Duration::from_secs(5)).unwrap()
    }
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// Standard output as JSON lines; nothing else may be there.
    fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn run(home: &Path, line: &str, input: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_signbell"))
        .args(line.split(' '))
        .env("SIGNBELL_HOME", home)
        // Opens nothing, wherever the tests run.
        .env("BROWSER", "true")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads no input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn signed_in() -> Value {
    json!({ "reply": "signed-in", "account": "linear", "identity": "ada@example.com",
        "state": "active", "scopes": ["read"], "expires_at": 4_000_000_000_u64 })
}

fn view() -> Value {
    let account = |name: &str, state: &str| {
        json!({ "account": name, "title": name, "short_title": name, "provider": "p", "state": state,
            "state_words": "words", "scopes": [], "refreshable": true, "services": [], "waiting": 0,
            "signing_in": false, "allow_token": false, "ephemeral": false, "grants": [] })
    };
    json!({ "reply": "view", "services": [], "tools": [], "banners": [],
        "proxy": { "address": "http://127.0.0.1:8401", "running": true, "paused": false, "vault": "memory",
            "socket": "/run/user/1000/signbell/proxy.sock", "forward": false },
        "accounts": [account("google", "needs_sign_in"), account("linear", "active"), account("x", "needs_sign_in")] })
}

fn failed(kind: &str) -> Value {
    json!({ "reply": "failed", "kind": kind, "code": "some_code", "message": "It\u{1b}[2J failed." })
}

#[test]
fn without_a_running_app_the_exit_code_is_3() {
    let home = tempfile::tempdir().unwrap();
    for line in [
        "status",
        "refresh a",
        "sign-in a",
        "sign-in --all",
        "account list",
        "account set a --allow-token",
        "sign-out a",
        "service list",
        "service remove s",
        "tool add t --service s",
        "tool list",
        "tool rotate t",
        "token a",
        "activity",
        "add https://api.test",
    ] {
        let ran = run(home.path(), line, "");
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{line}");
        assert!(ran.err.contains("Signbell is not running"), "{line}");
        let ran = run(home.path(), &format!("{line} --json"), "");
        assert_eq!((ran.code, &ran.lines()[0]["error"]["code"]), (3, &json!("not_running")), "{line}");
    }
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    for (kind, code) in [
        ("failed", 1),
        ("usage", 2),
        ("not_running", 3),
        ("sign_in_needed", 10),
        ("unavailable", 11),
        ("refused", 12),
        ("not_allowed", 13),
    ] {
        let engine = Scripted::new(vec![vec![failed(kind)], vec![failed(kind)]]);
        let ran = engine.run("token linear --json", "");
        let error = json!({ "error": { "code": "some_code", "message": "It\u{1b}[2J failed." } });
        assert_eq!((ran.code, ran.lines()), (code, vec![error]), "{kind}");
        let ran = engine.run("token linear", "");
        let sentence = "It\\u{1b}[2J failed.\n";
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (code, "", sentence), "{kind}");
    }
}

#[test]
fn usage_errors_are_2_and_help_is_0() {
    let home = tempfile::tempdir().unwrap();
    let ran = run(home.path(), "tool add --json", "");
    assert_eq!((ran.code, &ran.lines()[0]["error"]["code"]), (2, &json!("usage")));
    assert!(ran.lines()[0]["error"]["message"].as_str().unwrap().contains("<NAME>"));
    let ran = run(home.path(), "--json", "");
    assert_eq!((ran.code, &ran.lines()[0]["error"]["code"]), (2, &json!("usage")));
    let ran = run(home.path(), "nonsense", "");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let ran = run(home.path(), "sign-in --help", "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("Example") && ran.out.contains("--device"));
    let ran = run(home.path(), "sign-in --help --json", "");
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
}

#[test]
fn a_link_is_printed_and_a_pasted_redirect_sent() {
    let url = "https://login.test/authorize?state=1";
    let page = json!({ "reply": "authorize-url", "account": "linear", "url": url });
    let script = vec![page, "read".into(), signed_in()];
    let engine = Scripted::new(vec![script.clone(), script]);
    let ran = engine.run("sign-in linear --no-browser --force --json", "\n  http://127.0.0.1:9/cb?code=c \n");
    assert_eq!(
        engine.asked(),
        json!({
            "protocol": 1, "do": "sign-in", "account": "linear", "force": true, "scopes": [], "device": false,
            "port": null,
        })
    );
    assert_eq!(engine.asked(), "http://127.0.0.1:9/cb?code=c");
    let mut last = signed_in();
    last.as_object_mut().unwrap().remove("reply");
    assert_eq!((ran.code, ran.lines()), (0, vec![json!({ "authorize_url": url }), last]), "{}", ran.err);

    let ran = engine.run("sign-in linear --no-browser", "http://127.0.0.1:9/cb\n");
    assert_eq!(ran.out.lines().next(), Some(url));
    assert!(ran.out.contains("\"linear\" as ada@example.com") && ran.err.contains("paste"), "{}", ran.out);
}

#[test]
fn u5_a_page_that_is_none_is_neither_opened_nor_printed() {
    for line in ["sign-in linear", "sign-in linear --no-browser"] {
        let page = json!({ "reply": "authorize-url", "account": "linear", "url": "javascript:alert(1)" });
        let ran = Scripted::new(vec![vec![page, "read".into()]]).run(line, "");
        assert_eq!((ran.code, ran.out.as_str()), (12, ""), "{line}");
    }
}

#[test]
fn all_goes_on_after_a_failure() {
    let engine = Scripted::new(vec![vec![view()], vec![failed("refused")], vec![signed_in()]]);
    let ran = engine.run("sign-in --all --json", "");
    let lines = ran.lines();
    assert_eq!((ran.code, lines.len()), (12, 2));
    assert_eq!((&lines[0]["error"]["code"], &lines[1]["state"]), (&json!("some_code"), &json!("active")));
    let asked = [engine.asked(), engine.asked(), engine.asked()];
    assert_eq!((&asked[1]["account"], &asked[2]["account"]), (&json!("google"), &json!("x")));
}

#[test]
fn add_carries_the_secret_and_prints_the_key_once() {
    let added = json!({ "reply": "added", "service": "s", "account": "linear", "state": "needs_sign_in",
        "url": "http://127.0.0.1:8401/s", "tool": "t", "key": "K" });
    let script = vec![added];
    let engine = Scripted::new(vec![script.clone(), vec![signed_in()], script]);
    let line = "add https://api.test --client-id c --client-secret-stdin --tool t --sign-in --json";
    let ran = engine.run(line, "s3cret\n");
    let asked = engine.asked();
    assert_eq!((&asked["do"], &asked["client_secret"]), (&json!("add"), &json!("s3cret")));
    assert_eq!(
        ran.lines()[0],
        json!({ "service": "s", "account": "linear", "url": "http://127.0.0.1:8401/s",
            "state": "needs_sign_in", "tool": "t", "key": "K" })
    );
    assert_eq!((ran.code, &ran.lines()[1]["account"]), (0, &json!("linear")));
    assert!(!ran.err.contains('K') && !ran.err.contains("s3cret"));
    assert_eq!(engine.run("add https://api.test --tool t", "").out.matches(": K\n").count(), 1);
    assert_eq!(run(engine.home.path(), "add https://a.test --client-id c --client-secret-stdin", "").code, 2);
}

#[test]
fn status_is_one_object_and_knows_its_accounts() {
    let engine = Scripted::new(vec![vec![view()], vec![view()], vec![view()], vec![view()]]);
    let mut whole = view();
    whole.as_object_mut().unwrap().remove("reply");
    let lines = engine.run("status --json", "").lines();
    assert_eq!((lines.len(), &lines[0]["proxy"]), (1, &whole["proxy"]));
    let only = &engine.run("status linear --json", "").lines()[0];
    assert_eq!(only["accounts"].as_array().unwrap().len(), 1);
    let ran = engine.run("status nobody --json", "");
    assert_eq!((ran.code, &ran.lines()[0]["error"]["code"]), (1, &json!("unknown_account")));
    assert!(engine.run("status", "").out.contains("Next: signbell sign-in google"));
}

#[test]
fn results_are_as_documented() {
    let token = json!({ "reply": "token", "token": "T", "expires_at": 9 });
    let tool = json!({ "reply": "tool-key", "tool": "t", "key": "K", "urls": { "s": "http://127.0.0.1:8401/s" } });
    let record = json!({ "reply": "activity", "at": 1, "kind": "refreshed", "text": "renewed" });
    let done = json!({ "reply": "done" });
    let engine =
        Scripted::new(vec![vec![token.clone()], vec![token], vec![tool], vec![view()], vec![record], vec![done]]);
    assert_eq!(engine.run("token linear", "").out, "T\n");
    assert_eq!(
        engine.run("token linear --json", "").lines(),
        [json!({ "account": "linear", "access_token": "T", "expires_at": 9 })]
    );
    assert_eq!(
        engine.run("tool add t --service s --json", "").lines(),
        [json!({ "tool": "t", "key": "K", "urls": { "s": "http://127.0.0.1:8401/s" } })]
    );
    assert_eq!(engine.run("activity --json", "").lines(), [json!({ "at": 1, "kind": "refreshed", "text": "renewed" })]);
    assert_eq!(
        engine.run("account set linear --allow-token=no --name work --json", "").lines(),
        [json!({ "account": "linear", "done": true })]
    );
    let set = std::iter::repeat_with(|| engine.asked()).nth(5).unwrap();
    assert_eq!(
        set,
        json!({ "protocol": 1, "do": "account-set", "account": "linear", "allow_token": false, "label": "work" })
    );
}

#[test]
fn a_failure_s_step_is_told_where_there_is_one() {
    let mut at_a_step = failed("refused");
    at_a_step["step"] = json!("token");
    at_a_step["came"] = json!("401 invalid_client");
    let engine = Scripted::new(vec![vec![at_a_step.clone()], vec![at_a_step], vec![failed("refused")]]);
    let error = engine.run("sign-in a --json", "").lines()[0]["error"].clone();
    assert_eq!((&error["step"], &error["came"]), (&json!("token"), &json!("401 invalid_client")));
    assert!(engine.run("sign-in a", "").err.contains("What came back: 401 invalid_client."));
    let error = engine.run("sign-in a --json", "").lines()[0]["error"].clone();
    assert_eq!((error.get("step"), error.get("came")), (None, None));
}

#[test]
fn a_reader_that_left_is_no_crash() {
    let engine = Scripted::new(vec![vec![view()]]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_signbell"))
        .arg("status")
        .env("SIGNBELL_HOME", engine.home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(1), vec![]));
}
