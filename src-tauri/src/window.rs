//! The window process: one page in a webview, which draws the engine's view and calls [`commands`].

use std::str::FromStr;
use std::sync::Arc;

use signbell_engine::control::{Failure, Notice};
use signbell_engine::paths::Paths;
use signbell_engine::view::AppView;
use signbell_engine::wording;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Emitter, Manager, RunEvent, Url, WebviewUrl, WebviewWindowBuilder};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;

use crate::clipboard::Clipboard;
use crate::commands::{self, Desk};
use crate::connect::Connecting;
use crate::demo::Demo;
use crate::import::Importing;
use crate::watch::{News, Seen, follow};

const LABEL: &str = "main";

/// Where in the page the person arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// Wherever it stands.
    Home,
    /// Where an account is added.
    Add,
}

impl Page {
    /// How it is called on the command line, and by the process that leads this one.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Add => "add",
        }
    }
}

impl FromStr for Page {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Home, Self::Add].into_iter().find(|page| page.name() == name).ok_or(())
    }
}

/// Who decides when the window ends, besides the person who closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leader {
    /// It was started by hand.
    Nobody,
    /// The tray, at the other end of stdin: each line names a [`Page`] to show, the end of it ends
    /// the window. So no window outlives its tray, not even one that is killed.
    Stdin,
}

/// Runs until the window is closed.
pub(crate) fn run(paths: &Paths, page: Page, leader: Leader) -> Result<(), Failure> {
    let (tell, seen) = watch::channel(Seen::Starting);
    let paths = paths.clone();
    let desk = Desk {
        paths: paths.clone(),
        seen,
        clipboard: Clipboard::default(),
        demo: Demo::default(),
        connecting: Connecting::new(&paths),
        importing: Importing::new(&paths),
    };
    let app = tauri::Builder::default()
        .manage(desk)
        .invoke_handler(tauri::generate_handler![
            commands::account_set,
            commands::activity,
            commands::add,
            commands::cancel_sign_in,
            commands::choices,
            commands::confirm,
            commands::connect_apply,
            commands::connect_clients,
            commands::connect_plan,
            commands::copy,
            commands::demo,
            commands::first_call,
            commands::import_found,
            commands::import_take,
            commands::labels,
            commands::decline,
            commands::later,
            commands::look,
            commands::open_device_page,
            commands::pause,
            commands::permit,
            commands::presets,
            commands::refresh,
            commands::service_remove,
            commands::service_set,
            commands::service_test,
            commands::service_usual_hold,
            commands::settings,
            commands::settings_set,
            commands::sign_in,
            commands::sign_out,
            commands::snapshot,
            commands::tool_add,
            commands::tool_narrow,
            commands::tool_remove,
            commands::tool_rotate,
            commands::tool_set,
            commands::zoom,
        ])
        .setup(move |app| {
            build(app.handle(), page)?;
            tauri::async_runtime::spawn(show_news(app.handle().clone(), follow(paths), tell));
            if leader == Leader::Stdin {
                tauri::async_runtime::spawn(obey(app.handle().clone()));
            }
            Ok(())
        })
        .build(crate::context())
        .map_err(|e| wording::tray::toolkit_failed(&e.to_string()))?;
    app.run(|app, event| {
        if let RunEvent::Exit = event {
            app.state::<Desk>().clipboard.hand_over();
        }
    });
    Ok(())
}

fn build(app: &AppHandle, page: Page) -> tauri::Result<()> {
    let address = match page {
        Page::Home => "index.html",
        Page::Add => "index.html#add",
    };
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App(address.into()))
        .title(wording::tray::NAME)
        .inner_size(880.0, 680.0)
        .min_inner_size(360.0, 420.0)
        // U2: nothing but our own page is ever shown, so nobody else's is ever near the commands.
        .on_navigation(is_own_page)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?;
    Ok(())
}

fn is_own_page(url: &Url) -> bool {
    let own = if cfg!(windows) { "http://tauri.localhost" } else { "tauri://localhost" };
    Url::parse(own)
        .is_ok_and(|own| (url.scheme(), url.host_str(), url.port()) == (own.scheme(), own.host_str(), own.port()))
}

/// Tells the page what is new.
async fn show_news(app: AppHandle, mut news: tokio::sync::mpsc::UnboundedReceiver<News>, tell: watch::Sender<Seen>) {
    let mut last: Option<Arc<AppView>> = None;
    while let Some(item) = news.recv().await {
        let told = match item {
            News::Notice(Notice::OpenWindow) => {
                raise(&app, Page::Home);
                Ok(())
            }
            News::Notice(notice) => app.emit("notice", notice),
            News::Seen(Seen::View(view)) => {
                last = Some(Arc::clone(&view));
                tell.send_replace(Seen::View(Arc::clone(&view)));
                app.emit("view", view)
            }
            News::Seen(_) => {
                // A page that was drawn once says why it is old; one that was not gets the failure
                // from `snapshot`.
                let old = last.as_deref().map(without_engine).map(Arc::new);
                tell.send_replace(old.clone().map_or(Seen::Gone, Seen::View));
                old.map_or(Ok(()), |view| app.emit("view", view))
            }
        };
        if let Err(e) = told {
            tracing::debug!("the page was not told: {e}");
        }
    }
}

/// What was last seen, marked as such.
fn without_engine(view: &AppView) -> AppView {
    let mut old = view.clone();
    old.proxy.running = false;
    old.banners.insert(0, wording::tray::not_running(view.language.unwrap_or_default()).to_owned());
    old
}

/// Does what the leader's lines say.
async fn obey(app: AppHandle) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(page) = line.parse() {
            raise(&app, page);
        }
    }
    app.exit(0);
}

/// Brings the window to the front.
fn raise(app: &AppHandle, page: Page) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    let raised = window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus()).and_then(|()| {
        match page {
            Page::Home => Ok(()),
            // A navigation would load the page anew if it were there already.
            Page::Add => window.eval("location.hash = '#add'"),
        }
    });
    if let Err(e) = raised {
        tracing::warn!("the window could not be raised: {e}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    #[cfg(not(windows))]
    fn u2_only_our_own_page_is_shown() {
        for (address, own) in [
            ("tauri://localhost/", true),
            ("tauri://localhost/index.html#add", true),
            ("tauri://localhost:1/", false),
            ("tauri://localhost.evil.test/", false),
            ("http://tauri.localhost/", false),
            ("https://example.com/", false),
            ("http://127.0.0.1:8401/", false),
            ("data:text/html,x", false),
            ("about:blank", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_own_page(&address.parse().unwrap()), own, "{address}");
        }
    }

    #[test]
    fn pages_have_names() {
        for page in [Page::Home, Page::Add] {
            assert_eq!(page.name().parse(), Ok(page));
        }
        assert_eq!("#add".parse::<Page>(), Err(()));
    }

    #[test]
    fn an_old_view_says_so() {
        let old = without_engine(&AppView { banners: vec!["x".into()], ..AppView::default() });
        assert!(!old.proxy.running && old.banners.len() == 2 && old.banners[0].contains("not running"));
    }
}
