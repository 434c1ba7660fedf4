//! The demo account: a built-in provider and service, added in memory only.
//!
//! It lives in the window's process, so closing the window ends it.

use std::path::Path;

use signbell_engine::control::Failure;
use tokio::sync::Mutex;

/// The demo, while it runs.
#[derive(Default)]
pub(crate) struct Demo {
    running: Mutex<Option<signbell_demo::Demo>>,
}

impl Demo {
    /// Starts the built-in provider and adds its service; one that runs already goes on.
    pub(crate) async fn start(&self, socket: &Path) -> Result<(), Failure> {
        let mut running = self.running.lock().await;
        if running.as_ref().is_none_or(signbell_demo::Demo::is_over) {
            *running = Some(signbell_demo::start(socket).await?);
        }
        Ok(())
    }

    /// Removes what it added, and ends the provider.
    pub(crate) async fn stop(&self) -> Result<(), Failure> {
        if let Some(demo) = self.running.lock().await.take() {
            demo.stop().await;
        }
        Ok(())
    }
}
