//! PURE: the little of YAML that `gh` writes: mappings in block style, with plain or quoted scalars.
//!
//! Anything else (lists, anchors, flow style, text over several lines) is an error that names the line: a
//! file that somebody wrote by hand in another way is not guessed at.

/// A scalar, or a mapping in its own order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Scalar(String),
    Mapping(Entries),
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Of a mapping; a scalar has none.
    pub(crate) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Mapping(entries) => entries,
            Self::Scalar(_) => &[],
        }
    }

    /// A scalar that says something.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

/// A mapping's, in its own order.
type Entries = Vec<(String, Node)>;

/// Deeper than any such file.
const DEEPEST: usize = 20;

/// The top mapping.
///
/// # Errors
/// Which line is not understood, without its text.
pub(crate) fn parse(text: &str) -> Result<Node, String> {
    let mut lines = Vec::new();
    for (number, line) in (1usize..).zip(text.lines()) {
        let content = line.trim_start_matches(' ');
        if content.trim_end().is_empty() || content.starts_with('#') || line == "---" {
            continue;
        }
        lines.push(Line::read(number, line.len() - content.len(), content)?);
    }
    let (entries, rest) = mapping(&lines, 0, 0)?;
    match rest.first() {
        None => Ok(Node::Mapping(entries)),
        Some(line) => Err(not_understood(line.number)),
    }
}

struct Line {
    number: usize,
    indent: usize,
    key: String,
    value: Option<String>,
}

impl Line {
    fn read(number: usize, indent: usize, content: &str) -> Result<Self, String> {
        let bad = || not_understood(number);
        let (key, value) = match content.strip_prefix(['"', '\'']) {
            Some(_) => {
                let (key, rest) = quoted(content).ok_or_else(bad)?;
                (key, rest.trim_start().strip_prefix(':').ok_or_else(bad)?)
            }
            None => {
                let ends = content.strip_suffix(':').map(|key| (key, ""));
                let (key, value) = content.split_once(": ").or(ends).ok_or_else(bad)?;
                (key.to_owned(), value)
            }
        };
        let value = value.trim();
        let value = match value.chars().next() {
            None | Some('#') => None,
            Some('"' | '\'') => {
                let (text, rest) = quoted(value).ok_or_else(bad)?;
                let rest = rest.trim_start();
                if !rest.is_empty() && !rest.starts_with('#') {
                    return Err(bad());
                }
                Some(text)
            }
            Some('&' | '*' | '!' | '|' | '>' | '{' | '[' | '%' | '@' | '`') => return Err(bad()),
            Some(_) => Some(value.split(" #").next().unwrap_or_default().trim_end().to_owned()),
        };
        if key.starts_with("- ") || key.contains('\t') {
            return Err(bad());
        }
        Ok(Self { number, indent, key: key.trim_end().to_owned(), value })
    }
}

fn mapping(mut lines: &[Line], indent: usize, depth: usize) -> Result<(Entries, &[Line]), String> {
    let mut entries = Vec::new();
    while let Some((line, rest)) = lines.split_first() {
        if line.indent < indent {
            break;
        }
        if line.indent > indent || depth > DEEPEST {
            return Err(not_understood(line.number));
        }
        lines = rest;
        let node = match (&line.value, rest.first()) {
            (Some(value), _) => Node::Scalar(value.clone()),
            (None, Some(next)) if next.indent > indent => {
                let (inner, rest) = mapping(rest, next.indent, depth + 1)?;
                lines = rest;
                Node::Mapping(inner)
            }
            (None, _) => Node::Scalar(String::new()),
        };
        entries.push((line.key.clone(), node));
    }
    Ok((entries, lines))
}

/// The text between quotes, and what follows them.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.char_indices();
    let (_, mark) = chars.next()?;
    let mut out = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if mark == '"' => match chars.next()?.1 {
                escaped @ ('"' | '\\' | '/') => out.push(escaped),
                'n' => out.push('\n'),
                't' => out.push('\t'),
                _ => return None,
            },
            '\'' if mark == '\'' && text.get(at + 1..).is_some_and(|rest| rest.starts_with('\'')) => {
                chars.next();
                out.push('\'');
            }
            c if c == mark => return Some((out, text.get(at + 1..)?)),
            c => out.push(c),
        }
    }
    None
}

fn not_understood(line: usize) -> String {
    format!("line {line} is not understood")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_gh_writes() {
        let text = "github.com:\n    git_protocol: https\n    users:\n        ada:\n            oauth_token: \"x: #y\"\n        grace:\n    user: ada # now\n'quo''ted': 'it''s'\n";
        let node = parse(text).unwrap();
        let host = node.get("github.com").unwrap();
        assert_eq!(host.get("user").unwrap().text(), Some("ada"));
        assert_eq!(host.get("users").unwrap().get("ada").unwrap().get("oauth_token").unwrap().text(), Some("x: #y"));
        assert_eq!(host.get("users").unwrap().get("grace").unwrap().text(), None);
        assert_eq!(node.get("quo'ted").unwrap().text(), Some("it's"));
        assert_eq!(parse("").unwrap(), Node::Mapping(vec![]));
    }

    #[test]
    fn anything_else_is_an_error_with_its_line() {
        for bad in
            ["a: &x 1", "- a", "a: [1]", "a: |\n  secret", "a:\n  b: 1\n c: 2", "just-text", "a: \"open", "  a: 1"]
        {
            let why = parse(&format!("ok: 1\n{bad}")).unwrap_err();
            assert!(why.starts_with("line ") && !why.contains("secret"), "{bad}: {why}");
        }
        let deep: String = (0..100).map(|n| format!("{}k:\n", " ".repeat(n))).collect();
        assert!(parse(&deep).is_err());
    }
}
