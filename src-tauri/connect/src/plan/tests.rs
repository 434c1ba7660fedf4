#![allow(clippy::unwrap_used)]
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

struct Home {
    folder: tempfile::TempDir,
    places: Places,
    journal: Journal,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("project")).unwrap();
        let places = Places::new(folder.path(), &folder.path().join("project"), &[]);
        let journal = Journal::in_folder(&folder.path().join("state"));
        Self { folder, places, journal }
    }

    fn plan(&self, ask: &Ask) -> Result<Plan, Problem> {
        Plan::new(&self.places, ask, Some(&Key::new("sbk_canary")), &self.journal)
    }

    fn done(&self, ask: &Ask) -> Done {
        self.plan(ask).unwrap().carry_out("20261121-120000", &self.journal).unwrap()
    }
}

fn ask(client: Client) -> Ask {
    let service = Target {
        name: "linear".into(),
        address: "http://127.0.0.1:8401/linear".into(),
        upstream: "https://mcp.linear.app/mcp".into(),
        account: "ada".into(),
    };
    Ask {
        client,
        services: vec![service],
        proxy: "http://127.0.0.1:8401".into(),
        tool: client.name().into(),
        program: "/opt/signbell".into(),
        project: false,
        stdio: false,
        env: false,
        undo: false,
        forget_key: false,
    }
}

fn undo(client: Client) -> Ask {
    Ask { undo: true, services: vec![], ..ask(client) }
}

#[test]
fn a_file_that_we_made_is_gone_after_undo() {
    for client in Client::ALL {
        let home = Home::new();
        let plan = home.plan(&ask(client)).unwrap();
        assert!(plan.changes() && plan.diff().contains("+"), "{client:?}");
        assert!(!plan.diff().contains("canary"), "{client:?}: {}", plan.diff());
        assert_eq!(home.done(&ask(client)), Done { backup: None, removed: false });
        let mode = fs::metadata(&plan.file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{client:?}");
        assert!(!home.plan(&ask(client)).unwrap().changes(), "{client:?}");
        let done = home.done(&undo(client));
        assert!(done.removed && !plan.file.exists() && done.backup.is_some(), "{client:?}: {done:?}");
        assert!(!home.plan(&undo(client)).unwrap().changes(), "{client:?}");
    }
}

#[test]
fn mode_and_link_stay_and_the_backup_is_private() {
    let home = Home::new();
    let real = home.folder.path().join("elsewhere.json");
    let text = "{\n  \"mcpServers\": {}\n}\n";
    fs::write(&real, text).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(home.folder.path().join(".cursor")).unwrap();
    let link = home.folder.path().join(".cursor/mcp.json");
    symlink(&real, &link).unwrap();
    let backup = home.done(&ask(Client::Cursor)).backup.unwrap();
    assert_eq!(backup, home.folder.path().join(".cursor/mcp.json.signbell-20261121-120000.bak"));
    assert_eq!(fs::read_to_string(&backup).unwrap(), text);
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(link.is_symlink() && fs::read_to_string(&real).unwrap().contains("sbk_canary"));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o644);
    // The object was the person's own, so it stays, as the file does.
    assert!(!home.done(&undo(Client::Cursor)).removed);
    assert_eq!(fs::read_to_string(&real).unwrap(), text);
}

#[test]
fn g1_no_key_where_it_is_likely_to_be_committed() {
    let home = Home::new();
    fs::create_dir(home.folder.path().join(".git")).unwrap();
    for client in Client::ALL {
        for project in [false, true] {
            let ask = Ask { project, ..ask(client) };
            match home.plan(&ask) {
                Ok(plan) => {
                    assert!(!matches!(plan.form, Form::Key(_)) && !plan.after.contains("sbk_"), "{client:?}");
                    assert_eq!(plan.notes.contains(&Note::LikelyCommitted), client.takes_key(), "{client:?}");
                    assert!(!project || !plan.after.contains("/opt/signbell"), "{client:?}");
                }
                Err(Problem::NoProject) => assert!(project, "{client:?}"),
                Err(Problem::NoKeyHere) => assert!(matches!(client, Client::Curl | Client::Pip), "{client:?}"),
                Err(other) => panic!("{client:?}: {other}"),
            }
        }
    }
    let plan = home.plan(&Ask { project: true, env: true, ..ask(Client::ClaudeCode) }).unwrap();
    assert!(plan.after.contains("Bearer ${SIGNBELL_KEY}") && plan.notes.contains(&Note::NeedsVariable));
}

#[test]
fn a_key_that_is_there_is_kept_and_one_that_is_not_is_asked_for() {
    let home = Home::new();
    let unknown = Plan::new(&home.places, &ask(Client::Zed), None, &home.journal).unwrap();
    assert!(unknown.needs_key && unknown.diff().contains("sbk_…"));
    home.done(&ask(Client::Zed));
    let known = Plan::new(&home.places, &ask(Client::Zed), None, &home.journal).unwrap();
    assert!(!known.needs_key && !known.changes());
}

#[test]
fn a_broken_file_and_one_that_changes_meanwhile_are_left_alone() {
    let home = Home::new();
    let file = home.places.file(Client::Npm, false).unwrap();
    let plan = home.plan(&ask(Client::Npm)).unwrap();
    fs::write(&file, "meanwhile=1\n").unwrap();
    assert!(matches!(plan.carry_out("x", &home.journal), Err(Problem::Changed)));
    assert_eq!(fs::read_to_string(&file).unwrap(), "meanwhile=1\n");
    for (client, text) in [(Client::ClaudeCode, "{\n\"a\":\n"), (Client::Codex, "a = \n"), (Client::Git, "[x\n")] {
        let file = home.places.file(client, false).unwrap();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        assert!(matches!(home.plan(&ask(client)), Err(Problem::Broken { .. })), "{client:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}
