//! npm, pip and cargo install whole packages through us. The registries are doubles that say so: they want a
//! token for everything, lie below a path, and name their packages' addresses absolutely.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::Upstream;
use signbell_tests::process::run;
use signbell_tests::upstream::{Reply, Request, response};

use crate::SOON;
use crate::world::{World, sha256};

/// What a registry answers for a path; the first word is its own base address.
type Answer = dyn Fn(&str, &str) -> Option<(&'static str, Vec<u8>)> + Send + Sync;

/// A registry below `/acme`, which is the service `name`.
fn registry(world: &World, name: &str, answer: Arc<Answer>) -> Result<Upstream> {
    let base = Arc::new(OnceLock::<String>::new());
    let own = Arc::clone(&base);
    let upstream = Upstream::start(move |request: &Request| {
        if request.token().is_empty() {
            return Reply::Bytes(response("401 Unauthorized\r\nwww-authenticate: Bearer", b""));
        }
        let base = own.get().map(String::as_str).unwrap_or_default();
        let path = request.target.split('?').next().unwrap_or_default();
        let found = path.strip_prefix("/acme").and_then(|path| answer(base, path));
        Reply::Bytes(match found {
            Some((kind, body)) => response(&format!("200 OK\r\ncontent-type: {kind}"), &body),
            None => response("404 Not Found", b""),
        })
    })?;
    let address = format!("{}/acme", upstream.address());
    base.set(address.clone()).ok().context("set twice")?;
    world.add_url(&address, name, &["--sign-in"])?;
    Ok(upstream)
}

/// A `.tar.gz` of a folder, as the registries of npm and cargo hand them out.
fn packed(world: &World, folder: &str, files: &[(&str, &str)]) -> Result<Vec<u8>> {
    let root = world.sandbox.path("packed");
    for (name, text) in files {
        let file = root.join(folder).join(name);
        fs::create_dir_all(file.parent().context("no folder")?)?;
        fs::write(file, text)?;
    }
    let out = world.sandbox.path("packed.tgz");
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&out).arg("-C").arg(&root).arg(folder);
    run(tar, b"", SOON)?.expect_code(0)?;
    Ok(fs::read(out)?)
}

fn connect(world: &World, client: &str, service: &str) -> Result<()> {
    world.sandbox.run_json(&["connect", client, service, "--yes"])?;
    Ok(())
}

/// Everything that the registry was asked came with a token, and it was asked for the package.
fn ensure_asked(upstream: &Upstream, package: &str) -> Result<()> {
    let seen = upstream.seen();
    ensure!(seen.iter().any(|request| request.target.contains(package)), "the package came from elsewhere");
    ensure!(seen.iter().all(|request| !request.token().is_empty() && !request.token().starts_with("sbk_")));
    Ok(())
}

#[test]
fn npm_installs_a_package() -> Result<()> {
    let world = World::new("connect-npm")?;
    let manifest = json!({"name": "bell-thing", "version": "1.0.0", "main": "index.js"});
    let files = [("package.json", &*manifest.to_string()), ("index.js", "module.exports = 42\n")];
    let tarball = packed(&world, "package", &files)?;
    let upstream = registry(
        &world,
        "npm",
        Arc::new(move |base: &str, path: &str| match path {
            "/bell-thing" => {
                let mut version = manifest.clone();
                version["dist"] = json!({"tarball": format!("{base}/bell-thing/-/bell-thing-1.0.0.tgz")});
                let all =
                    json!({"name": "bell-thing", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}});
                Some(("application/json", all.to_string().into_bytes()))
            }
            "/bell-thing/-/bell-thing-1.0.0.tgz" => Some(("application/octet-stream", tarball.clone())),
            _ => None,
        }),
    )?;
    fs::write(world.sandbox.home().join(".npmrc"), "; mine\nregistry=https://registry.npmjs.org/\n")?;
    connect(&world, "npm", "npm")?;
    let project = world.sandbox.path("project");
    fs::create_dir(&project)?;
    fs::write(project.join("package.json"), "{\"name\": \"p\", \"version\": \"1.0.0\"}")?;
    let mut npm = world.sandbox.command("npm");
    npm.args(["install", "bell-thing", "--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier"]);
    npm.current_dir(&project);
    run(npm, b"", SOON)?.expect_code(0)?;
    ensure!(fs::read_to_string(project.join("node_modules/bell-thing/index.js"))? == "module.exports = 42\n");
    ensure_asked(&upstream, ".tgz")?;
    world.sandbox.run_json(&["connect", "npm", "--undo", "--yes"])?;
    let left = fs::read_to_string(world.sandbox.home().join(".npmrc"))?;
    ensure!(left == "; mine\nregistry=https://registry.npmjs.org/\n", "{left}");
    Ok(())
}

#[test]
fn pip_installs_a_package() -> Result<()> {
    let world = World::new("connect-pip")?;
    let wheel = wheel(&world)?;
    let digest = sha256(&wheel)?;
    const FILE: &str = "/packages/bell_thing-1.0-py3-none-any.whl";
    let upstream = registry(
        &world,
        "pypi",
        Arc::new(move |base: &str, path: &str| match path {
            // PEP 503, once with an absolute address and once relative to the host.
            "/simple/bell-thing/" => {
                let page = format!(
                    "<!DOCTYPE html><html><body><a href=\"{base}{FILE}#sha256={digest}\">bell_thing-1.0-py3-none-any.whl</a>\
                     <a href=\"/acme/packages/bell_thing-0.9-py3-none-any.whl\">bell_thing-0.9-py3-none-any.whl</a></body></html>"
                );
                Some(("text/html", page.into_bytes()))
            }
            FILE => Some(("application/octet-stream", wheel.clone())),
            _ => None,
        }),
    )?;
    connect(&world, "pip", "pypi")?;
    let target = world.sandbox.path("installed");
    let mut pip = world.sandbox.command("python3");
    pip.args(["-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--target"]);
    pip.arg(&target).arg("bell-thing");
    run(pip, b"", SOON)?.expect_code(0)?;
    ensure!(fs::read_to_string(target.join("bell_thing/__init__.py"))? == "answer = 42\n");
    ensure_asked(&upstream, ".whl")?;
    world.sandbox.run_json(&["connect", "pip", "--undo", "--yes"])?;
    ensure!(!world.sandbox.home().join(".config/pip/pip.conf").exists());
    Ok(())
}

/// A wheel by hand (PEP 427), packed by Python itself.
fn wheel(world: &World) -> Result<Vec<u8>> {
    let root = world.sandbox.path("wheel");
    for (name, text) in [
        ("bell_thing/__init__.py", "answer = 42\n"),
        ("bell_thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: bell-thing\nVersion: 1.0\n"),
        (
            "bell_thing-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        (
            "bell_thing-1.0.dist-info/RECORD",
            "bell_thing/__init__.py,,\nbell_thing-1.0.dist-info/METADATA,,\nbell_thing-1.0.dist-info/WHEEL,,\nbell_thing-1.0.dist-info/RECORD,,\n",
        ),
    ] {
        let file = root.join(name);
        fs::create_dir_all(file.parent().context("no folder")?)?;
        fs::write(file, text)?;
    }
    let mut zip = world.sandbox.command("python3");
    zip.args(["-m", "zipfile", "-c", "thing.whl", "bell_thing", "bell_thing-1.0.dist-info"]).current_dir(&root);
    run(zip, b"", SOON)?.expect_code(0)?;
    Ok(fs::read(root.join("thing.whl"))?)
}

#[test]
fn cargo_fetches_a_crate() -> Result<()> {
    let world = World::new("connect-cargo")?;
    let manifest = "[package]\nname = \"bell-thing\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    let package = packed(&world, "bell-thing-1.0.0", &[("Cargo.toml", manifest), ("src/lib.rs", "")])?;
    let digest = sha256(&package)?;
    let upstream = registry(
        &world,
        "crates",
        Arc::new(move |base: &str, path: &str| match path {
            "/config.json" => {
                let config = json!({"dl": format!("{base}/dl"), "api": base, "auth-required": true});
                Some(("application/json", config.to_string().into_bytes()))
            }
            "/be/ll/bell-thing" => {
                let line = json!({"name": "bell-thing", "vers": "1.0.0", "deps": [], "cksum": digest,
                    "features": {}, "yanked": false});
                Some(("text/plain", format!("{line}\n").into_bytes()))
            }
            "/dl/bell-thing/1.0.0/download" => Some(("application/octet-stream", package.clone())),
            _ => None,
        }),
    )?;
    // Where the real toolchain lies; everything else of cargo's is the sandbox's.
    let real = std::env::var("HOME")?;
    let rustup = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{real}/.rustup"));
    connect(&world, "cargo", "crates")?;
    let config = fs::read_to_string(world.sandbox.home().join(".cargo/config.toml"))?;
    ensure!(config.contains("cargo:token-from-stdout") && !config.contains("sbk_"), "{config}");
    let project = world.sandbox.path("project");
    fs::create_dir_all(project.join("src"))?;
    fs::write(project.join("src/lib.rs"), "")?;
    let text = "[package]\nname = \"p\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\nbell-thing = { version = \"1\", registry = \"crates\" }\n";
    fs::write(project.join("Cargo.toml"), text)?;
    let mut cargo = world.sandbox.command(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.args(["fetch"]).current_dir(&project).env("RUSTUP_HOME", rustup);
    run(cargo, b"", SOON)?.expect_code(0)?;
    let fetched = world.sandbox.files()?;
    let named = |path: &Path| path.to_string_lossy().ends_with("bell-thing-1.0.0/Cargo.toml");
    ensure!(fetched.iter().any(|path| named(path) && path.starts_with(world.sandbox.home())), "no crate");
    ensure_asked(&upstream, "/download")?;
    Ok(())
}
