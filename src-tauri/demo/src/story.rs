//! The whole story in a minute: sign in, call, expire, renew, revoke, ring, sign in again.

use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use signbell_engine::control::client::Conversation;
use signbell_engine::control::{Failure, Reply, Request, SignedIn};
use signbell_engine::model::AccountName;
use signbell_engine::view::RingView;
use signbell_engine::wording::{self, demo};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::provider::TOKEN_LIFE;
use crate::stage::{Call, Stage};

/// How long the story waits for the person.
const PATIENCE: Duration = Duration::from_secs(120);

/// What just happened, or must happen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The demo's servers run.
    Started {
        /// The provider's issuer.
        provider: String,
        /// The API's base URL.
        api: String,
    },
    /// The engine knows the service, and its tool has a key.
    Added {
        /// The tool.
        tool: String,
        /// Where the tool reaches the API.
        address: String,
    },
    /// Somebody must open this page; the story waits for what comes of it.
    OpenBrowser(Url),
    /// The person is signed in.
    SignedIn {
        /// As whom.
        identity: String,
    },
    /// The first call came back.
    Called {
        /// With what status.
        status: u16,
        /// What the API said.
        message: String,
    },
    /// The story waits until the access token is dead.
    Expiring {
        /// How long.
        seconds: u64,
    },
    /// A call with a dead token came back well.
    Renewed {
        /// With what status.
        status: u16,
        /// How often the provider renewed the session so far.
        renewals: u64,
    },
    /// The provider ended the session.
    Ended,
    /// A call waits, and the bell rings. Sign `account` in again ([`sign_in`]), or wait for the person
    /// to click.
    Rings {
        /// Whose bell.
        account: AccountName,
        /// What the notification is headed.
        title: String,
    },
    /// The waiting call came back well.
    Completed {
        /// With what status.
        status: u16,
        /// How long it waited.
        seconds: u64,
    },
    /// The end.
    Done,
}

impl Step {
    /// A stable name, for scripts.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Added { .. } => "added",
            Self::OpenBrowser(_) => "open_browser",
            Self::SignedIn { .. } => "signed_in",
            Self::Called { .. } => "called",
            Self::Expiring { .. } => "expiring",
            Self::Renewed { .. } => "renewed",
            Self::Ended => "ended",
            Self::Rings { .. } => "rings",
            Self::Completed { .. } => "completed",
            Self::Done => "done",
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Started { provider, api } => demo::started(provider, api),
            Self::Added { tool, address } => demo::added(tool, address),
            Self::OpenBrowser(_) => demo::open_browser(),
            Self::SignedIn { identity } => demo::signed_in(identity),
            Self::Called { status, message } => demo::called(*status, message),
            Self::Expiring { seconds } => demo::expiring(*seconds),
            Self::Renewed { status, renewals } => demo::renewed(*status, *renewals),
            Self::Ended => demo::ended(),
            Self::Rings { title, .. } => demo::rings(title),
            Self::Completed { status, seconds } => demo::completed(*status, *seconds),
            Self::Done => demo::done(),
        }
    }
}

/// Plays the story with the engine whose control socket is `socket`, telling each step.
///
/// The demo's account is gone when this returns, or is dropped.
///
/// # Errors
/// The engine's own [`Failure`]s; [`demo::unexpected`] where an answer is not the story's;
/// [`demo::nobody_came`] where the person does not sign in for two minutes.
pub async fn run(socket: &Path, tell: impl FnMut(Step)) -> Result<(), Failure> {
    play(socket, TOKEN_LIFE, tell).await
}

async fn play(socket: &Path, token_life: Duration, mut tell: impl FnMut(Step)) -> Result<(), Failure> {
    let stage = Stage::open(socket, token_life).await?;
    tell(Step::Started { provider: stage.provider.issuer().to_string(), api: stage.api.url().to_string() });
    tell(Step::Added { tool: stage.tool.to_string(), address: stage.address.clone() });

    let signed_in = timeout(PATIENCE, sign_in(socket, &stage.account, |url| tell(Step::OpenBrowser(url))))
        .await
        .map_err(|_| demo::nobody_came())??;
    tell(Step::SignedIn { identity: signed_in.identity.unwrap_or_else(|| stage.account.to_string()) });

    let call = good("called", stage.call("called").await?)?;
    tell(Step::Called { status: call.status.as_u16(), message: call.message });

    // A moment more than its life: the token must be dead by every clock.
    let wait = token_life + Duration::from_millis(500);
    tell(Step::Expiring { seconds: token_life.as_secs() });
    sleep(wait).await;
    let call = good("renewed", stage.call("renewed").await?)?;
    let renewals = stage.provider.renewals();
    if renewals == 0 {
        return Err(demo::unexpected("renewed", "the provider saw no renewal"));
    }
    tell(Step::Renewed { status: call.status.as_u16(), renewals });

    stage.provider.end_session();
    tell(Step::Ended);
    held_call(socket, &stage, &mut tell).await?;
    // The last step says that the account is gone.
    drop(stage);
    tell(Step::Done);
    Ok(())
}

/// Signs `account` in: `open` gets each page; returns when the engine has the tokens.
///
/// # Errors
/// As the engine tells.
pub async fn sign_in(socket: &Path, account: &AccountName, mut open: impl FnMut(Url)) -> Result<SignedIn, Failure> {
    let request = Request::SignIn { account: account.clone(), force: false, scopes: vec![], device: false, port: None };
    let mut conversation = Conversation::open(socket, &request).await?;
    loop {
        match conversation.next().await? {
            Some(Reply::AuthorizeUrl { url, .. }) => open(url),
            Some(Reply::SignedIn(signed_in)) => return Ok(signed_in),
            Some(_) => {}
            None => return Err(wording::not_running()),
        }
    }
}

/// Calls although the session is over: the call waits, the bell rings, the person comes.
async fn held_call(socket: &Path, stage: &Stage, tell: &mut impl FnMut(Step)) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut bell = std::pin::pin!(next_ring(socket, &stage.account));
    let mut call = std::pin::pin!(stage.call("rings"));
    let mut rang = false;
    let mut deadline = std::pin::pin!(sleep(PATIENCE));
    loop {
        tokio::select! {
            call = &mut call => {
                let call = call?;
                // The hold was over before the person came, or the person said "Later".
                if rang && call.status != StatusCode::OK {
                    return Err(demo::nobody_came());
                }
                let call = good("rings", call)?;
                if !rang {
                    return Err(demo::unexpected("rings", "the call did not wait"));
                }
                tell(Step::Completed { status: call.status.as_u16(), seconds: begun.elapsed().as_secs() });
                return Ok(());
            }
            ring = &mut bell, if !rang => {
                rang = true;
                tell(Step::Rings { account: stage.account.clone(), title: ring?.title });
            }
            () = &mut deadline => return Err(demo::nobody_came()),
        }
    }
}

async fn next_ring(socket: &Path, account: &AccountName) -> Result<RingView, Failure> {
    let mut watch = Conversation::open(socket, &Request::Watch).await?;
    loop {
        match watch.next().await? {
            Some(Reply::View(view)) => {
                let ring = view.accounts.into_iter().find(|a| a.account == *account).and_then(|a| a.ring);
                if let Some(ring) = ring {
                    return Ok(ring);
                }
            }
            Some(_) => {}
            None => return Err(wording::not_running()),
        }
    }
}

fn good(step: &str, call: Call) -> Result<Call, Failure> {
    if call.status == StatusCode::OK {
        Ok(call)
    } else {
        Err(demo::unexpected(step, &format!("the call came back with {} {}", call.status, call.message)))
    }
}

#[cfg(test)]
mod tests;
