//! Icons in the tray and their menus, as a panel sees them (StatusNotifierItem and dbusmenu).

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use zbus::blocking::{Connection, Proxy, proxy};
use zbus::proxy::CacheProperties;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Structure, Value};

use crate::desktop::Desktop;
use crate::wait::wait_ok;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// How long an icon may take to appear.
const APPEAR: Duration = Duration::from_secs(60);

/// One icon in the tray.
#[derive(Debug)]
pub struct Tray {
    bus: Connection,
    service: String,
    path: String,
}

/// One entry of a tray icon's menu, or its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuItem {
    /// What the menu's owner calls it; 0 for the root.
    pub id: i32,
    /// The text as it is shown, without the underscores that mark access keys.
    pub label: String,
    /// Whether it can be chosen.
    pub enabled: bool,
    /// Whether it is ticked; `None` if it is no check or radio entry.
    pub checked: Option<bool>,
    /// Whether it is shown at all.
    pub visible: bool,
    /// Whether it is only a line between others.
    pub separator: bool,
    /// The entries below it.
    pub children: Vec<MenuItem>,
}

impl MenuItem {
    /// The first visible entry with exactly this label, in this entry or anywhere below it.
    pub fn find(&self, label: &str) -> Option<&MenuItem> {
        let found = self.visible && !self.separator && self.label == label;
        if found {
            return Some(self);
        }
        let mut children = self.children.iter().filter(|child| child.visible);
        children.find_map(|child| child.find(label))
    }

    /// The labels of the visible entries directly below, for a look at the menu as a whole.
    /// Separators are `"---"`.
    pub fn labels(&self) -> Vec<&str> {
        let visible = self.children.iter().filter(|child| child.visible);
        visible.map(|child| if child.separator { "---" } else { child.label.as_str() }).collect()
    }
}

impl Tray {
    /// Waits for an icon whose title or id contains `text`.
    pub fn find(desktop: &Desktop, text: &str) -> Result<Self> {
        wait_ok(&format!("a tray icon {text:?}"), APPEAR, || {
            let mut seen = Vec::new();
            for item in Self::all(desktop)? {
                let names = [item.title(), item.id()].map(Result::unwrap_or_default);
                if names.iter().any(|name| name.contains(text)) {
                    return Ok(item);
                }
                seen.push(names);
            }
            bail!("icons with titles and ids {seen:?}")
        })
    }

    /// All icons there are now.
    pub fn all(desktop: &Desktop) -> Result<Vec<Self>> {
        let bus = desktop.bus();
        let items: Vec<String> =
            watcher(bus)?.get_property("RegisteredStatusNotifierItems").context("asking for the tray icons")?;
        let parse = |item: String| {
            let (service, path) = match item.find(['/', '@']) {
                Some(at) => item.split_at(at),
                None => (item.as_str(), "/StatusNotifierItem"),
            };
            Self { bus: bus.clone(), service: service.to_owned(), path: path.trim_start_matches('@').to_owned() }
        };
        Ok(items.into_iter().map(parse).collect())
    }

    /// Its `Id`, fixed by the program.
    pub fn id(&self) -> Result<String> {
        self.property("Id")
    }

    /// Its `Title`.
    pub fn title(&self) -> Result<String> {
        self.property("Title")
    }

    /// Its `Status`: `Active`, `Passive` or `NeedsAttention`.
    pub fn status(&self) -> Result<String> {
        self.property("Status")
    }

    /// The name (or path) of the icon shown now.
    pub fn icon_name(&self) -> Result<String> {
        self.property("IconName")
    }

    /// The folder in which the icon's name is looked up first.
    pub fn icon_theme_path(&self) -> Result<String> {
        self.property("IconThemePath")
    }

    /// The text shown beside the icon by panels that do so (a libayatana addition).
    pub fn label(&self) -> Result<String> {
        self.property("XAyatanaLabel")
    }

    /// Title and text of its `ToolTip`; an error where the program has none (libayatana has none).
    pub fn tooltip(&self) -> Result<(String, String)> {
        type Pixmaps = Vec<(i32, i32, Vec<u8>)>;
        let value: OwnedValue = self.property("ToolTip")?;
        let (_, _, title, text): (String, Pixmaps, String, String) = value.try_into().context("reading the tooltip")?;
        Ok((title, text))
    }

    /// Any property of the icon.
    pub fn property<T>(&self, name: &str) -> Result<T>
    where
        T: TryFrom<OwnedValue>,
        T::Error: Into<zbus::Error>,
    {
        let item = uncached(&self.bus, &self.service, &self.path, ITEM)?;
        item.get_property(name).with_context(|| format!("reading {name} of the tray icon at {}", self.service))
    }

    /// The menu as it is now (its root, whose children are the entries).
    pub fn menu(&self) -> Result<MenuItem> {
        let menu = self.menu_proxy()?;
        // Programs may fill the menu only when told that it is about to be shown; what they answer
        // does not matter, the layout is asked for anyway.
        let _ = menu.call::<_, _, bool>("AboutToShow", &(0,));
        let none: Vec<&str> = Vec::new();
        let (_, root): (u32, Layout) = menu.call("GetLayout", &(0, -1, none)).context("asking for the tray menu")?;
        parse_layout(root)
    }

    /// Waits until the menu is as `wanted` says and gives it.
    pub fn wait_menu(&self, what: &str, timeout: Duration, wanted: impl Fn(&MenuItem) -> bool) -> Result<MenuItem> {
        wait_ok(&format!("a tray menu with {what}"), timeout, || {
            let menu = self.menu()?;
            ensure!(wanted(&menu), "the menu {:#?}", menu.labels());
            Ok(menu)
        })
    }

    /// Chooses the visible entry with exactly this label, wherever in the menu.
    pub fn click(&self, label: &str) -> Result<()> {
        let menu = self.menu()?;
        let item = menu.find(label);
        let item = item.with_context(|| format!("no {label:?} in the menu {menu:#?}"))?;
        ensure!(item.enabled, "{label:?} is there but greyed out");
        self.click_id(item.id)
    }

    /// Chooses the entry with this id, even a hidden or greyed-out one.
    pub fn click_id(&self, id: i32) -> Result<()> {
        let data = Value::from("");
        self.menu_proxy()?
            .call::<_, _, ()>("Event", &(id, "clicked", data, 0u32))
            .with_context(|| format!("choosing entry {id} of the tray menu"))
    }

    fn menu_proxy(&self) -> Result<Proxy<'_>> {
        let path: OwnedObjectPath = self.property("Menu")?;
        uncached(&self.bus, &self.service, path.as_str(), MENU)
    }
}

pub(crate) fn watcher(bus: &Connection) -> Result<Proxy<'_>> {
    uncached(bus, WATCHER, "/StatusNotifierWatcher", WATCHER)
}

/// A proxy that asks anew each time: not every owner says when its properties change.
fn uncached<'a>(bus: &'a Connection, service: &str, path: &str, interface: &'static str) -> Result<Proxy<'a>> {
    proxy::Builder::new(bus)
        .destination(service.to_owned())?
        .path(path.to_owned())?
        .interface(interface)?
        .cache_properties(CacheProperties::No)
        .build()
        .with_context(|| format!("preparing calls of {service}{path}"))
}

type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

fn parse_layout((id, properties, children): Layout) -> Result<MenuItem> {
    let text = |name: &str| {
        let value = properties.get(name).cloned();
        value.and_then(|value| String::try_from(value).ok())
    };
    let flag = |name: &str| {
        let value = properties.get(name);
        value.and_then(|value| bool::try_from(value).ok())
    };
    let state = properties.get("toggle-state");
    let state = state.and_then(|value| i32::try_from(value).ok());
    let parse_child = |child: OwnedValue| -> Result<MenuItem> {
        let child = Structure::try_from(child).context("a menu entry is no structure")?;
        parse_layout(child.try_into().context("a menu entry is not (ia{sv}av)")?)
    };
    Ok(MenuItem {
        id,
        label: without_access_key(&text("label").unwrap_or_default()),
        enabled: flag("enabled").unwrap_or(true),
        checked: match text("toggle-type").as_deref() {
            None | Some("") => None,
            Some(_) => Some(state == Some(1)),
        },
        visible: flag("visible").unwrap_or(true),
        separator: text("type").as_deref() == Some("separator"),
        children: children.into_iter().map(parse_child).collect::<Result<_>>()?,
    })
}

/// A single underscore marks the access key; two stand for one.
fn without_access_key(label: &str) -> String {
    label.replace("__", "\0").replace('_', "").replace('\0', "_")
}
