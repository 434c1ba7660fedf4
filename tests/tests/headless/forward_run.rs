//! `signbell run` through the forward proxy: programs that know nothing of Signbell, as they are.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::process::{Output, run, which};
use signbell_tests::upstream::{Reply, ok, response};
use signbell_tests::{Upstream, wait_until};

use crate::SOON;
use crate::front::Fronted;
use crate::world::World;

/// An API by this name that says which token it was shown, and a place outside that has none to see.
fn fronted(name: &str) -> Result<(Fronted, Upstream, Upstream)> {
    let telling = || Upstream::start(|request| Reply::Bytes(ok(&json!({"token": request.token()}).to_string())));
    let (api, outside) = (telling()?, telling()?);
    let fronted = Fronted::of(name, &[("api.example", &api), ("outside.example", &outside)])?;
    fronted.add("https://api.example", "api", "ada", "ci")?;
    fronted.forward()?;
    Ok((fronted, api, outside))
}

/// Runs a program under `signbell run`. The person's own authority is one that the machine trusts, as far as
/// the program is concerned.
fn under_run(fronted: &Fronted, args: &[&str]) -> Result<Output> {
    let mut command = fronted.world.sandbox.signbell()?;
    command.args(["run", "--tool", "ci", "--"]).args(args).env("SSL_CERT_FILE", &fronted.authority);
    run(command, b"", SOON)
}

#[test]
fn what_a_command_finds_and_what_is_left_of_it() -> Result<()> {
    let (fronted, ..) = fronted("run-env")?;
    let sandbox = &fronted.world.sandbox;
    sandbox.set_env("NO_PROXY", "corp.test,*.example");
    let copy = sandbox.path("bundle-then.pem");
    let script = format!("cp \"$SSL_CERT_FILE\" {}; stat -c %a \"$(dirname \"$SSL_CERT_FILE\")\"; env", copy.display());
    let said = under_run(&fronted, &["sh", "-c", &script])?.expect_code(0)?.stdout;
    let (mode, env) = said.split_once('\n').context("no mode")?;
    ensure!(mode == "700", "{mode}");
    let value = |name: &str| env.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    let proxy = value("HTTPS_PROXY").context("no HTTPS_PROXY")?;
    let key = proxy.strip_prefix("http://signbell:").and_then(|rest| rest.split('@').next()).context("no key")?;
    ensure!(key.starts_with("sbk_") && value("SIGNBELL_KEY") == Some(key), "{proxy}");
    ensure!(proxy.ends_with(&format!("@{}", fronted.proxy())), "{proxy}");
    for name in ["HTTP_PROXY", "http_proxy", "https_proxy"] {
        ensure!(value(name) == Some(proxy), "{name}: {:?}", value(name));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        let direct = value(name).unwrap_or_default();
        ensure!(direct.starts_with("localhost,127.0.0.1,::1") && !direct.contains("example"), "{name}: {direct}");
    }
    ensure!(value("NO_PROXY").is_some_and(|direct| direct.ends_with(",corp.test")), "{env}");
    let bundle = value("SSL_CERT_FILE").context("no bundle")?;
    for name in [
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "GIT_SSL_CAINFO",
        "CARGO_HTTP_CAINFO",
        "PIP_CERT",
        "AWS_CA_BUNDLE",
        "DENO_CERT",
        "NPM_CONFIG_CAFILE",
    ] {
        ensure!(value(name) == Some(bundle), "{name}: {:?}", value(name));
    }
    // What the machine trusts, and this run's authority: another one than the lasting one.
    let text = fs::read_to_string(&copy)?;
    let outside = fs::read_to_string(&fronted.authority)?;
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    ensure!(squeezed(&text).contains(&squeezed(&outside)), "{text}");
    let lasting = fs::read_to_string(sandbox.signbell_home().join("authority.pem"))?;
    ensure!(!squeezed(&text).contains(&squeezed(&lasting)) && !text.contains("PRIVATE"), "{text}");
    ensure!(text.matches("BEGIN CERTIFICATE").count() == 2, "{text}");
    // Nothing of it is left, and the key is no good any more.
    ensure!(!Path::new(bundle).exists() && !Path::new(bundle).parent().is_some_and(Path::exists), "{bundle}");
    let late = wait_until("the key's end", SOON, || {
        let late = fronted.curl(key, "https://api.example/", &copy).run_any().ok()?;
        (late.exit != 0).then_some(late)
    })?;
    ensure!(late.message.contains("407"), "{late:?}");
    // Off: nothing but what there always was.
    sandbox.run_ok(&["forward", "off"])?;
    let env = under_run(&fronted, &["env"])?.expect_code(0)?.stdout;
    ensure!(
        env.contains("SIGNBELL_KEY=") && !env.contains("HTTPS_PROXY=") && !env.contains("CURL_CA_BUNDLE="),
        "{env}"
    );
    Ok(())
}

#[test]
fn off_for_everybody_and_on_for_one_run() -> Result<()> {
    let telling = || Upstream::start(|request| Reply::Bytes(ok(&json!({"token": request.token()}).to_string())));
    let (api, outside) = (telling()?, telling()?);
    let fronted = Fronted::of("run-alone", &[("api.example", &api), ("outside.example", &outside)])?;
    let access = fronted.add("https://api.example", "api", "ada", "ci")?;
    let sandbox = &fronted.world.sandbox;
    // The tool's own key, and none, while the run's is good.
    let other = |user: &str| {
        let proxy = format!("http://{user}{}", fronted.proxy());
        format!("curl -q -s -o /dev/null -w '%{{http_connect}}\\n' --proxy {proxy} https://api.example/")
    };
    let script = format!(
        "curl -q -sS https://api.example/ && echo && curl -q -sS https://outside.example/ && echo; {}; {}",
        other(&format!("signbell:{}@", access.key)),
        other("")
    );
    let mut command = sandbox.signbell()?;
    command.args(["run", "--tool", "ci", "--forward", "--", "sh", "-c", &script]);
    command.env("SSL_CERT_FILE", &fronted.authority);
    let said = run(command, b"", SOON)?;
    let lines: Vec<&str> = said.stdout.lines().collect();
    let [own, blind, tool, nobody] = lines.as_slice() else { anyhow::bail!("{said:?}") };
    ensure!(own.len() > blind.len() && *blind == "{\"token\":\"\"}", "{said:?}");
    ensure!(*tool == "403" && *nobody == "407", "{said:?}");
    ensure!(api.seen().len() == 1 && outside.seen().len() == 1, "{:?} {:?}", api.seen(), outside.seen());
    // It was never on, and after the run there is nobody whom it serves.
    ensure!(sandbox.run_json(&["forward", "status"])?[0]["on"] == false);
    let told = sandbox.run_ok(&["activity"])?;
    ensure!(told.contains("with the forward proxy for it alone"), "{told}");
    wait_until("the end of what the run had", SOON, || {
        let mut command = sandbox.command("sh");
        command.args(["-c", &other("")]);
        let after = run(command, b"", SOON).ok()?;
        (after.stdout.trim() == "403").then_some(())
    })?;
    Ok(())
}

#[test]
fn two_runs_beside_each_other_have_nothing_of_one_another() -> Result<()> {
    let (fronted, api, _) = fronted("run-two")?;
    let sandbox = &fronted.world.sandbox;
    let (first, second) = (sandbox.path("first"), sandbox.path("second"));
    let script = |own: &Path, other: &Path| {
        format!(
            "mkdir {own} && cp $SSL_CERT_FILE {own}/mine.pem && echo \"$HTTPS_PROXY\" > {own}/proxy && touch {own}/ready\n\
             for i in $(seq 600); do [ -e {other}/ready ] && break; sleep 0.1; done\n\
             curl -q -sS https://api.example/ -o {own}/answer; echo $? > {own}/good\n\
             curl -q -sS --cacert {other}/mine.pem https://api.example/; echo $? > {own}/foreign\n\
             touch {own}/done; for i in $(seq 600); do [ -e {other}/done ] && break; sleep 0.1; done",
            own = own.display(),
            other = other.display()
        )
    };
    let (one, two) = (script(&first, &second), script(&second, &first));
    std::thread::scope(|scope| -> Result<()> {
        let beside = scope.spawn(|| under_run(&fronted, &["sh", "-c", &two]));
        under_run(&fronted, &["sh", "-c", &one])?.expect_code(0)?;
        beside.join().map_err(|_| anyhow::anyhow!("the second run panicked"))??.expect_code(0)?;
        Ok(())
    })?;
    let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).map(|text| text.trim().to_owned());
    for folder in [&first, &second] {
        ensure!(
            read(folder, "good")? == "0" && read(folder, "answer")?.contains("\"token\":\""),
            "{}",
            folder.display()
        );
        ensure!(read(folder, "foreign")? == "60", "one run's authority vouched in the other");
    }
    ensure!(read(&first, "proxy")? != read(&second, "proxy")?);
    ensure!(api.seen().len() == 2 && api.seen().iter().all(|request| !request.token().is_empty()), "{:?}", api.seen());
    Ok(())
}

#[test]
fn a_run_s_hosts_are_those_it_began_with() -> Result<()> {
    let (fronted, _, outside) = fronted("run-fixed")?;
    let (ready, go) = (fronted.world.sandbox.path("ready"), fronted.world.sandbox.path("go"));
    let script = format!(
        "touch {}; for i in $(seq 600); do [ -e {} ] && break; sleep 0.1; done; curl -q -sS https://outside.example/",
        ready.display(),
        go.display()
    );
    let said = std::thread::scope(|scope| -> Result<Output> {
        let running = scope.spawn(|| under_run(&fronted, &["sh", "-c", &script]));
        wait_until("the run", SOON, || ready.exists().then_some(()))?;
        fronted.add("https://outside.example", "later", "ada", "ci")?;
        fs::write(&go, "")?;
        running.join().map_err(|_| anyhow::anyhow!("the run panicked"))?
    })?;
    ensure!(said.expect_code(0)?.stdout == "{\"token\":\"\"}", "{:?}", outside.seen());
    // The next run has it.
    let said = under_run(&fronted, &["curl", "-q", "-sS", "https://outside.example/"])?.expect_code(0)?;
    ensure!(said.stdout.len() > "{\"token\":\"\"}".len(), "{said:?}");
    Ok(())
}

#[test]
fn curl_npm_python_and_node_just_work() -> Result<()> {
    let (fronted, api, outside) = fronted("run-clients")?;
    let python = "import urllib.request as r\nfor u in ('https://api.example/x', 'https://outside.example/x'): print(r.urlopen(u).read().decode())";
    let requests = python
        .replace("import urllib.request as r", "import requests")
        .replace("r.urlopen(u).read().decode()", "requests.get(u).text");
    let node = "for (const u of ['https://api.example/x', 'https://outside.example/x']) console.log(await (await fetch(u)).text())";
    let node_program = std::env::var("SIGNBELL_NODE").unwrap_or_else(|_| "node".into());
    let mut ran = Vec::new();
    let cache = fronted.world.sandbox.path("npm");
    let cache = cache.to_string_lossy();
    for (what, args) in [
        ("npm", vec!["npm", "ping", "--no-update-notifier", "--registry", "https://api.example/", "--cache", &cache]),
        ("curl", vec!["curl", "-q", "-sS", "https://api.example/x", "https://outside.example/x"]),
        ("urllib", vec!["python3", "-c", python]),
        ("requests", vec!["python3", "-c", &requests]),
        ("fetch", vec![&node_program, "--input-type=module", "-e", node]),
    ] {
        if !can(what, &args) {
            continue;
        }
        let (before, beside) = (api.seen().len(), outside.seen().len());
        let output = under_run(&fronted, &args)?.expect_code(0).with_context(|| what.to_owned())?;
        let (seen, passed) = (api.seen(), outside.seen());
        ensure!(
            seen.len() == before + 1 && passed.len() == beside + usize::from(what != "npm"),
            "{what}: {seen:?} {passed:?} {output:?}"
        );
        ensure!(seen.last().is_some_and(|request| !request.token().is_empty()), "{what}: {seen:?}");
        ensure!(passed.iter().all(|request| request.header("authorization").is_none()), "{what}: {passed:?}");
        ran.push(what);
    }
    ensure!(ran.contains(&"curl") && ran.contains(&"npm"), "{ran:?}");
    Ok(())
}

/// Whether this machine has it: `curl` and npm are needed by all tests, Python is not.
fn can(what: &str, args: &[&str]) -> bool {
    let runs = |args: &[&str]| {
        let (program, rest) = args.split_first().map_or(("", args), |(program, rest)| (*program, rest));
        Command::new(program).args(rest).output().is_ok_and(|output| output.status.success())
    };
    match what {
        "requests" => runs(&["python3", "-c", "import requests"]),
        "urllib" => runs(&["python3", "-c", ""]),
        // Node's own fetch knows the variables from 22.21 on.
        "fetch" => {
            let asks = "const [a, b] = process.versions.node.split('.').map(Number); process.exit(a > 22 || (a === 22 && b >= 21) ? 0 : 1)";
            args.first().is_some_and(|node| runs(&[node, "-e", asks]))
        }
        _ => which(what).is_ok(),
    }
}

#[test]
fn gh_just_works() -> Result<()> {
    let api = Upstream::start(|request| {
        let body = json!({"login": "ada", "target": request.target});
        Reply::Bytes(ok(&body.to_string()))
    })?;
    let fronted = Fronted::of("run-gh", &[("api.github.com", &api)])?;
    fronted.add("https://api.github.com", "github", "ada", "ci")?;
    fronted.forward()?;
    let output = under_run(&fronted, &["gh", "api", "user", "--jq", ".login"])?.expect_code(0)?;
    ensure!(output.stdout.trim() == "ada", "{output:?}");
    let seen = api.seen();
    ensure!(seen.len() == 1 && seen[0].target == "/user", "{seen:?}");
    let token = seen[0].header("authorization").unwrap_or_default();
    ensure!(token.starts_with("Bearer ") && !token.contains("signbell"), "{token}");
    // The placeholder is that and no more.
    let output = under_run(&fronted, &["sh", "-c", "echo $GH_TOKEN"])?.expect_code(0)?;
    ensure!(output.stdout.trim() == "signbell-puts-the-token-in", "{output:?}");
    Ok(())
}

#[test]
fn git_clones_by_https() -> Result<()> {
    let world = World::new("run-git-repo")?;
    let repository = world.sandbox.path("repo");
    let make = format!(
        "git init -q -b main {0} && cd {0} && git -c user.name=a -c user.email=a@example.test commit -q --allow-empty -m first",
        repository.display()
    );
    let mut sh = world.sandbox.command("sh");
    sh.args(["-c", &make]);
    run(sh, b"", SOON)?.expect_code(0)?;
    let served = repository.clone();
    // git's own server side on a real repository; the double around it wants a token and sees which came.
    let forge = Upstream::start(move |request| {
        if request.token().is_empty() {
            return Reply::Bytes(response("401 Unauthorized\r\nwww-authenticate: Basic realm=\"forge\"", b""));
        }
        let mut git = Command::new("git");
        git.args(["-c", "safe.directory=*", "upload-pack", "--stateless-rpc"]);
        let advertise = request.target.starts_with("/ada/repo.git/info/refs");
        if advertise {
            git.arg("--advertise-refs");
        }
        git.arg(&served);
        let Ok(output) = piped(git, &request.body) else {
            return Reply::Bytes(response("500 Internal Server Error", b""));
        };
        let kind = if advertise { "advertisement" } else { "result" };
        let head = format!("200 OK\r\ncontent-type: application/x-git-upload-pack-{kind}");
        let begin: &[u8] = if advertise { b"001e# service=git-upload-pack\n0000" } else { b"" };
        Reply::Bytes(response(&head, &[begin, &output].concat()))
    })?;
    let fronted = Fronted::of("run-git", &[("forge.example", &forge)])?;
    fronted.add("https://forge.example/ada", "forge", "ada", "ci")?;
    fronted.forward()?;
    let to = fronted.world.sandbox.path("clone");
    let args =
        ["git", "-c", "protocol.version=0", "clone", "-q", "https://forge.example/ada/repo.git", &to.to_string_lossy()];
    under_run(&fronted, &args)?.expect_code(0)?;
    let mut log = fronted.world.sandbox.command("git");
    log.arg("-C").arg(&to).args(["log", "--format=%s"]);
    ensure!(run(log, b"", SOON)?.expect_code(0)?.stdout.trim() == "first");
    ensure!(forge.seen().iter().all(|request| !request.token().is_empty()), "{:?}", forge.seen());
    Ok(())
}

/// Bytes in, bytes out: git's packs are no text.
fn piped(mut command: Command, input: &[u8]) -> Result<Vec<u8>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("no stdin")?.write_all(input)?;
    Ok(child.wait_with_output()?.stdout)
}
