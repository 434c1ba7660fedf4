//! Time that jumps. The wall clock is a double: libfaketime stands between the engine and the C library, since
//! setting this machine's own would be everybody's. The clock that goes on while the machine sleeps is moved by a
//! variable that only debug builds read. The provider's clock is right throughout.

use std::fs;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::{Curl, Sandbox, Serve, wait_ok};
use url::Url;

use crate::SOON;
use crate::world::{Access, World, follow_links, provider};

/// Where distributions put the library.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// An engine whose clocks are as far off as its files say.
struct Warped {
    world: World,
    access: Access,
    wall: PathBuf,
    slept: PathBuf,
}

impl Warped {
    /// `offset` is that of the wall clock when it starts, as libfaketime writes it.
    fn start(name: &str, offset: &str) -> Result<Self> {
        let sandbox = Sandbox::new(name)?;
        sandbox.set_env("SIGNBELL_VAULT", "memory");
        follow_links(&sandbox)?;
        let provider = provider(&sandbox, &json!({"accessTtl": 3600}))?;
        let library = LIBRARIES.iter().find(|file| PathBuf::from(file).exists()).context("libfaketime is missing")?;
        let (wall, slept) = (sandbox.path("wall"), sandbox.path("slept"));
        fs::write(&wall, offset)?;
        sandbox.set_env("LD_PRELOAD", *library);
        sandbox.set_env("FAKETIME_TIMESTAMP_FILE", wall.to_string_lossy());
        sandbox.set_env("FAKETIME_NO_CACHE", "1");
        sandbox.set_env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        sandbox.set_env("SIGNBELL_BOOT_OFFSET", slept.to_string_lossy());
        let serve = Serve::start(&sandbox)?;
        let world = World { serve, provider, sandbox };
        let access = world.add("notes", &["--sign-in"])?;
        Ok(Self { world, access, wall, slept })
    }

    fn set_wall(&self, offset: &str) -> Result<()> {
        fs::write(&self.wall, offset)?;
        Ok(())
    }

    fn sleep(&self, hours: u64) -> Result<()> {
        fs::write(&self.slept, (hours * 3_600_000).to_string())?;
        Ok(())
    }

    fn refreshes(&self) -> Result<u64> {
        self.world.count("/refresh_token/ok")
    }
}

#[test]
fn p2_a_wall_clock_that_is_a_day_off_renews_nothing_and_ends_nothing() -> Result<()> {
    for (name, offset) in [("ahead", "+1d"), ("behind", "-1d")] {
        let warped = Warped::start(name, offset)?;
        for _ in 0..5 {
            ensure!(warped.access.get("/me")?["login"] == "ada");
        }
        ensure!(warped.refreshes()? == 0, "{name}: a token just received was renewed");
        ensure!(warped.world.account()?["state"] == "active", "{name}: {}", warped.world.account()?);
        // The server's word counts, and what it gives is good again.
        warped.world.provider.expire_access("ada")?;
        ensure!(warped.access.get("/me")?["login"] == "ada");
        ensure!(warped.access.get("/me")?["login"] == "ada");
        ensure!(warped.refreshes()? == 1, "{name}: {} renewals", warped.refreshes()?);
        ensure!(warped.world.count("/authorize")? == 1, "{name}: the person was asked");
    }
    Ok(())
}

#[test]
fn p2_a_wall_clock_that_is_set_while_it_runs_changes_nothing() -> Result<()> {
    let warped = Warped::start("set", "+0")?;
    for offset in ["+1d", "-1d", "+0"] {
        warped.set_wall(offset)?;
        for _ in 0..3 {
            ensure!(warped.access.get("/me")?["login"] == "ada");
        }
        ensure!(warped.refreshes()? == 0, "{offset}: {} renewals", warped.refreshes()?);
    }
    ensure!(warped.world.account()?["state"] == "active");
    Ok(())
}

#[test]
fn p2_after_eight_hours_of_sleep_there_is_one_renewal_for_all_who_ask() -> Result<()> {
    let warped = Warped::start("asleep", "+0")?;
    ensure!(warped.access.get("/me")?["login"] == "ada");
    warped.sleep(8)?;
    let waiting: Vec<_> = (0..20).map(|_| warped.access.curl("/me").spawn()).collect::<Result<_>>()?;
    for pending in waiting {
        let response = pending.wait()?;
        ensure!(response.status == 200, "{} {}", response.status, response.text());
    }
    ensure!(warped.refreshes()? == 1, "{} renewals", warped.refreshes()?);
    for _ in 0..10 {
        warped.access.get("/me")?;
    }
    ensure!(warped.refreshes()? == 1, "{} renewals", warped.refreshes()?);
    ensure!(warped.world.count("/authorize")? == 1, "the person was asked");
    Ok(())
}

/// The way to the token endpoint, which can be cut: nobody listens then, and nothing is sent. (A name that can't
/// be resolved is the same to the engine.)
struct Line {
    port: u16,
    to: SocketAddr,
    listener: Option<Arc<AtomicBool>>,
}

impl Line {
    fn to(endpoint: &Url) -> Result<Self> {
        let to = endpoint.socket_addrs(|| None)?.into_iter().next().context("no address")?;
        let mut line = Self { port: 0, to, listener: None };
        line.up()?;
        Ok(line)
    }

    fn up(&mut self) -> Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.port))?;
        self.port = listener.local_addr()?.port();
        let (cut, to) = (Arc::new(AtomicBool::new(false)), self.to);
        self.listener = Some(Arc::clone(&cut));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if cut.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(far) = TcpStream::connect(to) else { continue };
                for (mut from, mut into) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))]
                    .into_iter()
                    .filter_map(|(from, into)| Some((from.ok()?, into.ok()?)))
                {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut into);
                        let _ = into.shutdown(Shutdown::Write);
                    });
                }
            }
        });
        Ok(())
    }

    fn down(&mut self) {
        if let Some(cut) = self.listener.take() {
            cut.store(true, Ordering::SeqCst);
            let _ = TcpStream::connect(("127.0.0.1", self.port));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.down();
    }
}

#[test]
fn p3_awake_without_a_network_everything_is_kept() -> Result<()> {
    let mut warped = Warped::start("offline", "+0")?;
    ensure!(warped.world.serve.stop()?.success());
    let metadata = Curl::new(format!("{}/.well-known/openid-configuration", warped.world.provider.issuer()?)).run()?;
    let endpoint: Url = metadata.json()?["token_endpoint"].as_str().context("no token endpoint")?.parse()?;
    let mut line = Line::to(&endpoint)?;
    let mut ours = endpoint.clone();
    ensure!(ours.set_port(Some(line.port)).is_ok());
    let file = warped.world.sandbox.signbell_home().join("config.toml");
    let config = fs::read_to_string(&file)?;
    fs::write(&file, config.replacen("issuer = ", &format!("token_endpoint = \"{ours}\"\nissuer = "), 1))?;
    warped.world.serve = Serve::start(&warped.world.sandbox)?;
    let access = Access { url: warped.world.serve.url("/notes"), ..warped.access.clone() };
    warped.world.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(access.get("/me")?["login"] == "ada");
    let pages = warped.world.count("/authorize")?;

    line.down();
    warped.sleep(8)?;
    for _ in 0..3 {
        let response = access.curl("/me").timeout(SOON * 2).run()?;
        ensure!(response.status == 503 && response.header("retry-after").is_some(), "{response:?}");
        let account = warped.world.account()?;
        ensure!(account["state"] == "active" && account["reason"] == "renewing_fails", "{account}");
        ensure!(account["ring"].is_null(), "it rang: {account}");
    }
    line.up()?;
    wait_ok("the first request that succeeds", SOON, || access.get("/me"))?;
    ensure!(warped.world.count("/authorize")? == pages, "the person was asked");
    Ok(())
}
