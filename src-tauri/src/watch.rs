//! Following the engine: its views and notices as they come, and the way back when it went away.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signbell_engine::control::client::Conversation;
use signbell_engine::control::{Failure, FailureKind, Notice, Reply, Request};
use signbell_engine::paths::Paths;
use signbell_engine::view::AppView;
use signbell_engine::wording::labels;
use signbell_engine::wording::language::Language;
use tokio::sync::mpsc;

/// What is known of the engine.
#[derive(Debug, Clone, Default)]
pub(crate) enum Seen {
    /// Nothing yet.
    #[default]
    Starting,
    /// It does not answer.
    Gone,
    /// Its last view.
    View(Arc<AppView>),
}

/// Something new.
#[derive(Debug)]
pub(crate) enum News {
    /// The engine changed, came or went.
    Seen(Seen),
    /// A thing to say or do once.
    Notice(Notice),
}

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Follows the engine, whichever process runs it, until the receiver is dropped.
pub(crate) fn follow(paths: Paths) -> mpsc::UnboundedReceiver<News> {
    let (tell, news) = mpsc::unbounded_channel();
    tauri::async_runtime::spawn(async move {
        let mut wait = FIRST_WAIT;
        let mut there = true;
        while !tell.is_closed() {
            let mut heard = false;
            let end = listen(&paths.engine_socket(), |item| {
                heard = true;
                // A receiver that is gone is noticed above.
                let _ = tell.send(item);
            })
            .await;
            if heard || there {
                // Said once, however often it is tried again.
                let failure = end.err();
                tracing::debug!(code = failure.as_ref().map(|f| &f.code), "the engine does not answer");
                // Of another version: what the person can do about that is in the sentence.
                let told = failure.filter(|failure| failure.kind != FailureKind::NotRunning);
                if let Some(failure) = told.filter(|_| !heard) {
                    let text = labels::failure(usual_language(), &failure);
                    let _ = tell.send(News::Notice(Notice::Say { text }));
                }
                let _ = tell.send(News::Seen(Seen::Gone));
            }
            there = false;
            wait = if heard { FIRST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
            tokio::time::sleep(wait).await;
        }
    });
    news
}

/// The language of the person's desktop, where they set none for Signbell.
pub(crate) fn usual_language() -> Language {
    Language::of_environment(|name| std::env::var(name).ok())
}

/// One connection, from its beginning to its end.
async fn listen(socket: &Path, mut tell: impl FnMut(News)) -> Result<(), Failure> {
    let mut talk = Conversation::open(socket, &Request::WatchIn { language: usual_language() }).await?;
    while let Some(reply) = talk.next().await? {
        match reply {
            Reply::View(mut view) => {
                view.language.get_or_insert_with(usual_language);
                tell(News::Seen(Seen::View(view.into())));
            }
            Reply::Notice(notice) => tell(News::Notice(notice)),
            _ => {}
        }
    }
    Ok(())
}
