//! PURE: the sign-in state of one grant, and how it changes.
//!
//! [`step`] takes a state, what happened and the time, and returns the next state with what has to
//! be done; the actor does it. [`answer`] says what a caller gets in a state. Neither does any I/O.

use std::sync::Arc;
use std::time::Duration;

use super::failure::{self, Reason, RefreshFailure, Transient};
use super::tokens::TokenSet;
use crate::clock::Now;
use crate::model::Generation;
use crate::vault::VaultError;

/// How long a token that a forced refresh brought, and that was never once accepted, is shown to
/// the server before a refresh is tried again.
const COOLDOWN: Duration = Duration::from_secs(60);

/// How often an unsaved token set is written again.
const SAVE_AGAIN: Duration = Duration::from_secs(15);

/// How often a store that could not be read is looked at while nobody asks for it.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// How long callers are told of an unreadable store before it is asked again.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// The sign-in state of one grant. Its one owner is the actor.
#[derive(Debug, Clone)]
pub enum State {
    /// The vault was not asked yet; `ended` is what was last known, if the session was over then.
    Unread {
        /// The generation that had ended, and why.
        ended: Option<(Generation, Reason)>,
    },
    /// The vault is being asked.
    Reading {
        /// As in `Unread`.
        ended: Option<(Generation, Reason)>,
    },
    /// The store can't be read; nothing is known to be lost.
    Unavailable {
        /// As in `Unread`.
        ended: Option<(Generation, Reason)>,
        /// Why.
        why: VaultError,
        /// When.
        at: Now,
    },
    /// The person signed out.
    SignedOut {
        /// The last generation there was: numbers are never used twice.
        generation: Generation,
    },
    /// Signed in.
    Active(Held),
    /// Signed in, and a token request is under way.
    Refreshing(Held),
    /// The new tokens are being written; nobody has seen them.
    Saving {
        /// What is still in force, if anything is.
        old: Option<Held>,
        /// What comes.
        new: Held,
    },
    /// Only the person can help.
    NeedsSignIn {
        /// Why.
        reason: Reason,
        /// The last generation there was.
        generation: Generation,
    },
}

/// The tokens in force and what is known of them.
#[derive(Debug, Clone)]
pub struct Held {
    /// The tokens.
    pub tokens: Arc<TokenSet>,
    /// Their number.
    pub generation: Generation,
    /// Renewing fails for now.
    pub trouble: Option<Trouble>,
    /// A refresh that a server's answer forced brought these, at that time.
    pub forced_at: Option<Now>,
    /// The claims that the token was asked for with.
    pub claims: Option<Arc<str>>,
    /// They could not be written to the vault.
    pub unsaved: bool,
}

impl Held {
    /// A new set.
    #[must_use]
    pub fn new(tokens: TokenSet, generation: Generation) -> Self {
        Self { tokens: Arc::new(tokens), generation, trouble: None, forced_at: None, claims: None, unsaved: false }
    }
}

/// Renewing failed, and when it will be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What failed.
    pub cause: Transient,
    /// How often in a row.
    pub tries: u32,
    /// Not before this.
    pub again_at: Now,
}

/// What a caller needs of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Want {
    /// A server refused this generation: only a newer one will do.
    pub refused: Option<Generation>,
    /// It must live at least so long.
    pub min_valid: Duration,
}

/// What a refresh brought.
#[derive(Debug)]
pub struct Renewed {
    /// The new tokens.
    pub tokens: TokenSet,
    /// Their number: the next one, or what another process gave them.
    pub generation: Generation,
    /// The claims that they were asked for with.
    pub claims: Option<Arc<str>>,
    /// Another process saved them already.
    pub adopted: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A caller needs a token. `accepted`: a server took the current generation at least once.
    Wanted {
        /// What it needs.
        want: Want,
        /// Whether a refusal tells something new.
        accepted: bool,
    },
    /// The vault answered.
    Read(Result<Option<(TokenSet, Generation)>, VaultError>),
    /// The token endpoint answered for this generation.
    Refreshed {
        /// Of which the refresh token was used.
        generation: Generation,
        /// What came.
        result: Result<Renewed, RefreshFailure>,
        /// Whether a server's answer had forced it.
        forced: bool,
    },
    /// The vault wrote this generation, or did not.
    Saved {
        /// Which.
        generation: Generation,
        /// How it went.
        result: Result<(), VaultError>,
    },
    /// The person signed in.
    SignedIn(TokenSet),
    /// The person signed out.
    SignOut,
    /// The person asked to renew now.
    Renew,
    /// A server wants a token with these claims instead of this generation's.
    Claims {
        /// Which it refused.
        generation: Generation,
        /// The `claims` request parameter.
        claims: Arc<str>,
    },
    /// A time that was asked for has come. `in_use`: a tool used the tokens in force.
    Tick {
        /// Only what is in use is renewed ahead of its end.
        in_use: bool,
    },
}

/// What has to be done.
#[derive(Debug)]
pub enum Effect {
    /// Ask the vault.
    Read,
    /// Ask the token endpoint.
    Refresh {
        /// With these.
        tokens: Arc<TokenSet>,
        /// Their number.
        generation: Generation,
        /// Whether a server's answer forces it.
        forced: bool,
        /// What the new token has to satisfy.
        claims: Option<Arc<str>>,
        /// The last answer was a 400 without a word.
        blank_before: bool,
    },
    /// Write to the vault.
    Save {
        /// These.
        tokens: Arc<TokenSet>,
        /// Their number.
        generation: Generation,
    },
    /// Remove from the vault.
    Delete,
    /// Send a `Tick` after so long.
    Wake(Duration),
    /// Tell: new tokens are in force.
    TellRefreshed,
    /// Tell: renewing failed for now (once a series).
    TellTrouble(Transient),
    /// Tell: the session ended.
    TellEnded(Reason),
    /// Tell: the new tokens are in memory only.
    TellUnsaved(VaultError),
}

/// What a caller gets instead of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unready {
    /// Only the person can help.
    NeedsPerson(Reason),
    /// The person signed out.
    SignedOut,
    /// The store can't be read.
    Vault(VaultError),
    /// The provider can't be asked now; try again then.
    Provider {
        /// What failed.
        cause: Transient,
        /// How long until the next try.
        retry_after: Duration,
    },
    /// The refused token is the newest there is, and another refresh would not help.
    RefreshDidNotHelp,
}

/// Whether these tokens are what the caller needs.
#[must_use]
pub fn serves(held: &Held, want: Want, now: Now) -> bool {
    want.refused.is_none_or(|refused| held.generation > refused)
        && !held.tokens.is_dead(now)
        && !is_short(held, want, now)
}

/// Whether the tokens end sooner than the caller needs. A provider whose tokens never live so long
/// would otherwise be asked each time: half of their life is then enough.
fn is_short(held: &Held, want: Want, now: Now) -> bool {
    // What can't be renewed is as long as it is.
    held.tokens.is_renewable()
        && held
            .tokens
            .remaining(now)
            .is_some_and(|left| left < want.min_valid && left < held.tokens.lifetime.unwrap_or_default() / 2)
}

/// Decides what a caller gets in `state`; nothing while it has to wait.
#[must_use]
pub fn answer(state: &State, want: Want, now: Now) -> Option<Result<Held, Unready>> {
    match state {
        State::Unread { .. } | State::Reading { .. } => None,
        State::Unavailable { why, .. } => Some(Err(Unready::Vault(why.clone()))),
        State::SignedOut { .. } => Some(Err(Unready::SignedOut)),
        State::NeedsSignIn { reason, .. } => Some(Err(Unready::NeedsPerson(*reason))),
        State::Refreshing(held) | State::Saving { old: Some(held), .. } => {
            serves(held, want, now).then(|| Ok(held.clone()))
        }
        State::Saving { old: None, .. } => None,
        State::Active(held) if serves(held, want, now) => Some(Ok(held.clone())),
        State::Active(held) => Some(Err(match &held.trouble {
            Some(trouble) => Unready::Provider {
                cause: trouble.cause.clone(),
                retry_after: Duration::from_millis(trouble.again_at.boot_ms.saturating_sub(now.boot_ms)),
            },
            // `step` started a refresh for every want that one can serve, so none can serve this.
            None => Unready::RefreshDidNotHelp,
        })),
    }
}

/// The next state, and what has to be done.
#[must_use]
pub fn step(state: State, input: Input, now: Now) -> (State, Vec<Effect>) {
    match (state, input) {
        // The person's word counts in every state.
        (state, Input::SignedIn(tokens)) => {
            let new = Held::new(tokens, generation_of(&state).next());
            let save = Effect::Save { tokens: Arc::clone(&new.tokens), generation: new.generation };
            let old = match state {
                State::Active(old) | State::Refreshing(old) => Some(old),
                State::Saving { old, .. } => old,
                _ => None,
            };
            (State::Saving { old, new }, vec![save])
        }
        (state, Input::SignOut) => (State::SignedOut { generation: generation_of(&state) }, vec![Effect::Delete]),

        (State::Unread { ended }, Input::Wanted { .. } | Input::Renew | Input::Tick { .. }) => {
            (State::Reading { ended }, vec![Effect::Read])
        }
        (State::Unavailable { ended, why, at }, Input::Wanted { .. } | Input::Renew | Input::Tick { .. }) => {
            if now.since(at) >= READ_AGAIN {
                (State::Reading { ended }, vec![Effect::Read])
            } else {
                (State::Unavailable { ended, why, at }, vec![])
            }
        }
        (State::Reading { ended }, Input::Read(result)) => match result {
            Err(why) => (State::Unavailable { ended, why, at: now }, vec![Effect::Wake(LOOK_AGAIN)]),
            Ok(None) => {
                let (generation, reason) = ended.unwrap_or((Generation(0), Reason::NotYet));
                (State::NeedsSignIn { reason, generation }, vec![])
            }
            Ok(Some((_, generation))) if ended.is_some_and(|(ended, _)| generation <= ended) => {
                let reason = ended.map_or(Reason::NotYet, |(_, reason)| reason);
                (State::NeedsSignIn { reason, generation }, vec![])
            }
            Ok(Some((tokens, generation))) => activate(Held::new(tokens, generation), now),
        },

        (State::Active(held), Input::Wanted { want, accepted }) => wanted(held, want, accepted, now),
        (State::Active(mut held), Input::Renew) => {
            // What the last answer was is still to be known; that there is a wait is not.
            held.trouble = held.trouble.filter(|trouble| trouble.cause == Transient::Blank);
            refresh(held, false, None)
        }
        (State::Active(held), Input::Claims { generation, claims })
            if generation == held.generation && !is_backing_off(&held, now) =>
        {
            refresh(held, true, Some(claims))
        }
        (State::Active(held), Input::Tick { .. }) if held.unsaved => {
            let save = Effect::Save { tokens: Arc::clone(&held.tokens), generation: held.generation };
            (State::Active(held), vec![save])
        }
        (State::Active(held), Input::Tick { in_use: true }) if is_due(&held, now) && !is_backing_off(&held, now) => {
            refresh(held, false, None)
        }
        (State::Active(mut held), Input::Saved { generation, result }) if generation == held.generation => {
            held.unsaved = result.is_err();
            let again = if held.unsaved { vec![Effect::Wake(SAVE_AGAIN)] } else { vec![] };
            (State::Active(held), again)
        }

        (State::Refreshing(old), Input::Refreshed { generation, result, forced }) if generation == old.generation => {
            refreshed(old, result, forced, now)
        }
        (State::Saving { new, .. }, Input::Saved { generation, result }) if generation == new.generation => {
            let mut held = new;
            let mut effects = vec![Effect::TellRefreshed];
            if let Err(why) = result {
                held.unsaved = true;
                effects.extend([Effect::TellUnsaved(why), Effect::Wake(SAVE_AGAIN)]);
            }
            let (state, more) = activate(held, now);
            effects.extend(more);
            (state, effects)
        }

        // Whatever is left is late (an old generation, a sign-out in between) or needs nothing.
        (state, _) => (state, vec![]),
    }
}

/// The number of the newest token set that `state` knows of.
#[must_use]
pub fn generation_of(state: &State) -> Generation {
    match state {
        State::Active(held) | State::Refreshing(held) | State::Saving { new: held, .. } => held.generation,
        State::NeedsSignIn { generation, .. } => *generation,
        State::Unread { ended } | State::Reading { ended } | State::Unavailable { ended, .. } => {
            ended.map_or(Generation(0), |(generation, _)| generation)
        }
        State::SignedOut { generation } => *generation,
    }
}

fn is_due(held: &Held, now: Now) -> bool {
    held.tokens.remaining(now).is_some_and(|left| left <= held.tokens.lead())
}

fn is_backing_off(held: &Held, now: Now) -> bool {
    held.trouble.as_ref().is_some_and(|trouble| now.boot_ms < trouble.again_at.boot_ms)
}

fn activate(held: Held, now: Now) -> (State, Vec<Effect>) {
    let mut effects = vec![];
    if let Some(left) = held.tokens.remaining(now).filter(|_| held.tokens.is_renewable()) {
        effects.push(Effect::Wake(left.saturating_sub(held.tokens.lead())));
    }
    (State::Active(held), effects)
}

fn wanted(held: Held, want: Want, accepted: bool, now: Now) -> (State, Vec<Effect>) {
    let refused = want.refused == Some(held.generation);
    if !refused && !is_short(&held, want, now) && !held.tokens.is_dead(now) {
        return (State::Active(held), vec![]);
    }
    if is_backing_off(&held, now) {
        return (State::Active(held), vec![]);
    }
    if refused && is_cooling_down(&held, accepted, now) {
        return (State::Active(held), vec![]);
    }
    if !held.tokens.is_renewable() {
        let generation = held.generation;
        let reason = Reason::NoRefreshToken;
        return (State::NeedsSignIn { reason, generation }, vec![Effect::TellEnded(reason)]);
    }
    refresh(held, refused, None)
}

/// A refusal forced these tokens, and no server has taken them: the token is not what the server
/// minds.
fn is_cooling_down(held: &Held, accepted: bool, now: Now) -> bool {
    !accepted && held.forced_at.is_some_and(|at| now.since(at) < COOLDOWN)
}

fn refresh(held: Held, forced: bool, claims: Option<Arc<str>>) -> (State, Vec<Effect>) {
    if !held.tokens.is_renewable() {
        return (State::Active(held), vec![]);
    }
    let (tokens, generation) = (Arc::clone(&held.tokens), held.generation);
    let blank_before = held.trouble.as_ref().is_some_and(|trouble| trouble.cause == Transient::Blank);
    let effect = Effect::Refresh { tokens, generation, forced, claims, blank_before };
    (State::Refreshing(held), vec![effect])
}

fn refreshed(old: Held, result: Result<Renewed, RefreshFailure>, forced: bool, now: Now) -> (State, Vec<Effect>) {
    match result {
        Ok(Renewed { tokens, generation, claims, adopted }) => {
            let mut new = Held::new(tokens, generation);
            new.forced_at = forced.then_some(now);
            new.claims = claims;
            if adopted {
                let (state, mut effects) = activate(new, now);
                effects.insert(0, Effect::TellRefreshed);
                return (state, effects);
            }
            let save = Effect::Save { tokens: Arc::clone(&new.tokens), generation: new.generation };
            (State::Saving { old: Some(old), new }, vec![save])
        }
        Err(RefreshFailure::Ended(reason)) => {
            (State::NeedsSignIn { reason, generation: old.generation }, vec![Effect::TellEnded(reason)])
        }
        Err(RefreshFailure::Transient(cause)) => {
            let tries = old.trouble.as_ref().map_or(0, |trouble| trouble.tries);
            let wait = failure::backoff(tries, &cause);
            let mut effects = vec![Effect::Wake(wait)];
            if tries == 0 {
                effects.push(Effect::TellTrouble(cause.clone()));
            }
            let trouble = Some(Trouble { cause, tries: tries + 1, again_at: now.plus(wait) });
            (State::Active(Held { trouble, ..old }), effects)
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
