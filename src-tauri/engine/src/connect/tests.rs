#![allow(clippy::unwrap_used)]
use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use super::*;
use crate::control::Notice;
use crate::secret::Secret;

/// Gives each request the next of the answers, which are several replies each; the requests are what it gives.
fn engine(socket: PathBuf, answers: Vec<Vec<Reply>>) -> JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        let answer = |replies: Vec<Reply>| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            BufReader::new(&stream).read_line(&mut request).unwrap();
            for reply in replies {
                writeln!(stream, "{}", serde_json::to_string(&reply).unwrap()).unwrap();
            }
            request
        };
        answers.into_iter().map(answer).collect()
    })
}

fn key_of(tool: &ToolName) -> Reply {
    let key = Some(Secret::new("sbk_canary"));
    Reply::ToolKey(ToolKey { tool: tool.clone(), key, urls: [].into(), key_in_path: false, forward: None })
}

#[tokio::test]
async fn who_waits_for_a_click_is_told_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let tool: ToolName = "zed".parse().unwrap();
    let wanted = Reply::Notice(Notice::Say { text: wording::CLICK_WANTED.to_owned() });
    let engine = engine(socket.clone(), vec![vec![wanted, key_of(&tool)]]);
    let told = RefCell::new(vec![]);
    let wish = Wish::plain(Client::Zed, What::Connect);
    let given = tool_for(&socket, &wish, &tool, false, |text| told.borrow_mut().push(text.to_owned())).await;
    assert_eq!(given.unwrap().unwrap().expose(), "sbk_canary");
    assert_eq!(told.into_inner(), [wording::CLICK_WANTED]);
    engine.join().unwrap();
}

#[tokio::test]
async fn a_tool_goes_again_where_its_services_addresses_can_not_be_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    paths.create().unwrap();
    let places = Places::new(folder.path(), folder.path(), &[]);
    let wish = Wish { services: vec!["npm".parse().unwrap()], ..Wish::plain(Client::Npm, What::Connect) };
    let tool: ToolName = "npm".parse().unwrap();
    let ask = Ask {
        client: Client::Npm,
        services: vec![Target {
            name: "npm".to_owned(),
            address: "http://127.0.0.1:8401/npm".to_owned(),
            upstream: "https://registry.example".to_owned(),
            account: "ada".to_owned(),
        }],
        proxy: "http://127.0.0.1:8401".to_owned(),
        tool: tool.to_string(),
        program: "signbell".to_owned(),
        project: false,
        stdio: false,
        env: false,
        what: What::Connect,
        forget_key: false,
        rewriting: Some(vec![]),
    };
    let plan = plan(&paths, &places, &ask, None).unwrap();
    assert!(plan.needs_key && plan.rewriting == ["npm"]);
    let file = plan.file.clone();
    let offer = Offer { plan, tool: tool.clone(), tool_known: false, wish };
    let failed = Reply::Failed(wording::connect::no_service());
    let engine =
        engine(paths.control_socket(), vec![vec![key_of(&tool)], vec![failed], vec![Reply::Done], vec![Reply::Done]]);
    assert!(carry_out(&paths, &places, &offer, |_| ()).await.is_err());
    let requests = engine.join().unwrap();
    for (request, what) in requests.iter().zip(["tool-add", "service-set", "service-set", "tool-remove"]) {
        assert!(request.contains(&format!("\"{what}\"")), "{requests:?}");
    }
    assert!(requests[1].contains("\"rewrite_addresses\":true") && requests[2].contains("\"rewrite_addresses\":false"));
    assert!(!file.exists());
}
