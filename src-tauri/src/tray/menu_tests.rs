#![allow(clippy::unwrap_used)]
use signbell_engine::model::ExpiredAnswer;
use signbell_engine::view::{ProxyView, RingView, ServiceView};

use super::*;

/// An account as the engine would show it.
pub(crate) fn account_in(name: &str, state: StateName) -> AccountView {
    let state_words = match state {
        StateName::Active => "Signed in",
        StateName::Refreshing => "Renewing…",
        StateName::SignedOut => "Signed out",
        StateName::Unavailable => "Keyring is locked",
        StateName::NeedsSignIn => "Needs you",
    };
    AccountView {
        account: name.parse().unwrap(),
        title: format!("{name}@example.com · Linear"),
        label: None,
        short_title: format!("Linear ({name})"),
        provider: "Linear".into(),
        identity: Some(format!("{name}@example.com")),
        state,
        state_words: state_words.into(),
        reason: None,
        reason_words: None,
        scopes: Vec::new(),
        issued_at: None,
        expires_at: None,
        refreshable: true,
        last_used: None,
        last_used_by: None,
        services: Vec::new(),
        waiting: 0,
        waiting_requests: Vec::new(),
        waiting_words: None,
        signing_in: false,
        device: None,
        allow_token: false,
        ephemeral: false,
        ask: None,
        ring: None,
        grants: Vec::new(),
    }
}

/// A view of a proxy that runs.
pub(crate) fn view_of(accounts: Vec<AccountView>) -> AppView {
    let proxy = ProxyView { address: "http://127.0.0.1:8401".into(), running: true, ..ProxyView::default() };
    AppView { proxy, accounts, ..AppView::default() }
}

fn ringing_for(name: &str, state: StateName) -> AccountView {
    AccountView { ring: Some(RingView { id: 1, title: "t".into(), body: "b".into() }), ..account_in(name, state) }
}

/// The menu as a person reads it, with the ids that clicks send.
fn drawn(items: &[Item]) -> String {
    fn lines(items: &[Item], depth: usize, out: &mut String) {
        for item in items {
            out.push_str(&"  ".repeat(depth));
            match item {
                Item::Entry { id, label, enabled } => {
                    out.push_str(&format!("{label}{} [{id}]\n", if *enabled { "" } else { " (off)" }));
                }
                Item::Note(text) => out.push_str(&format!("({text})\n")),
                Item::Separator => out.push_str("---\n"),
                Item::Submenu { label, items } => {
                    out.push_str(&format!("{label} >\n"));
                    lines(items, depth + 1, out);
                }
            }
        }
    }
    let mut out = String::new();
    lines(items, 0, &mut out);
    out
}

#[test]
fn nothing_yet() {
    assert_eq!(
        drawn(&menu(&view_of(Vec::new()))),
        "Add account… [add]\nPause [pause]\n---\nOpen Signbell [open]\nQuit [quit]\n"
    );
    assert_eq!(drawn(&look(&Seen::Starting, Language::En).menu), "Open Signbell [open]\nQuit [quit]\n");
    assert_eq!(
        drawn(&look(&Seen::Gone, Language::En).menu),
        "(Signbell's engine is not running)\n---\nOpen Signbell [open]\nQuit [quit]\n"
    );
}

#[test]
fn those_that_need_the_person_come_first() {
    let mut view = view_of(vec![
        account_in("ada", StateName::NeedsSignIn),
        account_in("bob", StateName::NeedsSignIn),
        account_in("cy", StateName::Active),
        account_in("di", StateName::SignedOut),
    ]);
    view.accounts[2].refreshable = false;
    view.services = vec![ServiceView {
        service: "linear".parse().unwrap(),
        url: "https://mcp.linear.app/".into(),
        address: "http://127.0.0.1:8401/linear".into(),
        account: "ada".parse().unwrap(),
        resource: None,
        preset: None,
        preset_title: None,
        origin: String::new(),
        header: String::new(),
        hold_seconds: 0,
        hold_seconds_json_rpc: 0,
        own_hold: false,
        replay_unsafe: true,
        expired: ExpiredAnswer::Automatic,
    }];
    assert_eq!(
        drawn(&menu(&view)),
        "\
Sign in again: Linear (ada) [sign-in:ada]
Sign in again: Linear (bob) [sign-in:bob]
Sign in all (2) [sign-in-all]
---
ada@example.com · Linear — Needs you >
  Sign in again [sign-in:ada]
  Renew now (off) [renew:ada]
  Sign out [sign-out:ada]
bob@example.com · Linear — Needs you >
  Sign in again [sign-in:bob]
  Renew now (off) [renew:bob]
  Sign out [sign-out:bob]
cy@example.com · Linear — Signed in >
  Sign in again [sign-in-again:cy]
  Renew now (off) [renew:cy]
  Sign out [sign-out:cy]
di@example.com · Linear — Signed out >
  Sign in [sign-in:di]
  Renew now (off) [renew:di]
  Sign out (off) [sign-out:di]
---
Add account… [add]
Copy address >
  linear [copy-address:linear]
Pause [pause]
---
Open Signbell [open]
Quit [quit]
"
    );
}

#[test]
fn one_account_and_a_pause() {
    let mut view = view_of(vec![account_in("ada", StateName::NeedsSignIn)]);
    view.proxy.paused = true;
    let menu = drawn(&menu(&view));
    assert!(menu.starts_with("Sign in again: Linear (ada) [sign-in:ada]\n---\n"), "{menu}");
    assert!(menu.contains("Resume [resume]\n"), "{menu}");
}

#[test]
fn u1_a_name_can_t_forge_a_line() {
    let mut view = view_of(vec![account_in("ada", StateName::Active)]);
    view.accounts[0].title = "ada\u{202e}\n<b>x</b>".into();
    assert!(drawn(&menu(&view)).starts_with("ada <b>x</b> — Signed in >\n"));
}

#[test]
fn the_icon_is_the_worst_that_there_is() {
    use StateName::*;
    let busy = AccountView { signing_in: true, ..account_in("ada", SignedOut) };
    let paused = {
        let mut view = view_of(vec![account_in("ada", NeedsSignIn)]);
        view.proxy.paused = true;
        view
    };
    let closed = {
        let mut view = view_of(Vec::new());
        view.proxy.running = false;
        view
    };
    for (view, glyph, words) in [
        (view_of(vec![]), IconState::Fine, "Signbell: no accounts yet"),
        (view_of(vec![account_in("ada", Active)]), IconState::Fine, "Signbell: everything is signed in"),
        (view_of(vec![account_in("ada", Refreshing)]), IconState::Working, "Signbell: renewing…"),
        (view_of(vec![busy]), IconState::Working, "Signbell: renewing…"),
        (
            view_of(vec![account_in("ada", NeedsSignIn), account_in("bob", Refreshing)]),
            IconState::NeedsYou,
            "Signbell: Linear (ada) needs you",
        ),
        (
            view_of(vec![account_in("ada", NeedsSignIn), account_in("bob", NeedsSignIn)]),
            IconState::NeedsYou,
            "Signbell: 2 accounts need you",
        ),
        (view_of(vec![ringing_for("ada", Active)]), IconState::NeedsYou, "Signbell: Linear (ada) needs you"),
        (
            view_of(vec![account_in("ada", Unavailable)]),
            IconState::NeedsYou,
            "Signbell: Linear (ada): Keyring is locked",
        ),
        (paused, IconState::Paused, "Signbell is paused"),
        (closed, IconState::Paused, "Signbell does not accept requests"),
    ] {
        assert_eq!((icon(&view), tooltip(&view).as_str()), (glyph, words));
    }
    assert_eq!(look(&Seen::Gone, Language::En).icon, IconState::Paused);
}

#[test]
fn a_question_stands_before_all_else() {
    let ask = |id, path: Option<&str>| ConfirmView {
        id,
        tool: "claude".parse().unwrap(),
        service: "linear".parse().unwrap(),
        program: None,
        path: path.map(str::to_owned),
        title: "Claude Code wants to use linear".into(),
        body: "why".into(),
        waiting: 1,
    };
    let mut view = view_of(vec![account_in("ada", StateName::NeedsSignIn)]);
    view.confirms = vec![ask(3, Some("/usr/bin/claude")), ask(4, None)];
    let whole = drawn(&menu(&view));
    let first = whole.split("---").next().unwrap();
    assert_eq!(
        first,
        "\
Claude Code wants to use linear >
  Always [confirm-always:3]
  This hour [confirm-hour:3]
  No [confirm-no:3]
Claude Code wants to use linear >
  Always (off) [confirm-always:4]
  This hour [confirm-hour:4]
  No [confirm-no:4]
Sign in again: Linear (ada) [sign-in:ada]
"
    );
    view.accounts.clear();
    assert_eq!(icon(&view), IconState::NeedsYou);
    assert_eq!(tooltip(&view), "Signbell: Claude Code wants to use linear");

    view.confirms.clear();
    view.permits =
        vec![PermitView { id: 5, title: "signbell wants to let script use github too".into(), body: "why".into() }];
    let whole = drawn(&menu(&view));
    assert_eq!(
        whole.split("---").next().unwrap(),
        "\
signbell wants to let script use github too >
  Allow [permit-yes:5]
  No [permit-no:5]
"
    );
    assert_eq!(icon(&view), IconState::NeedsYou);
    assert_eq!(tooltip(&view), "Signbell: signbell wants to let script use github too");
    for action in [Action::Permit(5, true), Action::Permit(5, false)] {
        assert_eq!(action.to_string().parse(), Ok(action));
    }
}

#[test]
fn a_renewal_changes_words_and_no_line() {
    let shape = |accounts: Vec<AccountView>| menu(&view_of(accounts));
    let signed_in = shape(vec![account_in("ada", StateName::Active)]);
    let no_renewal = shape(vec![AccountView { refreshable: false, ..account_in("ada", StateName::Active) }]);
    let renewing = shape(vec![account_in("ada", StateName::Refreshing)]);
    for other in [&signed_in, &no_renewal, &renewing] {
        assert!(same_shape(&signed_in, other));
    }
    for other in [
        shape(vec![]),
        shape(vec![account_in("bob", StateName::Active)]),
        shape(vec![account_in("ada", StateName::NeedsSignIn)]),
        shape(vec![account_in("ada", StateName::SignedOut)]),
    ] {
        assert!(!same_shape(&signed_in, &other) && !same_shape(&other, &signed_in));
    }
}

#[test]
fn ids_come_back_as_the_same_action_and_nothing_else_does() {
    let account: AccountName = "linear-work".parse().unwrap();
    for action in [
        Action::SignIn(account.clone()),
        Action::SignInAgain(account.clone()),
        Action::SignInAll,
        Action::Renew(account.clone()),
        Action::SignOut(account),
        Action::CopyAddress("linear".parse().unwrap()),
        Action::Confirm(7, Answer::Always),
        Action::Confirm(7, Answer::Hour),
        Action::Confirm(7, Answer::No),
        Action::Add,
        Action::Pause,
        Action::Resume,
        Action::Open,
        Action::Quit,
    ] {
        assert_eq!(action.to_string().parse(), Ok(action));
    }
    for id in ["", "Quit", "quit ", "quit:", "sign-in", "sign-in:", "sign-in:A B", "sign-in:a:b", "sign-in-all:x", "7"]
    {
        assert_eq!(id.parse::<Action>(), Err(NoAction), "{id:?}");
    }
}

#[test]
fn the_menu_speaks_the_persons_language() {
    let mut view = view_of(vec![account_in("ada", StateName::NeedsSignIn), account_in("bob", StateName::Active)]);
    view.language = Some(Language::De);
    view.accounts[0].state_words = "Braucht dich".into();
    view.accounts[1].state_words = "Angemeldet".into();
    assert_eq!(tooltip(&view), "Signbell: Linear (ada) braucht dich");
    assert_eq!(
        drawn(&menu(&view)),
        "Neu anmelden: Linear (ada) [sign-in:ada]\n---\n\
         ada@example.com · Linear — Braucht dich >\n\
         \x20 Neu anmelden [sign-in:ada]\n\
         \x20 Jetzt erneuern (off) [renew:ada]\n\
         \x20 Abmelden [sign-out:ada]\n\
         bob@example.com · Linear — Angemeldet >\n\
         \x20 Neu anmelden [sign-in-again:bob]\n\
         \x20 Jetzt erneuern [renew:bob]\n\
         \x20 Abmelden [sign-out:bob]\n\
         ---\nKonto hinzufügen… [add]\nPause [pause]\n---\nSignbell öffnen [open]\nBeenden [quit]\n"
    );
    assert_eq!(look(&Seen::Gone, Language::De).tooltip, "Signbell läuft nicht");
}
