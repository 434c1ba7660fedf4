#![allow(clippy::unwrap_used)]
use super::saved::{self, Saved};
use super::*;

fn folder() -> std::path::PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/recognition").into()
}

/// A note of a saved response.
fn note(text: &str, key: &str) -> Option<String> {
    let line = text.lines().take_while(|line| line.starts_with('#')).find_map(|line| {
        let (name, value) = line.trim_start_matches('#').split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    });
    line.filter(|value| !value.is_empty())
}

/// What `expect` means for the rule that has to match.
fn agrees(expect: &str, found: Option<&Found>) -> bool {
    let verdict = found.map(|found| (found.rule.verdict, found.nothing_done, found.rule.hint.is_some()));
    match expect {
        "R" => matches!(verdict, Some((Verdict::Expired | Verdict::NeedsClaims, true, _))),
        "R-" => matches!(verdict, Some((Verdict::Expired, false, _))),
        "S" => matches!(verdict, Some((Verdict::NeedsScope, ..))),
        "A" => matches!(verdict, Some((Verdict::NeedsPerson, ..))),
        "P" => matches!(verdict, None | Some((Verdict::NotOurs, _, false))),
        "P+hint" => matches!(verdict, Some((Verdict::NotOurs, _, true))),
        _ => false,
    }
}

fn of_preset(name: Option<&str>) -> RuleSet {
    let preset = name.map(|name| named(name).unwrap_or_else(|| panic!("no preset {name}")));
    RuleSet::new(&[], preset.as_deref())
}

#[test]
fn every_saved_response_means_what_it_should() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "http") {
            continue;
        }
        count += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let saved = saved::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let rules = of_preset(note(&text, "preset").as_deref());
        let (expect, found) = (note(&text, "expect").unwrap(), saved.judge(&rules));
        assert!(agrees(&expect, found.as_ref()), "{}: {expect}, and not {found:?}", path.display());
        if let Some(scopes) = note(&text, "scopes") {
            assert_eq!(found.unwrap().scopes, Scopes::parse(&scopes), "{}", path.display());
        } else if let Some(hint) = note(&text, "hint") {
            assert_eq!(found.unwrap().rule.hint.as_deref(), Some(hint.as_str()), "{}", path.display());
        }
    }
    assert!(count > 100, "{count}");
}

fn saved(text: &str) -> Saved {
    saved::parse(text.as_bytes()).unwrap()
}

#[test]
fn the_standard_rules() {
    use Verdict::{Expired, NeedsClaims, NeedsScope, NotOurs};
    let rules = RuleSet::new(&[], None);
    for (status, challenges, expected) in [
        ("200 OK", &[][..], None),
        ("403 Forbidden", &[], None),
        ("500 X", &["Bearer error=\"invalid_token\""], None),
        ("403 X", &["Bearer error=\"insufficient_scope\", scope=\"a b\""], Some(NeedsScope)),
        ("401 X", &["Bearer error=\"insufficient_scope\""], Some(NeedsScope)),
        ("403 X", &["Basic error=\"insufficient_scope\""], None),
        ("401 X", &[], Some(Expired)),
        ("401 X", &["Bearer"], Some(Expired)),
        ("401 X", &["bearer realm=\"x\", error=\"invalid_token\""], Some(Expired)),
        ("401 X", &["Bearer error=\"insufficient_claims\", claims=\"eyJhIjp7fX0=\""], Some(NeedsClaims)),
        ("401 X", &["Bearer error=\"insufficient_claims\""], Some(Expired)),
        ("401 X", &["Basic realm=\"Bearer\""], Some(NotOurs)),
        ("401 X", &["Negotiate", "Digest nonce=\"x\""], Some(NotOurs)),
        ("401 X", &["Basic realm=\"x\", Bearer"], Some(Expired)),
        ("401 X", &["Basic realm=\"x\"", "DPoP algs=\"ES256\""], Some(Expired)),
        ("401 X", &["Token"], Some(Expired)),
    ] {
        let lines: String = challenges.iter().map(|challenge| format!("www-authenticate: {challenge}\n")).collect();
        let found = saved(&format!("HTTP/1.1 {status}\n{lines}\n")).judge(&rules);
        assert_eq!(found.as_ref().map(|found| found.rule.verdict), expected, "{status} {challenges:?}");
    }
    let found = saved("HTTP/1.1 401 X\nwww-authenticate: Bearer error=insufficient_claims, claims=eyJhIjp7fX0\n\n");
    assert_eq!(found.judge(&rules).unwrap().claims.as_deref(), Some("{\"a\":{}}"));
}

fn own(rules: &str) -> Result<RuleSet, String> {
    #[derive(serde::Deserialize)]
    struct File {
        #[serde(deserialize_with = "shared")]
        rules: Vec<Arc<Rule>>,
    }
    let file: File = toml_edit::de::from_str(rules).map_err(|e| e.to_string())?;
    Ok(RuleSet::new(&file.rules, None))
}

const OWN: &str = r#"
[[rules]]
name = "own"
why = "Says so."
verdict = "expired"
nothing-done = true
[rules.when]
status = [200]
json = [{ at = "/errors/*/code", is = [7, "seven"] }, { at = "/data", absent = true }]
"#;

#[test]
fn a_mistake_is_named() {
    assert!(own(OWN).is_ok());
    for (right, wrong, part) in [
        ("name = \"own\"", "name = \"Own\"", "rule Own: its name"),
        ("verdict = \"expired\"", "verdict = \"dead\"", "unknown variant `dead`"),
        ("nothing-done = true\n", "", "rule own: `nothing-done` must say"),
        ("status = [200]\n", "", "rule own: `when.status`"),
        ("status = [200]", "status = [99]", "rule own: `when.status`"),
        ("status = [200]", "statuses = [200]", "unknown field `statuses`"),
        ("at = \"/data\"", "at = \"data\"", "is no JSON pointer"),
        ("is = [7, \"seven\"]", "contains = [\"x\"]", "free text in a 2xx"),
        ("why = ", "hint = \"nope\"\nwhy = ", "its hint is not known"),
        ("why = ", "scopes = [\"a\"]\nwhy = ", "scopes are needed only"),
        ("status = [200]", "status = [200]\nno-challenge = true\nchallenge = {}", "exclude each other"),
        ("status = [200]", "status = [200]\nbody-contains = [\"x\"]", "needs a `content-type`"),
        ("status = [200]", "status = [200]\nmethod = [\"G T\"]", "is no method"),
        ("status = [200]", "status = [200]\nheader = { \"a b\" = \"\" }", "is no header's name"),
    ] {
        let error = own(&OWN.replacen(right, wrong, 1)).unwrap_err();
        assert!(error.contains(part), "{wrong}: {error}");
        assert!(error.contains("line "), "where is it? {error}");
    }
}

#[test]
fn own_rules_come_first_and_conditions_are_all_needed() {
    let rules = own(OWN).unwrap();
    let verdict = |body: &str| {
        let text = format!("HTTP/1.1 200 OK\ncontent-type: application/json\n\n{body}");
        saved(&text).judge(&rules).map(|found| found.rule.name.clone())
    };
    for (body, matches) in [
        (r#"{"errors":[{"code":7}]}"#, true),
        (r#"{"errors":[{"code":1},{"code":"seven"}],"data":null}"#, true),
        (r#"{"errors":[{"code":7}],"data":{}}"#, false),
        (r#"{"errors":[{"code":7.5}]}"#, false),
        (r#"{"errors":{"a":{"code":7}}}"#, true),
        (r#"{"errors":[]}"#, false),
        (r#"["code"]"#, false),
        ("not json", false),
        ("", false),
    ] {
        assert_eq!(verdict(body).is_some(), matches, "{body}");
    }
    // A status that no rule names is not looked into.
    assert!(rules.concerns(StatusCode::OK) && rules.concerns(StatusCode::UNAUTHORIZED));
    for status in [201, 204, 301, 404, 418, 500, 999] {
        assert!(!rules.concerns(StatusCode::from_u16(status).unwrap()), "{status}");
    }
    assert!(!RuleSet::new(&[], None).concerns(StatusCode::OK));
}

#[test]
fn a_batch_that_failed_in_part_is_not_sent_again() {
    let rules = of_preset(Some("worldmonitor"));
    let judge = |body: &str| {
        let head = "# request: POST /mcp\nHTTP/1.1 200 OK\ncontent-type: application/json\n\n";
        saved(&format!("{head}{body}")).judge(&rules).map(|found| found.nothing_done)
    };
    let (bad, good) =
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001}}"#, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    assert_eq!(judge(bad), Some(true));
    assert_eq!(judge(&format!("[{bad},{bad}]")), Some(true));
    assert_eq!(judge(&format!("[{bad},{good}]")), Some(false));
    // A stream tells of its first event only; what follows may have been carried out.
    let events = |body: &str| {
        let head = "# request: POST /mcp\nHTTP/1.1 200 OK\ncontent-type: text/event-stream\n\n";
        let found = saved(&format!("{head}data: {body}\n\n\n")).judge(&rules).unwrap();
        (found.nothing_done, found.answers)
    };
    assert_eq!(events(bad), (true, Some(1)), "and the request held one call, or it is a part");
    assert_eq!(events(&format!("[{bad}]")), (false, Some(1)));
    assert_eq!(judge(&format!("[{good}]")), None);
    assert_eq!(judge("[]"), None);
}

#[test]
fn saved_responses_are_read_or_refused_by_line() {
    use saved::BadSaved::{Empty, Header, Line};
    for (text, error) in [
        ("", Empty),
        ("# only: notes\n", Empty),
        ("hello", Line(1)),
        ("# a: b\nGET / HTTP/1.1\n", Line(2)),
        ("HTTP/1.1 200 OK\nno header\n\n", Header(2)),
        ("# request: G\x01T /\nHTTP/1.1 200 OK\n\n", Line(1)),
    ] {
        assert_eq!(saved::parse(text.as_bytes()).unwrap_err(), error, "{text:?}");
    }
    let curl = saved("HTTP/2 401 \r\nwww-authenticate: Bearer\r\n\r\nbody\r\n");
    assert_eq!((curl.status.as_u16(), curl.body.as_slice()), (401, &b"body\r"[..]));
    assert!(saved::parse(b"HTTP/1.1 204 No Content").is_ok());
}
