//! One real file of each source, and files that are broken or not to be trusted.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;

/// A person's home with the files of `tests/import` where their programs put them.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn full() -> Self {
        let home = Self::empty();
        for (sample, place) in [
            ("gh-hosts.yml", ".config/gh/hosts.yml"),
            ("gcloud-adc.json", ".config/gcloud/application_default_credentials.json"),
            ("oidc-agent/egi", ".config/oidc-agent/egi"),
            ("oidc-agent/plain", ".config/oidc-agent/plain"),
            ("oidc-agent/issuer.config", ".config/oidc-agent/issuer.config"),
            ("emailproxy.config", "emailproxy.config"),
            ("clients/claude.json", ".claude.json"),
            ("clients/claude_desktop_config.json", ".config/Claude/claude_desktop_config.json"),
            ("clients/cursor-mcp.json", ".cursor/mcp.json"),
            ("clients/vscode-mcp.json", ".config/Code/User/mcp.json"),
            ("clients/windsurf-mcp_config.json", ".codeium/windsurf/mcp_config.json"),
            ("clients/zed-settings.json", ".config/zed/settings.json"),
            ("clients/gemini-settings.json", ".gemini/settings.json"),
            ("clients/codex-config.toml", ".codex/config.toml"),
            ("clients/opencode.json", ".config/opencode/opencode.json"),
        ] {
            home.write(place, &fs::read(samples().join(sample)).unwrap());
        }
        for file in reading::entries(&samples().join("mcp-remote/mcp-remote-0.1.37")) {
            let name = reading::name(&file).to_owned();
            home.write(&format!(".mcp-auth/mcp-remote-0.1.37/{name}"), &fs::read(file).unwrap());
        }
        home
    }

    fn path(&self, place: &str) -> PathBuf {
        self.folder.path().join(place)
    }

    fn write(&self, place: &str, bytes: &[u8]) {
        let path = self.path(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn places(&self) -> Places {
        let home = self.folder.path().to_owned();
        Places { config: home.join(".config"), home, project: None, moved: vec![], named: None }
    }

    fn find(&self, only: Option<Source>) -> Found {
        find(&self.places(), only)
    }
}

fn samples() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/import"))
}

fn url(item: &Item) -> &str {
    item.url.as_ref().map_or("", |url| url.as_str())
}

fn by_id<'a>(found: &'a Found, id: &str) -> &'a Item {
    let ids: Vec<String> = found.items.iter().map(Item::id).collect();
    found.items.iter().find(|item| item.id() == id).unwrap_or_else(|| panic!("no {id} in {ids:?}"))
}

fn refresh(item: &Item) -> (&str, bool) {
    match &item.tokens {
        Tokens::Refresh { token, shared } => (token.expose(), *shared),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mcp_remote_s_folder_and_the_clients_that_know_its_addresses() {
    let found = Home::full().find(Some(Source::McpRemote));
    assert!(found.unusable.is_empty(), "{:?}", found.unusable);
    assert_eq!(found.items.len(), 3);
    let linear = by_id(&found, "mcp-remote:linear");
    assert_eq!(url(linear), "https://mcp.linear.app/sse");
    assert_eq!(linear.client_id.as_deref(), Some("linear-client"));
    assert_eq!(refresh(linear), ("not-a-secret-refresh-linear", false));
    assert_eq!(linear.scopes, ["read", "write"]);
    assert!(linear.client_is_registered && linear.is_whole());
    let atlassian = by_id(&found, "mcp-remote:atlassian_tenant1");
    assert_eq!(atlassian.resource.as_deref(), Some("https://tenant1.atlassian.net/"));
    assert_eq!(atlassian.client_secret.as_ref().unwrap().expose(), "not-a-secret-client-atlassian");
    let unknown = found.items.iter().find(|item| item.url.is_none()).unwrap();
    assert_eq!(unknown.notes, [Note::UnknownAddress]);
    assert!(!unknown.is_whole());
}

#[test]
fn the_newest_version_s_folder_counts() {
    let home = Home::full();
    let hash = "aaaabbbbccccddddeeeeffff00001111";
    for (version, client) in [("0.1.9", "old"), ("0.1.38", "new"), ("0.1.10", "older")] {
        let text = format!("{{\"client_id\": \"{client}\", \"redirect_uris\": []}}");
        home.write(&format!(".mcp-auth/mcp-remote-{version}/{hash}_client_info.json"), text.as_bytes());
    }
    let found = home.find(Some(Source::McpRemote));
    assert_eq!(by_id(&found, "mcp-remote:aaaabbbb").client_id.as_deref(), Some("new"));
}

#[test]
fn gh_s_hosts_and_their_users() {
    let found = Home::full().find(Some(Source::Gh));
    let ids: Vec<String> = found.items.iter().map(Item::id).collect();
    assert_eq!(ids, ["gh:ada@github.com", "gh:grace-work@github.com", "gh:ada@git.example.com"]);
    let urls: Vec<&str> = found.items.iter().map(url).collect();
    assert_eq!(urls, ["https://api.github.com/", "https://api.github.com/", "https://git.example.com/api/v3"]);
    // Nobody signs in at github.com for another host.
    let presets: Vec<_> = found.items.iter().map(|item| item.provider_preset).collect();
    assert_eq!(presets, [Some("github"), Some("github"), None]);
    assert_eq!(found.items[2].issuer.as_ref().unwrap().as_str(), "https://git.example.com/login/oauth");
    // A token of gh's is never taken.
    assert!(found.items.iter().all(|item| matches!(item.tokens, Tokens::Theirs) && !item.is_whole()));
    assert!(!format!("{found:?}").contains("gho_"));
}

#[test]
fn what_the_programs_wrote_themselves() {
    let home = Home::empty();
    for (sample, place) in [
        ("gh-2.23.0-hosts.yml", ".config/gh/hosts.yml"),
        ("oidc-agent-4.2.6/egi", ".config/oidc-agent/egi"),
        ("oidc-agent-4.2.6/issuer.config", ".config/oidc-agent/issuer.config"),
        ("emailproxy-2026.7.3.config", "emailproxy.config"),
        ("claude-code-2.1.197.json", ".claude.json"),
        ("claude-code-2.1.197.mcp.json", "work/.mcp.json"),
        ("gemini-0.61.0-settings.json", ".gemini/settings.json"),
        ("codex-0.169.0-config.toml", ".codex/config.toml"),
    ] {
        home.write(place, &fs::read(samples().join("written").join(sample)).unwrap());
    }
    let found = find(&Places { project: Some(home.path("work")), ..home.places() }, None);
    assert!(found.unusable.is_empty(), "{:?}", found.unusable);
    let mut ids: Vec<String> = found.items.iter().map(Item::id).collect();
    ids.sort();
    let clients = ["clients:linear", "clients:notion", "clients:old"];
    let others = ["email-oauth2-proxy:ada@example.com", "gh:git.example.com", "gh:github.com", "oidc-agent:egi"];
    assert_eq!(ids, [&clients[..], &others[..]].concat());
    assert_eq!(by_id(&found, "clients:linear").places.len(), 3);
    assert_eq!(url(by_id(&found, "clients:old")), "https://mcp.atlassian.com/v1/sse");
    let sealed = by_id(&found, "oidc-agent:egi");
    assert_eq!(sealed.issuer.as_ref().unwrap().as_str(), "http://127.0.0.1:8098/");
    assert!(matches!(sealed.tokens, Tokens::Sealed));
    let mail = by_id(&found, "email-oauth2-proxy:ada@example.com");
    assert_eq!(mail.client_id.as_deref(), Some("not-a-client"));
    assert_eq!(mail.scopes, ["https://mail.example.com/", "offline_access"]);
}

#[test]
fn google_s_application_default_credentials() {
    let found = Home::full().find(Some(Source::Gcloud));
    let adc = by_id(&found, "gcloud:adc");
    assert_eq!(refresh(adc), ("1//not-a-secret-refresh-google", true));
    assert_eq!(adc.notes, [Note::ProgramsClient("gcloud")]);
    assert!(adc.is_whole() && adc.provider_preset == Some("google"));
    let robot = gcloud::items("{\"type\": \"service_account\", \"private_key\": \"not-a-secret-key\"}").unwrap();
    assert_eq!(robot[0].notes, [Note::NoPerson("service_account".into())]);
    assert!(gcloud::items("{\"type\": \"authorized_user\", \"client_id\": \"c\"}").is_err());
}

#[test]
fn oidc_agent_s_accounts_sealed_or_not() {
    let found = Home::full().find(Some(Source::OidcAgent));
    assert!(found.unusable.is_empty(), "{:?}", found.unusable);
    assert_eq!(found.items.len(), 2);
    let sealed = by_id(&found, "oidc-agent:egi");
    assert_eq!(sealed.issuer.as_ref().unwrap().as_str(), "https://aai.egi.eu/auth/realms/egi");
    assert!(matches!(sealed.tokens, Tokens::Sealed));
    let plain = by_id(&found, "oidc-agent:plain");
    assert_eq!(plain.client_id.as_deref(), Some("agent-client"));
    assert_eq!(refresh(plain), ("not-a-secret-refresh-agent", false));
    assert_eq!(plain.scopes, ["openid", "profile", "offline_access"]);
    assert_eq!(plain.notes, [Note::NoService]);
}

#[test]
fn email_oauth2_proxy_s_accounts() {
    let found = Home::full().find(Some(Source::EmailProxy));
    assert_eq!(found.items.len(), 4, "{found:?}");
    let gmail = by_id(&found, "email-oauth2-proxy:ada@gmail.example");
    assert_eq!((url(gmail), gmail.provider_preset), ("https://gmail.googleapis.com/", Some("google")));
    assert_eq!(gmail.client_secret.as_ref().unwrap().expose(), "not-a-secret-client-mail");
    assert!(matches!(gmail.tokens, Tokens::Sealed) && gmail.is_whole());
    let sample = by_id(&found, "email-oauth2-proxy:your.office365.or.outlook.address@example.com");
    assert!(sample.notes.contains(&Note::Placeholder("client_id")) && sample.client_id.is_none());
    let fastmail = by_id(&found, "email-oauth2-proxy:ada@fastmail.example");
    assert_eq!(fastmail.issuer.as_ref().unwrap().as_str(), "https://api.fastmail.com/");
    let robot = by_id(&found, "email-oauth2-proxy:robot@tenant.example");
    assert!(robot.notes.contains(&Note::NoPerson("client_credentials".into())));
}

#[test]
fn every_client_s_own_form() {
    let found = Home::full().find(Some(Source::Clients));
    assert!(found.unusable.is_empty(), "{:?}", found.unusable);
    let mut all: Vec<(String, &str)> = found.items.iter().map(|item| (item.key.clone(), url(item))).collect();
    all.sort();
    let expected = [
        ("Linear", "https://mcp.linear.app/mcp"),
        ("asana", "https://mcp.asana.com/v2/mcp"),
        ("atlassian_tenant1", "https://mcp.atlassian.com/v1/sse"),
        ("cloudflare", "https://mcp.cloudflare.com/mcp"),
        ("docs", "https://mcp.docs.example/mcp"),
        ("figma", "https://mcp.figma.com/mcp"),
        ("github", "https://api.githubcopilot.com/mcp/"),
        ("linear", "https://mcp.linear.app/sse"),
        ("local", "https://mcp.local.example/mcp"),
        ("notion", "https://mcp.notion.com/mcp"),
        ("older", "https://mcp.older.example/sse"),
        ("own-client", "https://mcp.own.example/mcp"),
        ("sentry", "https://mcp.sentry.dev/mcp"),
        ("stripe", "https://mcp.stripe.com/"),
        ("vercel", "https://mcp.vercel.com/"),
    ];
    assert_eq!(all, expected.map(|(name, url)| (name.to_owned(), url)));
    let own = by_id(&found, "clients:own-client");
    assert_eq!(own.client_id.as_deref(), Some("own-client"));
    assert_eq!(by_id(&found, "clients:notion").notes, [Note::OwnHeader]);
    assert_eq!(by_id(&found, "clients:figma").notes, [Note::OwnHeader]);
    assert!(!format!("{found:?}").contains("not-a-secret"), "a secret in Debug");
}

#[test]
fn one_server_is_one_item_wherever_it_is_written() {
    let home = Home::full();
    home.write(".gemini/settings.json", br#"{"mcpServers": {"other": {"httpUrl": "https://mcp.linear.app/mcp"}}}"#);
    let found = home.find(Some(Source::Clients));
    assert_eq!(by_id(&found, "clients:Linear").places.len(), 2);
    // With mcp-remote's own folder the client is but a second place of it.
    let found = home.find(None);
    assert_eq!(by_id(&found, "mcp-remote:linear").places.len(), 2);
    assert!(!found.items.iter().any(|item| item.id() == "clients:linear"));
}

#[test]
fn broken_files_are_named_and_the_others_are_read() {
    for (place, bytes) in [
        (".config/gh/hosts.yml", &b"github.com: &anchor\n  user: canary"[..]),
        (".config/gcloud/application_default_credentials.json", b"{\"refresh_token\": canary"),
        (
            ".config/gcloud/application_default_credentials.json",
            b"{\"type\": \"authorized_user\", \"client_secret\": 5}",
        ),
        (".config/oidc-agent/plain", b"{\"refresh_token\": \"canary\"}"),
        (".config/oidc-agent/plain", b"canary"),
        ("emailproxy.config", b"canary without a section"),
        (".cursor/mcp.json", b"{\"mcpServers\": {\"canary\": "),
        (".cursor/mcp.json", b"\xff\xfe\x00canary"),
        (".codex/config.toml", b"[mcp_servers.x]\nurl = canary"),
        (".codex/config.toml", b"[mcp_servers\nbearer = \"canary\""),
    ] {
        let home = Home::full();
        home.write(place, bytes);
        let found = home.find(None);
        assert_eq!(found.unusable.len(), 1, "{place}: {:?}", found.unusable);
        let unusable = &found.unusable[0];
        assert_eq!(unusable.file, home.path(place));
        assert!(!format!("{:?}", unusable.why).contains("canary"), "{place}: {:?}", unusable.why);
        assert!(found.items.len() > 10, "{place}: the others are gone");
    }
}

#[test]
fn t10_a_file_that_others_may_have_written_is_not_believed() {
    let home = Home::full();
    let file = home.path(".cursor/mcp.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(home.find(Some(Source::Clients)).unusable[0].why, ReadError::WritableByAll);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    // A person's own link is theirs; one to nothing, to a folder or to a device is not followed further.
    fs::rename(&file, home.path("dotfile.json")).unwrap();
    symlink(home.path("dotfile.json"), &file).unwrap();
    assert!(home.find(Some(Source::Clients)).unusable.is_empty());
    for (target, is_io) in [(home.path("nothing"), true), (home.path(".config"), false), ("/dev/zero".into(), false)] {
        fs::remove_file(&file).unwrap();
        symlink(&target, &file).unwrap();
        let found = home.find(Some(Source::Clients));
        match &found.unusable[0].why {
            ReadError::Io(_) => assert!(is_io, "{target:?}"),
            why => assert!(!is_io && *why == ReadError::NotAFile, "{target:?}: {why:?}"),
        }
    }
    fs::remove_file(&file).unwrap();
    fs::File::create(&file).unwrap().set_len(17 * 1024 * 1024).unwrap();
    assert_eq!(home.find(Some(Source::Clients)).unusable[0].why, ReadError::TooLarge);
    if rustix::process::geteuid().is_root() {
        fs::write(&file, "{}").unwrap();
        std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
        assert_eq!(home.find(Some(Source::Clients)).unusable[0].why, ReadError::ForeignOwner);
    }
}

#[test]
fn an_empty_home_has_nothing() {
    let found = Home::empty().find(None);
    assert!(found.items.is_empty() && found.unusable.is_empty());
}

#[test]
fn what_a_program_names_can_be_typed_and_can_steer_nothing() {
    let home = Home::empty();
    let name = "a b\\u001b[2J\\u202e'; rm -rf ~".repeat(10);
    home.write(
        ".cursor/mcp.json",
        format!("{{\"mcpServers\": {{\"{name}\": {{\"url\": \"https://x.test\"}}}}}}").as_bytes(),
    );
    let found = home.find(None);
    let id = found.items[0].id();
    assert!(id.len() < 100 && id.bytes().all(|b| b.is_ascii_graphic() && !b"'\"$;`\\~".contains(&b)), "{id}");
    assert!(found.items[0].service_name().is_some_and(|name| name.len() <= 40));
}
