//! The window's process, as its parent sees it.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::window::Page;

/// At most one window.
#[derive(Default)]
pub(crate) struct WindowProcess(Mutex<Option<Running>>);

struct Running {
    /// Pages to show. Closed once the process is gone.
    pages: mpsc::Sender<Page>,
    /// Told when it is gone.
    gone: oneshot::Receiver<()>,
}

impl WindowProcess {
    /// Shows `page`, in the window that is open or in a new one.
    pub(crate) async fn show(&self, page: Page) -> io::Result<()> {
        let mut running = self.0.lock().await;
        if let Some(running) = running.as_ref()
            && running.pages.send(page).await.is_ok()
        {
            return Ok(());
        }
        *running = Some(start(page)?);
        Ok(())
    }

    /// Whether a window is open.
    pub(crate) async fn is_open(&self) -> bool {
        self.0.lock().await.as_ref().is_some_and(|running| !running.pages.is_closed())
    }

    /// Closes it, and returns when its process is gone.
    pub(crate) async fn end(&self) {
        if let Some(Running { pages, gone }) = self.0.lock().await.take() {
            drop(pages);
            // An error says the same: nobody keeps the process any more.
            let _ = gone.await;
        }
    }
}

fn start(page: Page) -> io::Result<Running> {
    let mut child = Command::new(own_program()?)
        .args(["window", "--at", page.name(), "--led"])
        // Nothing that opens the vault comes near a webview.
        .env_remove("SIGNBELL_PASSPHRASE")
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take().ok_or_else(|| io::Error::other("the window has no stdin"))?;
    let (pages, orders) = mpsc::channel(4);
    let (tell, gone) = oneshot::channel();
    tauri::async_runtime::spawn(async move {
        lead(child, stdin, orders).await;
        drop(tell);
    });
    Ok(Running { pages, gone })
}

/// Passes pages on until the window is closed, or until nobody can ask for more: then it is ended.
async fn lead(mut child: Child, mut stdin: ChildStdin, mut orders: mpsc::Receiver<Page>) {
    const PATIENCE: Duration = Duration::from_millis(500);
    loop {
        tokio::select! {
            _ = child.wait() => return,
            order = orders.recv() => match order {
                Some(page) => {
                    // A window that is closing does not read; its end is seen above.
                    let _ = stdin.write_all(format!("{}\n", page.name()).as_bytes()).await;
                }
                None => break,
            },
        }
    }
    drop(stdin);
    if tokio::time::timeout(PATIENCE, child.wait()).await.is_err()
        && let Err(e) = child.kill().await
    {
        tracing::warn!("the window could not be ended: {e}");
    }
}

/// Linux adds a word to the path of a program that was replaced by an update while it runs; the new one
/// is at the same place.
fn own_program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let replaced = path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
    Ok(replaced.unwrap_or(path))
}
