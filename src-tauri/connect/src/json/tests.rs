#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;

const PATH: [&str; 1] = ["mcpServers"];

fn there_and_back(text: &str) -> String {
    let entry = json!({"type": "http", "url": "http://127.0.0.1:8401/linear"});
    let (put_in, made) = put(text, &PATH, "linear", &entry).unwrap();
    assert_eq!(entries(&put_in, &PATH).unwrap()["linear"], entry, "{put_in}");
    let (again, made_again) = put(&put_in, &PATH, "linear", &entry).unwrap();
    assert_eq!((&again, made_again), (&put_in, false), "once more changes something");
    // A second entry may come and go between.
    let (two, _) = put(&put_in, &PATH, "notion", &json!({"command": "x", "args": ["a"]})).unwrap();
    assert_eq!(take(&two, &PATH, "notion", false).unwrap(), put_in);
    let one = take(&two, &PATH, "linear", made).unwrap();
    assert_eq!(entries(&one, &PATH).unwrap().keys().filter(|name| *name == "notion" || *name == "linear").count(), 1);
    assert_eq!(take(&one, &PATH, "notion", made).unwrap(), text, "in the other order");
    assert_eq!(take(&put_in, &PATH, "linear", made).unwrap(), text);
    put_in
}

#[test]
fn an_entry_goes_in_and_out_to_the_byte() {
    for text in [
        "{}\n",
        "{\n  \"theme\": \"dark\"\n}\n",
        "{\n\t\"theme\": \"dark\" // mine\n}",
        "{\r\n    \"theme\": \"dark\",\r\n    \"a\": [1, 2,],\r\n}\r\n",
        "// first\n{\n  // of all\n  \"mcpServers\": {\n    \"other\": {\"command\": \"x\"}, // kept\n  },\n}\n",
        "{\n  \"mcpServers\": {\n    \"other\": {\n      \"command\": \"npx\"\n    }\n  },\n  \"z\": 1\n}",
        "{\"a\":1,\"mcpServers\":{\"other\":{}}}",
        "{\n  \"mcpServers\": {\n    \"other\": {} /* a */ /* b */\n  }\n}\n",
        "{\n  \"mcpServers\": {}\n}\n",
        "\u{feff}{\n  \"a\": \"\\\"}{,\"\n}\n",
        "{\n  \"mcpServers\": {\n    // none yet\n  }\n}\n",
    ] {
        there_and_back(text);
    }
}

#[test]
fn a_new_entry_looks_like_its_neighbours() {
    let text = there_and_back("{\n    \"a\": 1\n}\n");
    let expected = "{\n    \"a\": 1,\n    \"mcpServers\": {\n        \"linear\": {\n            \"type\": \"http\",\n            \"url\": \"http://127.0.0.1:8401/linear\"\n        }\n    }\n}\n";
    assert_eq!(text, expected);
    let (fresh, made) = put("", &PATH, "x", &json!({"a": 1})).unwrap();
    assert_eq!((fresh.as_str(), made), ("{\n  \"mcpServers\": {\n    \"x\": {\n      \"a\": 1\n    }\n  }\n}\n", true));
    assert!(is_empty(&take(&fresh, &PATH, "x", true).unwrap()));
}

#[test]
fn an_entry_is_replaced_in_its_place() {
    let text = "{\"mcpServers\": {\n  \"linear\": {\"url\": \"http://127.0.0.1:1/x\"}, // mine\n  \"b\": {}\n}}";
    let (new, _) = put(text, &PATH, "linear", &json!("y")).unwrap();
    assert_eq!(new, "{\"mcpServers\": {\n  \"linear\": \"y\", // mine\n  \"b\": {}\n}}");
    assert_eq!(take(&new, &PATH, "linear", true).unwrap(), "{\"mcpServers\": { // mine\n  \"b\": {}\n}}");
}

#[test]
fn what_is_broken_is_named_with_its_line() {
    for (text, line) in [
        ("{\n  \"a\": 1\n  \"b\": 2\n}", 3),
        ("{\n  \"a\": \n}", 3),
        ("{\n  a: 1\n}", 2),
        ("{\n  \"a\": \"x\n}", 2),
        ("{\"a\": 1}\n}", 2),
        ("{\n\n /* x", 3),
        ("{\"a\": [1 2]}", 1),
        ("{", 1),
        ("nonsense", 1),
    ] {
        match put(text, &PATH, "x", &json!(1)) {
            Err(Problem::Broken { line: named, .. }) => assert_eq!(named, line, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    let deep = "[".repeat(100_000);
    assert!(matches!(put(&deep, &PATH, "x", &json!(1)), Err(Problem::Broken { .. })));
    for text in ["[]", "{\"mcpServers\": []}", "{\"mcpServers\": null}"] {
        assert!(matches!(put(text, &PATH, "x", &json!(1)), Err(Problem::Shape { .. })), "{text}");
        assert_eq!(take(text, &PATH, "x", true).unwrap(), text);
    }
}
