//! Every known way of a server to say no, by the number of its row: the literal response is played
//! back, and what the tool, the provider and the person see is looked at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{Reply, ok};
use signbell_tests::{Curl, Response, Saved, Upstream, wait_ok};

use crate::SOON;
use crate::world::{Access, CLIENT, World};

/// A token's life in the cases whose rule asks the local clock, in seconds.
const SHORT: u64 = 3;

/// The worlds that the cases of one row share: each case has an account, a service and an upstream of
/// its own.
#[derive(Default)]
struct Row {
    usual: Option<World>,
    short: Option<World>,
}

/// What the upstream does after the first refusal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// A newer token is fine.
    Fine,
    /// It refuses that too.
    Again,
}

/// Plays every saved response of a row.
fn row(name: &str) -> Result<()> {
    let cases = Saved::of(name)?;
    ensure!(!cases.is_empty(), "no saved response of {name}");
    let mut row = Row::default();
    for (number, case) in cases.iter().enumerate() {
        row.play(case, number, After::Fine).with_context(|| case.name.clone())?;
        if case.note("again").is_some() && case.note("expect") == Some("R") {
            row.play(case, number + 500, After::Again).with_context(|| format!("{}, twice", case.name))?;
        }
    }
    Ok(())
}

/// One case under way.
struct Case<'a> {
    saved: &'a Saved,
    world: &'a World,
    account: String,
    upstream: Upstream,
    access: Access,
    refreshes: u64,
}

impl Row {
    fn world(&mut self, stale: bool) -> Result<&World> {
        let (place, options) = match stale {
            true => (&mut self.short, json!({"accessTtl": SHORT})),
            false => (&mut self.usual, json!({})),
        };
        if place.is_none() {
            *place = Some(World::with("row", &options)?);
        }
        place.as_ref().context("just made")
    }

    fn play(&mut self, saved: &Saved, number: usize, after: After) -> Result<()> {
        let stale = saved.note("stale") == Some("yes");
        let world = self.world(stale)?;
        let upstream = refusing(saved, after, stale)?;
        let (account, tool) = (format!("a{number}"), format!("t{number}"));
        let preset = saved.note("preset").unwrap_or("none").to_owned();
        let wants_scopes = saved.note("expect") == Some("S");
        let mut args = vec!["add", upstream.address(), "--name", &account, "--account", &account, "--preset", &preset];
        args.extend(["--issuer", world.provider.issuer()?, "--client-id", CLIENT, "--tool", &tool, "--sign-in"]);
        if wants_scopes {
            // Less than usual, so that something is missing.
            args.extend(["--scope", "openid", "--scope", "offline_access"]);
        }
        let access = crate::world::access(world.sandbox.run_json(&args)?.first().context("no line of `add`")?)?;
        // Nobody comes: what the tool gets then is part of the case.
        world.sandbox.run_ok(&["service", "set", &account, "--hold", "0"])?;
        let refreshes = world.count("/refresh_token/ok")?;
        Case { saved, world, account, upstream, access, refreshes }.check(after)
    }
}

/// An upstream that refuses the first token that it sees in the saved way.
fn refusing(saved: &Saved, after: After, late: bool) -> Result<Upstream> {
    let dead = Mutex::new(None::<String>);
    let saved = Arc::new(saved.clone());
    Upstream::start(move |request| {
        let mut dead = dead.lock().unwrap_or_else(PoisonError::into_inner);
        let token = credential(request);
        if *dead.get_or_insert_with(|| token.clone()) != token && after == After::Fine {
            return Reply::Bytes(ok("{\"recovered\":true}"));
        }
        drop(dead);
        if late {
            std::thread::sleep(Duration::from_millis(SHORT * 1000 + 300));
        }
        Reply::Bytes(saved.response("", &saved.body))
    })
}

/// The token, wherever the preset puts it.
fn credential(request: &signbell_tests::upstream::Request) -> String {
    request.header("x-shopify-access-token").unwrap_or(request.token()).to_owned()
}

impl Case<'_> {
    fn check(&self, after: After) -> Result<()> {
        let response = self.saved.curl(&self.access.url).header("x-signbell-key", &self.access.key).run()?;
        let expect = match after {
            After::Fine => self.saved.note("expect").context("no `expect`")?,
            After::Again => self.saved.note("again").context("no `again`")?,
        };
        let sent = 1 + u64::from(after == After::Again);
        match expect {
            "R" => {
                ensure!(response.status == 200 && response.json()? == json!({"recovered": true}), "{response:?}");
                self.went(2, 1)?;
                let record = self.record("recovered")?;
                ensure!(record["refusal"]["status"] == self.saved.status()?, "{record}");
                self.state("active")?;
            }
            "R-" => {
                self.is_literal(&response, after)?;
                self.went(1, 1)?;
                self.record("passed_on")?;
            }
            "P" => {
                self.is_literal(&response, after)?;
                self.went(sent, sent - 1)?;
                self.state("active")?;
            }
            "P+hint" => {
                self.is_literal(&response, after)?;
                self.went(sent, sent - 1)?;
                let record = self.record("hint")?;
                ensure!(record["text"].as_str().is_some_and(|text| text.contains(':')), "{record}");
                self.state("active")?;
            }
            "A" => {
                self.is_ours_or_literal(&response, "sign_in_needed")?;
                self.went(sent, sent - 1)?;
                let account = self.ringing()?;
                ensure!(account["state"] == "needs_sign_in", "{account}");
                ensure!(account["reason"] == "rejected_by_service", "{account}");
            }
            "S" => {
                self.is_ours_or_literal(&response, "scopes_needed")?;
                self.went(1, 0)?;
                self.asks(&self.state("active")?)?;
            }
            other => anyhow::bail!("expect {other:?} is not known"),
        }
        Ok(())
    }

    /// How often the request reached the upstream, and how often the token was renewed.
    fn went(&self, sent: u64, refreshed: u64) -> Result<()> {
        let seen = self.upstream.seen();
        ensure!(seen.len() as u64 == sent, "the upstream saw {} requests, not {sent}", seen.len());
        // A refresh that nobody waits for may still be on its way.
        wait_ok("the refresh", SOON, || {
            let count = self.world.count("/refresh_token/ok")? - self.refreshes;
            ensure!(count == refreshed, "{count} refreshes, not {refreshed}");
            Ok(())
        })?;
        let body = self.saved.note("request-body").unwrap_or_default().as_bytes();
        ensure!(seen.iter().all(|request| request.body == body), "another body arrived");
        Ok(())
    }

    /// The response is the upstream's own: status, headers and body.
    fn is_literal(&self, response: &Response, after: After) -> Result<()> {
        let passed_as = match (after, self.saved.note("pass-as")) {
            (After::Again, Some(status)) => Some(status.parse()?),
            _ => None,
        };
        ensure!(response.status == passed_as.unwrap_or(self.saved.status()?), "{response:?}");
        ensure!(response.body == self.saved.body, "{:?}", response.text());
        let mut expected = self.saved.headers();
        expected.push(("content-length".to_owned(), self.saved.body.len().to_string()));
        // The challenge's own address of its metadata, and where a redirect leads, are not the tool's.
        let ours = |name: &str| ["date", "connection", "location", "keep-alive"].contains(&name);
        expected.retain(|(name, value)| !ours(name) && !value.contains("resource_metadata"));
        expected.retain(|(name, _)| passed_as.is_none() || name != "www-authenticate");
        let got: Vec<_> = response.headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.clone())).collect();
        for field in &expected {
            ensure!(got.contains(field), "{field:?} is missing in {got:?}");
        }
        let known: Vec<String> = self.saved.headers().into_iter().map(|(name, _)| name).collect();
        for (name, value) in got.iter().filter(|(name, _)| !ours(name)) {
            ensure!(known.contains(name) || name == "content-length", "{name}: {value} was added");
            ensure!(!value.contains("resource_metadata"), "{name}: {value}");
        }
        Ok(())
    }

    /// What the tool gets when nobody came: to JSON-RPC our own answer, under its id.
    fn is_ours_or_literal(&self, response: &Response, code: &str) -> Result<()> {
        if !self.saved.is_json_rpc() {
            return self.is_literal(response, After::Fine);
        }
        let request: Value = serde_json::from_str(self.saved.note("request-body").unwrap_or_default())?;
        let answer = response.json()?;
        ensure!(response.status == 503 && answer["id"] == request["id"], "{response:?}");
        ensure!(answer["error"]["data"]["code"] == code, "{answer}");
        ensure!(response.header("www-authenticate").is_none(), "a client would sign in by itself: {response:?}");
        Ok(())
    }

    fn state(&self, state: &str) -> Result<Value> {
        let status = self.world.sandbox.run_json(&["status", &self.account])?;
        let account = status.first().map(|status| status["accounts"][0].clone()).context("no status")?;
        ensure!(account["state"] == state, "{account}");
        Ok(account)
    }

    /// The account once the bell rings for it, which may be a moment after the answer.
    fn ringing(&self) -> Result<Value> {
        wait_ok("the bell", SOON, || {
            let status = self.world.sandbox.run_json(&["status", &self.account])?;
            let account = status.first().map(|status| status["accounts"][0].clone()).context("no status")?;
            ensure!(account["ring"].is_object(), "the bell does not ring: {account}");
            Ok(account)
        })
    }

    /// The person is asked for just what is missing, or told that the server does not say.
    fn asks(&self, account: &Value) -> Result<()> {
        let named: Vec<&str> = self.saved.note("scopes").unwrap_or_default().split_whitespace().collect();
        let missing: Vec<&str> = named.into_iter().filter(|s| !["openid", "offline_access"].contains(s)).collect();
        let record = self.record("scopes_asked")?;
        if missing.is_empty() {
            ensure!(
                account["ask"].is_null() && record["text"].as_str().is_some_and(|t| t.contains("does not say which"))
            );
            return Ok(());
        }
        let list = |name: &str| account["ask"][name].as_array().cloned().unwrap_or_default();
        let asked: Vec<Value> = [list("scopes"), list("typed")].concat();
        ensure!(!asked.is_empty() && asked.iter().all(|scope| missing.iter().any(|m| scope == m)), "{account}");
        self.ringing()?;
        Ok(())
    }

    /// The newest record of this kind about this service.
    fn record(&self, kind: &str) -> Result<Value> {
        wait_ok(&format!("a record {kind}"), SOON, || {
            let records = self.world.sandbox.run_json(&["activity"])?;
            let mut ours = records.into_iter().rev().filter(|record| record["service"] == self.account.as_str());
            let record = ours.find(|record| record["kind"] == kind).with_context(|| format!("no {kind}"))?;
            ensure!(kind == "scopes_asked" || !record["refusal"]["rule"].is_null(), "{record}");
            Ok(record)
        })
    }
}

macro_rules! rows {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() -> Result<()> {
            row(stringify!($name))
        })*

        #[test]
        fn every_saved_response_is_played() -> Result<()> {
            let names = [$(stringify!($name)),*];
            for entry in std::fs::read_dir(Saved::folder())? {
                let file = entry?.file_name().to_string_lossy().into_owned();
                let Some(stem) = file.strip_suffix(".http") else { continue };
                let played = names.iter().any(|name| {
                    stem == *name || stem.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
                });
                ensure!(played, "{file} is played by no test");
            }
            Ok(())
        }
    };
}

rows! {
    case_1_audius
    case_2_altinity
    case_2_dpop
    case_3_worldmonitor
    case_4_gogcli
    row_05_todoist
    row_06_mediawiki
    row_07_ms_365
    row_08_slack
    row_09_slack
    row_10_hasura
    row_11_apollo
    row_12_shopify
    row_13_github
    row_14_azure_devops
    row_15_cloudflare_access
    row_16_gitbook
    row_17_atlassian
    row_18_jira
    row_19_databricks
    row_20_vault
    row_21_salesforce
    row_22_facebook
    row_23_feishu
    row_24_postgrest
    row_24_supabase
    row_25_nhost
    row_26_graph
    row_27_cae
    row_28_scope
    row_29_github
    row_30_aws_gateway
    row_31_xero
    row_32_spotify
    row_33_mcp_proxy
    row_34_affine
    row_34_fastmcp
    row_34_not_found
    row_35_basic
    row_35_digest
    row_35_negotiate
    row_36_waf
    row_37_s3
}

/// A key that a tool sends in the path or a header never reaches the upstream, whatever preset says where
/// the token goes.
#[test]
fn the_token_goes_where_the_preset_puts_it() -> Result<()> {
    let world = World::new("inject")?;
    let upstream = Upstream::start(|_| Reply::Bytes(ok("{}")))?;
    let access = world.add_url(upstream.address(), "shop", &["--preset", "shopify", "--sign-in"])?;
    let curl = Curl::new(format!("{}/x", access.url)).header("x-shopify-access-token", &access.key);
    ensure!(curl.header("x-signbell-key", &access.key).run()?.status == 200);
    let seen = upstream.seen();
    let request = seen.first().context("nothing arrived")?;
    ensure!(request.header("authorization").is_none(), "{:?}", request.headers);
    let tokens: Vec<_> = request.headers.iter().filter(|(name, _)| name == "x-shopify-access-token").collect();
    ensure!(tokens.len() == 1 && !tokens[0].1.is_empty() && tokens[0].1 != access.key, "{} headers", tokens.len());
    Ok(())
}
