//! The desktop's clipboard, also for a process that has no window.

use std::sync::Mutex;

use signbell_engine::control::Failure;
use signbell_engine::wording;

/// Kept for as long as the process lives: on X11 and Wayland a copied text is served by the program
/// that copied it.
#[derive(Default)]
pub(crate) struct Clipboard(Mutex<Option<arboard::Clipboard>>);

impl Clipboard {
    /// Puts `text` there.
    pub(crate) fn copy(&self, text: &str) -> Result<(), Failure> {
        let failed = |e: arboard::Error| wording::tray::clipboard_failed(&e.to_string());
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let clipboard = match kept.take() {
            Some(clipboard) => kept.insert(clipboard),
            None => kept.insert(arboard::Clipboard::new().map_err(failed)?),
        };
        clipboard.set_text(text).map_err(failed)
    }

    /// Gives the text to the desktop's clipboard manager, where there is one, so that it outlives us.
    pub(crate) fn hand_over(&self) {
        drop(self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
    }
}
