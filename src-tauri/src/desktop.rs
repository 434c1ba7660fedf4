//! What the shell must know of the desktop, through its toolkit.

use gtk::gdk::RGBA;
use gtk::gio;
use gtk::glib::{self, Variant, VariantTy};
use gtk::prelude::{GtkSettingsExt, StyleContextExt, ToVariant};
use signbell_engine::wording::tray as words;

/// Whether there is a screen. To be called first, and on the main thread.
pub(crate) fn has_screen() -> bool {
    // What panels call the icon.
    glib::set_application_name(words::NAME);
    gtk::init().is_ok()
}

/// Whether the panel with the tray is dark. On the main thread, and not for every drawing: a desktop may
/// have to be asked.
pub(crate) fn panel_is_dark() -> bool {
    let desktops = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    let is = |wanted: &str| desktops.split(':').any(|name| name == wanted);
    // GNOME's top bar is black whatever the theme, Xfce's panel has a setting of its own, and elsewhere
    // a panel has the theme's colours.
    is("GNOME") || is("Unity") || (is("XFCE") && xfce_panel_is_dark()) || theme_is_dark()
}

/// Calls `changed` on the main thread whenever [`panel_is_dark`] may have changed.
pub(crate) fn on_theme_change(changed: impl Fn() + Clone + 'static) {
    if let Some(settings) = gtk::Settings::default() {
        let again = changed.clone();
        settings.connect_gtk_theme_name_notify(move |_| changed());
        settings.connect_gtk_application_prefer_dark_theme_notify(move |_| again());
    }
}

fn xfce_panel_is_dark() -> bool {
    const PATIENCE_MS: i32 = 500;
    let ask = || -> Result<Variant, Box<dyn std::error::Error>> {
        let answer = gio::bus_get_sync(gio::BusType::Session, gio::Cancellable::NONE)?.call_sync(
            Some("org.xfce.Xfconf"),
            "/org/xfce/Xfconf",
            "org.xfce.Xfconf",
            "GetProperty",
            Some(&("xfce4-panel", "/panels/dark-mode").to_variant()),
            Some(VariantTy::new("(v)")?),
            gio::DBusCallFlags::NO_AUTO_START,
            PATIENCE_MS,
            gio::Cancellable::NONE,
        )?;
        Ok(answer)
    };
    ask().ok().and_then(|answer| answer.child_value(0).as_variant()?.get()).unwrap_or(false)
}

/// Themes are named as they like, so their colour is looked at.
fn theme_is_dark() -> bool {
    let style = gtk::StyleContext::new();
    if let Some(screen) = gtk::gdk::Screen::default() {
        style.set_screen(&screen);
    }
    style.lookup_color("theme_bg_color").is_some_and(|colour| is_dark(&colour))
}

fn is_dark(colour: &RGBA) -> bool {
    0.2126 * colour.red() + 0.7152 * colour.green() + 0.0722 * colour.blue() < 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dark_and_light() {
        assert!(is_dark(&RGBA::new(0.2, 0.2, 0.2, 1.0)));
        assert!(!is_dark(&RGBA::new(0.96, 0.96, 0.96, 1.0)));
        assert!(!is_dark(&RGBA::new(0.2, 0.9, 0.2, 1.0)));
    }
}
