#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::clock::Anchor;
use crate::model::Scopes;
use crate::secret::Secret;

const NOW: Now = Now { boot_ms: 10_000_000, wall_ms: 2_000_000_000_000 };

fn later(seconds: u64) -> Now {
    NOW.plus(Duration::from_secs(seconds))
}

fn tokens(refresh: bool) -> TokenSet {
    TokenSet {
        access: Secret::new("access"),
        refresh: refresh.then(|| Secret::new("refresh")),
        scopes: Scopes::default(),
        issued: Anchor::new(None, NOW),
        lifetime: Some(Duration::from_secs(100)),
        jwt_expiry: std::sync::OnceLock::new(),
        unattended: false,
        dpop: None,
        id_token: None,
    }
}

fn held(generation: u64) -> Held {
    Held::new(tokens(true), Generation(generation))
}

fn wanted(refused: Option<u64>, accepted: bool) -> Input {
    Input::Wanted { want: want(refused), accepted }
}

fn want(refused: Option<u64>) -> Want {
    Want { refused: refused.map(Generation), min_valid: Duration::ZERO }
}

/// The names of states and effects, so that a table reads at a glance.
fn name(state: &State) -> &'static str {
    match state {
        State::Unread { .. } => "unread",
        State::Reading { .. } => "reading",
        State::Unavailable { .. } => "unavailable",
        State::SignedOut { .. } => "signed out",
        State::Active(_) => "active",
        State::Refreshing(_) => "refreshing",
        State::Saving { .. } => "saving",
        State::NeedsSignIn { .. } => "needs sign-in",
    }
}

fn names(effects: &[Effect]) -> Vec<&'static str> {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Read => "read",
            Effect::Refresh { .. } => "refresh",
            Effect::Save { .. } => "save",
            Effect::Delete => "delete",
            Effect::Wake(_) => "wake",
            Effect::TellRefreshed => "tell refreshed",
            Effect::TellTrouble(_) => "tell trouble",
            Effect::TellEnded(_) => "tell ended",
            Effect::TellUnsaved(_) => "tell unsaved",
        })
        .collect()
}

#[test]
fn every_change_of_state() {
    let ended = Err(RefreshFailure::Ended(Reason::EndedByProvider));
    let failed = || Err(RefreshFailure::Transient(Transient::Status(500)));
    let refreshed = |generation: u64, result: Result<TokenSet, RefreshFailure>| Input::Refreshed {
        generation: Generation(generation),
        result: result.map(|tokens| Renewed {
            tokens,
            generation: Generation(generation + 1),
            claims: None,
            adopted: false,
        }),
        forced: false,
    };
    let saved = |generation, result| Input::Saved { generation: Generation(generation), result };
    let unread = || State::Unread { ended: None };
    let reading = || State::Reading { ended: None };
    let stale = || State::Reading { ended: Some((Generation(4), Reason::EndedByProvider)) };
    let saving = || State::Saving { old: Some(held(1)), new: held(2) };
    let over = || State::NeedsSignIn { reason: Reason::EndedByProvider, generation: Generation(1) };
    let out = || State::SignedOut { generation: Generation(1) };
    let tick = |in_use| Input::Tick { in_use };
    let no_refresh = || State::Active(Held::new(tokens(false), Generation(1)));
    let locked = || State::Unavailable { ended: None, why: VaultError::Locked, at: NOW };
    let table: Vec<(State, Input, Now, &str, Vec<&str>)> = vec![
        (unread(), wanted(None, false), NOW, "reading", vec!["read"]),
        (reading(), wanted(None, false), NOW, "reading", vec![]),
        (reading(), Input::Read(Ok(None)), NOW, "needs sign-in", vec![]),
        (reading(), Input::Read(Ok(Some((tokens(true), Generation(4))))), NOW, "active", vec!["wake"]),
        (stale(), Input::Read(Ok(Some((tokens(true), Generation(4))))), NOW, "needs sign-in", vec![]),
        (stale(), Input::Read(Ok(Some((tokens(true), Generation(5))))), NOW, "active", vec!["wake"]),
        (reading(), Input::Read(Err(VaultError::Locked)), NOW, "unavailable", vec!["wake"]),
        (locked(), wanted(None, false), later(1), "unavailable", vec![]),
        (locked(), wanted(None, false), later(5), "reading", vec!["read"]),
        (State::Active(held(1)), wanted(None, false), later(99), "active", vec![]),
        (State::Active(held(1)), wanted(None, false), later(100), "refreshing", vec!["refresh"]),
        (State::Active(held(1)), wanted(Some(1), false), NOW, "refreshing", vec!["refresh"]),
        (State::Active(held(2)), wanted(Some(1), false), NOW, "active", vec![]),
        (no_refresh(), wanted(None, false), later(100), "needs sign-in", vec!["tell ended"]),
        (no_refresh(), Input::Renew, NOW, "active", vec![]),
        (State::Active(held(1)), Input::Renew, NOW, "refreshing", vec!["refresh"]),
        (State::Active(held(1)), tick(true), later(89), "active", vec![]),
        (State::Active(held(1)), tick(true), later(90), "refreshing", vec!["refresh"]),
        (State::Active(held(1)), tick(false), later(90), "active", vec![]),
        (State::Active(Held { unsaved: true, ..held(1) }), tick(false), NOW, "active", vec!["save"]),
        (State::Refreshing(held(1)), wanted(Some(1), false), NOW, "refreshing", vec![]),
        (State::Refreshing(held(1)), refreshed(1, Ok(tokens(true))), NOW, "saving", vec!["save"]),
        (State::Refreshing(held(2)), refreshed(1, Ok(tokens(true))), NOW, "refreshing", vec![]),
        (State::Refreshing(held(1)), refreshed(1, ended), NOW, "needs sign-in", vec!["tell ended"]),
        (State::Refreshing(held(1)), refreshed(1, failed()), NOW, "active", vec!["wake", "tell trouble"]),
        (saving(), saved(2, Ok(())), NOW, "active", vec!["tell refreshed", "wake"]),
        (
            saving(),
            saved(2, Err(VaultError::Timeout)),
            NOW,
            "active",
            vec!["tell refreshed", "tell unsaved", "wake", "wake"],
        ),
        (saving(), saved(1, Ok(())), NOW, "saving", vec![]),
        (over(), wanted(None, false), NOW, "needs sign-in", vec![]),
        (over(), Input::SignedIn(tokens(true)), NOW, "saving", vec!["save"]),
        (over(), refreshed(1, Ok(tokens(true))), NOW, "needs sign-in", vec![]),
        // T9: what arrives after a sign-out is dropped.
        (out(), refreshed(1, Ok(tokens(true))), NOW, "signed out", vec![]),
        (out(), saved(2, Ok(())), NOW, "signed out", vec![]),
        (State::Refreshing(held(1)), Input::SignOut, NOW, "signed out", vec!["delete"]),
        (saving(), Input::SignOut, NOW, "signed out", vec!["delete"]),
    ];
    for (i, (state, input, now, expected, effects)) in table.into_iter().enumerate() {
        let what = format!("row {i}: {} + {input:?}", name(&state));
        let (next, did) = step(state, input, now);
        assert_eq!((name(&next), names(&did)), (expected, effects), "{what}");
    }
}

#[test]
fn a_refresh_that_did_not_help_is_not_repeated() {
    let forced = Held { forced_at: Some(NOW), ..held(2) };
    for (accepted, seconds, expected) in
        [(false, 1, "active"), (false, 59, "active"), (false, 60, "refreshing"), (true, 1, "refreshing")]
    {
        let (next, _) = step(State::Active(forced.clone()), wanted(Some(2), accepted), later(seconds));
        assert_eq!(name(&next), expected, "accepted {accepted}, after {seconds} s");
    }
    let (next, _) = step(State::Active(forced), wanted(Some(2), false), NOW);
    assert_eq!(answer(&next, want(Some(2)), NOW).unwrap().unwrap_err(), Unready::RefreshDidNotHelp);
}

#[test]
fn failures_back_off_and_are_told_once() {
    let fail = |state, now| {
        let (refreshing, _) = step(state, wanted(None, false), now);
        assert_eq!(name(&refreshing), "refreshing");
        let result = Err(RefreshFailure::Transient(Transient::Status(500)));
        step(refreshing, Input::Refreshed { generation: Generation(1), result, forced: false }, now)
    };
    let (state, first) = fail(State::Active(held(1)), later(100));
    assert_eq!(names(&first), ["wake", "tell trouble"]);
    let (state, none) = step(state, wanted(None, false), later(101));
    assert_eq!((name(&state), none.len()), ("active", 0));
    assert!(matches!(answer(&state, want(None), later(101)), Some(Err(Unready::Provider { .. }))));
    let (_, second) = fail(state, later(102));
    assert_eq!(names(&second), ["wake"]);
}

#[test]
fn a_living_token_is_used_while_a_new_one_is_fetched() {
    let refreshing = State::Refreshing(held(1));
    assert_eq!(answer(&refreshing, want(None), NOW).unwrap().unwrap().generation, Generation(1));
    assert!(answer(&refreshing, want(Some(1)), NOW).is_none(), "the refused one is not");
    assert!(answer(&refreshing, want(None), later(100)).is_none(), "nor a dead one");
    // Before it is in the vault, nobody sees the new one.
    let saving = State::Saving { old: Some(held(1)), new: held(2) };
    assert!(answer(&saving, want(Some(1)), NOW).is_none());
    assert!(answer(&State::Saving { old: None, new: held(2) }, want(None), NOW).is_none());
}

#[test]
fn min_valid_asks_for_a_new_one_unless_none_lives_so_long() {
    let five_minutes = Want { refused: None, min_valid: Duration::from_secs(300) };
    let input = || Input::Wanted { want: five_minutes, accepted: false };
    assert_eq!(name(&step(State::Active(held(1)), input(), later(10)).0), "active", "these live 100 s");
    assert_eq!(name(&step(State::Active(held(1)), input(), later(60)).0), "refreshing");
}
