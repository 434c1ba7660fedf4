//! The demo account without the story: the window's "Try it".

use std::path::{Path, PathBuf};
use std::time::Duration;

use signbell_engine::control::client::call;
use signbell_engine::control::{Failure, Reply, Request};
use signbell_engine::model::AccountName;
use signbell_engine::view::StateName;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::provider::TOKEN_LIFE;
use crate::stage::Stage;

const BETWEEN_CALLS: Duration = Duration::from_secs(5);
/// How long a session lasts until the bell rings: a few renewals first.
const SESSION_LIFE: Duration = Duration::from_secs(45);

/// A demo account that somebody uses; it is gone when this is.
#[derive(Debug)]
pub struct Demo {
    account: AccountName,
    task: JoinHandle<()>,
}

impl Demo {
    /// What to sign in to.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// Whether it ended by itself, as it does when the engine or the account goes away.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it; returns when its servers are gone and the engine was told to forget the account.
    pub async fn stop(mut self) {
        self.task.abort();
        // It was ended on purpose: how it ended tells nothing.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Adds the demo account to the engine whose control socket is `socket`.
///
/// It begins signed out. Once the person signed in, a tool calls every few seconds, the tokens
/// expire and are renewed, and every 45 seconds the session ends and the bell rings.
///
/// # Errors
/// The engine's own, and [`signbell_engine::wording::demo`]'s where the servers don't start.
pub async fn start(socket: &Path) -> Result<Demo, Failure> {
    let stage = Stage::open(socket, TOKEN_LIFE).await?;
    let account = stage.account.clone();
    let task = tokio::spawn(live(stage, socket.to_owned()));
    Ok(Demo { account, task })
}

async fn live(stage: Stage, socket: PathBuf) {
    loop {
        match is_active(&socket, &stage.account).await {
            // A call now would ring for a person who has not even begun.
            Some(false) => sleep(Duration::from_secs(1)).await,
            Some(true) => one_session(&stage).await,
            None => return,
        }
    }
}

/// Calls until the session's end and once more, so that this call waits for the person.
async fn one_session(stage: &Stage) {
    let end = Instant::now() + SESSION_LIFE;
    while Instant::now() < end {
        let _ = stage.call("hosted").await;
        sleep(BETWEEN_CALLS).await;
    }
    stage.provider.end_session();
    let _ = stage.call("hosted").await;
}

/// Nothing where the account or the engine is gone.
async fn is_active(socket: &Path, account: &AccountName) -> Option<bool> {
    let Ok(Reply::View(view)) = call(socket, &Request::Status).await else { return None };
    let state = view.accounts.iter().find(|a| a.account == *account)?.state;
    Some(matches!(state, StateName::Active | StateName::Refreshing))
}
