#![allow(clippy::unwrap_used)]
use std::fs;
use std::path::Path;

use super::file::parse;
use super::*;

const GOOD: &str = r#"
# by hand
[providers.linear]
issuer = "https://linear.test"
client_id = "x" # ours
[accounts.work]
provider = "linear"
[services.linear]
url = "https://mcp.linear.test/mcp"
account = "work"
[tools.claude]
key_sha256 = "0000000000000000000000000000000000000000000000000000000000000001"
services = ["linear"]
"#;

fn parsed(text: &str) -> Result<Config, String> {
    parse(Path::new("c.toml"), text).map_err(|e| e.to_string())
}

#[test]
fn mistakes_are_named() {
    assert!(parsed(GOOD).is_ok());
    assert_eq!(parsed("").unwrap(), Config::default());
    for (wrong, right, part) in [
        ("client_id", "klient_id", "line 5"),
        ("provider = \"linear\"", "provider = \"x\"", "account work names the provider x"),
        ("account = \"work\"", "account = \"x\"", "service linear names the account x"),
        ("https://mcp", "http://mcp", "neither https nor on this machine"),
        ("/mcp\"", "/mcp?x=1\"", "must end before ?"),
        ("[\"linear\"]", "[\"x\"]", "tool claude names the service x"),
        ("0001\"", "000\"", "64 hexadecimal"),
        ("[accounts.work]", "[accounts.Work]", "name"),
    ] {
        let error = parsed(&GOOD.replace(wrong, right)).unwrap_err();
        assert!(error.contains(part), "{right}: {error}");
        assert!(error.starts_with("c.toml: "), "{error}");
    }
    for (url, good) in [
        ("https://a.test/client.json", true),
        ("http://a.test/client.json", false),
        ("https://a.test", false),
        ("https://a.test/", false),
    ] {
        assert_eq!(parsed(&format!("[network]\nclient_metadata_url = \"{url}\"\n{GOOD}")).is_ok(), good, "{url}");
    }
}

#[test]
fn edits_keep_comments_and_refuse_nonsense() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, GOOD).unwrap();
    let set = |keys: [&'static str; 3], text: &'static str| {
        edit(&path, |d| -> Result<(), ConfigError> {
            d[keys[0]][keys[1]][keys[2]] = toml_edit::value(text);
            Ok(())
        })
    };
    set(["accounts", "work", "label"], "Work").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("# by hand") && text.contains("# ours") && text.contains("label = \"Work\""));
    set(["accounts", "work", "provider"], "gone").unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn t10_a_file_that_others_may_write() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, GOOD).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(load(&path), Err(ConfigError::Exposed { .. })));
}
