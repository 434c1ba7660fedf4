//! The sign-in state of a grant: one actor owns it, many callers ask it.
//!
//! [`SessionHandle`] is what callers hold. [`state`] is the pure machine, [`actor`] does what the
//! machine says and is woken by [`wakes`], [`refresh`] asks the token endpoint, [`failure`] reads what it answers.

mod actor;
pub mod failure;
mod refresh;
pub mod state;
pub mod tokens;
mod wakes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot, watch};

use self::state::{Held, Input, State, Unready, Want};
use self::tokens::TokenSet;
use crate::clock;
use crate::model::{Generation, GrantId, Scopes};
use crate::provider::{DpopKey, Provider, Registration};
use crate::secret::Secret;
use crate::vault::{ItemName, Vault, VaultError};

/// A token to send, and which one it is.
#[derive(Debug, Clone)]
pub struct Lease {
    tokens: Arc<TokenSet>,
    claims: Option<Arc<str>>,
    /// To be named when a server refuses it.
    pub generation: Generation,
}

impl Lease {
    /// For the `Authorization` header.
    #[must_use]
    pub fn access(&self) -> &Secret {
        &self.tokens.access
    }

    /// What it may do.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.tokens.scopes
    }

    /// When it ends, in Unix seconds on this machine's clock.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.tokens.expires_at(clock::now())
    }

    /// How much of its life is left, and how long that is in all; nothing where the provider did not say.
    #[must_use]
    pub fn left_of(&self) -> Option<(Duration, Duration)> {
        self.tokens.remaining(clock::now()).zip(self.tokens.lifetime)
    }

    /// Who signed in, as the provider wrote it down.
    #[must_use]
    pub fn id_token(&self) -> Option<&Secret> {
        self.tokens.id_token.as_ref()
    }

    /// The key that the token is bound to.
    #[must_use]
    pub fn dpop(&self) -> Option<&Arc<DpopKey>> {
        self.tokens.dpop.as_ref()
    }

    /// What the provider's clock shows, in Unix seconds.
    #[must_use]
    pub fn provider_unix(&self, now: clock::Now) -> u64 {
        self.tokens.issued.provider_unix(now)
    }

    /// Whether it was asked for with these claims.
    #[must_use]
    pub fn was_asked_with(&self, claims: &str) -> bool {
        self.claims.as_deref() == Some(claims)
    }

    /// Whether it has expired by the local clock, which a server's ambiguous answer may be about.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.tokens.is_stale(clock::now())
    }
}

/// What a session tells the rest of the program. None of it is secret.
#[derive(Debug)]
pub enum Event {
    /// New tokens by a refresh, and how long that took.
    Refreshed(Duration),
    /// Renewing failed for now.
    RefreshFailed(failure::Transient),
    /// Only the person can help from here on.
    Ended(failure::Reason),
    /// The new tokens could not be written to the vault.
    Unsaved(VaultError),
}

/// Told of events; called on the actor's task, so it must be quick.
pub type Listener = Arc<dyn Fn(&GrantId, Event) + Send + Sync>;

/// One grant's session. Cheap to clone; the actor ends with the last handle.
#[derive(Clone)]
pub struct SessionHandle {
    grant: Arc<GrantId>,
    provider: Provider,
    mailbox: mpsc::UnboundedSender<Message>,
    state: watch::Receiver<State>,
    marks: Arc<Marks>,
}

/// What the proxy notes on each request, without a message to the actor.
#[derive(Debug, Default)]
struct Marks {
    /// The newest generation that a server took.
    accepted: AtomicU64,
    /// The newest generation that a server refused although a refresh had just brought it.
    useless: AtomicU64,
    /// When a tool last used it, in boot-time milliseconds.
    used_boot_ms: AtomicU64,
}

impl Marks {
    /// Whether a refusal of `generation` tells something new: a server took it before, and none refused
    /// it when it was brand new.
    fn is_accepted(&self, generation: Generation) -> bool {
        self.accepted.load(Ordering::Relaxed) >= generation.0 && self.useless.load(Ordering::Relaxed) < generation.0
    }
}

enum Message {
    /// A caller that waits for an answer.
    Want { want: Want, reply: oneshot::Sender<Result<Lease, Unready>> },
    /// Something for the machine.
    Input(Input),
    /// The person did something; `done` is told once the vault has it.
    Person { input: Input, done: oneshot::Sender<Result<(), VaultError>> },
}

impl SessionHandle {
    /// Starts the session of `grant` in the state that was last known.
    #[must_use]
    pub fn start(grant: GrantId, provider: Provider, vault: Vault, initial: State, listener: Listener) -> Self {
        let (mailbox, inbox) = mpsc::unbounded_channel();
        let (publish, state) = watch::channel(initial);
        let marks = Arc::<Marks>::default();
        let grant = Arc::new(grant);
        let actor = actor::Actor::new(
            Arc::clone(&grant),
            provider.clone(),
            vault,
            listener,
            Arc::clone(&marks),
            mailbox.downgrade(),
            publish,
        );
        tokio::spawn(actor.run(inbox));
        Self { grant, provider, mailbox, state, marks }
    }

    /// Whose session this is.
    #[must_use]
    pub fn grant(&self) -> &GrantId {
        &self.grant
    }

    /// The registration that its tokens belong to.
    #[must_use]
    pub fn registration(&self) -> &Registration {
        self.provider.registration()
    }

    /// A token that is good by all that is known, refreshed first if need be.
    ///
    /// # Errors
    /// [`Unready`].
    pub async fn lease(&self, want: Want) -> Result<Lease, Unready> {
        let now = clock::now();
        // Nearly every request ends here: no message, no wait.
        if let State::Active(held) | State::Refreshing(held) = &*self.state.borrow()
            && state::serves(held, want, now)
        {
            return Ok(lease_of(held));
        }
        let (reply, answer) = oneshot::channel();
        let _ = self.mailbox.send(Message::Want { want, reply });
        // The actor outlives every handle, so it always answers.
        answer.await.unwrap_or(Err(Unready::SignedOut))
    }

    /// A token with these claims instead of the one of `generation`, which a server refused for want of
    /// them.
    ///
    /// # Errors
    /// [`Unready`].
    pub async fn lease_with_claims(&self, generation: Generation, claims: &str) -> Result<Lease, Unready> {
        let _ = self.mailbox.send(Message::Input(Input::Claims { generation, claims: claims.into() }));
        self.lease(Want { refused: Some(generation), ..Want::default() }).await
    }

    /// A server took the token of `generation`.
    pub fn accepted(&self, generation: Generation) {
        self.marks.accepted.fetch_max(generation.0, Ordering::Relaxed);
    }

    /// A refresh brought `generation`, and the server that had asked for it refused that too: for a
    /// while no refusal of it causes another refresh, whoever else takes it.
    pub fn did_not_help(&self, generation: Generation) {
        self.marks.useless.fetch_max(generation.0, Ordering::Relaxed);
    }

    /// A tool uses the session now.
    pub fn used(&self) {
        self.marks.used_boot_ms.store(clock::now().boot_ms, Ordering::Relaxed);
    }

    /// Renews now, and waits for what comes of it.
    ///
    /// # Errors
    /// [`Unready`].
    pub async fn renew(&self) -> Result<Lease, Unready> {
        // An unread vault is read first; only then is there anything to renew.
        if let Err(e @ (Unready::NeedsPerson(_) | Unready::SignedOut | Unready::Vault(_))) =
            self.lease(Want::default()).await
        {
            return Err(e);
        }
        if let State::Active(held) = &*self.state.borrow()
            && !held.tokens.is_renewable()
        {
            return Err(Unready::NeedsPerson(failure::Reason::NoRefreshToken));
        }
        let before = state::generation_of(&self.state.borrow());
        let _ = self.mailbox.send(Message::Input(Input::Renew));
        self.lease(Want { refused: Some(before), ..Want::default() }).await
    }

    /// Takes the tokens of a sign-in; returns once the vault has them.
    ///
    /// # Errors
    /// Where the vault could not write; the tokens are then in force in memory, and written later.
    pub async fn signed_in(&self, tokens: TokenSet) -> Result<(), VaultError> {
        self.person(Input::SignedIn(tokens)).await
    }

    /// Wipes the tokens; returns once the vault has.
    ///
    /// # Errors
    /// Where the vault could not; the session is over all the same.
    pub async fn sign_out(&self) -> Result<(), VaultError> {
        self.person(Input::SignOut).await
    }

    async fn person(&self, input: Input) -> Result<(), VaultError> {
        let (done, outcome) = oneshot::channel();
        let _ = self.mailbox.send(Message::Person { input, done });
        outcome.await.unwrap_or(Ok(()))
    }

    /// Waits until the vault was asked, as long as a caller waits for a vault.
    pub async fn known(&self) {
        self.wake();
        let mut states = self.watch();
        let known = states.wait_for(|state| !matches!(state, State::Unread { .. } | State::Reading { .. }));
        let _ = tokio::time::timeout(crate::vault::DEADLINE, known).await;
    }

    /// Asks the vault now, so that the state is known.
    pub fn wake(&self) {
        let _ = self.mailbox.send(Message::Input(Input::Tick { in_use: false }));
    }

    /// The state now, and a way to wait for the next.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}

fn lease_of(held: &Held) -> Lease {
    Lease { tokens: Arc::clone(&held.tokens), claims: held.claims.clone(), generation: held.generation }
}

/// The vault item of a grant. A resource is a URL and no item name, so its digest stands for it.
///
/// # Errors
/// [`VaultError::BadName`], which an account's name never is.
pub fn item_of(grant: &GrantId) -> Result<ItemName, VaultError> {
    match &grant.resource {
        None => ItemName::new(format!("grant:{}", grant.account)),
        Some(resource) => {
            let digest = Sha256::digest(resource.as_bytes());
            let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            ItemName::new(format!("grant:{}:{short}", grant.account))
        }
    }
}
