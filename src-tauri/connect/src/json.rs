//! One entry into a JSON file with comments and trailing commas (JSONC, as VS Code, Zed and opencode read
//! it), or out of it. RFC 8259 for the rest.
//!
//! The text is cut and joined; nothing is printed anew but the entry itself.

mod scan;

use std::ops::Range;

use serde::Serialize as _;
use serde_json::{Map, Value};

use self::scan::{Kind, Member, Node, scan};
use crate::Problem;
use crate::lines::end_of_line;

/// The entries of the object at `path`.
pub(crate) fn entries(text: &str, path: &[&str]) -> Result<Map<String, Value>, Problem> {
    if is_blank(text) {
        return Ok(Map::new());
    }
    let (_, value) = scan(text)?;
    let found = path.iter().try_fold(&value, |value, key| value.get(key));
    Ok(found.and_then(Value::as_object).cloned().unwrap_or_default())
}

/// Puts an entry into the object at `path`; says whether that object had to be made.
pub(crate) fn put(text: &str, path: &[&str], name: &str, value: &Value) -> Result<(String, bool), Problem> {
    let end = end_of_line(text);
    if is_blank(text) {
        let whole = nested(path, name, value);
        return Ok((format!("{}{end}", render(&whole, "  ", "", end)), true));
    }
    let (root, _) = scan(text)?;
    let unit = unit(text, &root);
    let mut node = &root;
    for (depth, key) in path.iter().enumerate() {
        let members = members(node, key)?;
        match members.iter().rfind(|member| member.name == *key) {
            Some(member) => node = &member.value,
            None => {
                let rest = path.get(depth + 1..).unwrap_or_default();
                return Ok((insert(text, node, &unit, key, &nested(rest, name, value)), true));
            }
        }
    }
    let inside = members(node, path.last().unwrap_or(&name))?;
    let text = match inside.iter().rfind(|member| member.name == name) {
        Some(member) => {
            let indent = line_indent(text, member.start);
            splice(text, member.value.start, member.value.end, &render(value, &unit, indent, end))
        }
        None => insert(text, node, &unit, name, value),
    };
    Ok((text, false))
}

/// Takes an entry out of the object at `path`, and with `whole` that object too where nothing is left in it.
pub(crate) fn take(text: &str, path: &[&str], name: &str, whole: bool) -> Result<String, Problem> {
    if is_blank(text) {
        return Ok(text.to_owned());
    }
    let (root, _) = scan(text)?;
    let Some(node) = path.iter().try_fold(&root, |node, key| node.member(key).map(|member| &member.value)) else {
        return Ok(text.to_owned());
    };
    let Kind::Object(members) = &node.kind else { return Ok(text.to_owned()) };
    let Some(index) = members.iter().position(|member| member.name == name) else { return Ok(text.to_owned()) };
    let taken = remove(text, node, members, index);
    match path.split_last() {
        Some((last, outer)) if whole && entries(&taken, path)?.is_empty() => take(&taken, outer, last, false),
        _ => Ok(taken),
    }
}

/// Where an entry of the object at `path` stands, its name included.
pub(crate) fn range(text: &str, path: &[&str], name: &str) -> Option<Range<usize>> {
    let (root, _) = scan(text).ok()?;
    let node = path.iter().try_fold(&root, |node, key| node.member(key).map(|member| &member.value))?;
    node.member(name).map(|member| member.start..member.value.end)
}

/// Whether nothing but an empty object is left.
pub(crate) fn is_empty(text: &str) -> bool {
    is_blank(text) || text.split_whitespace().collect::<String>() == "{}"
}

fn is_blank(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim().is_empty()
}

fn members<'a>(node: &'a Node, what: &str) -> Result<&'a [Member], Problem> {
    match &node.kind {
        Kind::Object(members) => Ok(members),
        Kind::Other => Err(Problem::Shape { what: what.to_owned() }),
    }
}

fn nested(path: &[&str], name: &str, value: &Value) -> Value {
    let inner = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
    path.iter().rev().fold(inner, |value, key| Value::Object(Map::from_iter([((*key).to_owned(), value)])))
}

/// Behind the last member, in the manner of the object: with a trailing comma where it has one.
fn insert(text: &str, node: &Node, unit: &str, name: &str, value: &Value) -> String {
    let end = end_of_line(text);
    let members = match &node.kind {
        Kind::Object(members) => members.as_slice(),
        Kind::Other => &[],
    };
    let outer = line_indent(text, node.start);
    let own_line = members.iter().find(|member| is_first_of_line(text, member.start));
    let indent = own_line.map_or_else(|| format!("{outer}{unit}"), |member| line_indent(text, member.start).to_owned());
    let entry = format!("{end}{indent}{}: {}", Value::from(name), render(value, unit, &indent, end));
    let Some(last) = members.last() else {
        let inner = text.get(node.start + 1..node.end - 1).unwrap_or_default();
        let kept = inner.trim_end();
        return splice(text, node.start + 1, node.end - 1, &format!("{kept}{entry}{end}{outer}"));
    };
    match last.comma {
        Some(comma) => {
            let at = behind_comment(text, comma + 1);
            splice(text, at, at, &format!("{entry},"))
        }
        None => {
            let at = behind_comment(text, last.value.end);
            let text = splice(text, at, at, &entry);
            splice(&text, last.value.end, last.value.end, ",")
        }
    }
}

/// The opposite of [`insert`].
fn remove(text: &str, node: &Node, members: &[Member], index: usize) -> String {
    let Some(member) = members.get(index) else { return text.to_owned() };
    let start = before_name(text, member.start);
    let end = member.comma.map_or(member.value.end, |comma| comma + 1);
    let text_without = splice(text, start, end, "");
    if members.len() == 1 {
        let inner = text.get(node.start + 1..start).unwrap_or_default().to_owned();
        let rest = text.get(end..node.end - 1).unwrap_or_default();
        if inner.trim().is_empty() && rest.trim().is_empty() {
            return splice(text, node.start + 1, node.end - 1, "");
        }
    }
    let before = index.checked_sub(1).and_then(|index| members.get(index)).and_then(|member| member.comma);
    match before {
        Some(comma) if member.comma.is_none() => splice(&text_without, comma, comma + 1, ""),
        _ => text_without,
    }
}

/// Where the line of a name begins, with the line end before it; else where the spaces before it begin.
fn before_name(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let spaces = before.trim_end_matches([' ', '\t']);
    spaces.strip_suffix('\n').map_or(spaces.len(), |line| line.strip_suffix('\r').unwrap_or(line).len())
}

/// Behind a comment that stands on the same line.
fn behind_comment(text: &str, at: usize) -> usize {
    let line = text.get(at..).unwrap_or_default().split(['\n', '\r']).next().unwrap_or_default();
    let said = line.trim_start();
    if said.starts_with("//") {
        return at + line.trim_end().len();
    }
    match said.strip_prefix("/*").and_then(|rest| rest.find("*/")) {
        Some(length) => at + (line.len() - said.len()) + length + 4,
        None => at,
    }
}

fn line_indent(text: &str, at: usize) -> &str {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text.get(start..).unwrap_or_default();
    let length = line.len() - line.trim_start_matches([' ', '\t']).len();
    line.get(..length).unwrap_or_default()
}

fn is_first_of_line(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default().trim_end_matches([' ', '\t']);
    before.ends_with('\n')
}

/// One level of indentation, as the file's own first member shows it.
fn unit(text: &str, root: &Node) -> String {
    let first = match &root.kind {
        Kind::Object(members) => members.first(),
        Kind::Other => None,
    };
    let shown =
        first.filter(|member| is_first_of_line(text, member.start)).map(|member| line_indent(text, member.start));
    shown.filter(|indent| !indent.is_empty()).unwrap_or("  ").to_owned()
}

fn render(value: &Value, unit: &str, indent: &str, end: &str) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(unit.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // A value of ours, into memory: neither can fail.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default().replace('\n', &format!("{end}{indent}"))
}

fn splice(text: &str, start: usize, end: usize, new: &str) -> String {
    let (before, after) = (text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default());
    format!("{before}{new}{after}")
}

#[cfg(test)]
mod tests;
