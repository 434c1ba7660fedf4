//! The story against an engine of the tests.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::fake_engine::{FakeEngine, come, forgets, press};

const SHORT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_page_to_the_last() {
    let engine = FakeEngine::start().await;
    let socket = engine.socket();
    let mut told = Vec::new();
    play(&socket, SHORT, |step| {
        match &step {
            Step::OpenBrowser(url) => press(url),
            Step::Rings { .. } => come(&socket),
            _ => {}
        }
        told.push(step);
    })
    .await
    .unwrap();
    let names: Vec<_> = told.iter().map(Step::name).collect();
    assert_eq!(
        names,
        [
            "started",
            "added",
            "open_browser",
            "signed_in",
            "called",
            "expiring",
            "renewed",
            "ended",
            "rings",
            "completed",
            "done"
        ]
    );
    assert!(told.contains(&Step::Renewed { status: 200, renewals: 1 }));
    for step in &told {
        assert!(!step.text().is_empty() && !step.text().contains('!'), "{step:?}");
    }
    assert!(forgets(&engine).await);
}

#[tokio::test]
async fn without_an_engine_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let failure = play(&folder.path().join("control.sock"), SHORT, |_| ()).await.unwrap_err();
    assert_eq!(failure, wording::not_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosted_demo_ends_with_its_handle() {
    let engine = FakeEngine::start().await;
    let demo = crate::start(&engine.socket()).await.unwrap();
    assert!(engine.has_account() && !demo.is_over());
    demo.stop().await;
    assert!(forgets(&engine).await);

    let demo = crate::start(&engine.socket()).await.unwrap();
    drop(demo);
    assert!(forgets(&engine).await);
}
