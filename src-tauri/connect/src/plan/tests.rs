#![allow(clippy::unwrap_used)]
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

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
        what: What::Connect,
        forget_key: false,
        rewriting: Some(vec![]),
    }
}

fn undo(client: Client) -> Ask {
    Ask { what: What::Undo, services: vec![], ..ask(client) }
}

#[test]
fn a_file_that_we_made_is_gone_after_undo() {
    for client in Client::ALL {
        let home = Home::new();
        let plan = home.plan(&ask(client)).unwrap();
        assert!(plan.changes() && plan.diff().contains("+"), "{client:?}");
        assert!(!plan.diff().contains("canary"), "{client:?}: {}", plan.diff());
        assert_eq!(home.done(&ask(client)), Done::default());
        let mode = fs::metadata(&plan.file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{client:?}");
        let again = Ask { rewriting: Some(vec!["linear".into()]), ..ask(client) };
        assert!(!home.plan(&again).unwrap().changes(), "{client:?}");
        let done = home.done(&undo(client));
        assert_eq!(done, Done { removed: true, ..Done::default() }, "{client:?}");
        assert!(!plan.file.exists() && write::backups(&plan.file).is_empty(), "{client:?}");
        assert!(!home.plan(&undo(client)).unwrap().changes(), "{client:?}");
    }
}

/// Cursor's file, which lies elsewhere at home and which others may read.
fn open_file(home: &Home, text: &str) -> (PathBuf, PathBuf) {
    let real = home.folder.path().join("elsewhere.json");
    fs::write(&real, text).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(home.folder.path().join(".cursor")).unwrap();
    let link = home.folder.path().join(".cursor/mcp.json");
    symlink(&real, &link).unwrap();
    (real, link)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn mode_and_link_stay_and_the_backup_is_private() {
    let home = Home::new();
    let text = "{\n  \"mcpServers\": {}\n}\n";
    let (real, link) = open_file(&home, text);
    let backup = home.done(&Ask { stdio: true, ..ask(Client::Cursor) }).backup.unwrap();
    assert_eq!(backup, home.folder.path().join(".cursor/mcp.json.signbell-20261121-120000.bak"));
    assert_eq!(fs::read_to_string(&backup).unwrap(), text);
    assert_eq!(mode(&backup), 0o600);
    assert!(link.is_symlink() && fs::read_to_string(&real).unwrap().contains("signbell"));
    assert_eq!(mode(&real), 0o644);
    // The object was the person's own, so it stays, as the file does.
    assert!(!home.done(&undo(Client::Cursor)).removed);
    assert_eq!(fs::read_to_string(&real).unwrap(), text);
}

#[test]
fn g1_a_file_with_a_key_is_its_owner_s_alone_for_as_long() {
    let home = Home::new();
    let (real, link) = open_file(&home, "{\n  \"mcpServers\": {}\n}\n");
    let plan = home.plan(&ask(Client::Cursor)).unwrap();
    assert_eq!(plan.notes, [Note::MadePrivate { mode: "0644".into() }]);
    home.done(&ask(Client::Cursor));
    assert!(link.is_symlink() && mode(&real) == 0o600);
    // Opened since, it is closed again, though nothing else changes.
    fs::set_permissions(&real, fs::Permissions::from_mode(0o664)).unwrap();
    let plan = home.plan(&ask(Client::Cursor)).unwrap();
    assert!(plan.changes() && !plan.writes());
    assert_eq!(home.done(&ask(Client::Cursor)), Done::default());
    assert_eq!(mode(&real), 0o600);
    assert_eq!(home.plan(&undo(Client::Cursor)).unwrap().notes, [Note::MadeReadable { mode: "0664".into() }]);
    home.done(&undo(Client::Cursor));
    assert_eq!(mode(&real), 0o664);

    // Outside the home folder somebody else may be meant to read it.
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), "{}").unwrap();
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(&link).unwrap();
    symlink(outside.path(), &link).unwrap();
    assert!(matches!(home.plan(&ask(Client::Cursor)), Err(Problem::Shared)));
    assert!(home.plan(&Ask { stdio: true, ..ask(Client::Cursor) }).unwrap().notes.is_empty());
}

#[test]
fn g1_no_key_is_left_behind_in_a_backup() {
    let home = Home::new();
    let text = "{\n  \"mine\": \"sbk_by-hand\"\n}\n";
    fs::create_dir(home.folder.path().join(".cursor")).unwrap();
    let file = home.folder.path().join(".cursor/mcp.json");
    fs::write(&file, text).unwrap();
    home.done(&ask(Client::Cursor));
    let address = "http://127.0.0.1:8401/other".into();
    let other = Target { name: "other".into(), address, ..ask(Client::Cursor).services.remove(0) };
    let other = Ask { services: vec![other], ..ask(Client::Cursor) };
    home.done(&other);
    // One of two goes: the key is there still, and the backup as good as the file.
    let plan = home.plan(&Ask { what: What::Undo, ..other }).unwrap();
    assert_eq!((plan.gone(), plan.left.len()), (vec!["other"], 1));
    let done = plan.carry_out("20261121-120001", &home.journal).unwrap();
    assert!(fs::read_to_string(done.backup.unwrap()).unwrap().contains("sbk_canary"));
    assert_eq!(write::backups(&file).len(), 3);
    let done = home.done(&undo(Client::Cursor));
    assert_eq!(done.cleared, 3, "{done:?}");
    for backup in write::backups(&file) {
        let said = fs::read_to_string(&backup).unwrap();
        assert!(said.contains("sbk_removed") && !said.contains("canary") && !said.contains("by-hand"), "{said}");
        assert_eq!(mode(&backup), 0o600);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_backup_of_what_was_all_ours_goes_with_it() {
    for (client, keys) in [(Client::Zed, 1), (Client::Git, 0)] {
        let home = Home::new();
        home.done(&ask(client));
        let address = "http://127.0.0.1:8401/other".into();
        let other = Target { name: "other".into(), address, ..ask(client).services.remove(0) };
        let backup = home.done(&Ask { services: vec![other], ..ask(client) }).backup.unwrap();
        let done = home.done(&undo(client));
        assert_eq!((done.removed, done.cleared, backup.exists()), (true, keys, false), "{client:?}");
    }
}

#[test]
fn a_registry_s_addresses_are_rewritten_for_as_long_as_somebody_needs_it() {
    let home = Home::new();
    let project = Ask { project: true, ..ask(Client::Npm) };
    let on = |ask: Ask| Ask { rewriting: Some(vec!["linear".into()]), ..ask };
    let linear = || "linear".to_owned();
    let plan = home.plan(&ask(Client::Npm)).unwrap();
    assert_eq!((&plan.rewriting, &plan.notes), (&vec![linear()], &vec![Note::Rewrites { service: linear() }]));
    home.done(&ask(Client::Npm));
    assert!(!home.plan(&on(ask(Client::Npm))).unwrap().changes());
    // Where it was turned off since, that alone is a change.
    assert!(home.plan(&ask(Client::Npm)).unwrap().changes());
    home.done(&on(project.clone()));
    // The first goes, and the second needs it still.
    assert!(home.plan(&on(undo(Client::Npm))).unwrap().rewriting.is_empty());
    home.done(&on(undo(Client::Npm)));
    let last = Ask { what: What::Undo, ..project };
    let plan = home.plan(&on(last.clone())).unwrap();
    assert_eq!((&plan.rewriting, &plan.notes), (&vec![linear()], &vec![Note::RewritesNoMore { service: linear() }]));
    let alone = home.plan(&Ask { rewriting: None, ..last.clone() }).unwrap();
    assert_eq!((alone.rewriting.len(), alone.notes), (0, vec![Note::RewritesStill { service: linear() }]));
    home.done(&on(last));
    // What the person turned on stays on.
    home.done(&on(ask(Client::Npm)));
    assert!(home.plan(&on(undo(Client::Npm))).unwrap().rewriting.is_empty());
}

#[test]
fn again_leads_to_the_new_port_and_keeps_the_rest() {
    for client in Client::ALL {
        let home = Home::new();
        home.done(&ask(client));
        let file = home.places.file(client, false).unwrap();
        let before = fs::read_to_string(&file).unwrap();
        let again = Ask { what: What::Again, services: vec![], proxy: "http://127.0.0.1:9402".into(), ..ask(client) };
        let plan = home.plan(&again).unwrap();
        assert_eq!(
            plan.changes(),
            client.takes_key() || matches!(client, Client::Git | Client::Cargo | Client::Docker),
            "{client:?}"
        );
        if plan.changes() {
            home.done(&again);
            assert_eq!(fs::read_to_string(&file).unwrap(), before.replace("8401", "9402"), "{client:?}");
        }
        assert!(!home.plan(&again).unwrap().changes(), "{client:?}");
        let done = home.done(&Ask { proxy: again.proxy.clone(), ..undo(client) });
        assert!(done.removed, "{client:?}");
    }
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

#[test]
fn what_fails_leaves_the_file_and_the_record_as_they_were() {
    // Where nothing can be recorded nothing is written.
    let home = Home::new();
    fs::write(home.folder.path().join("state"), "in the way").unwrap();
    for client in Client::ALL {
        let plan = home.plan(&ask(client)).unwrap();
        assert!(matches!(plan.carry_out("x", &home.journal), Err(Problem::Io { .. })), "{client:?}");
        assert!(!plan.file.exists(), "{client:?}");
    }
    // Where the file can't be written nothing is recorded: its folder takes no other.
    let home = Home::new();
    let file = home.places.file(Client::Npm, false).unwrap();
    symlink("/proc/version", &file).unwrap();
    let plan = home.plan(&Ask { env: true, ..ask(Client::Npm) }).unwrap();
    assert_ne!(plan.made, Made::default());
    assert!(matches!(plan.carry_out("x", &home.journal), Err(Problem::Io { .. })));
    assert_eq!(home.journal.get(&file), Made::default());
}
