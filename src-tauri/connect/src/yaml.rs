//! One entry into a mapping at the top of a YAML file, or out of it (YAML 1.2, block style).
//!
//! `saphyr` reads the file before and after; the lines between are ours.

use std::ops::Range;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

use crate::Problem;
use crate::lines::{append, insert, lines, remove, replace};

/// The entries of the mapping `section`.
pub(crate) fn entries(text: &str, section: &str) -> Result<Map<String, Value>, Problem> {
    match whole(text)?.get(section) {
        Some(Value::Object(entries)) => Ok(entries.clone()),
        _ => Ok(Map::new()),
    }
}

/// Puts an entry into the mapping; says whether the mapping had to be made.
pub(crate) fn put(text: &str, section: &str, name: &str, value: &Value) -> Result<(String, bool), Problem> {
    let mut wanted = whole(text)?;
    let by_hand = || Problem::ByHand { what: section.to_owned() };
    let there = wanted.contains_key(section);
    let entries = wanted.entry(section).or_insert_with(|| Value::Object(Map::new()));
    let Some(entries) = entries.as_object_mut() else { return Err(Problem::Shape { what: section.to_owned() }) };
    let known = entries.insert(name.to_owned(), value.clone()).is_some();
    let new = if there {
        let found = Section::find(text, section).ok_or_else(by_hand)?;
        let mut block = vec![format!("{}{name}:", found.indent)];
        print(value, &format!("{}  ", found.indent), &mut block);
        match found.entry(text, name) {
            Some(range) => replace(text, range, &block),
            None if known => return Err(by_hand()),
            None => insert(text, found.end, &block),
        }
    } else {
        let mut block = vec![format!("{section}:"), format!("  {name}:")];
        print(value, "    ", &mut block);
        append(text, &block, false)
    };
    if whole(&new).ok() == Some(wanted) { Ok((new, !there)) } else { Err(by_hand()) }
}

/// Takes an entry out of the mapping, and with `all` the mapping too where nothing is left in it.
pub(crate) fn take(text: &str, section: &str, name: &str, all: bool) -> Result<String, Problem> {
    let mut wanted = whole(text)?;
    let entries = wanted.get_mut(section).and_then(Value::as_object_mut);
    let Some(entries) = entries.filter(|entries| entries.contains_key(name)) else { return Ok(text.to_owned()) };
    entries.remove(name);
    let last = entries.is_empty();
    let by_hand = || Problem::ByHand { what: format!("{section}: {name}") };
    let found = Section::find(text, section).ok_or_else(by_hand)?;
    let entry = found.entry(text, name).ok_or_else(by_hand)?;
    let new = match (last, all) {
        (true, true) => {
            wanted.remove(section);
            remove(text, found.start..entry.end, false)
        }
        (true, false) => {
            // A key without a value is null, which its reader may not take for an empty mapping.
            let block = [format!("{section}: {{}}")];
            let new = remove(text, entry, false);
            let header = lines(&new).into_iter().find(|line| line.start == found.start).ok_or_else(by_hand)?;
            replace(&new, header, &block)
        }
        (false, _) => remove(text, entry, false),
    };
    if whole(&new).ok() == Some(wanted) { Ok(new) } else { Err(by_hand()) }
}

/// Where an entry of the mapping stands.
pub(crate) fn range(text: &str, section: &str, name: &str) -> Option<Range<usize>> {
    Section::find(text, section)?.entry(text, name)
}

/// Where a mapping's lines are.
struct Section {
    /// The line of its own name.
    start: usize,
    /// Behind the last line that says something in it.
    end: usize,
    /// Of its entries.
    indent: String,
}

impl Section {
    /// A mapping in block style whose name stands at the margin.
    fn find(text: &str, section: &str) -> Option<Self> {
        let lines = lines(text);
        let said = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let first = lines.iter().position(|line| {
            let rest = said(line).strip_prefix(section).and_then(|rest| rest.strip_prefix(':'));
            rest.is_some_and(|rest| rest.trim().is_empty() || rest.trim_start().starts_with('#'))
        })?;
        let body = lines.get(first + 1..)?;
        let inside = |line: &&Range<usize>| {
            let line = said(line);
            line.starts_with(' ') || line.trim().is_empty() || line.starts_with('#')
        };
        let length = body.iter().take_while(inside).count();
        let body = body.get(..length)?;
        let says = |range: &Range<usize>| {
            let line = said(range).trim();
            !line.is_empty() && !line.starts_with('#')
        };
        let (first_said, last_said) = (body.iter().position(says)?, body.iter().rposition(says)?);
        let line = said(body.get(first_said)?);
        let indent = line.get(..line.len() - line.trim_start().len())?.to_owned();
        Some(Self { start: lines.get(first)?.start, end: body.get(last_said)?.end, indent })
    }

    /// The lines of an entry, up to the last that says something.
    fn entry(&self, text: &str, name: &str) -> Option<Range<usize>> {
        let lines: Vec<_> =
            lines(text).into_iter().filter(|line| line.start > self.start && line.end <= self.end).collect();
        let said = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let first = lines.iter().position(|line| {
            let line = said(line).strip_prefix(&self.indent).unwrap_or_default().trim_end();
            [format!("{name}:"), format!("\"{name}\":"), format!("'{name}':")].iter().any(|start| line == start)
        })?;
        let rest = lines.get(first + 1..)?;
        let deeper = |line: &&Range<usize>| {
            let line = said(line);
            line.trim().is_empty() || line.strip_prefix(&self.indent).is_some_and(|line| line.starts_with(' '))
        };
        let length = rest.iter().take_while(deeper).count();
        let body = rest.get(..length)?;
        let last = body.iter().rfind(|line| !said(line).trim().is_empty());
        Some(lines.get(first)?.start..last.or_else(|| lines.get(first))?.end)
    }
}

/// The fields of a mapping, one a line; texts in JSON's quotes, which YAML reads too.
fn print(value: &Value, indent: &str, block: &mut Vec<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                block.push(format!("{indent}{key}:"));
                print(value, &format!("{indent}  "), block);
            }
            other => block.push(format!("{indent}{key}: {other}")),
        }
    }
}

/// The file as values; a file that says nothing has none.
fn whole(text: &str) -> Result<Map<String, Value>, Problem> {
    let documents = Yaml::load_from_str(text)
        .map_err(|error| Problem::Broken { line: error.marker().line(), what: error.info().to_owned() })?;
    match documents.as_slice() {
        [] => Ok(Map::new()),
        [only] => match of_yaml(only) {
            Value::Object(fields) => Ok(fields),
            Value::Null => Ok(Map::new()),
            _ => Err(Problem::Shape { what: "the file".to_owned() }),
        },
        _ => Err(Problem::Shape { what: "the file".to_owned() }),
    }
}

fn of_yaml(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Mapping(fields) => fields
            .iter()
            .map(|(key, value)| {
                let key = match of_yaml(key) {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                (key, of_yaml(value))
            })
            .collect::<Map<_, _>>()
            .into(),
        Yaml::Sequence(all) => all.iter().map(of_yaml).collect(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Value(Scalar::Boolean(yes)) => (*yes).into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::Null) => Value::Null,
        // Only ever compared.
        other => format!("{other:?}").into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_goes_in_and_out_to_the_byte() {
        let entry = json!({"enabled": true, "type": "streamable_http", "uri": "http://127.0.0.1:8401/linear",
            "headers": {"Authorization": "Bearer sbk_x"}, "timeout": 300, "args": ["a", "b"]});
        for text in [
            "",
            "GOOSE_MODEL: gpt-4o # mine\n",
            "GOOSE_MODEL: gpt-4o",
            "extensions:\n  developer:\n    enabled: true\n    type: builtin\n# last\n",
            "extensions: # all\n    developer:\n        args:\n        - a\n\nGOOSE_MODEL: x\n",
            "a: |\n  extensions:\n  b\nextensions:\r\n  x:\r\n    y: 1\r\n",
            "extensions:\n  x:\n    y: 1",
        ] {
            let (with, made) = put(text, "extensions", "linear", &entry).unwrap();
            assert_eq!(entries(&with, "extensions").unwrap()["linear"], entry, "{with}");
            assert_eq!(put(&with, "extensions", "linear", &entry).unwrap().0, with);
            assert_eq!(take(&with, "extensions", "linear", made).unwrap(), text);
            let (two, _) = put(&with, "extensions", "b", &json!({"cmd": "x"})).unwrap();
            let one = take(&two, "extensions", "linear", made).unwrap();
            assert_eq!(take(&one, "extensions", "b", made).unwrap(), text);
            assert_eq!(take(text, "extensions", "linear", true).unwrap(), text);
        }
    }

    #[test]
    fn what_can_t_be_changed_safely_is_left_alone() {
        for text in ["extensions: {}\n", "extensions: {a: {b: 1}}\n", "{\"extensions\": {\"a\": {}}}\n"] {
            let outcome = put(text, "extensions", "linear", &json!({"a": 1}));
            assert!(matches!(outcome, Err(Problem::ByHand { .. })), "{text}: {outcome:?}");
        }
        let broken = put("a: 1\nb: [1\nc: 2\n", "extensions", "x", &json!({"a": 1}));
        assert!(matches!(broken, Err(Problem::Broken { line: 2.., .. })), "{broken:?}");
        assert!(matches!(put("- a\n", "s", "n", &json!({"a": 1})), Err(Problem::Shape { .. })));
        let kept = take("extensions:\n  x:\n    y: 1\n", "extensions", "x", false).unwrap();
        assert_eq!(kept, "extensions: {}\n");
    }
}
