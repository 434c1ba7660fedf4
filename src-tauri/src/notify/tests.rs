#![allow(clippy::unwrap_used)]
use signbell_engine::view::{ConfirmView, PermitView, RingView, StateName};

use super::*;
use crate::tray::{account_in, view_of};

fn ringing(rings: &[(&str, Option<u64>)]) -> AppView {
    let account = |(name, ring): &(&str, Option<u64>)| {
        let mut account = account_in(name, StateName::NeedsSignIn);
        account.ring = ring.map(|id| RingView { id, title: format!("{name}!"), body: format!("why {id}") });
        account
    };
    view_of(rings.iter().map(account).collect())
}

fn account(name: &str) -> Topic {
    Topic::Account(name.parse().unwrap())
}

fn shown(rings: &[(&str, u64, OnScreen)]) -> BTreeMap<Topic, ShownRing> {
    rings
        .iter()
        .map(|(name, ring, on_screen)| (account(name), ShownRing { ring: *ring, on_screen: *on_screen }))
        .collect()
}

fn show(name: &str, ring: u64, replaces: Option<u32>) -> Change {
    Change::Show { topic: account(name), ring, title: format!("{name}!"), body: format!("why {ring}"), replaces }
}

fn close(name: &str, notification: Option<u32>) -> Change {
    Change::Close { topic: account(name), notification }
}

#[test]
fn from_what_is_shown_to_what_rings() {
    use OnScreen::{Dismissed, Never, Yes};
    for (name, before, view, changes) in [
        ("silence", shown(&[]), ringing(&[("ada", None)]), vec![]),
        ("a first ring", shown(&[]), ringing(&[("ada", Some(1))]), vec![show("ada", 1, None)]),
        ("the same ring", shown(&[("ada", 1, Yes(7))]), ringing(&[("ada", Some(1))]), vec![]),
        ("a reminder", shown(&[("ada", 1, Yes(7))]), ringing(&[("ada", Some(2))]), vec![show("ada", 2, Some(7))]),
        ("dismissed", shown(&[("ada", 1, Dismissed)]), ringing(&[("ada", Some(1))]), vec![]),
        (
            "a reminder after that",
            shown(&[("ada", 1, Dismissed)]),
            ringing(&[("ada", Some(2))]),
            vec![show("ada", 2, None)],
        ),
        ("not shown", shown(&[("ada", 1, Never)]), ringing(&[("ada", Some(1))]), vec![]),
        ("tried again", shown(&[("ada", 1, Never)]), ringing(&[("ada", Some(2))]), vec![show("ada", 2, None)]),
        (
            "an engine that counts anew",
            shown(&[("ada", 9, Yes(7))]),
            ringing(&[("ada", Some(1))]),
            vec![show("ada", 1, Some(7))],
        ),
        ("over", shown(&[("ada", 1, Yes(7))]), ringing(&[("ada", None)]), vec![close("ada", Some(7))]),
        ("over, dismissed", shown(&[("ada", 1, Dismissed)]), ringing(&[("ada", None)]), vec![close("ada", None)]),
        ("no such account now", shown(&[("ada", 1, Yes(7))]), ringing(&[]), vec![close("ada", Some(7))]),
        (
            "all at once",
            shown(&[("ada", 1, Yes(7)), ("bob", 2, Yes(8)), ("cy", 3, Yes(9))]),
            ringing(&[("bob", Some(2)), ("cy", Some(4)), ("di", Some(5))]),
            vec![close("ada", Some(7)), show("cy", 4, Some(9)), show("di", 5, None)],
        ),
    ] {
        assert_eq!(step(&before, &view), changes, "{name}");
    }
}

#[test]
fn answers_belong_to_their_account_also_just_after_the_end() {
    let (answered, _) = mpsc::unbounded_channel();
    let mut ringer = Ringer::new(PathBuf::new(), answered);
    ringer.shown = shown(&[("ada", 1, OnScreen::Yes(7))]);
    let long_ago = Instant::now().checked_sub(AFTERMATH * 2).unwrap();
    ringer.closed =
        vec![(long_ago, 3, account("old")), (Instant::now(), 4, account("bob")), (Instant::now(), 7, account("bob"))];
    for (id, topic) in [(7, Some("ada")), (4, Some("bob")), (3, None), (99, None)] {
        assert_eq!(ringer.topic_of(id), topic.map(account), "{id}");
    }
    let ada = || "ada".parse::<AccountName>().unwrap();
    for (button, wanted) in [
        ("sign-in", Some(Answered::SignIn(ada()))),
        ("default", Some(Answered::SignIn(ada()))),
        ("later", Some(Answered::Later(ada()))),
        ("reply", None),
    ] {
        assert_eq!(answer(button, account("ada")), wanted);
    }
    for (button, wanted) in [
        ("always", Some(Answered::Confirm(7, Answer::Always))),
        ("hour", Some(Answered::Confirm(7, Answer::Hour))),
        ("no", Some(Answered::Confirm(7, Answer::No))),
        // A slip beside the buttons allows nothing.
        ("default", Some(Answered::Look)),
        ("sign-in", None),
    ] {
        assert_eq!(answer(button, Topic::Confirm { id: 7, lasting: true }), wanted);
    }
    for (button, wanted) in [
        ("allow", Some(Answered::Permit(7, true))),
        ("no", Some(Answered::Permit(7, false))),
        ("default", Some(Answered::Look)),
        ("always", None),
    ] {
        assert_eq!(answer(button, Topic::Permit(7)), wanted);
    }
    let asked = Topic::Confirm { id: 7, lasting: false };
    assert_eq!(answer("always", asked.clone()), None, "nothing could be kept");
    let offered = buttons(&asked, Language::De);
    assert_eq!(offered, ["default", "Signbell öffnen", "hour", "Diese Stunde", "no", "Nein"]);
}

#[test]
fn a_question_rings_and_nothing_does_where_the_person_wants_that() {
    let mut view = ringing(&[("ada", Some(1))]);
    view.confirms = vec![ConfirmView {
        id: 3,
        tool: "claude".parse().unwrap(),
        service: "linear".parse().unwrap(),
        program: Some("curl".into()),
        path: Some("/usr/bin/curl".into()),
        title: "curl wants".into(),
        body: "why".into(),
        waiting: 1,
    }];
    let (title, body) = ("curl wants".into(), "why".into());
    let asked = Change::Show { topic: Topic::Confirm { id: 3, lasting: true }, ring: 3, title, body, replaces: None };
    view.permits = vec![PermitView { id: 3, title: "signbell wants".into(), body: "why".into() }];
    let (title, body) = ("signbell wants".into(), "why".into());
    let permit = Change::Show { topic: Topic::Permit(3), ring: 3, title, body, replaces: None };
    assert_eq!(step(&shown(&[]), &view), [show("ada", 1, None), asked, permit]);
    view.desktop.notifications = false;
    let before = shown(&[("ada", 1, OnScreen::Yes(7))]);
    assert_eq!(step(&before, &view), [close("ada", Some(7))]);
}
