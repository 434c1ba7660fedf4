//! Asking for the sealed file's passphrase: a tray that starts at login has no terminal to ask in.
//!
//! The dialog is the toolkit's own and not a page: nothing that opens the vault comes near a webview.

use gtk::prelude::{
    BoxExt, Cast as _, ContainerExt, DialogExt, EntryExt, GtkWindowExt, LabelExt, StyleContextExt as _, WidgetExt,
};
use gtk::{Dialog, Entry, InputPurpose, Label, Orientation, ResponseType};
use signbell_engine::StartError;
use signbell_engine::paths::Paths;
use signbell_engine::secret::Secret;
use signbell_engine::vault::{SealedFile, VaultError};
use signbell_engine::wording::labels::say;
use signbell_engine::wording::language::Language;
use signbell_engine::wording::tray::NAME;

/// Why it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It opens the file that is there.
    Open,
    /// What was typed did not open it.
    Wrong,
    /// There is no file yet: this seals it.
    New,
}

impl Why {
    /// Nothing, where the engine did not start for another reason.
    pub(crate) fn of(error: &StartError, paths: &Paths) -> Option<Self> {
        match error {
            StartError::PassphraseMissing if SealedFile::exists(paths.sealed_folder()) => Some(Self::Open),
            StartError::PassphraseMissing => Some(Self::New),
            StartError::Vault(VaultError::WrongPassphrase) => Some(Self::Wrong),
            _ => None,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Open => "passphrase.ask",
            Self::Wrong => "passphrase.wrong",
            Self::New => "passphrase.new",
        }
    }
}

/// Asks, on the main thread, until something was typed; a new one is typed twice. Nothing, where the person would
/// rather not.
pub(crate) fn ask(language: Language, why: Why) -> Option<Secret> {
    let dialog = Dialog::new();
    dialog.set_title(NAME);
    dialog.set_icon_name(Some("signbell"));
    dialog.set_resizable(false);
    dialog.set_position(gtk::WindowPosition::Center);
    dialog.add_button(say(language, "cancel"), ResponseType::Cancel);
    let open = if why == Why::New { "passphrase.seal" } else { "passphrase.open" };
    let open = dialog.add_button(say(language, open), ResponseType::Accept);
    open.style_context().add_class("suggested-action");
    dialog.set_default_response(ResponseType::Accept);

    let about = Label::new(Some(say(language, why.words())));
    about.set_line_wrap(true);
    about.set_max_width_chars(44);
    about.set_xalign(0.0);
    let fields = gtk::Box::new(Orientation::Vertical, 6);
    fields.set_margin(18);
    fields.pack_start(&about, false, false, 6);
    let first = field(&fields, say(language, "passphrase.field"));
    let again = (why == Why::New).then(|| field(&fields, say(language, "passphrase.again")));
    dialog.content_area().add(&fields);
    dialog.show_all();
    first.grab_focus();

    let typed = loop {
        if dialog.run() != ResponseType::Accept {
            break None;
        }
        let text = first.text();
        let differs = again.as_ref().is_some_and(|again| again.text() != text);
        if differs {
            about.set_text(say(language, "passphrase.differ"));
        } else if !text.is_empty() {
            break Some(Secret::new(text.to_string()));
        }
        first.grab_focus();
    };
    for field in again.iter().chain([&first]) {
        field.set_text("");
    }
    dialog.close();
    // Nobody runs the toolkit's loop while the vault is opened.
    while gtk::events_pending() {
        gtk::main_iteration();
    }
    typed
}

/// Takes the question back, where it is asked just now: the process is to end. From any thread.
pub(crate) fn take_back() {
    gtk::glib::idle_add_once(|| {
        for dialog in gtk::Window::list_toplevels().into_iter().filter_map(|window| window.downcast::<Dialog>().ok()) {
            dialog.response(ResponseType::Cancel);
        }
    });
}

/// A field with its label, which shows no letter; Enter presses the default button.
fn field(among: &gtk::Box, words: &str) -> Entry {
    let entry = Entry::new();
    entry.set_visibility(false);
    entry.set_input_purpose(InputPurpose::Password);
    entry.set_activates_default(true);
    entry.set_width_chars(32);
    let label = Label::new(Some(words));
    label.set_xalign(0.0);
    label.set_mnemonic_widget(Some(&entry));
    among.pack_start(&label, false, false, 0);
    among.pack_start(&entry, false, false, 0);
    entry
}
