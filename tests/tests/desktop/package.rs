//! The packages: made from the programs that were built, the .deb installed into an empty root by dpkg
//! itself, and started from there as a desktop starts it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::process::{self, Output};
use signbell_tests::sandbox::binary;
use signbell_tests::{DesktopOptions, Sandbox, Tray, wait_ok};

use crate::{SOON, shot, turn};

#[test]
fn the_deb_is_installed_into_an_empty_root_started_and_removed() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("package")?;
    let packages = make(&sandbox, &["deb"])?;
    let root = sandbox.path("root");
    for folder in ["updates", "info"] {
        fs::create_dir_all(root.join("var/lib/dpkg").join(folder))?;
    }
    fs::write(root.join("var/lib/dpkg/status"), "")?;
    let nothing = files(&root)?;
    dpkg(&sandbox, &root, &["--install", text(&one(&packages, "deb")?)?])?;

    let usr = root.join("usr");
    let entry = usr.join("share/applications/signbell.desktop");
    let said = ran("desktop-file-validate", &[&entry])?;
    ensure!(said.stdout.is_empty(), "{}", said.stdout);
    ran("appstreamcli", &[&"validate", &"--no-net", &usr.join("share/metainfo/app.signbell.desktop.metainfo.xml")])?;
    manual_pages_are_read_without_a_complaint(&usr.join("share/man/man1"))?;
    // Every package of the programs is in the bill of materials, with the lock file's own digest.
    let bill: serde_json::Value = serde_json::from_slice(&fs::read(usr.join("share/doc/signbell/sbom.cdx.json"))?)?;
    let parts = bill["components"].as_array().context("no components")?;
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"))?;
    ensure!(parts.len() > 200 && parts.iter().any(|part| part["name"] == "rustls"), "{} components", parts.len());
    for part in parts {
        let digest = part["hashes"][0]["content"].as_str().with_context(|| part.to_string())?;
        ensure!(lock.contains(digest), "{part}");
    }
    let script = usr.join("share/bash-completion/completions/signbell");
    let complete = r#"source "$1" && COMP_WORDS=(signbell sig) COMP_CWORD=1 && _signbell signbell sig signbell && echo "${COMPREPLY[*]}""#;
    let completed = ran("bash", &[&"-c", &complete, &"bash", &script])?;
    ensure!(completed.stdout.trim() == "sign-in sign-out", "{completed:?}");

    // As the desktop entry says, with what was installed and nothing else of ours.
    let entry = fs::read_to_string(entry)?;
    let exec = entry.lines().find_map(|line| line.strip_prefix("Exec=")).context("no Exec")?;
    let path = format!("{}:{}", usr.join("bin").display(), std::env::var("PATH")?);
    sandbox.set_env("PATH", path);
    let desktop = DesktopOptions::default().start(&sandbox)?;
    let start = || {
        let mut command = sandbox.command("/usr/bin/env");
        command.args(exec.split(' '));
        command
    };
    let (mut app, log) = sandbox.spawn(start(), "signbell app")?;
    wait_ok("the tray icon", SOON, || {
        ensure!(app.is_running(), "{}", app.failure(&log));
        Tray::find(&desktop, "ignbell")
    })?;
    let own = fs::read_link(format!("/proc/{}/exe", app.id()))?;
    ensure!(own == usr.join("bin/signbell-desktop"), "{}", own.display());
    process::run(start(), b"", SOON)?.expect_code(0)?;
    wait_ok("the window", SOON, || desktop.xdotool(&["search", "--onlyvisible", "--name", "^Signbell$"]))?;
    desktop.screenshot(&shot("package.png")?)?;
    let mut status = sandbox.command("/usr/bin/env");
    status.args(["signbell", "status", "--json"]);
    let status = process::run(status, b"", SOON)?.expect_code(0)?;
    ensure!(status.json()?[0]["proxy"]["running"] == true, "{status:?}");
    ensure!(app.terminate(SOON)?.success(), "{}", app.failure(&log));

    dpkg(&sandbox, &root, &["--purge", "signbell"])?;
    let left: Vec<_> = files(&root)?.into_iter().filter(|file| !nothing.contains(file)).collect();
    ensure!(left.iter().all(|file| file.starts_with(root.join("var/lib/dpkg"))), "{left:?}");
    Ok(())
}

#[test]
fn the_rpm_holds_the_same_and_names_what_it_needs() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("rpm")?;
    let packages = make(&sandbox, &["deb", "rpm"])?;
    let (deb, rpm) = (one(&packages, "deb")?, one(&packages, "rpm")?);
    let listed = |said: &Output| -> BTreeSet<String> {
        // A link is listed with what it leads to.
        let files = said.stdout.lines().map(|line| line.split(" -> ").next().unwrap_or(line));
        let files = files.filter(|line| !line.ends_with('/'));
        let files = files.filter_map(|line| line.rfind("/usr/").map(|at| line[at..].to_owned()));
        files.map(|file| file.replace("zsh/vendor-completions", "zsh/site-functions")).collect()
    };
    let in_deb = listed(&ran("dpkg-deb", &[&"--contents", &deb])?);
    let in_rpm = listed(&ran("rpm", &[&"--query", &"--package", &"--list", &rpm])?);
    ensure!(in_rpm == in_deb, "{in_rpm:#?} {in_deb:#?}");
    for wanted in ["/usr/bin/signbell", "/usr/bin/signbell-desktop", "/usr/share/man/man1/signbell-add.1.gz"] {
        ensure!(in_rpm.contains(wanted), "{wanted}");
    }
    let needs = ran("rpm", &[&"--query", &"--package", &"--requires", &rpm])?;
    for wanted in ["libwebkit2gtk-4.1.so.0", "libayatana-appindicator-gtk3"] {
        ensure!(needs.stdout.contains(wanted), "{}", needs.stdout);
    }
    Ok(())
}

/// `make package`'s script on the programs that the tests run.
fn make(sandbox: &Sandbox, kinds: &[&str]) -> Result<PathBuf> {
    let folder = sandbox.path("packages");
    let programs = binary("signbell")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/packaging/package.sh");
    let mut command = Command::new(script);
    command.arg(programs.parent().context("no folder")?).arg(&folder).args(kinds).env("QUICK", "1");
    process::run(command, b"", SOON)?.expect_code(0)?;
    Ok(folder)
}

fn dpkg(sandbox: &Sandbox, root: &Path, arguments: &[&str]) -> Result<Output> {
    // What it depends on is on this machine, not in the empty root.
    let mut command = Command::new("dpkg");
    command.args(["--force-not-root", "--force-depends", "--log"]).arg(sandbox.path("dpkg.log"));
    command.arg("--root").arg(root).args(arguments);
    process::run(command, b"", SOON)?.expect_code(0)
}

fn manual_pages_are_read_without_a_complaint(folder: &Path) -> Result<()> {
    let mut read = 0;
    for page in fs::read_dir(folder)? {
        let page = page?.path();
        let mut command = Command::new("man");
        // The page of the tray is that of `signbell app`, found beside it.
        command.args(["--warnings=w", "-l"]).arg(&page).current_dir(folder.parent().context("no folder")?);
        command.env("MANROFFSEQ", "").env("LC_ALL", "C.UTF-8");
        let said = process::run(command, b"", SOON)?.expect_code(0)?;
        ensure!(said.stderr.is_empty(), "{}: {}", page.display(), said.stderr);
        ensure!(said.stdout.contains("SYNOPSIS"), "{}: {}", page.display(), said.stdout);
        read += 1;
    }
    ensure!(read > 30, "{read} pages");
    Ok(())
}

/// Runs the program with these arguments to its end, which has to be good.
fn ran(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| argument.as_ref()));
    process::run(command, b"", SOON)?.expect_code(0)
}

fn one(folder: &Path, extension: &str) -> Result<PathBuf> {
    let mut found = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    found.find(|file| file.extension().is_some_and(|of| of == extension)).context("no such package")
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("not text")
}

/// Everything below `folder` that is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { all.extend(files(&entry.path())?) } else { all.push(entry.path()) }
    }
    Ok(all)
}
