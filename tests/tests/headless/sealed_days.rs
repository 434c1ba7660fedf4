//! The sealed file's bad days: cut short, gone, open to others, no space, no right to write, another writer. What
//! can't be written is kept in memory and said; what is there stays; the others' sessions go on.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::process::run;
use signbell_tests::{Provider, Sandbox, Serve, UrlCatcher, wait_ok};

use crate::SOON;
use crate::world::{self, Access, follow_links, provider, refused};

/// Two accounts, ada and bob, signed in with the sealed file.
struct Room {
    // Dropped in this order.
    serve: Serve,
    provider: Provider,
    pages: UrlCatcher,
    ada: Access,
    bob: Access,
    sandbox: Sandbox,
}

impl Room {
    fn new(name: &str) -> Result<Self> {
        Self::of(Sandbox::new(name)?)
    }

    fn of(sandbox: Sandbox) -> Result<Self> {
        sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
        sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse battery staple");
        follow_links(&sandbox)?;
        let provider = provider(&sandbox, &json!({}))?;
        let serve = Serve::start(&sandbox)?;
        let ada = world::add(&sandbox, &provider, "notes", &["--sign-in"])?;
        let (url, issuer) = (provider.api_named("issues")?, provider.issuer()?);
        let words = ["add", url, "--name", "issues", "--account", "bob", "--issuer", issuer];
        let more = ["--client-id", world::CLIENT, "--tool", "other", "--sign-in"];
        provider.auto_consent(Some("bob"))?;
        let bob = world::access(&sandbox.run_json(&[&words[..], &more].concat())?[0])?;
        ensure!(ada.get("/me")?["login"] == "ada" && bob.get("/me")?["login"] == "bob");
        // From here on no page may be wanted.
        let pages = UrlCatcher::install(&sandbox)?;
        Ok(Self { serve, provider, pages, ada, bob, sandbox })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.sandbox.signbell_home().join(name)
    }

    fn banner(&self) -> Result<String> {
        let status = self.sandbox.run_json(&["status"])?;
        Ok(status[0]["banners"][0].as_str().unwrap_or_default().to_owned())
    }

    /// A rotation meets the bad day: the request succeeds, what can't be kept is said by `status` and by `doctor`,
    /// with what to do, and no token lies about.
    fn told(&self, says: &[&str]) -> Result<()> {
        self.provider.expire_access("ada")?;
        ensure!(self.ada.get("/me")?["login"] == "ada");
        let banner = wait_ok("a banner", SOON, || {
            let banner = self.banner()?;
            ensure!(!banner.is_empty());
            Ok(banner)
        })?;
        ensure!(says.iter().all(|words| banner.contains(words)), "{banner}");
        let doctor = self.sandbox.run(&["doctor", "--json"])?;
        ensure!(doctor.code == Some(1) && doctor.stdout.contains(&banner), "{}", doctor.stdout);
        ensure!(self.bob.get("/me")?["login"] == "bob", "another session does not go on");
        let tokens = self.provider.control("GET", "/tokens", &[("login", "ada")], None)?;
        for token in tokens["RefreshToken"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str) {
            ensure!(self.sandbox.files_containing(token, |_| false)?.is_empty(), "a refresh token lies in a file");
        }
        Ok(())
    }

    /// The day is over: it is written without anybody asking, lives through a crash, and no page was opened.
    fn well(&mut self) -> Result<()> {
        wait_ok("no banner", SOON, || {
            let banner = self.banner()?;
            ensure!(banner.is_empty(), "{banner}");
            Ok(())
        })?;
        self.serve.kill9()?;
        self.restart()
    }

    /// Starts it again, and both sessions are there and renew themselves.
    fn restart(&mut self) -> Result<()> {
        self.serve = Serve::start(&self.sandbox)?;
        for (access, name, login) in [(&mut self.ada, "notes", "ada"), (&mut self.bob, "issues", "bob")] {
            access.url = self.serve.url(&format!("/{name}"));
            self.provider.expire_access(login)?;
            ensure!(access.get("/me")?["login"] == login);
        }
        let counts = self.provider.counts()?;
        ensure!(counts["authorization_code"]["ok"] == 2 && counts["refresh_token"]["failed"] == 0, "{counts}");
        ensure!(self.banner()?.is_empty());
        self.pages.expect_none()
    }
}

#[test]
fn t10_cut_short_it_is_told_left_as_it_is_and_mended_by_a_copy() -> Result<()> {
    let mut room = Room::new("sealed-cut")?;
    let file = room.file("vault.age");
    let whole = fs::read(&file)?;
    let cut = &whole[..whole.len() / 2];
    fs::write(&file, cut)?;
    room.told(&["sealed file is damaged", "vault.age"])?;
    ensure!(fs::read(&file)? == cut, "it was written over");
    // Not even a new start takes it for an empty one.
    ensure!(room.serve.stop()?.success());
    let message = refused(&room.sandbox, &["serve"], 11, "damaged_file")?;
    ensure!(message.contains("Put back a copy"), "{message}");
    ensure!(fs::read(&file)? == cut, "a start wrote over it");
    Ok(())
}

#[test]
fn t10_cut_short_and_put_back_while_it_runs_nothing_is_lost() -> Result<()> {
    let mut room = Room::new("sealed-mended")?;
    let file = room.file("vault.age");
    let whole = fs::read(&file)?;
    fs::write(&file, &whole[..whole.len() / 2])?;
    room.told(&["sealed file is damaged"])?;
    fs::write(&file, whole)?;
    room.well()
}

#[test]
fn t10_gone_and_back_nothing_is_lost() -> Result<()> {
    let mut room = Room::new("sealed-gone")?;
    let (file, away) = (room.file("vault.age"), room.file("away"));
    fs::rename(&file, &away)?;
    room.told(&["sealed file is gone", "Put vault.age back"])?;
    ensure!(!file.exists(), "a new one was begun, without what the old one has");
    fs::rename(&away, &file)?;
    room.well()
}

#[test]
fn t10_open_to_others_it_is_not_used_until_it_is_ours_alone() -> Result<()> {
    let mut room = Room::new("sealed-open")?;
    let file = room.file("vault.age");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    room.told(&["only you can read", "chmod 600"])?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    room.well()?;
    ensure!(room.serve.stop()?.success());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o604))?;
    refused(&room.sandbox, &["serve"], 11, "unsafe_file")?;
    Ok(())
}

#[test]
fn t3_t8_another_writer_that_never_lets_go_holds_up_nobody() -> Result<()> {
    let mut room = Room::new("sealed-busy")?;
    let lock = File::options().write(true).open(room.file("vault.lock"))?;
    lock.lock()?;
    room.told(&["holds the sealed file’s lock", "vault.lock"])?;
    // Neither is the end held up, nor a start: reading needs no lock.
    lock.unlock()?;
    room.well()?;
    lock.lock()?;
    ensure!(room.serve.stop()?.success());
    room.serve = Serve::start(&room.sandbox)?;
    ensure!(world::account(&room.sandbox)?["state"] == "active");
    ensure!(room.serve.stop()?.success());
    // A new vault would have to be written: it is refused, and not waited for.
    let sandbox = Sandbox::new("sealed-busy-new")?;
    sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse battery staple");
    let path = sandbox.signbell_home().join("vault.lock");
    let lock = File::options().write(true).create_new(true).open(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    lock.lock()?;
    refused(&sandbox, &["serve"], 11, "vault_busy")?;
    drop(lock);
    drop(Serve::start(&sandbox)?);
    Ok(())
}

/// Where nothing can be made, not even by root; it can again once this is dropped.
struct Frozen(PathBuf);

impl Frozen {
    fn new(folder: PathBuf) -> Result<Self> {
        if rustix::process::geteuid().is_root() {
            chattr("+i", &folder)?;
        } else {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o500))?;
        }
        ensure!(File::create(folder.join("new")).is_err(), "{} can be written to all the same", folder.display());
        Ok(Self(folder))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if rustix::process::geteuid().is_root() {
            let _ = chattr("-i", &self.0);
        } else {
            let _ = fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700));
        }
    }
}

fn chattr(flag: &str, folder: &PathBuf) -> Result<()> {
    let mut command = Command::new("chattr");
    command.arg(flag).arg(folder);
    run(command, b"", SOON)?.expect_code(0).context("chattr")?;
    Ok(())
}

#[test]
fn t10_without_the_right_to_write_it_is_told_and_the_settings_stay() -> Result<()> {
    let mut room = Room::new("sealed-read-only")?;
    let config = fs::read(room.file("config.toml"))?;
    let frozen = Frozen::new(room.sandbox.signbell_home())?;
    room.told(&["may not write vault.age", "right to write"])?;
    refused(&room.sandbox, &["tool", "add", "third", "--service", "notes"], 1, "bad_config")?;
    ensure!(fs::read(room.file("config.toml"))? == config);
    drop(frozen);
    room.well()?;
    room.sandbox.run_ok(&["tool", "add", "third", "--service", "notes"])?;
    Ok(())
}

/// A file system with little room, unmounted when dropped.
struct Tiny(PathBuf);

impl Tiny {
    /// Nothing where this machine mounts nothing for us.
    fn at(folder: PathBuf) -> Result<Option<Self>> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=256k,mode=700", "signbell-test"]).arg(&folder);
        Ok((run(command, b"", SOON)?.code == Some(0)).then_some(Self(folder)))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn t10_a_full_disk_loses_nothing() -> Result<()> {
    let sandbox = Sandbox::new("sealed-full")?;
    // Its folder goes after what is mounted there.
    let _last = sandbox.clone();
    let Some(_tiny) = Tiny::at(sandbox.signbell_home())? else {
        // Without the right to mount there is no disk that could be filled.
        return Ok(());
    };
    let mut room = Room::of(sandbox)?;
    let config = fs::read(room.file("config.toml"))?;
    let (vault, filler) = (fs::read(room.file("vault.age"))?, room.file("filler"));
    let fill = || -> Result<()> {
        let mut file = File::options().append(true).create(true).open(&filler)?;
        while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}
        Ok(())
    };
    fill()?;
    room.told(&["no space left for vault.age", "Make room"])?;
    ensure!(fs::read(room.file("vault.age"))? == vault, "the old one is not what it was");
    fill()?;
    refused(&room.sandbox, &["tool", "add", "third", "--service", "notes"], 1, "bad_config")?;
    ensure!(fs::read(room.file("config.toml"))? == config);
    fs::remove_file(&filler)?;
    room.well()
}
