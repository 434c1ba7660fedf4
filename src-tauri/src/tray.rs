//! The tray process: it shows what the engine says, and does what the person clicks.

mod child;
mod engine;
#[cfg(test)]
mod icons_tests;
mod login;
mod menu;
mod native;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signbell_engine::control::{Failure, Notice, Request};
use signbell_engine::model::AccountName;
use signbell_engine::paths::Paths;
use signbell_engine::view::{AppView, StateName};
use signbell_engine::wording;
use signbell_engine::wording::language::Language;
use tauri::{AppHandle, RunEvent};
use tokio::sync::{mpsc, watch};

use self::child::WindowProcess;
use self::engine::{OwnEngine, Seat};
use self::menu::{Action, Look, look};
use self::native::NativeTray;
use crate::Mine;
use crate::ask;
use crate::clipboard::Clipboard;
use crate::notify::{Answered, Bell};
use crate::passphrase;
use crate::watch::{News, Seen, follow, usual_language};
use crate::window::Page;

#[cfg(test)]
pub(crate) use self::menu::tests::{account_in, view_of};

/// Runs until the person quits, or the system ends us.
pub(crate) fn run(paths: &Paths, mine: Mine) -> Result<(), Failure> {
    let Mine { _lock: lock, engine } = mine;
    let app = tauri::Builder::default()
        .plugin(login::plugin())
        .build(crate::context())
        .map_err(|e| wording::tray::toolkit_failed(&e.to_string()))?;
    let (answered, answers) = mpsc::unbounded_channel();
    let engine = engine.map(|engine| OwnEngine::keep(engine, app.handle().clone()));
    let shell = Arc::new(Shell {
        app: app.handle().clone(),
        paths: paths.clone(),
        engine: Seat::new(paths.clone(), app.handle().clone(), engine),
        seen: Mutex::default(),
        window: WindowProcess::default(),
        bell: Bell::hang(paths.control_socket().with_file_name("signbell.png"), answered),
        clipboard: Clipboard::default(),
    });
    let clicked = Arc::clone(&shell);
    let icon_folder = paths.control_socket().with_file_name("tray");
    let tray = NativeTray::put(app.handle(), icon_folder, look(&Seen::Starting, usual_language()), move |action| {
        clicked.act(action)
    });

    let (show, looks) = watch::channel(look(&Seen::Starting, usual_language()));
    tauri::async_runtime::spawn(draw_calmly(tray, looks));
    tauri::async_runtime::spawn(Arc::clone(&shell).hear(follow(paths.clone()), show));
    tauri::async_runtime::spawn(Arc::clone(&shell).hear_answers(answers));
    tauri::async_runtime::spawn(exit_on_signal(app.handle().clone()));

    let mut ending = Some(shell);
    app.run(move |_, event| match event {
        // There is never a window here; only `exit` ends the tray.
        RunEvent::ExitRequested { code: None, api, .. } => api.prevent_exit(),
        RunEvent::Exit => {
            if let Some(shell) = ending.take() {
                tauri::async_runtime::block_on(end(&shell));
            }
        }
        _ => {}
    });
    drop(lock);
    Ok(())
}

struct Shell {
    app: AppHandle,
    paths: Paths,
    engine: Seat,
    seen: Mutex<Seen>,
    window: WindowProcess,
    bell: Bell,
    clipboard: Clipboard,
}

impl Shell {
    /// Shows what the engine says.
    async fn hear(self: Arc<Self>, mut news: mpsc::UnboundedReceiver<News>, show: watch::Sender<Look>) {
        let (mut first_view, mut at_login) = (true, None);
        while let Some(item) = news.recv().await {
            match item {
                News::Seen(seen) => {
                    let view = if let Seen::View(view) = &seen { Some(Arc::clone(view)) } else { None };
                    if let Some(view) = &view {
                        at_login = login::follow(&self.app, at_login, view.desktop.start_at_login);
                    }
                    show.send_replace(look(&seen, self.language()));
                    let gone = matches!(seen, Seen::Gone);
                    let before = std::mem::replace(&mut *self.seen(), seen);
                    if gone {
                        self.take_over(before);
                    }
                    // Whoever starts Signbell for the first time wants to see it.
                    if let Some(view) = &view
                        && std::mem::take(&mut first_view)
                        && view.accounts.is_empty()
                    {
                        self.show_window(Page::Home).await;
                    }
                    // Without an engine no click could do anything, so nothing rings then.
                    self.bell.see(view.unwrap_or_default());
                }
                News::Notice(Notice::OpenWindow) => self.show_window(Page::Home).await,
                News::Notice(Notice::Say { text }) => {
                    // An open window says it itself.
                    if !self.window.is_open().await {
                        self.bell.say(wording::tray::NAME.to_owned(), text);
                    }
                }
            }
        }
    }

    /// Whoever ran the engine is gone: it goes on here, and the person is told.
    fn take_over(self: &Arc<Self>, before: Seen) {
        let shell = Arc::clone(self);
        tauri::async_runtime::spawn(async move {
            let last = if let Seen::View(view) = &before { Some(&**view) } else { None };
            let still_gone = || matches!(&*shell.seen(), Seen::Gone);
            let language = last.and_then(|view| view.language).unwrap_or_else(usual_language);
            let text = match shell.engine.take_over(last, language, still_gone).await {
                Ok(true) => wording::tray::taken_over(language).to_owned(),
                Ok(false) => return,
                Err(failure) => wording::labels::failure(language, &failure),
            };
            shell.bell.say(wording::tray::NAME.to_owned(), text);
        });
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what the person answered to the bell.
    async fn hear_answers(self: Arc<Self>, mut answers: mpsc::UnboundedReceiver<Answered>) {
        while let Some(answer) = answers.recv().await {
            match answer {
                Answered::SignIn(account) => self.act(Action::SignIn(account)),
                Answered::Later(account) => self.spawn(Request::Later { account }),
                Answered::Confirm(id, answer) => self.spawn(Request::Confirm { id, answer }),
                Answered::Permit(id, allow) => self.spawn(Request::Permit { id, allow }),
                Answered::Look => self.spawn_window(Page::Home),
            }
        }
    }

    /// Does what a click asks for, without holding up the clicks after it.
    fn act(self: &Arc<Self>, action: Action) {
        tracing::debug!(%action, "clicked");
        match action {
            Action::SignIn(account) => self.spawn_sign_in(vec![account], false),
            Action::SignInAgain(account) => self.spawn_sign_in(vec![account], true),
            Action::SignInAll => {
                let needs = |view: &AppView| {
                    let needing = view.accounts.iter().filter(|a| a.state == StateName::NeedsSignIn);
                    needing.map(|a| a.account.clone()).collect()
                };
                self.spawn_sign_in(self.view().as_deref().map(needs).unwrap_or_default(), false);
            }
            Action::Renew(account) => self.spawn(Request::Refresh { account }),
            Action::SignOut(account) => self.spawn(Request::SignOut { account, forget: false }),
            Action::Pause => self.spawn(Request::Pause { paused: true }),
            Action::Resume => self.spawn(Request::Pause { paused: false }),
            Action::CopyAddress(service) => {
                let view = self.view();
                let found = view.as_deref().and_then(|view| view.services.iter().find(|s| s.service == service));
                if let Some(Err(failure)) = found.map(|service| self.clipboard.copy(&service.address)) {
                    self.bell.say(wording::tray::NAME.to_owned(), self.said(&failure));
                }
            }
            Action::Confirm(id, answer) => self.spawn(Request::Confirm { id, answer }),
            Action::Permit(id, allow) => self.spawn(Request::Permit { id, allow }),
            Action::Add => self.spawn_window(Page::Add),
            Action::Open => self.spawn_window(Page::Home),
            Action::Quit => quit(&self.app),
        }
    }

    fn spawn(self: &Arc<Self>, request: Request) {
        let shell = Arc::clone(self);
        tauri::async_runtime::spawn(async move {
            if let Err(failure) = ask::done(&shell.paths.engine_socket(), &request).await {
                shell.bell.say(shell.title_for(request_account(&request)), shell.said(&failure));
            }
        });
    }

    /// One account after the other: two pages at once would steal each other's attention.
    fn spawn_sign_in(self: &Arc<Self>, accounts: Vec<AccountName>, force: bool) {
        let shell = Arc::clone(self);
        tauri::async_runtime::spawn(async move {
            for account in accounts {
                if let Err(failure) =
                    ask::sign_in(&shell.paths.engine_socket(), account.clone(), force, vec![], false).await
                {
                    shell.bell.say(shell.title_for(Some(&account)), shell.said(&failure));
                }
            }
        });
    }

    fn spawn_window(self: &Arc<Self>, page: Page) {
        let shell = Arc::clone(self);
        tauri::async_runtime::spawn(async move { shell.show_window(page).await });
    }

    async fn show_window(&self, page: Page) {
        if let Err(e) = self.window.show(page).await {
            tracing::error!("the window could not be started: {e}");
            let failure = wording::tray::toolkit_failed(&e.to_string());
            self.bell.say(wording::tray::NAME.to_owned(), self.said(&failure));
        }
    }

    fn view(&self) -> Option<Arc<AppView>> {
        match &*self.seen() {
            Seen::View(view) => Some(Arc::clone(view)),
            Seen::Starting | Seen::Gone => None,
        }
    }

    /// The language of the last view; before the first, that of the environment.
    fn language(&self) -> Language {
        self.view().and_then(|view| view.language).unwrap_or_else(usual_language)
    }

    /// What failed, as a notification says it.
    fn said(&self, failure: &Failure) -> String {
        wording::labels::failure(self.language(), failure)
    }

    /// The heading of a failure's notification.
    fn title_for(&self, account: Option<&AccountName>) -> String {
        let Some(account) = account else { return wording::tray::NAME.to_owned() };
        let view = self.view();
        let found = view.as_deref().and_then(|view| view.accounts.iter().find(|a| a.account == *account));
        wording::tray::failed_for(self.language(), found.map_or(account.as_str(), |account| &account.short_title))
    }
}

/// Draws at once, but what changes many times a second only a few times: nobody could read it, and
/// each change is work for the panel.
async fn draw_calmly(tray: Option<NativeTray>, mut looks: watch::Receiver<Look>) {
    const CALM: Duration = Duration::from_millis(250);
    let Some(tray) = tray else { return };
    while looks.changed().await.is_ok() {
        let look = looks.borrow_and_update().clone();
        tray.draw(look);
        tokio::time::sleep(CALM).await;
    }
}

fn request_account(request: &Request) -> Option<&AccountName> {
    match request {
        Request::Refresh { account } | Request::SignOut { account, .. } | Request::Later { account } => Some(account),
        _ => None,
    }
}

/// Nothing of ours stays: no window, no notification, no engine.
async fn end(shell: &Shell) {
    const PATIENCE: Duration = Duration::from_secs(1);
    shell.clipboard.hand_over();
    let desktop = async {
        tokio::join!(shell.window.end(), shell.bell.end());
    };
    // The engine knows its own deadline.
    let (in_time, ()) = tokio::join!(tokio::time::timeout(PATIENCE, desktop), shell.engine.end());
    if in_time.is_err() {
        tracing::warn!("the desktop did not answer in time");
    }
}

async fn exit_on_signal(app: AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    quit(&app);
}

/// Ends the tray, although a question may hold its main thread.
fn quit(app: &AppHandle) {
    passphrase::take_back();
    app.exit(0);
}
