//! `signbell sign-in`: opens the page, or prints its link, and waits for what comes of it.

use std::io::{self, BufRead, IsTerminal};
use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use signbell_engine::browser;
use signbell_engine::control::client::Conversation;
use signbell_engine::control::{DeviceCode, Failure, Notice, Reply, Request};
use signbell_engine::model::AccountName;
use signbell_engine::view::StateName;
use signbell_engine::wording;
use tokio::sync::mpsc;
use url::Url;

use super::Context;
use crate::args::SignIn;
use signbell_engine::wording::{cli as words, slips};

pub(super) async fn run(context: &Context, args: SignIn) -> Result<u8, Failure> {
    let mut pages = if args.no_browser { Pages::printed() } else { Pages::opened() };
    let how = |account| Request::SignIn {
        account,
        force: args.force,
        scopes: args.scopes.clone(),
        device: args.device,
        port: args.port,
    };
    match args.account.clone() {
        Some(account) => one(context, how(account), &mut pages).await.map(|()| 0),
        None => all(context, how, &mut pages).await,
    }
}

/// To sign in as it is usual.
pub(super) fn request(account: AccountName, device: bool) -> Request {
    Request::SignIn { account, force: false, scopes: vec![], device, port: None }
}

/// Signs in to one account and prints how it stands then.
pub(super) async fn one(context: &Context, request: Request, pages: &mut Pages) -> Result<(), Failure> {
    converse(context, request, pages, false).await
}

/// `may_skip`: an empty line leaves this one for the next.
async fn converse(context: &Context, request: Request, pages: &mut Pages, may_skip: bool) -> Result<(), Failure> {
    let account = match &request {
        Request::SignIn { account, .. } => Some(account.clone()),
        _ => None,
    };
    let mut conversation = Conversation::open(&context.socket(), &request).await?;
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    // What is typed before there is a page is for none.
    let mut shown = false;
    loop {
        let reply = tokio::select! {
            reply = conversation.next() => reply?,
            Some(line) = pages.pasted(), if shown => {
                match (line.is_empty(), &account) {
                    (true, Some(account)) if may_skip => {
                        cancel(context, account).await;
                        return Err(slips::skipped(account));
                    }
                    (true, _) => {}
                    (false, _) => conversation.send_line(&line).await?,
                }
                continue;
            }
            // The page would wait for ten minutes, with nobody to tell how it ended.
            _ = &mut interrupted => {
                if let Some(account) = &account {
                    cancel(context, account).await;
                }
                return Err(words::interrupted());
            }
        };
        match reply {
            Some(Reply::AuthorizeUrl { account, url }) => {
                pages.show(context, &account, &url)?;
                shown = true;
                if may_skip && pages.lines.is_some() {
                    context.out.say(&slips::skip_with_enter(&account));
                }
            }
            Some(Reply::DeviceCode(code)) => {
                show_code(context, &code)?;
                shown = true;
            }
            Some(Reply::SignedIn(signed_in)) => return context.signed_in(&signed_in),
            Some(Reply::Notice(Notice::Say { text })) => context.out.say(&text),
            Some(Reply::Notice(Notice::OpenWindow)) => {}
            Some(_) => return Err(words::odd_reply()),
            None => return Err(wording::not_running()),
        }
    }
}

/// Ends the sign-in under way; whatever is wrong with that, the command ends all the same.
async fn cancel(context: &Context, account: &AccountName) {
    const PATIENCE: Duration = Duration::from_secs(3);
    let request = Request::CancelSignIn { account: account.clone() };
    let _ = tokio::time::timeout(PATIENCE, context.call(&request)).await;
}

/// One account's failure doesn't keep the others from being signed in to; the first decides the
/// exit code.
async fn all(context: &Context, request: impl Fn(AccountName) -> Request, pages: &mut Pages) -> Result<u8, Failure> {
    let accounts = context.view().await?.accounts;
    if pages.lines.is_none() && io::stdin().is_terminal() {
        pages.lines = Some(lines());
    }
    let mut code = 0;
    let mut any = false;
    // Out of these the person went by themselves.
    let out = accounts.iter().filter(|account| account.state == StateName::SignedOut);
    let out: Vec<AccountName> = out.map(|account| account.account.clone()).collect();
    for account in accounts.into_iter().filter(|a| a.state == StateName::NeedsSignIn) {
        any = true;
        if let Err(failure) = converse(context, request(account.account), pages, true).await {
            context.out.failure(&failure);
            code = if code == 0 { failure.kind.exit_code() } else { code };
        }
    }
    if !any {
        context.out.say(words::NOBODY_NEEDS_YOU);
    }
    if !out.is_empty() {
        context.out.say(&slips::left_signed_out(&out));
    }
    Ok(code)
}

/// Shows the code for another device: to people with a QR code, to scripts as JSON.
fn show_code(context: &Context, code: &DeviceCode) -> Result<(), Failure> {
    for url in std::iter::once(&code.verification_uri).chain(&code.verification_uri_complete) {
        if !browser::may_open(url) {
            return Err(words::bad_page(url.scheme()));
        }
    }
    let shown = code.verification_uri_complete.as_ref().unwrap_or(&code.verification_uri);
    context.out.say(&words::device(&code.verification_uri, &code.user_code, code.expires_in));
    context.out.result(code, || qr(shown.as_str()).unwrap_or_else(|| shown.to_string()))
}

/// A QR code of half blocks, light on dark as terminals are; nothing for an address that is too long.
fn qr(text: &str) -> Option<String> {
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::L).ok()?;
    let mut drawn = code.render::<qrcode::render::unicode::Dense1x2>();
    let (dark, light) = (qrcode::render::unicode::Dense1x2::Dark, qrcode::render::unicode::Dense1x2::Light);
    Some(drawn.dark_color(light).light_color(dark).build())
}

/// Where the person sees a sign-in page.
pub(super) struct Pages {
    in_browser: bool,
    /// What the person pastes.
    lines: Option<mpsc::UnboundedReceiver<String>>,
}

impl Pages {
    /// In the browser on this machine.
    pub(super) fn opened() -> Self {
        Self { in_browser: true, lines: None }
    }

    /// Elsewhere, by the printed link.
    pub(super) fn printed() -> Self {
        Self { in_browser: false, lines: Some(lines()) }
    }

    fn show(&mut self, context: &Context, account: &AccountName, url: &Url) -> Result<(), Failure> {
        // Neither opened nor printed: who pastes it into a browser is no better off.
        if !browser::may_open(url) {
            return Err(words::bad_page(url.scheme()));
        }
        if self.in_browser {
            match browser::open(url) {
                Ok(()) => {
                    context.out.say(&words::opening(account, url));
                    return Ok(());
                }
                Err(e) => context.out.say(&words::no_browser(&e)),
            }
            // A script's input is not ours to read unless it asked for it.
            if self.lines.is_none() && io::stdin().is_terminal() {
                self.lines = Some(lines());
            }
        }
        context.out.say(words::PASTE);
        context.out.result(&json!({ "authorize_url": url }), || url.to_string())
    }

    /// The next line that the person pasted; never, where nobody can.
    async fn pasted(&mut self) -> Option<String> {
        match &mut self.lines {
            Some(lines) => lines.recv().await,
            None => std::future::pending().await,
        }
    }
}

/// Lines of standard input, read by a thread of their own: a read can't be cancelled, and must not
/// keep the command from ending.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let line = line.trim();
            if sender.send(line.to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}
