//! One task a grant: it owns the state, does what the pure machine says, and answers who waits.
//!
//! Vault and token requests run on tasks of their own and report back as inputs, so the actor never
//! waits, and no caller that hangs up can cancel a refresh.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::state::{self, Effect, Input, State, Unready, Want};
use super::wakes::Wakes;
use super::{Event, Lease, Listener, Marks, Message, item_of, lease_of, refresh, tokens};
use crate::clock;
use crate::faults;
use crate::model::{Generation, GrantId};
use crate::provider::Provider;
use crate::vault::{Vault, VaultError};

type Done = oneshot::Sender<Result<(), VaultError>>;

pub(super) struct Actor {
    grant: Arc<GrantId>,
    provider: Provider,
    vault: Vault,
    listener: Listener,
    marks: Arc<Marks>,
    /// Weak, so that the actor ends when the last handle is gone.
    mailbox: mpsc::WeakUnboundedSender<Message>,
    publish: watch::Sender<State>,
    waiting: Vec<(Want, oneshot::Sender<Result<Lease, Unready>>)>,
    /// Who waits for the vault after a sign-in or a sign-out.
    person: Option<Done>,
    refresh_began: Option<Instant>,
    wakes: Wakes,
}

impl Actor {
    pub(super) fn new(
        grant: Arc<GrantId>,
        provider: Provider,
        vault: Vault,
        listener: Listener,
        marks: Arc<Marks>,
        mailbox: mpsc::WeakUnboundedSender<Message>,
        publish: watch::Sender<State>,
    ) -> Self {
        let (waiting, person, refresh_began, wakes) = (Vec::new(), None, None, Wakes::default());
        Self { grant, provider, vault, listener, marks, mailbox, publish, waiting, person, refresh_began, wakes }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let mut state = self.publish.borrow().clone();
        while let Some(message) = inbox.recv().await {
            let input = match message {
                Message::Input(input) => input,
                Message::Want { want, reply } => {
                    self.waiting.push((want, reply));
                    Input::Wanted { want, accepted: self.marks.is_accepted(state::generation_of(&state)) }
                }
                Message::Person { input, done } => {
                    self.person = Some(done);
                    input
                }
            };
            let saved = self.saved_for_person(&state, &input);
            let (next, effects) = state::step(state, input, clock::now());
            state = next;
            for effect in effects {
                self.carry_out(effect, state::generation_of(&state));
            }
            self.publish.send_replace(state.clone());
            // Who asks how things stand right after must see it.
            if let Some((done, result)) = saved {
                let _ = done.send(result);
            }
            self.answer_waiting(&mut state);
        }
    }

    /// Answers everyone whom the state can serve. Who still waits may need what nobody asked for yet
    /// (two wants that differ), so each is put to the machine again.
    fn answer_waiting(&mut self, state: &mut State) {
        let now = clock::now();
        let accepted = self.marks.is_accepted(state::generation_of(state));
        for (want, reply) in std::mem::take(&mut self.waiting) {
            if reply.is_closed() {
                continue;
            }
            if matches!(state, State::Active(_)) {
                let (next, effects) = state::step(state.clone(), Input::Wanted { want, accepted }, now);
                let changed = !effects.is_empty();
                *state = next;
                for effect in effects {
                    self.carry_out(effect, state::generation_of(state));
                }
                if changed {
                    self.publish.send_replace(state.clone());
                }
            }
            match state::answer(state, want, now) {
                Some(answer) => {
                    let _ = reply.send(answer.map(|held| lease_of(&held)));
                }
                None => self.waiting.push((want, reply)),
            }
        }
    }

    /// Who waits for this save, and how it went. That of an earlier refresh may still be on its way;
    /// the person waits for their own.
    fn saved_for_person(&mut self, state: &State, input: &Input) -> Option<(Done, Result<(), VaultError>)> {
        match input {
            Input::Saved { generation, result } if *generation == state::generation_of(state) => {
                self.person.take().map(|done| (done, result.clone()))
            }
            _ => None,
        }
    }

    /// `current`: the generation of the state that the effect belongs to.
    fn carry_out(&mut self, effect: Effect, current: Generation) {
        match effect {
            Effect::Read => {
                let (vault, grant) = (self.vault.clone(), Arc::clone(&self.grant));
                let owner = self.provider.registration().into();
                self.report(async move { Input::Read(read(&vault, &grant, &owner).await) });
            }
            // Both take their place in the vault's queue here and now: a sign-out must not be overtaken by
            // the write before it.
            Effect::Save { tokens, generation } => {
                faults::point("save-before");
                let item = tokens::to_item(&tokens, generation, self.provider.registration().into());
                let written = item_of(&self.grant).map(|name| self.vault.write(&name, &item));
                self.report(async move {
                    let result = match written {
                        Ok(written) => written.await,
                        Err(e) => Err(e),
                    };
                    faults::point("save-done");
                    Input::Saved { generation, result }
                });
            }
            Effect::Delete => {
                let (deleted, done) = (item_of(&self.grant).map(|item| self.vault.delete(&item)), self.person.take());
                tokio::spawn(async move {
                    let result = match deleted {
                        Ok(deleted) => deleted.await,
                        Err(e) => Err(e),
                    };
                    if let Some(done) = done {
                        let _ = done.send(result);
                    }
                });
            }
            Effect::Refresh { tokens, generation, forced, claims, blank_before } => {
                self.refresh_began = Some(Instant::now());
                let (provider, vault, grant) = (self.provider.clone(), self.vault.clone(), Arc::clone(&self.grant));
                self.report(async move {
                    let result =
                        refresh::run(&grant, &provider, &vault, tokens, generation, claims, blank_before).await;
                    Input::Refreshed { generation, result, forced }
                });
            }
            Effect::Wake(after) => self.wake(after, current),
            // A sign-in saves tokens too; only a refresh is told as one.
            Effect::TellRefreshed => {
                if let Some(began) = self.refresh_began.take() {
                    self.tell(Event::Refreshed(began.elapsed()));
                }
            }
            Effect::TellTrouble(cause) => self.tell(Event::RefreshFailed(cause)),
            Effect::TellEnded(reason) => {
                self.refresh_began = None;
                self.tell(Event::Ended(reason));
            }
            Effect::TellUnsaved(why) => self.tell(Event::Unsaved(why)),
        }
    }

    fn tell(&self, event: Event) {
        (self.listener)(&self.grant, event);
    }

    /// Runs `work` on a task of its own and takes what it returns as an input. The strong sender
    /// keeps the actor alive until then: what a provider sent is always saved.
    fn report(&self, work: impl Future<Output = Input> + Send + 'static) {
        let Some(mailbox) = self.mailbox.upgrade() else { return };
        tokio::spawn(async move {
            let _ = mailbox.send(Message::Input(work.await));
        });
    }

    fn wake(&mut self, after: Duration, current: Generation) {
        let (mailbox, marks, began) = (self.mailbox.clone(), Arc::clone(&self.marks), clock::now().boot_ms);
        self.wakes.after(after, current, move || {
            if let Some(mailbox) = mailbox.upgrade() {
                let in_use = marks.used_boot_ms.load(Ordering::Relaxed) >= began;
                let _ = mailbox.send(Message::Input(Input::Tick { in_use }));
            }
        });
    }
}

async fn read(
    vault: &Vault,
    grant: &GrantId,
    owner: &tokens::Owner,
) -> Result<Option<(tokens::TokenSet, crate::model::Generation)>, VaultError> {
    let Some(item) = vault.read(&item_of(grant)?).await? else { return Ok(None) };
    match tokens::from_item(&item, owner) {
        Ok(stored) => Ok(Some(stored)),
        Err(e @ tokens::BadItem::Another(_)) => {
            tracing::info!(%grant, "the stored tokens are not used: {e}");
            Ok(None)
        }
        Err(tokens::BadItem::Newer(_)) => Err(VaultError::NewerFormat),
        Err(tokens::BadItem::Corrupt(_)) => Err(VaultError::Corrupt),
    }
}
