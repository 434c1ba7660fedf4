//! Draws a [`Look`] with the desktop's tray, and only what changed of it: panels close a menu that is
//! replaced while it is open, and Xfce's has crashed where that happened too often.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, MenuItemBuilder, PredefinedMenuItem, Submenu};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Wry};

use super::menu::{Action, IconState, Item, Look, same_shape};
use crate::desktop::{self, Panel};

/// The icon in the tray.
#[derive(Clone)]
pub(crate) struct NativeTray {
    app: AppHandle,
    icon: TrayIcon,
    drawn: Arc<Mutex<Drawn>>,
}

/// What is on the screen.
struct Drawn {
    look: Look,
    panel: Panel,
    lines: Vec<Line>,
    /// When the menu last got another shape.
    reshaped: Instant,
}

/// A menu that was just put there is still on its way to the panel, and words that change meanwhile were
/// seen to be lost; so long it is put there again instead.
const SETTLED: Duration = Duration::from_secs(2);

/// A drawn line of the menu, or a part of it that has others below.
enum Line {
    Entry(MenuItem<Wry>),
    Separator(PredefinedMenuItem<Wry>),
    Submenu(Submenu<Wry>, Vec<Line>),
}

impl NativeTray {
    /// Puts the icon there. Its file is written to `icon_folder`, for libayatana takes nothing else.
    /// Must be called on the main thread.
    ///
    /// Nothing, where this desktop can't have a tray. A missing tray host is not noticed here: the
    /// icon appears once there is one.
    pub(crate) fn put(
        app: &AppHandle,
        icon_folder: PathBuf,
        look: Look,
        clicked: impl Fn(Action) + Send + Sync + 'static,
    ) -> Option<Self> {
        // Nothing removes the last picture of a tray that was killed.
        let _ = std::fs::remove_dir_all(&icon_folder);
        let clicked = Arc::new(clicked);
        let menu_clicked = Arc::clone(&clicked);
        let panel = desktop::panel();
        let build = || -> tauri::Result<(TrayIcon, Vec<Line>)> {
            let lines = lines(app, &look.menu)?;
            let icon = TrayIconBuilder::with_id("signbell")
                .temp_dir_path(icon_folder)
                .icon(glyph(look.icon, panel)?)
                .tooltip(&look.tooltip)
                .menu(&menu(app, &lines)?)
                .show_menu_on_left_click(false)
                .on_menu_event(move |_, event| {
                    if let Ok(action) = event.id().as_ref().parse() {
                        menu_clicked(action);
                    }
                })
                // Not on Linux, where a click of any button is the desktop's own to show the menu.
                .on_tray_icon_event(move |_, event| {
                    if let TrayIconEvent::Click {
                        button: MouseButton::Left, button_state: MouseButtonState::Up, ..
                    } = event
                    {
                        clicked(Action::Open);
                    }
                })
                .build(app)?;
            Ok((icon, lines))
        };
        // The library that draws it is loaded by name at this moment, with a panic where it is missing.
        let (icon, lines) = match catch_unwind(AssertUnwindSafe(build)) {
            Ok(Ok(built)) => built,
            Ok(Err(e)) => {
                tracing::warn!("no tray icon: {e}");
                return None;
            }
            Err(_) => {
                tracing::warn!("no tray icon: the libayatana-appindicator3 library is missing");
                return None;
            }
        };
        let drawn = Arc::new(Mutex::new(Drawn { look, panel, lines, reshaped: Instant::now() }));
        let tray = Self { app: app.clone(), icon, drawn };
        let redrawn = tray.clone();
        desktop::on_theme_change(move || redrawn.redraw());
        Some(tray)
    }

    /// Shows `look`. From any thread.
    pub(crate) fn draw(&self, look: Look) {
        let tray = self.clone();
        // One trip to the main thread; each menu line would make one of its own.
        if let Err(e) = self.app.run_on_main_thread(move || tray.draw_now(look)) {
            tracing::debug!("not drawn: {e}");
        }
    }

    fn draw_now(&self, look: Look) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let panel = drawn.panel;
        self.change(&mut drawn, look, panel);
    }

    /// The same on a panel that may have changed.
    fn redraw(&self) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let look = drawn.look.clone();
        self.change(&mut drawn, look, desktop::panel());
    }

    fn change(&self, drawn: &mut Drawn, look: Look, panel: Panel) {
        let changed = self.change_icon(drawn, &look, panel).and_then(|()| self.change_menu(drawn, &look.menu));
        if let Err(e) = changed {
            tracing::warn!("the tray could not be drawn: {e}");
        }
        drawn.look = look;
        drawn.panel = panel;
    }

    fn change_icon(&self, drawn: &Drawn, look: &Look, panel: Panel) -> tauri::Result<()> {
        if (drawn.look.icon, drawn.panel) != (look.icon, panel) {
            self.icon.set_icon(Some(glyph(look.icon, panel)?))?;
        }
        if drawn.look.tooltip != look.tooltip {
            self.icon.set_tooltip(Some(&look.tooltip))?;
        }
        Ok(())
    }

    fn change_menu(&self, drawn: &mut Drawn, new: &[Item]) -> tauri::Result<()> {
        if drawn.look.menu == new {
            return Ok(());
        }
        let same = same_shape(&drawn.look.menu, new);
        if same && drawn.reshaped.elapsed() >= SETTLED {
            return relabel(&drawn.lines, &drawn.look.menu, new);
        }
        if !same {
            drawn.reshaped = Instant::now();
        }
        drawn.lines = lines(&self.app, new)?;
        self.icon.set_menu(Some(menu(&self.app, &drawn.lines)?))
    }
}

impl Line {
    fn as_item(&self) -> &dyn IsMenuItem<Wry> {
        match self {
            Self::Entry(item) => item,
            Self::Separator(item) => item,
            Self::Submenu(item, _) => item,
        }
    }
}

fn menu(app: &AppHandle, lines: &[Line]) -> tauri::Result<Menu<Wry>> {
    let items: Vec<_> = lines.iter().map(Line::as_item).collect();
    Menu::with_items(app, &items)
}

fn lines(app: &AppHandle, items: &[Item]) -> tauri::Result<Vec<Line>> {
    items.iter().map(|item| line(app, item)).collect()
}

fn line(app: &AppHandle, item: &Item) -> tauri::Result<Line> {
    Ok(match item {
        Item::Separator => Line::Separator(PredefinedMenuItem::separator(app)?),
        Item::Note(text) => Line::Entry(MenuItemBuilder::new(literal(text)).enabled(false).build(app)?),
        Item::Entry { id, label, enabled } => {
            Line::Entry(MenuItemBuilder::with_id(id.to_string(), literal(label)).enabled(*enabled).build(app)?)
        }
        Item::Submenu { label, items } => {
            let lines = lines(app, items)?;
            let below: Vec<_> = lines.iter().map(Line::as_item).collect();
            Line::Submenu(Submenu::with_items(app, literal(label), true, &below)?, lines)
        }
    })
}

/// Changes the words of a menu, and what can be clicked, where that is all that changed.
fn relabel(lines: &[Line], old: &[Item], new: &[Item]) -> tauri::Result<()> {
    for ((line, old), new) in lines.iter().zip(old).zip(new) {
        match (line, old, new) {
            (
                Line::Submenu(menu, lines),
                Item::Submenu { label, items },
                Item::Submenu { label: words, items: below },
            ) => {
                if label != words {
                    menu.set_text(literal(words))?;
                }
                relabel(lines, items, below)?;
            }
            (
                Line::Entry(entry),
                Item::Entry { label, enabled, .. },
                Item::Entry { label: words, enabled: can, .. },
            ) => {
                if label != words {
                    entry.set_text(literal(words))?;
                }
                if enabled != can {
                    entry.set_enabled(*can)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// An ampersand marks a key of the keyboard in a menu; a doubled one is an ampersand.
fn literal(label: &str) -> String {
    label.replace('&', "&&")
}

/// The picture for this panel.
fn glyph(state: IconState, panel: Panel) -> tauri::Result<Image<'static>> {
    macro_rules! picture {
        ($name:literal) => {
            match panel {
                Panel::Light => include_bytes!(concat!("../../../icons/tray-", $name, "-light.png")).as_slice(),
                Panel::Dark => include_bytes!(concat!("../../../icons/tray-", $name, "-dark.png")),
                Panel::Unknown => include_bytes!(concat!("../../../icons/tray-", $name, "-any.png")),
            }
        };
    }
    Image::from_bytes(match state {
        IconState::Fine => picture!("fine"),
        IconState::NeedsYou => picture!("needs-you"),
        IconState::Working => picture!("working"),
        IconState::Paused => picture!("paused"),
    })
}
