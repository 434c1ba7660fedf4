//! Each invocation that is documented can be typed; what is not, can't.
#![allow(clippy::unwrap_used)]

use clap::CommandFactory;
use clap::error::ErrorKind;

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
        "signbell import",
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
