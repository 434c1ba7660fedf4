//! Each invocation that is documented can be typed; what is not, can't.
#![allow(clippy::unwrap_used)]

use clap::CommandFactory;
use clap::error::ErrorKind;
use signbell_engine::model::ServiceName;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_commands_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_documented_can_be_typed() {
    for line in [
        "signbell app",
        "signbell serve --json",
        "signbell --json serve",
        "signbell add https://api.test",
        "signbell add https://api.test --name n --account a --issuer https://i.test --client-id c --client-secret-stdin --scope x --scope y --resource https://api.test/ --tool t --sign-in",
        "signbell add http://127.0.0.1:9/x --json",
        "signbell sign-in a",
        "signbell sign-in a --no-browser --force",
        "signbell sign-in --all",
        "signbell sign-in --all --no-browser --json",
        "signbell refresh a",
        "signbell account list",
        "signbell account set a --allow-token",
        "signbell account set a --allow-token=no --name work",
        "signbell account remove a",
        "signbell sign-out a --forget",
        "signbell status",
        "signbell status a --json",
        "signbell add https://api.test --provider-preset keycloak --issuer https://id.test/realms/x",
        "signbell provider presets",
        "signbell provider presets github --json",
        "signbell service list",
        "signbell service set s --hold 0 --replay-unsafe=no --expired 401",
        "signbell service remove s",
        "signbell tool add t --service a",
        "signbell tool add t --service a --service b --expired 503 --key-in-path",
        "signbell tool add t --service a b --json",
        "signbell service move s https://login.test",
        "signbell add https://api.test --allow-missing-pkce",
        "signbell tool list",
        "signbell tool rotate t",
        "signbell tool remove t",
        "signbell token a",
        "signbell token a --min-valid 5m",
        "signbell activity",
        "signbell activity --follow --json",
        "signbell demo",
        "signbell demo --auto",
        "signbell doctor --json",
        "signbell completions zsh",
        "signbell man",
        "signbell man --folder pages",
        "signbell doctor --test-vault",
        "signbell import",
        "signbell import clients --dry-run --json",
        "signbell import gh --from /h/hosts.yml --take gh:a@b --client-id c --client-secret-stdin --tool t",
        "signbell import --take mcp-remote:x --with-tokens --url https://x.test/mcp",
        "signbell import carried.toml --on-conflict keep --yes",
        "signbell export carried.toml --force",
        "signbell connect --list",
        "signbell connect claude-code linear",
        "signbell connect claude-code linear github --dry-run --json",
        "signbell connect codex linear --project --stdio --yes",
        "signbell connect codex linear --env --tool work --rotate -y",
        "signbell connect git --undo",
        "signbell connect git forge --undo --yes",
        "signbell connect --again",
        "signbell connect cursor --again --project --dry-run",
        "signbell credential git get",
        "signbell credential cargo --tool build",
        "signbell credential docker get",
        "signbell credential kubectl cluster",
        "signbell service set s --rewrite-addresses",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_makes_no_sense_is_usage() {
    for line in [
        "signbell",
        "signbell add",
        "signbell add api.test",
        "signbell add file:///etc/passwd",
        "signbell add https://api.test --client-secret-stdin",
        "signbell add https://api.test --name Bad_Name",
        "signbell sign-in",
        "signbell sign-in a --all",
        "signbell account set a",
        "signbell account set a --allow-token no",
        "signbell service set s",
        "signbell service set s --hold soon",
        "signbell service set s --expired 200",
        "signbell service move s login.test",
        "signbell tool add t",
        "signbell token a --min-valid 5d",
        "signbell token a --min-valid 99999999999999999999h",
        "signbell import nobody-knows",
        "signbell import --from x",
        "signbell import --all --take x:y",
        "signbell export",
        "signbell connect x y",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    fn check(command: &clap::Command, path: &str) {
        for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
            let path = format!("{path} {}", sub.get_name());
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("signbell "), "{path}");
            for example in help.lines().filter_map(|l| l.trim().strip_prefix("signbell ")) {
                // What the shell does with it is the shell's.
                let example = [" > ", " | "].iter().fold(example, |line, sign| line.split(sign).next().unwrap_or(line));
                let line = format!("signbell {example}");
                assert!(parse(&line).is_ok(), "{line}");
            }
            check(sub, &path);
        }
    }
    check(&Cli::command(), "signbell");
    assert_eq!(parse("signbell tool add --help").unwrap_err().kind(), ErrorKind::DisplayHelp);
}

#[test]
fn values_are_read() {
    let Command::Token { min_valid, .. } = parse("signbell token a --min-valid 5m").unwrap().command else {
        unreachable!()
    };
    assert_eq!(min_valid, Duration::from_secs(300));
    let Command::Account(Account::Set { settings, .. }) =
        parse("signbell account set a --allow-token").unwrap().command
    else {
        unreachable!()
    };
    assert_eq!((settings.allow_token, settings.name), (Some(true), None));
    let Command::Tool(Tool::Add { services, .. }) =
        parse("signbell tool add t --service a,b --service c").unwrap().command
    else {
        unreachable!()
    };
    assert_eq!(services.iter().map(ServiceName::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn json_is_noticed_in_a_line_that_makes_no_sense() {
    let wants = |line: &str| wants_json(line.split(' ').map(OsString::from));
    assert!(wants("signbell --json nonsense") && wants("signbell nonsense --json"));
    assert!(!wants("signbell nonsense") && !wants("signbell run -- --json"));
}

/// Names in capitals stand for what a reader puts there.
fn filled_in(word: String) -> String {
    match word.as_str() {
        "URL" | "ADDRESS" => "https://x.test".to_owned(),
        "NUMBER" | "PORT" => "8401".to_owned(),
        "FILE" => "carried.toml".to_owned(),
        name if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => "x".to_owned(),
        _ => word,
    }
}

#[test]
fn what_the_pages_tell_to_type_can_be_typed() {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![top.join("README.md")];
    pages.extend(std::fs::read_dir(top.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut typed = 0;
    for page in pages.iter().filter(|page| page.extension().is_some_and(|of| of == "md")) {
        let text = std::fs::read_to_string(page).unwrap().replace("\\\n", " ");
        let mut lines: Vec<&str> = vec![];
        for (n, block) in text.split("```").enumerate() {
            match block.strip_prefix("sh\n") {
                Some(shell) if n % 2 == 1 => lines.extend(shell.lines()),
                _ if n % 2 == 1 => {}
                _ => lines.extend(block.split('`').skip(1).step_by(2)),
            }
        }
        for line in lines {
            let words = shlex::split(line).unwrap_or_else(|| panic!("{}: {line}", page.display()));
            let ours = words
                .iter()
                .position(|word| word == "signbell")
                .filter(|at| words[..*at].iter().all(|w| w.contains('=')));
            let Some(at) = ours.filter(|at| words.len() > at + 1) else { continue };
            let ends = |word: &String| {
                ["|", "||", "&&", ">", ">>", ";", "&"].contains(&word.as_str()) || word.starts_with('#')
            };
            let line: Vec<String> = words[at..].iter().take_while(|word| !ends(word)).cloned().map(filled_in).collect();
            let parsed = Cli::try_parse_from(&line);
            let help = |e: &clap::Error| matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let is_group = |e: &clap::Error| e.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            // In a sentence a command may be named without what it needs.
            let only_named = |e: &clap::Error| e.kind() == ErrorKind::MissingRequiredArgument && line.len() <= 3;
            match parsed {
                Err(e) if !help(&e) && !is_group(&e) && !only_named(&e) => panic!("{}: {line:?}: {e}", page.display()),
                _ => typed += 1,
            }
        }
    }
    assert!(typed > 40, "{typed}");
}
