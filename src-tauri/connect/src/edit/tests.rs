#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use serde_json::{Value, json};

use super::*;
use crate::servers::Shape;
use crate::{Form, Target};

const PROXY: &str = "http://127.0.0.1:8401";

fn wanted(names: &[&str], form: Form) -> Wanted {
    let service = |name: &&str| Target {
        name: (*name).into(),
        address: format!("{PROXY}/{name}"),
        upstream: format!("https://{name}.example"),
        account: "ada".into(),
    };
    let services = names.iter().map(service).collect();
    Wanted { services, proxy: PROXY.into(), tool: "t".into(), program: "signbell".into(), form }
}

fn forms(client: Client) -> Vec<Form> {
    let mut forms = vec![];
    if client.takes_key() {
        forms.push(Form::Key(Key::new("sbk_a-B_1")));
    }
    if client.variable().is_some() {
        forms.push(Form::Variable);
    }
    if client.takes_program() {
        forms.push(Form::Program);
    }
    forms
}

fn services(client: Client, text: &str) -> Vec<String> {
    entries(client, text, PROXY).unwrap().into_iter().map(|entry| entry.service).collect()
}

/// A file as each client's own documentation shows one, with somebody else's entry in it.
fn lived_in(client: Client) -> &'static str {
    match client {
        Client::ClaudeCode => {
            "{\n  \"numStartups\": 3,\n  \"mcpServers\": {\n    \"files\": {\n      \"type\": \"stdio\",\n      \"command\": \"npx\",\n      \"args\": [\"-y\", \"x\"]\n    }\n  },\n  \"projects\": {}\n}"
        }
        Client::ClaudeDesktop | Client::Cursor | Client::Windsurf => {
            "{\n  \"mcpServers\": {\n    \"files\": { \"command\": \"npx\" }\n  }\n}\n"
        }
        Client::Gemini => {
            "{\n  // mine\n  \"theme\": \"GitHub\",\n  \"mcpServers\": { \"files\": { \"httpUrl\": \"https://a.example/mcp\" } }\n}\n"
        }
        Client::VsCode => {
            "{\n\t\"inputs\": [],\n\t\"servers\": {\n\t\t\"github\": { \"url\": \"https://api.githubcopilot.com/mcp/\" }, // kept\n\t},\n}\n"
        }
        Client::Zed => {
            "// Zed settings\n{\n  \"theme\": \"One Dark\",\n  \"context_servers\": {\n    \"local\": {\n      \"command\": \"some-command\",\n      \"args\": [],\n    },\n  },\n}\n"
        }
        Client::Opencode => {
            "{\n  \"$schema\": \"https://opencode.ai/config.json\",\n  \"mcp\": {\n    \"x\": { \"type\": \"local\", \"command\": [\"bun\", \"x\"] }\n  }\n}\n"
        }
        Client::Codex => "model = \"gpt-5-codex\"\n\n# mine\n[mcp_servers.docs]\ncommand = \"npx\"\n",
        Client::Goose => {
            "GOOSE_PROVIDER: anthropic\nextensions:\n  developer:\n    enabled: true\n    type: builtin\nGOOSE_MODE: auto\n"
        }
        Client::Git => "[user]\n\tname = Ada\n[credential]\n\thelper = cache\n",
        Client::Npm => "; mine\n@x:registry=https://x.example/\nsave-exact=true\n",
        Client::Pip => {
            "[global]\ntimeout = 60\nindex-url = https://pypi.org/simple\n\n[install]\nno-cache-dir = false\n"
        }
        Client::Cargo => "[registries.other]\nindex = \"sparse+https://other.example/\"\n",
        Client::Docker => {
            "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {}\n\t},\n\t\"credsStore\": \"secretservice\"\n}"
        }
        Client::Curl | Client::Kubectl => "",
    }
}

#[test]
fn each_client_s_file_is_written_kept_and_undone() {
    for client in Client::ALL {
        let one_only = matches!(client, Client::Npm | Client::Pip);
        let names: &[&str] = if one_only { &["linear"] } else { &["linear", "notion"] };
        for form in forms(client) {
            for text in [lived_in(client), ""] {
                let what = format!("{client:?} {} {text:?}", form.name());
                let edited = connect(client, text, &wanted(names, form.clone())).unwrap();
                assert!(edited.renamed.is_empty(), "{what}");
                assert_eq!(services(client, &edited.text), names, "{what}");
                let said = key(client, &edited.text, PROXY).map(|key| key.expose().to_owned());
                let expected = matches!(form, Form::Key(_)).then(|| "sbk_a-B_1".to_owned());
                assert_eq!(said, expected, "{what}");
                assert_eq!(edited.text.contains("sbk_"), expected.is_some(), "{what}");
                // Once more changes nothing.
                let again = connect(client, &edited.text, &wanted(names, form.clone())).unwrap();
                assert_eq!((again.text.as_str(), again.made), (edited.text.as_str(), false), "{what}");
                // Out again, to the byte; a file that was empty says nothing.
                let undone = undo(client, &edited.text, PROXY, None, edited.made).unwrap();
                if text.is_empty() {
                    assert!(is_empty(client, &undone), "{what}: {undone:?}");
                } else {
                    assert_eq!(undone, text, "{what}");
                }
                assert_eq!(undo(client, text, PROXY, None, true).unwrap(), text, "{what}");
            }
        }
    }
}

#[test]
fn each_mcp_client_is_told_in_its_own_words() {
    let key = || Form::Key(Key::new("sbk_1"));
    let url = "http://127.0.0.1:8401/linear";
    let headers = json!({"Authorization": "Bearer sbk_1"});
    let args = json!(["mcp", "linear", "--tool", "t"]);
    for (client, form, expected) in [
        (Client::ClaudeCode, key(), json!({"type": "http", "url": url, "headers": headers})),
        (
            Client::ClaudeCode,
            Form::Variable,
            json!({"type": "http", "url": url, "headers": {"Authorization": "Bearer ${SIGNBELL_KEY}"}}),
        ),
        (Client::ClaudeCode, Form::Program, json!({"type": "stdio", "command": "signbell", "args": args})),
        (Client::ClaudeDesktop, Form::Program, json!({"command": "signbell", "args": args})),
        (Client::Codex, key(), json!({"url": url, "http_headers": headers})),
        (Client::Codex, Form::Variable, json!({"url": url, "bearer_token_env_var": "SIGNBELL_KEY"})),
        (Client::Gemini, key(), json!({"httpUrl": url, "headers": headers})),
        (
            Client::VsCode,
            Form::Variable,
            json!({"type": "http", "url": url, "headers": {"Authorization": "Bearer ${env:SIGNBELL_KEY}"}}),
        ),
        (Client::Cursor, key(), json!({"url": url, "headers": headers})),
        (Client::Zed, key(), json!({"url": url, "headers": headers})),
        (Client::Windsurf, key(), json!({"serverUrl": url, "headers": headers})),
        (
            Client::Opencode,
            Form::Variable,
            json!({"type": "remote", "url": url, "enabled": true, "headers": {"Authorization": "Bearer {env:SIGNBELL_KEY}"}}),
        ),
        (
            Client::Opencode,
            Form::Program,
            json!({"type": "local", "enabled": true, "command": ["signbell", "mcp", "linear", "--tool", "t"]}),
        ),
        (
            Client::Goose,
            key(),
            json!({"enabled": true, "type": "streamable_http", "name": "linear", "description": "", "uri": url,
                "headers": headers, "timeout": 300}),
        ),
    ] {
        let edited = connect(client, "", &wanted(&["linear"], form)).unwrap();
        let entries = Shape::of(client, &edited.text).unwrap().entries(&edited.text).unwrap();
        assert_eq!(entries["linear"], expected, "{client:?}");
    }
    for (client, form) in [(Client::ClaudeDesktop, key()), (Client::Zed, Form::Variable), (Client::Cargo, key())] {
        let outcome = connect(client, "", &wanted(&["linear"], form));
        assert!(matches!(outcome, Err(Problem::NoSuchForm)), "{client:?}: {outcome:?}");
    }
}

#[test]
fn somebody_else_s_entry_keeps_its_name() {
    let text = "{\"mcpServers\": {\"linear\": {\"url\": \"https://mcp.linear.app/mcp\"}}}";
    let edited = connect(Client::Cursor, text, &wanted(&["linear"], Form::Program)).unwrap();
    assert_eq!(edited.renamed, [("linear".to_owned(), "signbell-linear".to_owned())]);
    let again = connect(Client::Cursor, &edited.text, &wanted(&["linear"], Form::Program)).unwrap();
    assert_eq!((again.text, again.renamed), (edited.text.clone(), vec![]));
    assert_eq!(undo(Client::Cursor, &edited.text, PROXY, None, false).unwrap(), text);
}

#[test]
fn what_we_wrote_for_another_port_is_ours_and_a_stranger_s_is_not() {
    let entry =
        |url: &str, header: &str| json!({"mcpServers": {"a": {"url": url, "headers": {"Authorization": header}}}});
    for (value, ours) in [
        (entry("http://127.0.0.1:9999/a", "Bearer sbk_x"), true),
        (entry("http://127.0.0.1:9999/a", "Bearer ${env:SIGNBELL_KEY}"), true),
        (entry("http://127.0.0.1:8401/a", "none"), true),
        (entry("http://127.0.0.1:9999/a", "Bearer other"), false),
        (entry("https://127.0.0.1.evil.test:8401/a", "Bearer sbk_x"), false),
        (json!({"mcpServers": {"a": {"command": "/usr/bin/signbell", "args": ["mcp", "a"]}}}), true),
        (json!({"mcpServers": {"a": {"command": "npx", "args": ["mcp", "a"]}}}), false),
        (json!({"mcpServers": {"a": 3}}), false),
    ] as [(Value, bool); 8]
    {
        assert_eq!(services(Client::Cursor, &value.to_string()) == ["a"], ours, "{value}");
    }
}

#[test]
fn one_service_of_several_goes() {
    for client in [Client::ClaudeCode, Client::Codex, Client::Goose, Client::Git, Client::Docker, Client::Cargo] {
        let form = forms(client).pop().unwrap();
        let one = connect(client, lived_in(client), &wanted(&["linear"], form.clone())).unwrap();
        let two = connect(client, &one.text, &wanted(&["notion"], form)).unwrap();
        let left = undo(client, &two.text, PROXY, Some(&["notion".to_owned()]), one.made).unwrap();
        assert_eq!(left, one.text, "{client:?}");
    }
}

#[test]
fn what_was_written_at_another_port_is_known_moved_and_undone() {
    const OLD: &str = "http://127.0.0.1:7777";
    for client in Client::ALL {
        for form in forms(client) {
            let what = format!("{client:?} {}", form.name());
            let text = lived_in(client);
            let then = |proxy: &str| {
                let mut wanted = wanted(&["linear"], form.clone());
                wanted.proxy = proxy.to_owned();
                wanted.services[0].address = format!("{proxy}/linear");
                wanted
            };
            let old = connect(client, text, &then(OLD)).unwrap();
            let new = connect(client, text, &then(PROXY)).unwrap();
            assert_eq!(services(client, &old.text), ["linear"], "{what}");
            let said = entries(client, &old.text, PROXY).unwrap();
            // A program needs no port, nor does kubectl, which talks to the cluster.
            let has_port = old.text != new.text && client != Client::Kubectl;
            assert_eq!(said[0].is_elsewhere(PROXY), has_port, "{what}");
            assert_eq!(said[0].port, has_port.then_some(7777), "{what}");
            let led = if client == Client::Kubectl { &old.text } else { &new.text };
            assert_eq!(moved(client, &old.text, PROXY, None).unwrap(), *led, "{what}");
            assert_eq!(moved(client, &old.text, PROXY, Some(&["other".into()])).unwrap(), old.text, "{what}");
            assert_eq!(moved(client, &new.text, PROXY, None).unwrap(), new.text, "{what}");
            let made = old.made && !text.is_empty();
            assert_eq!(undo(client, &old.text, PROXY, None, made).unwrap(), text, "{what}");
        }
    }
}

#[test]
fn what_a_person_changed_in_an_entry_moves_with_it() {
    let text = "{\"mcpServers\": {\"a\": {\n  // mine\n  \"url\": \"http://127.0.0.1:7777/a\", \"timeout\": 1.50,\n  \"headers\": {\"x\": \"sbk_1\"}}}}";
    let new = moved(Client::Cursor, text, PROXY, None).unwrap();
    assert_eq!(new, text.replace("7777", "8401"));
}

#[test]
fn the_tool_is_known_by_what_the_file_says() {
    for client in [Client::Cursor, Client::Opencode, Client::Goose, Client::Codex, Client::Git, Client::Cargo] {
        let edited = connect(client, "", &wanted(&["linear"], Form::Program)).unwrap();
        assert_eq!(tool(client, &edited.text, PROXY).as_deref(), Some("t"), "{client:?}");
    }
}
