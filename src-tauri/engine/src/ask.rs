//! What a server asked for that only the person can give: more scopes, a token with certain claims, or a
//! new sign-in.
//!
//! The session is good meanwhile: other requests go on, for it is one server's word. The person is asked
//! once; what was refused, or did not help, is not asked for again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{self, Now};
use crate::model::{AccountName, GrantId, Scopes, ServiceName, ToolName};

/// How many scopes one grant is asked for at most: a person can't judge more, and a server may name
/// others in each answer.
pub const MOST_SCOPES: usize = 16;

/// Longer claims no server has been seen to want, and an address with them has to fit into a command line.
pub const LARGEST_CLAIMS: usize = 4096;

/// How long a server is not believed again that wanted a new sign-in or claims, and got them.
const A_WHILE: Duration = Duration::from_secs(600);

/// What one grant is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    /// Scopes that a list names: the service's own, its preset's, the account's. A click adds them.
    pub listed: Scopes,
    /// Scopes that only the server names. They are added where the person types them: an upstream does
    /// not choose what is asked for.
    pub unlisted: Scopes,
    /// The `claims` request parameter (OpenID Connect Core section 5.5) that a sign-in must pass on.
    pub claims: Option<String>,
    /// Services that say that only a new sign-in helps.
    pub sign_in: BTreeSet<ServiceName>,
    /// Whose request it was last.
    pub by: Option<(ToolName, ServiceName)>,
}

impl Ask {
    /// All scopes that are asked for.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        self.listed.union(&self.unlisted)
    }

    /// Whether a click gives something of it.
    #[must_use]
    pub fn is_for_a_click(&self) -> bool {
        !self.listed.is_empty() || self.claims.is_some() || !self.sign_in.is_empty()
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            listed: self.listed.union(&other.listed),
            unlisted: self.unlisted.union(&other.unlisted),
            claims: self.claims.or(other.claims),
            sign_in: self.sign_in.into_iter().chain(other.sign_in).collect(),
            by: self.by.or(other.by),
        }
    }

    fn is_empty(&self) -> bool {
        self.unlisted.is_empty() && !self.is_for_a_click()
    }
}

/// How what a server wants stands with a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The grant says that it holds all of it.
    Held,
    /// Something is missing, and may be asked for.
    Missing,
    /// Something is missing, and the person is asked for it already.
    Asked,
    /// Something is missing that was refused before, or was given and did not help.
    Refused,
    /// The server does not say what, and there is nothing left to ask for.
    Unknown,
}

/// What all grants are asked for.
#[derive(Debug)]
pub struct Asks {
    open: Mutex<Open>,
    /// Moves whenever an ask is settled, one way or the other.
    settled: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Open {
    asks: BTreeMap<GrantId, Ask>,
    refused: BTreeMap<GrantId, Scopes>,
    /// Who got a new sign-in, and when.
    signed_in_for: BTreeMap<(GrantId, ServiceName), Now>,
    /// Which claims a sign-in was asked with, and when.
    claimed: BTreeMap<(GrantId, String), Now>,
}

impl Default for Asks {
    fn default() -> Self {
        Self { open: Mutex::default(), settled: watch::Sender::new(0) }
    }
}

impl Asks {
    /// How `needed` stands with a grant that holds `granted`.
    #[must_use]
    pub fn scopes_standing(&self, grant: &GrantId, needed: &Scopes, granted: &Scopes) -> Standing {
        let missing = needed.without(granted);
        let open = self.open();
        let refused = open.refused.get(grant).is_some_and(|refused| !refused.intersection(&missing).is_empty());
        let asked = open.asks.get(grant).is_some_and(|ask| ask.scopes().covers(&missing));
        match () {
            () if needed.is_empty() => Standing::Unknown,
            () if missing.is_empty() => Standing::Held,
            () if refused => Standing::Refused,
            () if asked => Standing::Asked,
            () => Standing::Missing,
        }
    }

    /// How these claims stand.
    #[must_use]
    pub fn claims_standing(&self, grant: &GrantId, claims: &str) -> Standing {
        let open = self.open();
        let asked = open.asks.get(grant).is_some_and(|ask| ask.claims.as_deref() == Some(claims));
        let tried = open.claimed.get(&(grant.clone(), claims.to_owned())).is_some_and(|at| is_recent(*at));
        standing(asked, tried)
    }

    /// How this service's wish for a new sign-in stands.
    #[must_use]
    pub fn sign_in_standing(&self, grant: &GrantId, service: &ServiceName) -> Standing {
        let open = self.open();
        let asked = open.asks.get(grant).is_some_and(|ask| ask.sign_in.contains(service));
        let tried = open.signed_in_for.get(&(grant.clone(), service.clone())).is_some_and(|at| is_recent(*at));
        standing(asked, tried)
    }

    /// A request needs more scopes. They are added to what the grant is asked for already, as far as a
    /// person can look through them. Returns those that are new.
    pub fn scopes(&self, grant: &GrantId, needed: &Scopes, listed: &Scopes, by: (ToolName, ServiceName)) -> Scopes {
        self.change(grant, |ask| {
            let known = ask.scopes();
            let room = MOST_SCOPES.saturating_sub(known.iter().count());
            let new: Scopes = needed.without(&known).iter().take(room).map(str::to_owned).collect();
            ask.listed = ask.listed.union(&new.intersection(listed));
            ask.unlisted = ask.unlisted.union(&new.without(listed));
            ask.by = Some(by);
            new
        })
    }

    /// A request needs claims that a refresh did not bring.
    pub fn claims(&self, grant: &GrantId, claims: &str, by: (ToolName, ServiceName)) {
        self.change(grant, |ask| {
            ask.claims = Some(claims.to_owned());
            ask.by = Some(by);
        });
    }

    /// A service says that only a new sign-in helps.
    pub fn sign_in(&self, grant: &GrantId, by: (ToolName, ServiceName)) {
        self.change(grant, |ask| {
            ask.sign_in.insert(by.1.clone());
            ask.by = Some(by);
        });
    }

    /// What the grant is asked for.
    #[must_use]
    pub fn of(&self, grant: &GrantId) -> Option<Ask> {
        self.open().asks.get(grant).cloned()
    }

    /// Whether any grant of the account is asked for anything.
    #[must_use]
    pub fn any(&self, account: &AccountName) -> bool {
        self.open().asks.keys().any(|grant| grant.account == *account)
    }

    /// The person signed in: `requested` was asked of the provider, which granted `granted`. What was
    /// requested and is still missing was refused; what nobody requested is still asked for. Returns all
    /// that is refused now.
    pub fn signed_in(&self, grant: &GrantId, requested: &Scopes, granted: &Scopes) -> Scopes {
        let now = clock::now();
        let refused = {
            let mut open = self.open();
            let ask = open.asks.remove(grant).unwrap_or_default();
            for service in ask.sign_in {
                open.signed_in_for.insert((grant.clone(), service), now);
            }
            if let Some(claims) = ask.claims {
                open.claimed.insert((grant.clone(), claims), now);
            }
            let left = |scopes: &Scopes| scopes.without(requested).without(granted);
            let rest = Ask { listed: left(&ask.listed), unlisted: left(&ask.unlisted), by: ask.by, ..Ask::default() };
            let asked = ask.listed.union(&ask.unlisted);
            if !rest.is_empty() {
                open.asks.insert(grant.clone(), rest);
            }
            let refused = open.refused.entry(grant.clone()).or_default();
            *refused = refused.without(granted).union(&asked.intersection(requested).without(granted));
            refused.clone()
        };
        self.move_on();
        refused
    }

    /// The person said no: at the provider, or to us. All that was asked for is refused; that is returned.
    pub fn declined(&self, grant: &GrantId) -> Scopes {
        let asked = self.of(grant).map(|ask| ask.scopes()).unwrap_or_default();
        self.signed_in(grant, &asked, &Scopes::default())
    }

    /// The provider does not take these claims: no sign-in is asked with them again.
    pub fn claims_refused(&self, grant: &GrantId) {
        let mut open = self.open();
        let Some(claims) = open.asks.get_mut(grant).and_then(|ask| ask.claims.take()) else { return };
        open.claimed.insert((grant.clone(), claims), clock::now());
        open.asks.retain(|_, ask| !ask.is_empty());
        drop(open);
        self.move_on();
    }

    /// Brings back what was refused before the last end.
    pub fn restore(&self, grant: GrantId, refused: Scopes) {
        self.open().refused.insert(grant, refused);
    }

    /// The person asks for these by name: what was refused before counts no more.
    pub fn reconsider(&self, grant: &GrantId, scopes: &Scopes) {
        if let Some(refused) = self.open().refused.get_mut(grant) {
            *refused = refused.without(scopes);
        }
    }

    /// Forgets everything about the grants for which `gone` holds.
    pub fn forget(&self, gone: impl Fn(&GrantId) -> bool) {
        let mut open = self.open();
        open.asks.retain(|grant, _| !gone(grant));
        open.refused.retain(|grant, _| !gone(grant));
        open.signed_in_for.retain(|(grant, _), _| !gone(grant));
        open.claimed.retain(|(grant, _), _| !gone(grant));
        drop(open);
        self.move_on();
    }

    /// Drops what services asked for that are gone.
    pub fn drop_of(&self, gone: impl Fn(&ServiceName) -> bool) {
        self.open().asks.retain(|_, ask| ask.by.as_ref().is_none_or(|(_, service)| !gone(service)));
        self.move_on();
    }

    /// Returns once the grant is asked for nothing any more.
    pub async fn settled(&self, grant: &GrantId) {
        let mut moves = self.settled.subscribe();
        // The sender is ours, so it is never gone.
        let _ = moves.wait_for(|_| self.of(grant).is_none()).await;
    }

    fn change<T>(&self, grant: &GrantId, change: impl FnOnce(&mut Ask) -> T) -> T {
        let mut open = self.open();
        let outcome = change(open.asks.entry(grant.clone()).or_default());
        open.asks.retain(|_, ask| !ask.is_empty());
        open.signed_in_for.retain(|_, at| is_recent(*at));
        open.claimed.retain(|_, at| is_recent(*at));
        outcome
    }

    fn move_on(&self) {
        self.settled.send_modify(|n| *n += 1);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn standing(asked: bool, tried: bool) -> Standing {
    match (asked, tried) {
        (true, _) => Standing::Asked,
        (false, true) => Standing::Refused,
        (false, false) => Standing::Missing,
    }
}

fn is_recent(at: Now) -> bool {
    clock::now().since(at) < A_WHILE
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn grant() -> GrantId {
        GrantId { account: "work".parse().unwrap(), resource: None }
    }

    fn by() -> (ToolName, ServiceName) {
        ("claude".parse().unwrap(), "linear".parse().unwrap())
    }

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text)
    }

    #[test]
    fn what_was_refused_is_not_asked_for_again() {
        let (asks, grant) = (Asks::default(), grant());
        let standing = |needed: &str| asks.scopes_standing(&grant, &scopes(needed), &scopes("read"));
        assert_eq!(standing("read"), Standing::Held);
        assert_eq!(standing("write"), Standing::Missing);
        assert_eq!(standing(""), Standing::Unknown);
        asks.scopes(&grant, &scopes("write admin"), &scopes("read write"), by());
        assert_eq!(standing("write"), Standing::Asked);
        let ask = asks.of(&grant).unwrap();
        assert_eq!((ask.listed.to_string(), ask.unlisted.to_string()), ("write".into(), "admin".into()));
        // The person clicked: `admin` was never requested, so nobody refused it.
        assert!(asks.signed_in(&grant, &scopes("read write"), &scopes("read write")).is_empty());
        assert_eq!(standing("admin"), Standing::Asked);
        // Requested, and not given.
        assert_eq!(asks.signed_in(&grant, &scopes("read admin"), &scopes("read")), scopes("admin"));
        assert_eq!(standing("admin"), Standing::Refused);
        assert!(asks.of(&grant).is_none() && !asks.any(&grant.account));
        asks.reconsider(&grant, &scopes("admin"));
        assert_eq!(standing("admin"), Standing::Missing);
        asks.scopes(&grant, &scopes("admin"), &scopes(""), by());
        assert_eq!(asks.declined(&grant), scopes("admin"));
        assert_eq!(standing("admin"), Standing::Refused);
        // Granted later, by whatever way.
        assert!(asks.signed_in(&grant, &scopes("read admin"), &scopes("read admin")).is_empty());
    }

    #[test]
    fn a_server_that_names_ever_new_scopes_fills_no_memory() {
        let (asks, grant) = (Asks::default(), grant());
        for n in 0..1000 {
            asks.scopes(&grant, &scopes(&format!("s{n}")), &Scopes::default(), by());
        }
        assert_eq!(asks.of(&grant).unwrap().scopes().iter().count(), MOST_SCOPES);
    }

    #[test]
    fn what_was_given_and_did_not_help_is_not_asked_for_again() {
        let (asks, grant, service) = (Asks::default(), grant(), by().1);
        assert_eq!(asks.sign_in_standing(&grant, &service), Standing::Missing);
        asks.sign_in(&grant, by());
        assert_eq!(asks.sign_in_standing(&grant, &service), Standing::Asked);
        asks.signed_in(&grant, &Scopes::default(), &Scopes::default());
        assert_eq!(asks.sign_in_standing(&grant, &service), Standing::Refused);
        // Another service of the grant has a say of its own.
        assert_eq!(asks.sign_in_standing(&grant, &"other".parse().unwrap()), Standing::Missing);
        asks.claims(&grant, "{}", by());
        assert_eq!(asks.claims_standing(&grant, "{}"), Standing::Asked);
        asks.claims_refused(&grant);
        assert!(asks.of(&grant).is_none());
        assert_eq!(asks.claims_standing(&grant, "{}"), Standing::Refused);
        asks.forget(|g| *g == grant);
        assert_eq!(asks.claims_standing(&grant, "{}"), Standing::Missing);
    }
}
