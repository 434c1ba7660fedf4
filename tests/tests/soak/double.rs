//! A double of an authorization server and of an API beside it, quick enough for a hundred renewals a second beside
//! all else that runs on two cores.
//!
//! Its tokens live two seconds. It rotates refresh tokens; a used one may be used again for a minute, and after
//! that ends the session, as theft would. Of all that it answers, one in twenty goes wrong. What it counts is what
//! the callers' and Signbell's own account of the run is held against.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use signbell_tests::Upstream;
use signbell_tests::upstream::{Reply, Request, invalid_token, ok, response};
use url::Url;
use url::form_urlencoded;

/// How long an access token lives.
pub const LIFE: Duration = Duration::from_secs(2);

/// How long a refresh token may be used again: as long as Okta gives at most.
const GRACE: Duration = Duration::from_secs(60);

/// How long a slow answer is held back.
const SLOW: Duration = Duration::from_secs(3);

/// One answer in so many goes wrong: 5 %.
const ONE_IN: u64 = 20;

/// As many access tokens of an account as are looked for.
const REMEMBERED: usize = 16;

/// What goes wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// What was asked is done; the connection is closed without a word of it.
    Lost,
    /// What was asked is done; the connection is reset before the last byte of the answer.
    Reset,
    /// It takes three seconds.
    Slow,
    /// A 500; nothing is done.
    Error,
}

/// What the provider says of how long a token lives.
#[derive(Debug, Clone, Copy)]
enum Said {
    /// The truth: Signbell renews ahead of the end.
    Truth,
    /// Nothing: only the API's 401 tells.
    Nothing,
    /// An hour, wrongly: only the API's 401 tells.
    TooMuch,
}

/// What came about so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Sign-ins.
    pub signed_in: AtomicU64,
    /// Token requests of any outcome.
    pub token_requests: AtomicU64,
    /// Renewals of a token that was still alive.
    pub ahead: AtomicU64,
    /// Renewals of a token that had died.
    pub after: AtomicU64,
    /// Of all renewals those with a refresh token that had been used before.
    pub in_grace: AtomicU64,
    /// Sessions that were ended by a refresh token used again too late.
    pub ended: AtomicU64,
    /// Requests of the API.
    pub requests: AtomicU64,
    /// Of those, refused for a dead token.
    pub refused: AtomicU64,
    /// Of those, with the token of another account.
    pub strangers: AtomicU64,
    /// Posts that were carried out twice.
    pub twice: AtomicU64,
    /// Answers that went wrong: lost, reset, slow, 500.
    pub faults: [AtomicU64; 4],
}

impl Counts {
    /// How many tokens came to their end, or so near it that they were renewed.
    pub fn renewed(&self) -> u64 {
        get(&self.ahead) + get(&self.after)
    }
}

/// The value now.
pub fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// The running double.
pub struct Double {
    server: Upstream,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    own: OnceLock<String>,
    accounts: Vec<Mutex<Account>>,
    counts: Counts,
    faulty: AtomicBool,
    rolls: AtomicU64,
}

/// What it keeps of one account.
#[derive(Default)]
struct Account {
    /// The number of the newest tokens; 0 before the sign-in.
    newest: u64,
    /// The access tokens that may still be alive, by number.
    access: VecDeque<(u64, Instant)>,
    /// When each used refresh token was used first.
    used: HashMap<u64, Instant>,
    ended: bool,
    /// The posts that were carried out.
    posts: HashSet<String>,
}

impl Double {
    /// Starts it for so many accounts, `account:0` and so on by the scope that is asked for.
    pub fn start(accounts: usize) -> Result<Self> {
        let accounts = (0..accounts).map(|_| Mutex::default()).collect();
        let inner = Arc::new(Inner { accounts, ..Inner::default() });
        let shared = Arc::clone(&inner);
        let server = Upstream::start_forgetful(move |request| shared.reply(request))?;
        let _ = inner.own.set(server.address().to_owned());
        Ok(Self { server, inner })
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        self.server.address()
    }

    /// The API of this account.
    pub fn api(&self, account: usize) -> String {
        format!("{}/api/{account}", self.server.address())
    }

    /// What came about so far.
    pub fn counts(&self) -> &Counts {
        &self.inner.counts
    }

    /// Whether one answer in twenty goes wrong from now on.
    pub fn misbehave(&self, faulty: bool) {
        self.inner.faulty.store(faulty, Ordering::Relaxed);
    }
}

impl Inner {
    fn reply(&self, request: &Request) -> Reply {
        let path = request.target.split('?').next().unwrap_or_default();
        match path {
            "/.well-known/oauth-authorization-server" => Reply::Bytes(ok(&self.metadata().to_string())),
            "/authorize" => Reply::Bytes(authorize(request)),
            "/token" => {
                add(&self.counts.token_requests);
                self.with_fault(|| self.token(request), Duration::ZERO)
            }
            path => match path.strip_prefix("/api/").and_then(|rest| rest.split('/').next()?.parse().ok()) {
                Some(account) => {
                    add(&self.counts.requests);
                    self.with_fault(|| self.call(account, request), SLOW)
                }
                None => Reply::Bytes(response("404 Not Found", b"")),
            },
        }
    }

    fn metadata(&self) -> Value {
        let own = self.own.get().map_or("", String::as_str);
        json!({
            "issuer": own,
            "authorization_endpoint": format!("{own}/authorize"),
            "token_endpoint": format!("{own}/token"),
            "code_challenge_methods_supported": ["S256"],
        })
    }

    /// Does what was asked, if not otherwise with this answer. A slow one is held back for so long after it was
    /// made and for the rest before: the API looks at the token when it comes, and a token's life begins when it
    /// goes.
    fn with_fault(&self, answer: impl FnOnce() -> Vec<u8>, held_after: Duration) -> Reply {
        let fault = self.fault();
        if let Some(fault) = fault {
            add(&self.counts.faults[fault as usize]);
        }
        match fault {
            None => Reply::Bytes(answer()),
            Some(Fault::Error) => Reply::Bytes(response("500 Internal Server Error", b"a fault of the double")),
            Some(Fault::Slow) => {
                thread::sleep(SLOW - held_after);
                let bytes = answer();
                thread::sleep(held_after);
                Reply::Bytes(bytes)
            }
            Some(Fault::Lost) => {
                answer();
                Reply::Take(Box::new(|stream| drop(stream.shutdown(Shutdown::Both))))
            }
            Some(Fault::Reset) => {
                let bytes = answer();
                Reply::Take(Box::new(move |stream| drop(reset(&stream, &bytes))))
            }
        }
    }

    /// Pseudo-random, so that no rhythm of the callers meets one of the faults (splitmix64).
    fn fault(&self) -> Option<Fault> {
        if !self.faulty.load(Ordering::Relaxed) {
            return None;
        }
        let roll = self.rolls.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (roll ^ (roll >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let roll = mixed ^ (mixed >> 31);
        let which = [Fault::Lost, Fault::Reset, Fault::Slow, Fault::Error];
        roll.is_multiple_of(ONE_IN).then(|| which[usize::try_from(roll / ONE_IN % 4).unwrap_or_default()])
    }

    fn token(&self, request: &Request) -> Vec<u8> {
        let form: HashMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let value = |name: &str| form.get(name).map_or("", String::as_str);
        let known = |account: usize| self.accounts.get(account).map(lock);
        match value("grant_type") {
            "authorization_code" => {
                let Some(number) = numbers(value("code"), "code").map(|(account, _)| account) else { return refused() };
                let Some(mut account) = known(number) else { return refused() };
                add(&self.counts.signed_in);
                account.ended = false;
                account.issue(number)
            }
            "refresh_token" => {
                let Some((number, serial)) = numbers(value("refresh_token"), "refresh") else { return refused() };
                let Some(mut account) = known(number) else { return refused() };
                self.renew(number, &mut account, serial)
            }
            _ => refused(),
        }
    }

    fn renew(&self, number: usize, account: &mut Account, serial: u64) -> Vec<u8> {
        if account.ended || serial > account.newest {
            return refused();
        }
        let first = account.used.entry(serial).or_insert_with(Instant::now);
        let again = first.elapsed();
        if again > GRACE {
            account.ended = true;
            add(&self.counts.ended);
            return refused();
        }
        if serial < account.newest {
            add(&self.counts.in_grace);
        }
        add(if account.is_alive(serial) { &self.counts.ahead } else { &self.counts.after });
        account.issue(number)
    }

    fn call(&self, number: usize, request: &Request) -> Vec<u8> {
        let Some((owner, serial)) = numbers(request.token(), "access") else { return invalid_token() };
        if owner != number {
            add(&self.counts.strangers);
            return response("403 Forbidden", b"the token of another account");
        }
        let Some(mut account) = self.accounts.get(number).map(lock) else { return invalid_token() };
        if account.ended || !account.is_alive(serial) {
            add(&self.counts.refused);
            return invalid_token();
        }
        let post = String::from_utf8_lossy(&request.body).into_owned();
        if request.method == "POST" && !account.posts.insert(post.clone()) {
            add(&self.counts.twice);
        }
        ok(&json!({"account": number, "done": post}).to_string())
    }
}

impl Account {
    /// A new pair of tokens, and the answer that holds them.
    fn issue(&mut self, number: usize) -> Vec<u8> {
        self.newest += 1;
        self.access.push_back((self.newest, Instant::now()));
        if self.access.len() > REMEMBERED {
            self.access.pop_front();
        }
        let mut answer = json!({
            "access_token": format!("access-{number}-{}", self.newest), "token_type": "Bearer",
            "refresh_token": format!("refresh-{number}-{}", self.newest),
        });
        let said = [Said::Truth, Said::Nothing, Said::TooMuch][number % 3];
        match said {
            Said::Truth => answer["expires_in"] = LIFE.as_secs().into(),
            Said::Nothing => {}
            Said::TooMuch => answer["expires_in"] = 3600.into(),
        }
        ok(&answer.to_string())
    }

    fn is_alive(&self, serial: u64) -> bool {
        self.access.iter().any(|(known, issued)| *known == serial && issued.elapsed() < LIFE)
    }
}

/// Back to Signbell at once, with a code that says whose it is.
fn authorize(request: &Request) -> Vec<u8> {
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let asked: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let value = |name: &str| asked.get(name).map_or("", String::as_str);
    let account = value("scope").split(' ').find_map(|scope| scope.strip_prefix("account:")).unwrap_or_default();
    let pairs = [("state", value("state")), ("code", &format!("code-{account}-0"))];
    match Url::parse_with_params(value("redirect_uri"), pairs) {
        Ok(url) => response(&format!("302 Found\r\nlocation: {url}"), b""),
        Err(_) => response("400 Bad Request", b"no redirect_uri"),
    }
}

/// The account and the number of a token or code, which it was given by [`Account::issue`].
fn numbers(token: &str, kind: &str) -> Option<(usize, u64)> {
    let (account, serial) = token.strip_prefix(kind)?.strip_prefix('-')?.split_once('-')?;
    Some((account.parse().ok()?, serial.parse().ok()?))
}

fn refused() -> Vec<u8> {
    response("400 Bad Request\r\ncontent-type: application/json", br#"{"error":"invalid_grant"}"#)
}

/// All but the last byte, then RST instead of FIN.
fn reset(mut stream: &TcpStream, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    stream.write_all(bytes.get(..bytes.len() - 1).unwrap_or_default())?;
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
    Ok(())
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}
