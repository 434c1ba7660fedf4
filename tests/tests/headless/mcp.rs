//! MCP through the proxy, with the official SDK at both ends: `tests/mcp` has the servers and the clients.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::run;
use signbell_tests::{Curl, NodeServer, node, wait_ok};

use crate::SOON;
use crate::world::{Access, CLIENT, World, access};

/// What a person has to read at the client when only they can help.
const SIGN_IN: &str = "Sign in from Signbell's notification or menu, or run `signbell sign-in ada`.";

/// What a person has to read where the client brought no key, or a wrong one.
const GIVE_KEY: &str = "Give the tool its Signbell key as a bearer token";

/// A kind of client, with the server that it is for.
#[derive(Debug, Clone, Copy)]
pub struct Generation {
    /// What `client.mjs` calls it.
    client: &'static str,
    /// The field of the server's ready line.
    server: &'static str,
    /// What the server is asked for, in order, when the client does everything, and how it answers.
    everything: &'static [(&'static str, u64)],
    /// What the client hears from the server outside of any answer.
    heard: &'static [&'static str],
}

impl Generation {
    /// Whether there are MCP sessions: the revision 2026-07-28 has none.
    fn has_sessions(self) -> bool {
        self.everything.iter().any(|(what, _)| *what == "DELETE")
    }
}

const SESSIONFUL: &[(&str, u64)] = &[
    ("POST initialize", 200),
    ("POST notifications/initialized", 202),
    ("GET", 200),
    ("POST tools/list", 200),
    ("POST tools/call echo", 200),
    ("POST tools/call count", 200),
    ("POST tools/call announce", 200),
    ("POST tools/call ask", 200),
    ("POST response", 202),
    ("DELETE", 200),
];

/// `@modelcontextprotocol/sdk` 1.x.
pub const V1: Generation =
    Generation { client: "v1", server: "v1", everything: SESSIONFUL, heard: &["announced", "list_changed"] };

/// `@modelcontextprotocol/client` 2.x in the revision 2026-07-28.
pub const V2: Generation = Generation {
    client: "v2",
    server: "v2",
    everything: &[
        ("POST server/discover", 200),
        ("POST tools/list", 200),
        ("POST tools/call echo", 200),
        ("POST tools/call count", 200),
        ("POST subscriptions/listen", 200),
        ("POST tools/call announce", 200),
        // The answer is the question, and the client calls again with what it was told.
        ("POST tools/call ask", 200),
        ("POST tools/call ask", 200),
    ],
    heard: &["list_changed"],
};

/// The same client as it begins by default.
pub const V2_LEGACY: Generation = Generation { client: "v2-legacy", server: "v2", ..V1 };

/// The same client when it finds out what the server speaks.
pub const V2_AUTO: Generation = Generation { client: "v2-auto", ..V2 };

/// `tests/mcp/server.mjs` behind the service `mcp1` of the account `ada`.
pub struct Mcp {
    _server: NodeServer,
    control: String,
    generation: Generation,
    pub access: Access,
    pub world: World,
}

impl Mcp {
    /// Ada is signed in, and the tool `script` may use the service.
    pub fn start(name: &str, generation: Generation) -> Result<Self> {
        let world = World::new(name)?;
        let server = NodeServer::start(&world.sandbox, "mcp/server.mjs", &[])?;
        let (url, issuer) = (server.field(&format!("/{}", generation.server))?, world.provider.issuer()?);
        let service = ["add", url, "--name", "mcp1", "--account", "ada", "--issuer", issuer, "--client-id", CLIENT];
        let lines = world.sandbox.run_json(&[&service[..], &["--tool", "script", "--sign-in"]].concat())?;
        let access = access(lines.first().context("no line of `add`")?)?;
        let control = server.field("/control")?.to_owned();
        Ok(Self { _server: server, control, generation, access, world })
    }

    /// Runs a scenario of `client.mjs` through the proxy and gives what it printed.
    fn client(&self, scenario: &str) -> Result<Seen> {
        self.client_with(self.generation, scenario, &self.access.key)
    }

    /// The same with another client or key.
    fn client_with(&self, generation: Generation, scenario: &str, key: &str) -> Result<Seen> {
        let mut command = node(&self.world.sandbox, "mcp/client.mjs");
        command.args([generation.client, &self.access.url, scenario]);
        command.env("KEY", key).env("CONTROL", &self.control);
        Ok(Seen(run(command, b"", SOON * 2)?.expect_code(0)?.json()?))
    }

    /// Runs a scenario with a client that speaks stdio to `signbell mcp` and gives what it printed.
    pub fn stdio_client(&self, scenario: &str, service: &str) -> Result<Seen> {
        let signbell = self.world.sandbox.signbell()?;
        let program = signbell.get_program().to_str().context("a path that is no text")?;
        self.stdio_client_of(scenario, &json!([program, "mcp", service]))
    }

    /// The same for any command: its words.
    pub fn stdio_client_of(&self, scenario: &str, words: &Value) -> Result<Seen> {
        let mut command = node(&self.world.sandbox, "mcp/client.mjs");
        command.args([self.generation.client, &self.access.url, scenario]);
        command.env("STDIO", words.to_string()).env("CONTROL", &self.control);
        let output = run(command, b"", SOON * 2)?.expect_code(0)?;
        output.json().map(Seen).with_context(|| output.stderr.clone())
    }

    /// What the server was asked.
    pub fn log(&self) -> Result<Vec<Value>> {
        let log = Curl::new(format!("{}/log", self.control)).run()?.json()?;
        log.as_array().cloned().context("the log is no list")
    }

    /// The token that the server has seen is dead.
    pub fn kill(&self) -> Result<()> {
        let response = Curl::new(format!("{}/kill", self.control)).method("POST").run()?;
        ensure!(response.status == 200, "{response:?}");
        Ok(())
    }

    pub fn refreshes(&self) -> Result<u64> {
        self.world.count("/refresh_token/ok")
    }

    /// The provider takes the session back, and nobody waits for the person. The access token lives on
    /// at the MCP server until somebody kills it there.
    pub fn end_session(&self) -> Result<()> {
        self.world.sandbox.run_ok(&["service", "set", "mcp1", "--hold", "0"])?;
        self.world.provider.revoke_refresh("ada", true)
    }
}

/// The lines that a client printed.
#[derive(Debug)]
pub struct Seen(pub Vec<Value>);

impl Seen {
    /// What came of the step of this name, of the last one if there are several.
    pub fn step(&self, name: &str) -> Result<&Value> {
        self.0.iter().rfind(|line| line["step"] == name).with_context(|| format!("no step {name}: {self:?}"))
    }

    /// The text of the error that ended this step.
    pub fn error(&self, name: &str) -> Result<&str> {
        let step = self.step(name)?;
        step["error"]["text"].as_str().with_context(|| format!("{name} did not fail: {step}"))
    }

    /// No step failed, and nothing between the steps.
    pub fn ensure_untroubled(&self) -> Result<()> {
        let trouble = self.0.iter().find(|line| line.get("error").is_some() || line.get("background").is_some());
        ensure!(trouble.is_none(), "{trouble:?} in {self:?}");
        Ok(())
    }

    /// What the client did on behalf of its own OAuth support.
    fn own_oauth(&self) -> Vec<&Value> {
        self.0.iter().filter(|line| line.get("oauth").is_some()).collect()
    }
}

/// A log entry in the words of [`Generation::everything`].
fn words(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    format!("{} {}", text("method"), text("rpc")).trim_end().to_owned()
}

/// The entries that [`Generation::everything`] tells of: how a listening client takes it back differs.
fn told(log: &[Value]) -> impl Iterator<Item = &Value> {
    log.iter().filter(|entry| entry["rpc"] != "notifications/cancelled")
}

/// The client saw what it sees without a proxy.
fn ensure_everything(seen: &Seen, generation: Generation) -> Result<()> {
    ensure_carried(seen, generation)?;
    let connect = seen.step("connect")?;
    ensure!(connect["session"] == generation.has_sessions(), "{connect}");
    if generation.has_sessions() {
        ensure!(seen.step("end")?["session"] == false, "{seen:?}");
    }
    Ok(())
}

/// The same, whatever carried the messages.
pub fn ensure_carried(seen: &Seen, generation: Generation) -> Result<()> {
    seen.ensure_untroubled()?;
    let connect = seen.step("connect")?;
    ensure!(connect["server"] == format!("signbell-test-{}", generation.server), "{connect}");
    ensure!(seen.step("list")?["tools"] == json!(["echo", "count", "announce", "ask"]), "{seen:?}");
    ensure!(seen.step("echo")?["text"] == "hello", "{seen:?}");
    let count = seen.step("count")?;
    ensure!(count["text"] == "counted to 4" && count["progress"] == json!([1, 2, 3, 4]), "{count}");
    ensure!(count["spread"].as_u64().is_some_and(|ms| ms >= 300), "the progress came all at once: {count}");
    ensure!(seen.step("announce")?["heard"] == json!(generation.heard), "{seen:?}");
    ensure!(seen.step("ask")?["text"] == "accept: Ada", "{seen:?}");
    Ok(())
}

fn everything_goes_through(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("mcp-all", generation)?;
    ensure_everything(&mcp.client("everything")?, generation)?;
    let log = mcp.log()?;
    let asked: Vec<_> = told(&log).map(|entry| (words(entry), entry["status"].as_u64().unwrap_or(0))).collect();
    let expected: Vec<_> = generation.everything.iter().map(|(what, status)| ((*what).to_owned(), *status)).collect();
    ensure!(asked == expected, "{asked:?}");
    ensure!(log.iter().all(|entry| entry["token"] == 1), "{log:?}");
    ensure!(mcp.refreshes()? == 0, "refreshed without need");
    Ok(())
}

#[test]
fn mcp_v1_everything_goes_through() -> Result<()> {
    everything_goes_through(V1)
}

#[test]
fn mcp_v2_everything_goes_through() -> Result<()> {
    everything_goes_through(V2)
}

#[test]
fn mcp_v2_legacy_everything_goes_through() -> Result<()> {
    everything_goes_through(V2_LEGACY)
}

#[test]
fn mcp_v2_a_client_that_finds_out_the_revision_finds_the_new_one() -> Result<()> {
    everything_goes_through(V2_AUTO)
}

fn dies_before_each_step(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("mcp-dying", generation)?;
    mcp.client("everything")?;
    let before = mcp.log()?.len();
    ensure_everything(&mcp.client("everything-dying")?, generation)?;
    let log = mcp.log()?.split_off(before);
    let log: Vec<_> = told(&log).collect();
    ensure!(log.len() == generation.everything.len() * 2, "{log:?}");
    for (pair, (what, status)) in log.chunks(2).zip(generation.everything) {
        let [refused, replayed] = pair else { continue };
        ensure!(words(refused) == *what && refused["status"] == 401, "{what}: {refused}");
        ensure!(words(replayed) == *what && replayed["status"] == *status, "{what}: {replayed}");
        ensure!(replayed["token"].as_u64() > refused["token"].as_u64(), "{what}: {refused} {replayed}");
    }
    // One refresh for each dead token: as many as the server saw new ones.
    let tokens = mcp.log()?.iter().filter_map(|entry| entry["token"].as_u64()).max().unwrap_or(0);
    ensure!(mcp.refreshes()? == tokens - 1, "{} refreshes, {tokens} tokens", mcp.refreshes()?);
    Ok(())
}

#[test]
fn mcp_v1_the_token_dies_before_each_step_and_in_the_middle_of_a_stream() -> Result<()> {
    dies_before_each_step(V1)
}

#[test]
fn mcp_v2_the_token_dies_before_each_step_and_in_the_middle_of_a_stream() -> Result<()> {
    dies_before_each_step(V2)
}

#[test]
fn mcp_v2_legacy_the_token_dies_before_each_step_and_in_the_middle_of_a_stream() -> Result<()> {
    dies_before_each_step(V2_LEGACY)
}

fn leaving_reaches_the_upstream(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("mcp-leave", generation)?;
    let seen = mcp.client("leave")?;
    // Taken back: seen upstream while the client lives.
    ensure!(seen.step("taken")?.get("error").is_none(), "{seen:?}");
    ensure!(seen.step("echo")?["text"] == "still here" && seen.step("left").is_ok(), "{seen:?}");
    wait_ok("the end of all that the client left", SOON, || {
        let log = mcp.log()?;
        let counts = log.iter().filter(|entry| entry["rpc"] == "tools/call count" && entry["aborted"] == true).count();
        ensure!(counts == 2, "{log:?}");
        let streams = log.iter().filter(|entry| entry["method"] == "GET").all(|entry| entry["aborted"] == true);
        ensure!(streams, "{log:?}");
        Ok(())
    })?;
    // In the revisions with sessions a call is taken back by a word, in the new one by hanging up.
    let log = mcp.log()?;
    let word = log.iter().any(|entry| entry["rpc"] == "notifications/cancelled" && entry["status"] == 202);
    ensure!(word == generation.has_sessions(), "{log:?}");
    ensure!(mcp.refreshes()? == 0);
    Ok(())
}

#[test]
fn mcp_v1_a_client_that_leaves_in_the_middle_is_seen_upstream() -> Result<()> {
    leaving_reaches_the_upstream(V1)
}

#[test]
fn mcp_v2_a_client_that_leaves_in_the_middle_is_seen_upstream() -> Result<()> {
    leaving_reaches_the_upstream(V2)
}

#[test]
fn mcp_v2_legacy_a_client_that_leaves_in_the_middle_is_seen_upstream() -> Result<()> {
    leaving_reaches_the_upstream(V2_LEGACY)
}

/// The calls of `echo`, and how the server answered each.
fn echoes(log: &[Value]) -> Vec<u64> {
    let echoes = log.iter().filter(|entry| entry["rpc"] == "tools/call echo");
    echoes.filter_map(|entry| entry["status"].as_u64()).collect()
}

fn a_lost_session_is_told_apart(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("mcp-lost", generation)?;
    // The server's own answer arrives, is not asked for twice, and refreshes nothing; then the client
    // begins anew with the same token.
    for (scenario, status, text) in
        [("lost", 404, "Session not found"), ("lost-400", 400, "No valid session ID provided")]
    {
        let before = mcp.log()?.len();
        let seen = mcp.client(scenario)?;
        let told = seen.0.iter().find(|line| line["step"] == "echo").context("no echo")?;
        ensure!(told["error"]["text"].as_str().is_some_and(|t| t.contains(text)), "{scenario}: {told}");
        ensure!(seen.step("echo")?["text"] == "hello", "{scenario}: {seen:?}");
        let log = mcp.log()?.split_off(before);
        ensure!(echoes(&log) == [status, 200], "{scenario}: {log:?}");
        ensure!(mcp.refreshes()? == 0, "{scenario}: a lost session is not a lost token");
    }
    Ok(())
}

#[test]
fn mcp_v1_a_lost_session_is_told_apart_from_a_lost_token() -> Result<()> {
    a_lost_session_is_told_apart(V1)
}

#[test]
fn mcp_v2_legacy_a_lost_session_is_told_apart_from_a_lost_token() -> Result<()> {
    a_lost_session_is_told_apart(V2_LEGACY)
}

/// Row 33: servers that say `invalid_token` for an unknown session.
fn a_session_lost_as_a_401(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("mcp-lost-401", generation)?;
    let seen = mcp.client("lost-401")?;
    let told = seen.0.iter().find(|line| line["step"] == "echo").context("no echo")?;
    ensure!(told["error"]["text"].as_str().is_some_and(|t| t.contains("Unknown session")), "{told}");
    ensure!(seen.step("echo")?["text"] == "hello", "{seen:?}");
    ensure!(echoes(&mcp.log()?) == [401, 401, 200], "{:?}", mcp.log()?);
    ensure!(mcp.refreshes()? == 1, "{} refreshes", mcp.refreshes()?);
    let account = mcp.world.account()?;
    ensure!(account["state"] == "active", "{account}");
    Ok(())
}

#[test]
fn mcp_v1_a_session_lost_as_a_401_costs_one_refresh_and_passes() -> Result<()> {
    a_session_lost_as_a_401(V1)
}

#[test]
fn mcp_v2_legacy_a_session_lost_as_a_401_costs_one_refresh_and_passes() -> Result<()> {
    a_session_lost_as_a_401(V2_LEGACY)
}

fn a_lost_session_starts_no_oauth(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("mcp-lost-own", generation)?;
    let seen = mcp.client("own-oauth-lost-401")?;
    ensure!(seen.own_oauth().is_empty(), "{:?}", seen.own_oauth());
    ensure!(seen.step("echo")?["text"] == "hello", "{seen:?}");
    Ok(())
}

#[test]
fn mcp_v1_own_oauth_is_not_started_by_a_session_lost_as_a_401() -> Result<()> {
    a_lost_session_starts_no_oauth(V1)
}

#[test]
fn mcp_v2_legacy_own_oauth_is_not_started_by_a_session_lost_as_a_401() -> Result<()> {
    a_lost_session_starts_no_oauth(V2_LEGACY)
}

#[test]
fn mcp_v2_has_no_session_to_lose() -> Result<()> {
    let mcp = Mcp::start("mcp-none", V2)?;
    let seen = mcp.client("lost")?;
    seen.ensure_untroubled()?;
    ensure!(seen.step("connect")?["session"] == false, "{seen:?}");
    let log = mcp.log()?;
    ensure!(echoes(&log) == [200, 200] && log.iter().all(|entry| entry["session"] == false), "{log:?}");
    ensure!(mcp.refreshes()? == 0);
    Ok(())
}

/// The person reads what to do, in this step.
fn ensure_told(seen: &Seen, step: &str) -> Result<()> {
    let text = seen.error(step)?;
    ensure!(text.contains(SIGN_IN), "{step}: the person reads: {text}");
    Ok(())
}

fn a_dead_session_starts_no_oauth(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("mcp-own", generation)?;
    mcp.end_session()?;
    let seen = mcp.client("own-oauth")?;
    ensure!(seen.own_oauth().is_empty(), "{:?}", seen.own_oauth());
    let first = seen.0.iter().find(|line| line["step"] == "echo").context("no echo")?;
    ensure!(first["text"] == "hello", "before it died: {first}");
    ensure_told(&seen, "echo")?;
    ensure_told(&seen, "list")?;
    if generation.has_sessions() {
        // The SDK shows no text of this answer.
        seen.error("end")?;
    } else {
        ensure_told(&seen, "listen")?;
    }
    Ok(())
}

#[test]
fn mcp_v1_own_oauth_is_not_started_when_the_session_dies() -> Result<()> {
    a_dead_session_starts_no_oauth(V1)
}

#[test]
fn mcp_v2_own_oauth_is_not_started_when_the_session_dies() -> Result<()> {
    a_dead_session_starts_no_oauth(V2)
}

#[test]
fn mcp_v2_legacy_own_oauth_is_not_started_when_the_session_dies() -> Result<()> {
    a_dead_session_starts_no_oauth(V2_LEGACY)
}

/// The client begins with a dead session: once before Signbell knows of it, once after. Gives what it saw.
fn begin_dead(generation: Generation) -> Result<[Seen; 2]> {
    let mcp = Mcp::start("mcp-begin", generation)?;
    let alive = mcp.client("own-oauth-begin")?;
    ensure!(alive.own_oauth().is_empty() && alive.error("connect").is_err(), "{alive:?}");
    mcp.end_session()?;
    mcp.kill()?;
    let refused = mcp.client("own-oauth-begin")?;
    let before = mcp.log()?.len();
    let unsent = mcp.client("own-oauth-begin")?;
    ensure!(mcp.log()?.len() == before, "a token known to be dead was sent");
    for seen in [&refused, &unsent] {
        ensure!(seen.own_oauth().is_empty(), "{:?}", seen.own_oauth());
        seen.error("connect")?;
    }
    Ok([refused, unsent])
}

#[test]
fn mcp_v1_a_client_with_own_oauth_begins_with_a_dead_session() -> Result<()> {
    begin_dead(V1)?.iter().try_for_each(|seen| ensure_told(seen, "connect"))
}

#[test]
fn mcp_v2_legacy_a_client_with_own_oauth_begins_with_a_dead_session() -> Result<()> {
    begin_dead(V2_LEGACY)?.iter().try_for_each(|seen| ensure_told(seen, "connect"))
}

#[test]
fn mcp_v2_auto_a_client_with_own_oauth_begins_with_a_dead_session() -> Result<()> {
    begin_dead(V2_AUTO)?.iter().try_for_each(|seen| ensure_told(seen, "connect"))
}

/// A client that accepts no other revision shows nobody's words for a failed `server/discover`, whatever
/// its status: it starts no OAuth, and the person is rung for all the same.
#[test]
fn mcp_v2_a_client_with_own_oauth_begins_with_a_dead_session() -> Result<()> {
    begin_dead(V2).map(drop)
}

fn a_stream_opened_anew_starts_no_oauth(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("mcp-stream", generation)?;
    mcp.end_session()?;
    let seen = mcp.client("own-oauth-stream")?;
    ensure!(seen.step("ended")?.get("error").is_none(), "{seen:?}");
    ensure!(seen.own_oauth().is_empty(), "{:?}", seen.own_oauth());
    if !generation.has_sessions() {
        ensure_told(&seen, "listen")?;
    }
    ensure_told(&seen, "echo")
}

#[test]
fn mcp_v1_own_oauth_is_not_started_by_a_stream_that_is_opened_anew() -> Result<()> {
    a_stream_opened_anew_starts_no_oauth(V1)
}

#[test]
fn mcp_v2_own_oauth_is_not_started_by_a_stream_that_is_opened_anew() -> Result<()> {
    a_stream_opened_anew_starts_no_oauth(V2)
}

#[test]
fn mcp_v2_legacy_own_oauth_is_not_started_by_a_stream_that_is_opened_anew() -> Result<()> {
    a_stream_opened_anew_starts_no_oauth(V2_LEGACY)
}

/// Without a key of its own the client is to look for OAuth, and finds the sentence.
fn without_its_key(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("mcp-keyless", generation)?;
    for key in ["", "sbk_0000000000000000000000000000000000000000000"] {
        let seen = mcp.client_with(generation, "own-oauth-begin", key)?;
        let tried = seen.own_oauth();
        let asked = |path: &str| tried.iter().any(|line| line["path"].as_str().is_some_and(|p| p.starts_with(path)));
        ensure!(asked("/.well-known/oauth-protected-resource") && asked("/register"), "{tried:?}");
        ensure!(tried.iter().all(|line| line["oauth"] == "asked" && line["status"] == 404), "{tried:?}");
        let text = seen.error("connect")?;
        ensure!(text.contains(GIVE_KEY), "the person reads: {text}");
    }
    ensure!(mcp.log()?.is_empty(), "{:?}", mcp.log()?);
    Ok(())
}

#[test]
fn mcp_v1_a_client_without_its_key_says_what_to_do() -> Result<()> {
    without_its_key(V1)
}

#[test]
fn mcp_v2_a_client_without_its_key_says_what_to_do() -> Result<()> {
    without_its_key(V2)
}

#[test]
fn mcp_v2_legacy_a_client_without_its_key_says_what_to_do() -> Result<()> {
    without_its_key(V2_LEGACY)
}
