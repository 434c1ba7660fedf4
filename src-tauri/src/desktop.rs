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

/// The ground that the tray's picture is seen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Panel {
    /// Light.
    Light,
    /// Dark.
    Dark,
    /// Nothing tells: the picture must be seen on both.
    Unknown,
}

/// The panel with the tray. On the main thread, and not for every drawing: a desktop may have to be asked.
pub(crate) fn panel() -> Panel {
    let desktops = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    panel_of(&desktops, xfce_panel_is_dark, theme_is_dark)
}

/// GNOME's top bar is black whatever the theme, Xfce's panel has a setting of its own, and on some desktops a
/// panel has the theme's colours. Elsewhere, as where a panel was started by hand, it has any.
fn panel_of(desktops: &str, xfce: impl Fn() -> Option<bool>, theme: impl Fn() -> bool) -> Panel {
    const AS_THE_THEME: [&str; 5] = ["KDE", "MATE", "X-Cinnamon", "LXQt", "Budgie"];
    let is = |wanted: &str| desktops.split(':').any(|name| name == wanted);
    let of = |dark| if dark { Panel::Dark } else { Panel::Light };
    if is("GNOME") || is("Unity") {
        return Panel::Dark;
    }
    if is("XFCE") || desktops.is_empty() {
        return match xfce() {
            Some(true) => Panel::Dark,
            Some(false) if is("XFCE") => of(theme()),
            _ => Panel::Unknown,
        };
    }
    if AS_THE_THEME.into_iter().any(is) { of(theme()) } else { Panel::Unknown }
}

/// Calls `changed` on the main thread whenever [`panel`] may have changed.
pub(crate) fn on_theme_change(changed: impl Fn() + Clone + 'static) {
    if let Some(settings) = gtk::Settings::default() {
        let again = changed.clone();
        settings.connect_gtk_theme_name_notify(move |_| changed());
        settings.connect_gtk_application_prefer_dark_theme_notify(move |_| again());
    }
}

/// What Xfce was told; nothing where nobody answers.
fn xfce_panel_is_dark() -> Option<bool> {
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
    ask().ok().and_then(|answer| answer.child_value(0).as_variant()?.get())
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
    fn a_panel_that_nobody_tells_of_is_unknown() {
        for (desktops, xfce, theme_is_dark, panel) in [
            ("GNOME", None, false, Panel::Dark),
            ("ubuntu:GNOME", None, false, Panel::Dark),
            ("XFCE", Some(true), false, Panel::Dark),
            ("XFCE", Some(false), false, Panel::Light),
            ("XFCE", Some(false), true, Panel::Dark),
            ("XFCE", None, false, Panel::Unknown),
            ("KDE", None, true, Panel::Dark),
            ("MATE", None, false, Panel::Light),
            ("sway", None, false, Panel::Unknown),
            ("", None, false, Panel::Unknown),
            ("", None, true, Panel::Unknown),
            ("", Some(true), false, Panel::Dark),
        ] {
            assert_eq!(panel_of(desktops, || xfce, || theme_is_dark), panel, "{desktops} {xfce:?} {theme_is_dark}");
        }
    }

    #[test]
    fn dark_and_light() {
        assert!(is_dark(&RGBA::new(0.2, 0.2, 0.2, 1.0)));
        assert!(!is_dark(&RGBA::new(0.96, 0.96, 0.96, 1.0)));
        assert!(!is_dark(&RGBA::new(0.2, 0.9, 0.2, 1.0)));
    }
}
