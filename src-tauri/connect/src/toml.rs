//! One table `[section.name]` into a TOML file, or out of it (TOML 1.0).
//!
//! `toml_edit` reads the file and says afterwards whether it says what was meant; the text is cut and joined
//! here, since printing the document anew would change line ends.

use std::ops::Range;

use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item};

use crate::Problem;
use crate::lines::{append, lines, remove, replace};

/// The entries of a section.
pub(crate) fn entries(text: &str, section: &str) -> Result<Map<String, Value>, Problem> {
    match whole(text)?.get(section) {
        Some(Value::Object(entries)) => Ok(entries.clone()),
        _ => Ok(Map::new()),
    }
}

/// Puts a table into the file.
pub(crate) fn put(text: &str, section: &str, name: &str, value: &Value) -> Result<String, Problem> {
    let mut wanted = whole(text)?;
    let Value::Object(fields) = value else { return Err(by_hand(section, name)) };
    let entries = wanted.entry(section).or_insert_with(|| Value::Object(Map::new()));
    let Some(entries) = entries.as_object_mut() else { return Err(Problem::Shape { what: section.to_owned() }) };
    let known = entries.insert(name.to_owned(), value.clone()).is_some();
    let mut block = vec![format!("[{section}.{name}]")];
    block.extend(fields.iter().map(|(key, value)| format!("{key} = {}", literal(value))));
    let new = match table(text, section, name) {
        Some(range) => replace(text, range, &block),
        None if known => return Err(by_hand(section, name)),
        None => append(text, &block, true),
    };
    checked(new, &wanted, section, name)
}

/// Takes a table out of the file.
pub(crate) fn take(text: &str, section: &str, name: &str) -> Result<String, Problem> {
    let mut wanted = whole(text)?;
    let entries = wanted.get_mut(section).and_then(Value::as_object_mut);
    let Some(entries) = entries.filter(|entries| entries.contains_key(name)) else { return Ok(text.to_owned()) };
    entries.remove(name);
    if entries.is_empty() {
        wanted.remove(section);
    }
    let range = table(text, section, name).ok_or_else(|| by_hand(section, name))?;
    let new = remove(text, range, true);
    // A section without tables may be there still, written out by the person.
    let mut with = wanted.clone();
    with.entry(section).or_insert_with(|| Value::Object(Map::new()));
    checked(new.clone(), &wanted, section, name).or_else(|_| checked(new, &with, section, name))
}

fn checked(new: String, wanted: &Map<String, Value>, section: &str, name: &str) -> Result<String, Problem> {
    match whole(&new) {
        Ok(said) if said == *wanted => Ok(new),
        _ => Err(by_hand(section, name)),
    }
}

fn by_hand(section: &str, name: &str) -> Problem {
    Problem::ByHand { what: format!("[{section}.{name}]") }
}

/// The lines of `[section.name]`, up to the last that says something.
pub(crate) fn table(text: &str, section: &str, name: &str) -> Option<Range<usize>> {
    let lines = lines(text);
    let said = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default().trim();
    let is_ours = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        let bare: String = line.chars().filter(|c| !c.is_whitespace() && !"'\"".contains(*c)).collect();
        bare == format!("[{section}.{name}]")
    };
    let first = lines.iter().position(|range| is_ours(said(range)))?;
    let rest = lines.get(first + 1..)?;
    let length = rest.iter().position(|range| said(range).starts_with('[')).unwrap_or(rest.len());
    let body = rest.get(..length)?;
    let last = body.iter().rposition(|range| !said(range).is_empty() && !said(range).starts_with('#'));
    let end = last.and_then(|last| body.get(last)).or_else(|| lines.get(first))?.end;
    Some(lines.get(first)?.start..end)
}

/// The file as values.
fn whole(text: &str) -> Result<Map<String, Value>, Problem> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        Problem::Broken { line, what: error.message().lines().next().unwrap_or("it is no TOML").to_owned() }
    })?;
    Ok(document.iter().map(|(key, item)| (key.to_owned(), of_item(item))).collect())
}

fn of_item(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return table.iter().map(|(key, item)| (key.to_owned(), of_item(item))).collect::<Map<_, _>>().into();
    }
    if let Some(tables) = item.as_array_of_tables() {
        return tables.iter().map(|table| of_item(&Item::Table(table.clone()))).collect();
    }
    item.as_value().map_or(Value::Null, of_value)
}

fn of_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Boolean(yes) => (*yes.value()).into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Array(all) => all.iter().map(of_value).collect(),
        toml_edit::Value::InlineTable(table) => {
            table.iter().map(|(key, value)| (key.to_owned(), of_value(value))).collect::<Map<_, _>>().into()
        }
        // Only ever compared.
        toml_edit::Value::Float(_) | toml_edit::Value::Datetime(_) => value.to_string().trim().into(),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => toml_edit::Value::from(text.as_str()).to_string(),
        Value::Array(all) => format!("[{}]", all.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{key} = {}", literal(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_goes_in_and_out_to_the_byte() {
        let entry =
            json!({"url": "http://127.0.0.1:8401/linear", "http_headers": {"Authorization": "Bearer sbk_x"}, "n": 1});
        for text in [
            "",
            "model = \"o3\" # mine\n",
            "model = \"o3\"",
            "a = 1\r\n\r\n[mcp_servers.other]\r\ncommand = 'x'\r\n",
            "[mcp_servers.other]\nargs = [\n  \"[mcp_servers.linear]\",\n]\n\n# last\n",
            "[mcp_servers]\n",
            "when = 1979-05-27T07:32:00Z\nf = 1.50\n[[x]]\ny = 1\n",
        ] {
            let with = put(text, "mcp_servers", "linear", &entry).unwrap();
            assert_eq!(entries(&with, "mcp_servers").unwrap()["linear"], entry, "{with}");
            assert_eq!(put(&with, "mcp_servers", "linear", &entry).unwrap(), with);
            let two = put(&with, "mcp_servers", "b", &json!({"command": "x"})).unwrap();
            let one = take(&two, "mcp_servers", "linear").unwrap();
            assert_eq!(take(&one, "mcp_servers", "b").unwrap(), text);
            assert_eq!(take(&with, "mcp_servers", "linear").unwrap(), text);
            assert_eq!(take(text, "mcp_servers", "linear").unwrap(), text);
        }
    }

    #[test]
    fn a_table_is_replaced_in_its_place() {
        let text = "[mcp_servers.\"linear\"]\nurl = \"old\"\n# about b\n[b]\nx = 1\n";
        let new = put(text, "mcp_servers", "linear", &json!({"url": "new"})).unwrap();
        assert_eq!(new, "[mcp_servers.linear]\nurl = \"new\"\n# about b\n[b]\nx = 1\n");
    }

    #[test]
    fn what_can_t_be_changed_safely_is_left_alone() {
        for text in [
            "mcp_servers = { linear = { url = \"x\" } }\n",
            "[mcp_servers]\nlinear.url = \"x\"\n",
            "[mcp_servers.linear]\nurl = \"x\"\n[mcp_servers.linear.tools]\na = 1\n",
            "[mcp_servers.linear]\nargs = [\n[1],\n[2]]\n",
        ] {
            for outcome in [put(text, "mcp_servers", "linear", &json!({"a": 1})), take(text, "mcp_servers", "linear")] {
                assert!(matches!(outcome, Err(Problem::ByHand { .. })), "{text}: {outcome:?}");
            }
        }
        let broken = put("a = 1\nb = \n", "s", "n", &json!({"a": 1}));
        assert!(matches!(broken, Err(Problem::Broken { line: 2, .. })), "{broken:?}");
        assert!(matches!(put("s = 1\n", "s", "n", &json!({"a": 1})), Err(Problem::Shape { .. })));
    }
}
