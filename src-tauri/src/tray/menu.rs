//! PURE: what is known of the engine becomes the tray's icon, tooltip and menu, as data that can be
//! compared. [`super::native`] draws it.

use std::fmt;
use std::str::FromStr;

use signbell_engine::control::Answer;
use signbell_engine::model::{AccountName, ServiceName};
use signbell_engine::view::{AccountView, AppView, ConfirmView, PermitView, StateName};
use signbell_engine::wording::language::Language;
use signbell_engine::wording::tray::{self as words, Line};

use crate::plain::plain;
use crate::watch::Seen;

/// All that the tray shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// The glyph.
    pub(crate) icon: IconState,
    /// One line.
    pub(crate) tooltip: String,
    /// From top to bottom.
    pub(crate) menu: Vec<Item>,
}

/// The four glyphs of the bell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IconState {
    /// Outline.
    Fine,
    /// Filled, with a dot.
    NeedsYou,
    /// Lighter.
    Working,
    /// Struck through.
    Paused,
}

/// A line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// Something to do.
    Entry { id: Action, label: String, enabled: bool },
    /// Something to know.
    Note(String),
    /// A line between.
    Separator,
    /// More lines.
    Submenu { label: String, items: Vec<Item> },
}

/// What a click asks for. As text it is the menu entry's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Signs in what needs it.
    SignIn(AccountName),
    /// Signs in anew, also where the session is good.
    SignInAgain(AccountName),
    /// Every account that needs it, one page after the other.
    SignInAll,
    /// Renews now.
    Renew(AccountName),
    /// Signs out; the account stays.
    SignOut(AccountName),
    /// Says whether a program may use a service.
    Confirm(u64, Answer),
    /// Says whether programs may do more.
    Permit(u64, bool),
    /// Copies where tools reach it.
    CopyAddress(ServiceName),
    /// Opens the window where an account is added.
    Add,
    /// Pauses the proxy.
    Pause,
    /// Ends the pause.
    Resume,
    /// Opens the window.
    Open,
    /// Ends the program.
    Quit,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn(account) => write!(f, "sign-in:{account}"),
            Self::SignInAgain(account) => write!(f, "sign-in-again:{account}"),
            Self::SignInAll => f.write_str("sign-in-all"),
            Self::Renew(account) => write!(f, "renew:{account}"),
            Self::SignOut(account) => write!(f, "sign-out:{account}"),
            Self::Confirm(id, Answer::Always) => write!(f, "confirm-always:{id}"),
            Self::Confirm(id, Answer::Hour) => write!(f, "confirm-hour:{id}"),
            Self::Confirm(id, Answer::No) => write!(f, "confirm-no:{id}"),
            Self::Permit(id, true) => write!(f, "permit-yes:{id}"),
            Self::Permit(id, false) => write!(f, "permit-no:{id}"),
            Self::CopyAddress(service) => write!(f, "copy-address:{service}"),
            Self::Add => f.write_str("add"),
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Open => f.write_str("open"),
            Self::Quit => f.write_str("quit"),
        }
    }
}

/// A menu id that none of our entries has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoAction;

impl FromStr for Action {
    type Err = NoAction;

    fn from_str(id: &str) -> Result<Self, NoAction> {
        fn name<T: FromStr>(text: &str) -> Result<T, NoAction> {
            text.parse().map_err(|_| NoAction)
        }
        match id.split_once(':') {
            Some(("sign-in", account)) => name(account).map(Self::SignIn),
            Some(("sign-in-again", account)) => name(account).map(Self::SignInAgain),
            Some(("renew", account)) => name(account).map(Self::Renew),
            Some(("sign-out", account)) => name(account).map(Self::SignOut),
            Some(("confirm-always", id)) => name(id).map(|id| Self::Confirm(id, Answer::Always)),
            Some(("confirm-hour", id)) => name(id).map(|id| Self::Confirm(id, Answer::Hour)),
            Some(("confirm-no", id)) => name(id).map(|id| Self::Confirm(id, Answer::No)),
            Some(("permit-yes", id)) => name(id).map(|id| Self::Permit(id, true)),
            Some(("permit-no", id)) => name(id).map(|id| Self::Permit(id, false)),
            Some(("copy-address", service)) => name(service).map(Self::CopyAddress),
            Some(_) => Err(NoAction),
            None => match id {
                "sign-in-all" => Ok(Self::SignInAll),
                "add" => Ok(Self::Add),
                "pause" => Ok(Self::Pause),
                "resume" => Ok(Self::Resume),
                "open" => Ok(Self::Open),
                "quit" => Ok(Self::Quit),
                _ => Err(NoAction),
            },
        }
    }
}

/// What the tray shows; in `usual` where no view says in which language.
pub(crate) fn look(seen: &Seen, usual: Language) -> Look {
    match seen {
        Seen::View(view) => Look { icon: icon(view), tooltip: tooltip(view), menu: menu(view) },
        Seen::Starting => {
            Look { icon: IconState::Working, tooltip: words::NAME.to_owned(), menu: frame(Vec::new(), usual) }
        }
        Seen::Gone => {
            let note = words::line(usual, Line::NotRunning).to_owned();
            let items = vec![Item::Note(note.clone()), Item::Separator];
            Look { icon: IconState::Paused, tooltip: note, menu: frame(items, usual) }
        }
    }
}

/// The glyph: the worst that there is, and never better than it is.
pub(crate) fn icon(view: &AppView) -> IconState {
    let any = |test: fn(&AccountView) -> bool| view.accounts.iter().any(test);
    if view.proxy.paused || !view.proxy.running {
        IconState::Paused
    } else if is_asked(view) || any(|a| needs_person(a) || a.ring.is_some() || a.state == StateName::Unavailable) {
        IconState::NeedsYou
    } else if any(|a| a.signing_in || a.state == StateName::Refreshing) {
        IconState::Working
    } else {
        IconState::Fine
    }
}

/// The same in words.
pub(crate) fn tooltip(view: &AppView) -> String {
    let language = language_of(view);
    let line = |line| words::line(language, line).to_owned();
    let needing: Vec<_> = view.accounts.iter().filter(|a| needs_person(a)).collect();
    let unavailable = view.accounts.iter().find(|a| a.state == StateName::Unavailable);
    let text = match (icon(view), needing.first(), unavailable) {
        (IconState::Paused, ..) if view.proxy.paused => line(Line::TipPaused),
        (IconState::Paused, ..) => line(Line::TipClosed),
        (IconState::Working, ..) => line(Line::TipWorking),
        (IconState::NeedsYou, None, None) if is_asked(view) => asking(view),
        (_, Some(first), _) => words::tooltip_needs_you(language, &first.short_title, needing.len()),
        (_, None, Some(first)) => words::tooltip_unavailable(language, &first.short_title, &first.state_words),
        (IconState::NeedsYou, None, None) => ringing(view),
        (IconState::Fine, ..) if view.accounts.is_empty() => line(Line::TipEmpty),
        (IconState::Fine, ..) => line(Line::TipFine),
    };
    plain(&text)
}

/// The menu, from top to bottom.
pub(crate) fn menu(view: &AppView) -> Vec<Item> {
    let language = language_of(view);
    let line = |line| words::line(language, line);
    let needing: Vec<_> = view.accounts.iter().filter(|a| needs_person(a)).collect();
    let mut items: Vec<_> = view.permits.iter().map(|ask| permit(ask, language)).collect();
    items.extend(view.confirms.iter().map(|ask| question(ask, language)));
    items.extend(needing.iter().map(|a| {
        let words = match (&a.identity, a.state) {
            _ if a.state != StateName::NeedsSignIn => words::allow_more,
            (Some(_), _) => words::sign_in_again,
            (None, _) => words::sign_in,
        };
        entry(Action::SignIn(a.account.clone()), words(language, &a.short_title))
    }));
    if needing.len() > 1 {
        items.push(entry(Action::SignInAll, words::sign_in_all(language, needing.len())));
    }
    if !items.is_empty() {
        items.push(Item::Separator);
    }
    items.extend(view.accounts.iter().map(|one| account(one, language)));
    if !view.accounts.is_empty() {
        items.push(Item::Separator);
    }
    items.push(entry(Action::Add, line(Line::Add)));
    if !view.services.is_empty() {
        let addresses = view.services.iter().map(|s| entry(Action::CopyAddress(s.service.clone()), s.service.as_str()));
        items.push(Item::Submenu { label: line(Line::CopyAddress).to_owned(), items: addresses.collect() });
    }
    items.push(if view.proxy.paused {
        entry(Action::Resume, line(Line::Resume))
    } else {
        entry(Action::Pause, line(Line::Pause))
    });
    items.push(Item::Separator);
    frame(items, language)
}

/// Whether two menus have the same lines in the same places, and differ at most in words and in what can
/// be clicked.
pub(crate) fn same_shape(one: &[Item], other: &[Item]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|pair| match pair {
            (Item::Entry { id, .. }, Item::Entry { id: other, .. }) => id == other,
            (Item::Note(text), Item::Note(other)) => text == other,
            (Item::Separator, Item::Separator) => true,
            (Item::Submenu { items, .. }, Item::Submenu { items: others, .. }) => same_shape(items, others),
            _ => false,
        })
}

fn question(ask: &ConfirmView, language: Language) -> Item {
    let answers = [(Answer::Always, Line::Always), (Answer::Hour, Line::ThisHour), (Answer::No, Line::No)];
    let answer = |(answer, line)| {
        // "Always" remembers a path.
        let can = answer != Answer::Always || ask.path.is_some();
        enabled_if(can, entry(Action::Confirm(ask.id, answer), words::line(language, line)))
    };
    Item::Submenu { label: plain(&ask.title), items: answers.map(answer).into() }
}

fn permit(ask: &PermitView, language: Language) -> Item {
    let answers = [(true, Line::Allow), (false, Line::No)];
    let answer = |(allow, line)| entry(Action::Permit(ask.id, allow), words::line(language, line));
    Item::Submenu { label: plain(&ask.title), items: answers.map(answer).into() }
}

fn account(account: &AccountView, language: Language) -> Item {
    let line = |line| words::line(language, line);
    let name = || account.account.clone();
    let (sign_in, sign_in_words) = match account.state {
        StateName::Active | StateName::Refreshing => (Action::SignInAgain(name()), line(Line::SignInAgain)),
        StateName::SignedOut => (Action::SignIn(name()), line(Line::SignIn)),
        StateName::NeedsSignIn | StateName::Unavailable => (Action::SignIn(name()), line(Line::SignInAgain)),
    };
    let signed_in = matches!(account.state, StateName::Active | StateName::Refreshing);
    Item::Submenu {
        label: plain(&words::account(language, &account.title, &account.state_words)),
        items: vec![
            entry(sign_in, sign_in_words),
            enabled_if(signed_in && account.refreshable, entry(Action::Renew(name()), line(Line::Renew))),
            enabled_if(account.state != StateName::SignedOut, entry(Action::SignOut(name()), line(Line::SignOut))),
        ],
    }
}

/// What every menu ends with.
fn frame(mut items: Vec<Item>, language: Language) -> Vec<Item> {
    items.push(entry(Action::Open, words::line(language, Line::Open)));
    items.push(entry(Action::Quit, words::line(language, Line::Quit)));
    items
}

fn entry(id: Action, label: impl AsRef<str>) -> Item {
    Item::Entry { id, label: plain(label.as_ref()), enabled: true }
}

fn enabled_if(condition: bool, item: Item) -> Item {
    match item {
        Item::Entry { id, label, .. } => Item::Entry { id, label, enabled: condition },
        other => other,
    }
}

fn is_asked(view: &AppView) -> bool {
    !view.permits.is_empty() || !view.confirms.is_empty()
}

fn asking(view: &AppView) -> String {
    let permits = view.permits.iter().map(|ask| &ask.title);
    let first = permits.chain(view.confirms.iter().map(|ask| &ask.title)).next();
    first.map_or_else(String::new, |title| words::tooltip_asks(title))
}

fn ringing(view: &AppView) -> String {
    let first = view.accounts.iter().find(|a| a.ring.is_some());
    first.map_or_else(String::new, |a| words::tooltip_needs_you(language_of(view), &a.short_title, 1))
}

fn language_of(view: &AppView) -> Language {
    view.language.unwrap_or_default()
}

fn needs_person(account: &AccountView) -> bool {
    account.state == StateName::NeedsSignIn || account.ask.is_some()
}

#[cfg(test)]
#[path = "menu_tests.rs"]
pub(super) mod tests;
