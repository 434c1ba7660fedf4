//! Who waits for the person, and when the bell rings.
//!
//! The bell rings once an account, not once a request: when a session ends, when a request first
//! waits, and again at growing intervals while nobody comes. "Later" answers who waits and is quiet
//! until the next of these.

mod ring;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

pub use self::ring::{Reminders, Ring};
use crate::clock::{self, Now};
use crate::model::{AccountName, ServiceName, ToolName};
use crate::proxy::Program;

/// How many requests of one tool may wait at a time.
const HELD_PER_TOOL: usize = 32;

/// The bell of the whole program. Cheap to clone.
#[derive(Clone, Default)]
pub struct Bell {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    desks: Mutex<BTreeMap<AccountName, Desk>>,
    reminders: Mutex<Reminders>,
    changed: Notify,
}

/// What concerns one account.
struct Desk {
    ring: Ring,
    waiting: BTreeMap<u64, Waiting>,
    next_id: u64,
    signing_in: usize,
    /// Moves when "Later" was said and when a sign-in began or ended.
    signal: watch::Sender<Signal>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Signal {
    laters: u64,
    signing_in: bool,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            ring: Ring::Quiet { rung: 0 },
            waiting: BTreeMap::new(),
            next_id: 0,
            signing_in: 0,
            signal: watch::Sender::default(),
        }
    }
}

/// What the snapshot shows of an account's bell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BellView {
    /// The number of the ring that is on, if one is.
    pub ring: Option<u64>,
    /// Who waits: how many requests of which tool, or of which program where people have a name for it.
    pub waiting: BTreeMap<String, usize>,
    /// Each request that waits, the first one first.
    pub requests: Vec<Waiting>,
    /// Whether a sign-in is under way.
    pub signing_in: bool,
}

/// A request that waits for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Whose key it shows.
    pub tool: ToolName,
    /// What it is for.
    pub service: ServiceName,
    /// What asks, where the system tells.
    pub program: Option<Arc<Program>>,
}

impl Waiting {
    /// What to call who asks: the program where people have a name for it, else the tool.
    #[must_use]
    pub fn who(&self) -> &str {
        self.program.as_deref().and_then(Program::title).unwrap_or(self.tool.as_str())
    }
}

/// A request that waits; it stops waiting when this is dropped.
pub struct Hold {
    bell: Bell,
    account: AccountName,
    id: u64,
    who: String,
    signal: watch::Receiver<Signal>,
}

/// A sign-in that is under way; it is over when this is dropped.
pub struct SigningIn {
    bell: Bell,
    account: AccountName,
}

impl Bell {
    /// When it rings again, from now on; also for who is waited for already.
    pub fn set_reminders(&self, reminders: Reminders) {
        let mut now = self.reminders();
        if *now != reminders {
            *now = reminders;
            drop(now);
            self.inner.changed.notify_one();
        }
    }

    /// A request waits for the person. Nothing where it may not: "Later" was said, or the tool has
    /// too many waiting.
    #[must_use]
    pub fn hold(&self, account: &AccountName, request: Waiting) -> Option<Hold> {
        let mut desks = self.desks();
        let by_tool = desks.values().flat_map(|d| d.waiting.values()).filter(|w| w.tool == request.tool).count();
        let desk = desks.entry(account.clone()).or_default();
        if desk.ring.is_snoozed() || by_tool >= HELD_PER_TOOL {
            return None;
        }
        desk.next_id += 1;
        let id = desk.next_id;
        let who = request.who().to_owned();
        desk.waiting.insert(id, request);
        desk.ring = desk.ring.step(ring::Input::Needed, clock::now(), &self.reminders());
        let signal = desk.signal.subscribe();
        drop(desks);
        self.inner.changed.notify_one();
        Some(Hold { bell: self.clone(), account: account.clone(), id, who, signal })
    }

    /// The session ended: only the person can help.
    pub fn needed(&self, account: &AccountName) {
        self.change(account, |desk, now| desk.ring = desk.ring.step(ring::Input::Needed, now, &self.reminders()));
    }

    /// The session is good, or the person ended it.
    pub fn settled(&self, account: &AccountName) {
        self.change(account, |desk, now| desk.ring = desk.ring.step(ring::Input::Settled, now, &self.reminders()));
    }

    /// The person says "not now".
    pub fn later(&self, account: &AccountName) {
        self.change(account, |desk, now| {
            desk.ring = desk.ring.step(ring::Input::Later, now, &self.reminders());
            desk.signal.send_modify(|signal| signal.laters += 1);
        });
    }

    /// A sign-in begins.
    #[must_use]
    pub fn signing_in(&self, account: &AccountName) -> SigningIn {
        self.change(account, |desk, _| {
            desk.signing_in += 1;
            desk.signal.send_modify(|signal| signal.signing_in = true);
        });
        SigningIn { bell: self.clone(), account: account.clone() }
    }

    /// What the snapshot shows.
    #[must_use]
    pub fn view(&self, account: &AccountName) -> BellView {
        let desks = self.desks();
        let Some(desk) = desks.get(account) else { return BellView::default() };
        let mut waiting = BTreeMap::new();
        for request in desk.waiting.values() {
            *waiting.entry(request.who().to_owned()).or_insert(0) += 1;
        }
        let requests = desk.waiting.values().cloned().collect();
        BellView { ring: desk.ring.ringing(), waiting, requests, signing_in: desk.signing_in > 0 }
    }

    /// Waits until something changed that the snapshot shows. Reminders fall due in here.
    pub async fn changed(&self) {
        loop {
            let reminders = self.reminders().clone();
            let due = self.desks().values().filter_map(|desk| desk.ring.due(&reminders)).min();
            let now = clock::now();
            let wait = due.map_or(Duration::MAX, |at| Duration::from_millis(at.saturating_sub(now.boot_ms)));
            tokio::select! {
                () = self.inner.changed.notified() => return,
                () = sleep(wait) => if self.remind() { return },
            }
        }
    }

    fn remind(&self) -> bool {
        let (now, reminders) = (clock::now(), self.reminders().clone());
        let mut any = false;
        for desk in self.desks().values_mut() {
            let next = desk.ring.step(ring::Input::Tick, now, &reminders);
            any |= next != desk.ring;
            desk.ring = next;
        }
        any
    }

    fn change(&self, account: &AccountName, change: impl FnOnce(&mut Desk, Now)) {
        change(self.desks().entry(account.clone()).or_default(), clock::now());
        self.inner.changed.notify_one();
    }

    fn reminders(&self) -> MutexGuard<'_, Reminders> {
        self.inner.reminders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn desks(&self) -> MutexGuard<'_, BTreeMap<AccountName, Desk>> {
        self.inner.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sleeps on in steps: a timer does not count while the machine sleeps, and the step bounds how late
/// it may be then.
async fn sleep(wait: Duration) {
    tokio::time::sleep(wait.min(Duration::from_secs(600))).await;
}

impl Hold {
    /// What to call who waits.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Waits until the wait is over without the person: `limit` has passed and no sign-in is under
    /// way, or "Later" was said.
    pub async fn over(&mut self, limit: Duration) {
        let laters = self.signal.borrow().laters;
        let deadline = tokio::time::sleep(limit);
        tokio::pin!(deadline);
        let mut late = false;
        loop {
            let signal = *self.signal.borrow_and_update();
            if signal.laters != laters || (late && !signal.signing_in) {
                return;
            }
            tokio::select! {
                () = &mut deadline, if !late => late = true,
                changed = self.signal.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.bell.change(&self.account, |desk, _| drop(desk.waiting.remove(&self.id)));
    }
}

impl Drop for SigningIn {
    fn drop(&mut self) {
        self.bell.change(&self.account, |desk, _| {
            desk.signing_in = desk.signing_in.saturating_sub(1);
            let signing_in = desk.signing_in > 0;
            desk.signal.send_modify(|signal| signal.signing_in = signing_in);
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::proxy::Asker;

    fn names() -> (AccountName, Waiting) {
        let waiting = Waiting { tool: "claude".parse().unwrap(), service: "linear".parse().unwrap(), program: None };
        ("work".parse().unwrap(), waiting)
    }

    #[test]
    fn who_waits_has_the_name_that_people_know() {
        let program = |name: &str, known, parent: &str, parent_known| {
            let (name, parent, path) = (name.to_owned(), Some(parent.to_owned()), format!("/bin/{name}"));
            let asker = Asker { name: name.clone(), path: path.clone(), lasting: true, through_us: false };
            Some(Arc::new(Program { pid: 1, name, known, path, parent, parent_known, asker }))
        };
        let (_, asks) = names();
        for (program, who) in [
            (None, "claude"),
            (program("curl", false, "bash", false), "claude"),
            (program("curl", false, "Claude Code", true), "Claude Code"),
            (program("Cursor", true, "systemd", false), "Cursor"),
        ] {
            assert_eq!(Waiting { program, ..asks.clone() }.who(), who);
        }
    }

    #[test]
    fn one_ring_for_many_requests() {
        let (account, request) = names();
        let bell = Bell::default();
        let holds: Vec<_> = (0..32).map(|_| bell.hold(&account, request.clone()).unwrap()).collect();
        assert!(bell.hold(&account, request.clone()).is_none(), "32 a tool");
        let view = bell.view(&account);
        assert_eq!((view.ring, view.waiting["claude"]), (Some(1), 32));
        drop(holds);
        assert!(bell.view(&account).waiting.is_empty());
        bell.settled(&account);
        assert_eq!(bell.view(&account).ring, None);
        drop(bell.hold(&account, request.clone()));
        assert_eq!(bell.view(&account).ring, Some(2), "a new need is a new ring");
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_outlasts_its_limit_while_the_person_signs_in() {
        let (account, request) = names();
        let bell = Bell::default();
        let mut hold = bell.hold(&account, request.clone()).unwrap();
        let signing_in = bell.signing_in(&account);
        let over = hold.over(Duration::from_secs(10));
        tokio::pin!(over);
        assert!(tokio::time::timeout(Duration::from_secs(60), &mut over).await.is_err());
        drop(signing_in);
        assert!(tokio::time::timeout(Duration::from_secs(1), over).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn later_answers_at_once_and_until_the_reminder() {
        let (account, request) = names();
        let bell = Bell::default();
        let mut hold = bell.hold(&account, request.clone()).unwrap();
        let over = hold.over(Duration::from_secs(3600));
        tokio::pin!(over);
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut over).await.is_err());
        bell.later(&account);
        assert!(tokio::time::timeout(Duration::from_secs(1), over).await.is_ok());
        assert!(bell.hold(&account, request.clone()).is_none());
        assert_eq!(bell.view(&account).ring, None);
    }
}
