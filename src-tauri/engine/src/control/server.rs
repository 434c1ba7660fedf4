//! The engine's side of the control socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::protocol::{Said, check_request};
use super::{Failure, Notice, Reply, Request, Through};
use crate::engine::{Core, How, Progress, Secrets, Waiting};
use crate::signin::{Pasted, Place};
use crate::wording;
use crate::wording::language::Language;

/// A key that outlives the connection it was lent over does so no longer than this.
const LONGEST_LOAN: Duration = Duration::from_secs(3600);

/// No request is longer.
const LONGEST_LINE: u64 = 1024 * 1024;

/// Serves every connection of this user.
pub(crate) async fn serve(listener: UnixListener, core: Arc<Core>, tasks: TaskTracker, stop: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_same_user(&stream) => {
                let (core, stop) = (Arc::clone(&core), stop.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        ended = Connection::new(stream).serve(&core) => if let Err(e) = ended {
                            tracing::debug!("control connection: {e}");
                        },
                        () = stop.cancelled() => {}
                    }
                });
            }
            Ok(_) => tracing::warn!("another user's process at the control socket"),
            Err(e) => {
                tracing::warn!("control socket: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The folder keeps others out; this does so where it was opened to them.
fn is_same_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

struct Connection {
    lines: BufReader<OwnedReadHalf>,
    replies: OwnedWriteHalf,
    /// The process at the other end, where the system tells.
    process: Option<u32>,
}

impl Connection {
    fn new(stream: UnixStream) -> Self {
        let process = stream.peer_cred().ok().and_then(|peer| u32::try_from(peer.pid()?).ok());
        let (read, replies) = stream.into_split();
        Self { lines: BufReader::new(read), replies, process }
    }

    async fn serve(mut self, core: &Core) -> io::Result<()> {
        let Some(line) = self.line().await? else { return Ok(()) };
        if let Err(failure) = check_request(line.as_bytes()) {
            return self.reply(&Reply::Failed(failure)).await;
        }
        match serde_json::from_str(&line) {
            Ok(request) => match core.needs_click(&request, self.process).await {
                Ok(None) => self.answer(core, request).await,
                Ok(Some(waiting)) => self.answer_once_clicked(core, request, waiting).await,
                Err(failure) => self.reply(&Reply::Failed(failure)).await,
            },
            // serde_json names the position and what it expected, not the text.
            Err(e) => self.reply(&Reply::Failed(wording::bad_request(&e))).await,
        }
    }

    /// A client that leaves meanwhile takes its request back.
    async fn answer_once_clicked(&mut self, core: &Core, request: Request, mut waiting: Waiting) -> io::Result<()> {
        self.reply(&Reply::Notice(Notice::Say { text: wording::CLICK_WANTED.to_owned() })).await?;
        let clicked = core.clicked(&mut waiting);
        tokio::pin!(clicked);
        let outcome = loop {
            tokio::select! {
                outcome = &mut clicked => break outcome,
                left = self.line() => if left?.is_none() { return Ok(()) },
            }
        };
        match outcome {
            Ok(()) => self.answer(core, request).await,
            Err(failure) => self.reply(&Reply::Failed(failure)).await,
        }
    }

    async fn answer(&mut self, core: &Core, request: Request) -> io::Result<()> {
        let reply = match request {
            Request::Status => Reply::View(Box::new(core.view_now())),
            Request::Watch => return self.watch(core, None).await,
            Request::WatchIn { language } => return self.watch(core, Some(language)).await,
            Request::Look(add) => finish(core.look(&add).await, |found| Reply::Found(Box::new(found))),
            Request::Add(add) => finish(core.add(add, false).await, Reply::Added),
            Request::AddEphemeral(add) => return self.add_ephemeral(core, add).await,
            Request::SignIn { account, force, scopes, device, port } => {
                let place = if device { Place::OtherDevice } else { Place::Here };
                let how = How { force, typed: scopes.into(), place, port, registered_anew: false };
                return self.sign_in(core, &account, how).await;
            }
            Request::CancelSignIn { account } => done(core.cancel_sign_in(&account).await),
            Request::Adopt(adopt) => finish(core.adopt(adopt).await, Reply::SignedIn),
            Request::Checkup { try_vault } => Reply::Checkup(core.checkup(try_vault).await),
            Request::Merge(merge) => finish(core.merge(merge).await, |merged| Reply::Merged(Box::new(merged))),
            Request::Exported { file } => {
                core.changed_by_person(&wording::exported(&file), |_| ());
                Reply::Done
            }
            Request::FirstCall { service } => finish(core.first_call(&service).await, Reply::FirstCall),
            Request::Refresh { account } => finish(core.refresh(&account).await, Reply::SignedIn),
            Request::SignOut { account, forget } => finish(core.sign_out(&account, forget).await, Reply::SignedOut),
            Request::AccountSet { account, allow_token, label } => done(core.account_set(&account, allow_token, label)),
            Request::ProviderSet { account, client_id, client_secret, client_key, client_key_id, ends_sign_ins } => {
                let secrets = Secrets { secret: client_secret, key: client_key };
                let changed = core.provider_set(&account, client_id, client_key_id, secrets, ends_sign_ins).await;
                finish(changed, Reply::ProviderChanged)
            }
            Request::ServiceSet { service, hold_seconds, replay_unsafe, rewrite_addresses, expired, preset } => {
                let rewritten = rewrite_addresses.map_or(Ok(()), |on| core.service_rewrites(&service, on));
                done(rewritten.and_then(|()| core.service_set(&service, hold_seconds, replay_unsafe, expired, preset)))
            }
            Request::ServiceUsualHold { service } => done(core.service_usual_hold(&service)),
            Request::ServiceTest { service, response } => {
                finish(core.judge(&service, response.as_bytes()), Reply::Judged)
            }
            Request::ServiceAsk { service, url } => finish(core.ask_and_judge(&service, &url).await, Reply::Judged),
            Request::ServiceMove { service, issuer } => {
                finish(core.service_move(&service, &issuer).await, Reply::Added)
            }
            Request::ServiceRemove { service } => done(core.service_remove(&service)),
            Request::ToolAdd(add) => finish(core.tool_add(&add), Reply::ToolKey),
            Request::ToolSet { tool, confirm } => done(core.tool_set(&tool, confirm)),
            Request::Confirm { id, answer } => done(core.confirm(id, answer, self.process)),
            Request::Permit { id, allow } => done(core.permit(id, allow, self.process).map(drop)),
            Request::ToolRotate { tool } => finish(core.tool_rotate(&tool), Reply::ToolKey),
            Request::Lend { tool, seconds, forward } => return self.lend(core, &tool, seconds, forward).await,
            Request::Forward { on } => finish(core.forward(on).await, Reply::Forwarding),
            Request::ToolRemove { tool } => done(core.tool_remove(&tool)),
            Request::ToolNarrow { tool, service } => done(core.tool_narrow(&tool, &service)),
            Request::Token { account, min_valid_seconds } => {
                let lease = core.token(&account, Duration::from_secs(min_valid_seconds)).await;
                finish(lease, |lease| Reply::Token { token: lease.access().clone(), expires_at: lease.expires_at() })
            }
            Request::Activity { limit, follow } => return self.activity(core, limit, follow).await,
            Request::Pause { paused } => {
                core.pause(paused);
                Reply::Done
            }
            Request::Later { account } => {
                core.bell.later(&account);
                Reply::Done
            }
            Request::Decline { account } => done(core.decline(&account)),
            Request::Settings => Reply::Settings { settings: core.settings_now() },
            Request::SettingsSet { key, value, passphrase } => {
                let set = core.settings_set(&key, &value, passphrase).await;
                finish(set, |setting| Reply::Settings { settings: vec![setting] })
            }
            Request::OpenWindow => {
                // Nobody watches: there is no shell to open a window.
                let _ = core.notices.send(Notice::OpenWindow);
                Reply::Done
            }
            Request::Quit => {
                self.reply(&Reply::Done).await?;
                core.quit.notify_one();
                return Ok(());
            }
        };
        self.reply(&reply).await
    }

    async fn watch(&mut self, core: &Core, language: Option<Language>) -> io::Result<()> {
        // Only a desktop says in which language.
        let _screen = language.and_then(|_| core.screen(self.process));
        let (mut views, mut notices) = (core.view.subscribe(), core.notices.subscribe());
        self.reply(&Reply::View(Box::new(language.map_or_else(|| core.view_now(), |usual| core.view_for(usual)))))
            .await?;
        views.mark_unchanged();
        loop {
            let reply = tokio::select! {
                changed = views.changed() => match changed {
                    Ok(()) => {
                        let english = views.borrow_and_update().as_ref().clone();
                        Reply::View(Box::new(language.map_or(english, |usual| core.view_for(usual))))
                    }
                    Err(_) => return Ok(()),
                },
                notice = notices.recv() => match notice {
                    Ok(notice) => Reply::Notice(notice),
                    // Too slow for some: the newest view tells what counts.
                    Err(_) => continue,
                },
                left = self.line() => match left? {
                    Some(_) => continue,
                    None => return Ok(()),
                },
            };
            self.reply(&reply).await?;
        }
    }

    async fn add_ephemeral(&mut self, core: &Core, add: super::AddService) -> io::Result<()> {
        match core.add(add, true).await {
            Err(failure) => self.reply(&Reply::Failed(failure)).await,
            Ok(added) => {
                let told = self.reply(&Reply::Added(added.clone())).await;
                while told.is_ok() && self.line().await?.is_some() {}
                core.remove_ephemeral(&added);
                told
            }
        }
    }

    async fn lend(
        &mut self,
        core: &Core,
        tool: &crate::model::ToolName,
        seconds: Option<u64>,
        forward: Through,
    ) -> io::Result<()> {
        let (key, loan) = match core.lend(tool, forward) {
            Ok(lent) => lent,
            Err(failure) => return self.reply(&Reply::Failed(failure)).await,
        };
        self.reply(&Reply::ToolKey(key)).await?;
        match seconds {
            Some(seconds) => loan.expire_after(Duration::from_secs(seconds).min(LONGEST_LOAN)),
            None => while self.line().await?.is_some() {},
        }
        Ok(())
    }

    async fn sign_in(&mut self, core: &Core, account: &crate::model::AccountName, how: How) -> io::Result<()> {
        let (progress, mut told) = mpsc::unbounded_channel();
        let signing_in = core.sign_in(account, &how, move |step| drop(progress.send(step)));
        tokio::pin!(signing_in);
        let mut paste: Option<mpsc::Sender<Pasted>> = None;
        let (refused, mut refusals) = mpsc::unbounded_channel();
        let mut listening = true;
        loop {
            tokio::select! {
                biased;
                Some(step) = told.recv() => match step {
                    Progress::Page(account, url) => self.reply(&Reply::AuthorizeUrl { account, url }).await?,
                    Progress::Device(code) => self.reply(&Reply::DeviceCode(code)).await?,
                    Progress::Paste(sender) => paste = Some(sender),
                },
                Some(text) = refusals.recv() => self.reply(&Reply::Notice(Notice::Say { text })).await?,
                outcome = &mut signing_in => return self.reply(&finish(outcome, Reply::SignedIn)).await,
                line = self.line(), if listening => match (line?, &paste) {
                    // A full queue means that nobody takes them: the sign-in is over.
                    (Some(line), Some(paste)) => drop(paste.try_send(Pasted { line, refused: refused.clone() })),
                    (Some(_), None) => {}
                    (None, _) => listening = false,
                },
            }
        }
    }

    async fn activity(&mut self, core: &Core, limit: usize, follow: bool) -> io::Result<()> {
        let (records, mut live) = core.activity.newest(limit);
        for record in records {
            self.reply(&Reply::Activity(record)).await?;
        }
        if !follow {
            return self.reply(&Reply::Done).await;
        }
        loop {
            tokio::select! {
                record = live.recv() => match record {
                    Ok(record) => self.reply(&Reply::Activity(record)).await?,
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                left = self.line() => if left?.is_none() { return Ok(()) },
            }
        }
    }

    /// The next line; nothing once the client is gone.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = (&mut self.lines).take(LONGEST_LINE).read_line(&mut line).await?;
        Ok((read > 0).then_some(line))
    }

    async fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Said::now(reply))?;
        line.push(b'\n');
        self.replies.write_all(&line).await
    }
}

fn finish<T>(outcome: Result<T, Failure>, reply: impl FnOnce(T) -> Reply) -> Reply {
    outcome.map_or_else(Reply::Failed, reply)
}

fn done(outcome: Result<(), Failure>) -> Reply {
    finish(outcome, |()| Reply::Done)
}
