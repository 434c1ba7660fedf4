//! What the demo provider remembers: sign-ins under way, codes, sessions.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

const ASKING_LIFE: Duration = Duration::from_secs(600);
const CODE_LIFE: Duration = Duration::from_secs(60);
/// More than a person opens; keeps a runaway client from filling the memory.
const MOST: usize = 256;

/// A sign-in whose page is open.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) challenge: String,
    pub(super) scope: String,
}

/// What a token endpoint hands out.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) expires_in: u64,
    pub(super) scope: String,
}

/// RFC 6749 section 5.2 `invalid_grant`: why is nobody's business.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidGrant;

#[derive(Debug)]
struct Code {
    asking: Asking,
    since: Instant,
    /// The session that it was exchanged for.
    used_for: Option<String>,
}

#[derive(Debug)]
struct Session {
    access: String,
    ends: Instant,
    refresh: String,
    scope: String,
}

/// The provider's memory.
#[derive(Debug)]
pub(crate) struct Book {
    token_life: Duration,
    askings: HashMap<String, (Asking, Instant)>,
    codes: HashMap<String, Code>,
    sessions: HashMap<String, Session>,
    renewals: u64,
}

impl Book {
    pub(super) fn new(token_life: Duration) -> Self {
        Self { token_life, askings: HashMap::new(), codes: HashMap::new(), sessions: HashMap::new(), renewals: 0 }
    }

    /// Notes a sign-in; the ticket is what the page's button sends.
    pub(super) fn ask(&mut self, asking: Asking) -> String {
        self.askings.retain(|_, (_, since)| since.elapsed() < ASKING_LIFE);
        if self.askings.len() >= MOST {
            self.askings.clear();
        }
        let ticket = random();
        self.askings.insert(ticket.clone(), (asking, Instant::now()));
        ticket
    }

    /// The button was pressed: once a ticket.
    pub(super) fn approve(&mut self, ticket: &str) -> Option<(Asking, String)> {
        let (asking, since) = self.askings.remove(ticket)?;
        if since.elapsed() >= ASKING_LIFE {
            return None;
        }
        // Used codes are kept past their life, or a late second use would pass for an unknown code.
        self.codes.retain(|_, code| code.since.elapsed() < ASKING_LIFE);
        let code = random();
        self.codes.insert(code.clone(), Code { asking: asking.clone(), since: Instant::now(), used_for: None });
        Some((asking, code))
    }

    /// Exchanges a code, once; a second use ends the session of the first (RFC 6749 section 4.1.2).
    pub(super) fn redeem(&mut self, code: &str, redirect_uri: &str, verifier: &str) -> Result<Tokens, InvalidGrant> {
        let code = self.codes.get_mut(code).ok_or(InvalidGrant)?;
        if let Some(session) = &code.used_for {
            self.sessions.remove(session);
            return Err(InvalidGrant);
        }
        let id = random();
        // Spent by the first try, right or wrong: a stolen code can't be tried with many verifiers.
        code.used_for = Some(id.clone());
        if code.since.elapsed() >= CODE_LIFE
            || code.asking.redirect_uri != redirect_uri
            || code.asking.challenge != challenge(verifier)
        {
            return Err(InvalidGrant);
        }
        let scope = code.asking.scope.clone();
        Ok(self.issue(&id, scope))
    }

    /// Renews; a refresh token that was used before ends its session (RFC 9700 section 4.14.2).
    pub(super) fn refresh(&mut self, token: &str) -> Result<Tokens, InvalidGrant> {
        let id = session_of(token);
        let session = self.sessions.remove(id).ok_or(InvalidGrant)?;
        if session.refresh != token {
            return Err(InvalidGrant);
        }
        self.renewals += 1;
        Ok(self.issue(id, session.scope))
    }

    /// Ends the session of a token of either kind.
    pub(super) fn revoke(&mut self, token: &str) {
        let id = session_of(token);
        if self.sessions.get(id).is_some_and(|s| s.access == token || s.refresh == token) {
            self.sessions.remove(id);
        }
    }

    pub(super) fn end_all(&mut self) {
        self.codes.clear();
        self.sessions.clear();
    }

    pub(super) fn renewals(&self) -> u64 {
        self.renewals
    }

    /// Whether `token` is an access token that lives.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        self.sessions.get(session_of(token)).is_some_and(|s| s.access == token && Instant::now() < s.ends)
    }

    fn issue(&mut self, id: &str, scope: String) -> Tokens {
        if self.sessions.len() >= MOST {
            self.sessions.clear();
        }
        let access = format!("{id}.{}", random());
        let refresh = format!("{id}.{}", random());
        self.sessions.insert(
            id.to_owned(),
            Session {
                access: access.clone(),
                ends: Instant::now() + self.token_life,
                refresh: refresh.clone(),
                scope: scope.clone(),
            },
        );
        Tokens { access, refresh, expires_in: self.token_life.as_secs().max(1), scope }
    }
}

/// RFC 7636 section 4.6.
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

fn session_of(token: &str) -> &str {
    token.split_once('.').map_or(token, |(id, _)| id)
}

fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
}
