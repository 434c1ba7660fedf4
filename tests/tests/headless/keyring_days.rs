//! The keyring's bad days: locked, refusing, silent, gone and back. Nobody is signed out by any of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use serde_json::json;
use signbell_tests::{Desktop, DesktopOptions, Provider, Sandbox, Serve, UrlCatcher, wait_ok};
use zbus::blocking::{Connection, MessageIterator, connection};
use zbus::message::Type;

use crate::SOON;
use crate::world::{self, Access, follow_links, provider};

/// Signed in, with the tokens in the real keyring, and no engine running.
struct Room {
    sandbox: Sandbox,
    desktop: Desktop,
    provider: Provider,
    access: Access,
    pages: UrlCatcher,
}

impl Room {
    fn new(name: &str) -> Result<Self> {
        let sandbox = Sandbox::new(name)?;
        let desktop = DesktopOptions::default().without_panel().without_dunst().start(&sandbox)?;
        follow_links(&sandbox)?;
        let provider = provider(&sandbox, &json!({}))?;
        let mut serve = Serve::start(&sandbox)?;
        let access = world::add(&sandbox, &provider, "notes", &["--sign-in"])?;
        ensure!(access.get("/me")?["login"] == "ada");
        ensure!(serve.stop()?.success());
        // From here on no page may be wanted.
        let pages = UrlCatcher::install(&sandbox)?;
        Ok(Self { sandbox, desktop, provider, access, pages })
    }

    fn start(&self) -> Result<(Serve, Access)> {
        let serve = Serve::start(&self.sandbox)?;
        let access = Access { url: serve.url("/notes"), ..self.access.clone() };
        Ok((serve, access))
    }

    /// A request meets the bad day: 503, and the account is neither signed out nor asked for.
    fn told(&self, access: &Access, words: &str) -> Result<()> {
        let response = access.curl("/me").timeout(SOON).run()?;
        ensure!(response.status == 503 && response.header("retry-after").is_some(), "{response:?}");
        let account = world::wait_account(&self.sandbox, words, |account| account["state"] == "unavailable")?;
        ensure!(account["state_words"] == words, "{account}");
        ensure!(account["ring"].is_null(), "it rang: {account}");
        Ok(())
    }

    /// The day is over: the same session goes on, and no page was opened.
    fn well(&self, access: &Access) -> Result<()> {
        wait_ok("a request that succeeds", SOON, || access.get("/me"))?;
        let account = world::account(&self.sandbox)?;
        ensure!(account["state"] == "active" && account["refreshable"] == true, "{account}");
        self.pages.expect_none()?;
        ensure!(self.provider.counts()?["authorization_code"]["ok"] == 1, "{}", self.provider.counts()?);
        Ok(())
    }

    /// The keyring comes back: what could not be written is, without anybody asking, and lives through a crash.
    fn is_back(&mut self, serve: &mut Serve) -> Result<()> {
        self.desktop.start_keyring()?;
        wait_ok("no banner", SOON, || {
            let status = self.sandbox.run_json(&["status"])?;
            ensure!(status[0]["banners"].as_array().is_some_and(Vec::is_empty), "{status:?}");
            Ok(())
        })?;
        serve.kill9()?;
        let (_serve, access) = self.start()?;
        self.provider.expire_access("ada")?;
        self.well(&access)
    }
}

/// A double: a Secret Service that answers nothing but this error, or nothing at all. It stands where the real
/// one stood, which can't be made to do so.
struct BadService {
    connection: Connection,
    asked: Arc<AtomicUsize>,
}

impl BadService {
    fn start(room: &Room, error: Option<&'static str>) -> Result<Self> {
        let address = room.desktop.envs().into_iter().find(|(name, _)| name == "DBUS_SESSION_BUS_ADDRESS");
        let (_, address) = address.unwrap_or_default();
        let connection = connection::Builder::address(&*address)?.name("org.freedesktop.secrets")?.build()?;
        let asked = Arc::<AtomicUsize>::default();
        let (calls, count) = (MessageIterator::from(&connection), Arc::clone(&asked));
        let answers = connection.clone();
        std::thread::spawn(move || {
            // Ends with the connection.
            for message in calls.filter_map(Result::ok).filter(|m| m.message_type() == Type::MethodCall) {
                count.fetch_add(1, Ordering::SeqCst);
                if let Some(error) = error {
                    let _ = answers.reply_error(&message.header(), error, &"no");
                }
            }
        });
        Ok(Self { connection, asked })
    }

    fn end(self) -> Result<()> {
        ensure!(self.asked.load(Ordering::SeqCst) > 0, "nobody asked it");
        self.connection.release_name("org.freedesktop.secrets")?;
        self.connection.close()?;
        Ok(())
    }
}

#[test]
fn t2_t3_a_locked_keyring_is_told_as_locked_and_opened_it_goes_on() -> Result<()> {
    let room = Room::new("locked")?;
    room.desktop.lock_keyring()?;
    let (mut serve, access) = room.start()?;
    room.told(&access, "Keyring is locked")?;
    // Nobody answers the prompt; whoever asks meanwhile is answered all the same, and the end is not held up.
    room.told(&access, "Keyring is locked")?;
    ensure!(serve.stop()?.success());
    let (_serve, access) = room.start()?;
    room.told(&access, "Keyring is locked")?;
    room.desktop.unlock_keyring()?;
    room.well(&access)
}

#[test]
fn t7_a_keyring_that_refuses_is_not_a_sign_out() -> Result<()> {
    let mut room = Room::new("denied")?;
    room.desktop.stop_keyring()?;
    let refusing = BadService::start(&room, Some("org.freedesktop.DBus.Error.AccessDenied"))?;
    let (_serve, access) = room.start()?;
    room.told(&access, "Keyring refused access")?;
    refusing.end()?;
    room.desktop.start_keyring()?;
    room.well(&access)
}

#[test]
fn t3_t4_a_keyring_that_never_answers_holds_up_nobody() -> Result<()> {
    let mut room = Room::new("silent")?;
    room.desktop.stop_keyring()?;
    let silent = BadService::start(&room, None)?;
    let (mut serve, access) = room.start()?;
    room.told(&access, "Keyring does not answer")?;
    // An account with tokens in memory is not concerned.
    let status = room.sandbox.run_json(&["status"])?;
    ensure!(status[0]["proxy"]["running"] == true, "{status:?}");
    ensure!(serve.stop()?.success(), "it waited for the keyring");
    silent.end()?;
    room.desktop.start_keyring()?;
    let (_serve, access) = room.start()?;
    room.well(&access)
}

#[test]
fn t1_a_keyring_that_goes_while_in_use_is_written_to_when_it_is_back() -> Result<()> {
    let mut room = Room::new("gone")?;
    let (mut serve, access) = room.start()?;
    ensure!(access.get("/me")?["login"] == "ada");
    room.desktop.stop_keyring()?;
    // A renewal rotates the refresh token, which can't be kept anywhere but in memory, and that is said.
    room.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada");
    let banner = wait_ok("a banner", SOON, || {
        let status = room.sandbox.run_json(&["status"])?;
        let banner = status[0]["banners"][0].as_str().unwrap_or_default().to_owned();
        ensure!(!banner.is_empty(), "{status:?}");
        Ok(banner)
    })?;
    ensure!(banner.contains("keyring"), "{banner}");
    let tokens = room.provider.control("GET", "/tokens", &[("login", "ada")], None)?;
    for token in tokens["RefreshToken"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str) {
        ensure!(room.sandbox.files_containing(token, |_| false)?.is_empty(), "a refresh token lies in a file");
    }
    ensure!(tokens["RefreshToken"][0].is_string(), "{tokens}");
    room.is_back(&mut serve)
}

#[test]
fn t4_a_keyring_that_stops_answering_while_in_use_is_given_up_in_time_and_written_to_later() -> Result<()> {
    let mut room = Room::new("hangs")?;
    let (mut serve, access) = room.start()?;
    ensure!(access.get("/me")?["login"] == "ada");
    room.desktop.stop_keyring()?;
    let silent = BadService::start(&room, None)?;
    // The write of what the renewal brings hangs; the request that waits for it does not.
    room.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada");
    let banner = wait_ok("a banner", SOON, || {
        let status = room.sandbox.run_json(&["status"])?;
        let banner = status[0]["banners"][0].as_str().unwrap_or_default().to_owned();
        ensure!(!banner.is_empty(), "{status:?}");
        Ok(banner)
    })?;
    ensure!(banner.contains("keyring does not answer"), "{banner}");
    let doctor = room.sandbox.run(&["doctor", "--json"])?;
    ensure!(doctor.code == Some(1) && doctor.stdout.contains(&banner), "{}", doctor.stdout);
    silent.end()?;
    room.is_back(&mut serve)
}

#[test]
fn what_a_newer_signbell_keeps_there_is_not_written_over() -> Result<()> {
    let room = Room::new("newer-item")?;
    let newer = r#"{"format":99,"access_token":{"in":"another form"}}"#;
    room.desktop.replace_secrets(newer)?;
    let (_serve, access) = room.start()?;
    room.told(&access, "Stored by a newer Signbell")?;
    for args in [&["sign-in", "ada"][..], &["sign-in", "ada", "--force"]] {
        let message = world::refused(&room.sandbox, args, 11, "newer_format")?;
        ensure!(message.contains("Update this one"), "{message}");
    }
    ensure!(room.desktop.secrets()?.contains(&newer.to_owned()), "it was written over");
    room.pages.expect_none()
}
