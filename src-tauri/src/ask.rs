//! What the shell asks of the engine, through the control socket.

use std::path::Path;

use signbell_engine::activity::Record;
use signbell_engine::browser;
use signbell_engine::control::client::{Conversation, call};
use signbell_engine::control::{Failure, Reply, Request, SignedIn, Step};
use signbell_engine::model::AccountName;
use signbell_engine::wording;

/// Signs in, opening each page that the provider wants to show. Returns once the person is through,
/// or has given up.
pub(crate) async fn sign_in(
    socket: &Path,
    account: AccountName,
    force: bool,
    scopes: Vec<String>,
    device: bool,
) -> Result<SignedIn, Failure> {
    let mut talk = Conversation::open(socket, &Request::SignIn { account, force, scopes, device, port: None }).await?;
    loop {
        match talk.next().await? {
            Some(Reply::AuthorizeUrl { url, .. }) => {
                browser::open(&url).map_err(|e| wording::tray::browser_failed(&e).at(Step::SignInPage))?;
            }
            Some(Reply::SignedIn(signed_in)) => return Ok(signed_in),
            Some(_) => {}
            None => return Err(wording::not_running()),
        }
    }
}

/// The newest records, oldest first.
pub(crate) async fn activity(socket: &Path, limit: usize) -> Result<Vec<Record>, Failure> {
    let mut talk = Conversation::open(socket, &Request::Activity { limit, follow: false }).await?;
    let mut records = Vec::new();
    while let Some(Reply::Activity(record)) = talk.next().await? {
        records.push(record);
    }
    Ok(records)
}

/// Asks for something that has no answer but that it is done.
pub(crate) async fn done(socket: &Path, request: &Request) -> Result<(), Failure> {
    call(socket, request).await.map(drop)
}

/// Asks for something whose answer is a `T`.
pub(crate) async fn answer<T>(
    socket: &Path,
    request: &Request,
    read: impl FnOnce(Reply) -> Option<T>,
) -> Result<T, Failure> {
    read(call(socket, request).await?).ok_or_else(wording::tray::unexpected_reply)
}
