//! Where everything is in a JSONC text, and what it says.

use serde_json::{Map, Value};

use crate::Problem;

/// A value, by its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Object(Vec<Member>),
    Other,
}

/// One member of an object.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// Where its name begins.
    pub(super) start: usize,
    pub(super) value: Node,
    /// The comma behind it.
    pub(super) comma: Option<usize>,
}

impl Node {
    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        match &self.kind {
            Kind::Object(members) => members.iter().rfind(|member| member.name == name),
            Kind::Other => None,
        }
    }
}

/// How deep a file may be nested: far deeper than any is, and far from the end of the stack.
const DEEPEST: usize = 128;

/// Reads the whole text.
pub(super) fn scan(text: &str) -> Result<(Node, Value), Problem> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut scan = Scan { text, at: start, depth: 0 };
    scan.skip()?;
    let whole = scan.value()?;
    scan.skip()?;
    if scan.at < text.len() {
        return Err(scan.broken("something follows the end"));
    }
    Ok(whole)
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Scan<'_> {
    fn value(&mut self) -> Result<(Node, Value), Problem> {
        let start = self.at;
        let (kind, value) = match self.peek() {
            Some(b'{') => self.object()?,
            Some(b'[') => (Kind::Other, self.array()?),
            Some(b'"') => (Kind::Other, Value::String(self.string()?)),
            Some(_) => (Kind::Other, self.word()?),
            None => return Err(self.broken("it ends too early")),
        };
        Ok((Node { start, end: self.at, kind }, value))
    }

    fn object(&mut self) -> Result<(Kind, Value), Problem> {
        self.deeper()?;
        let (mut members, mut values) = (Vec::<Member>::new(), Map::new());
        loop {
            self.skip()?;
            match self.peek() {
                Some(b'}') => break,
                Some(b'"') if members.last().is_none_or(|last| last.comma.is_some()) => {}
                Some(b'"') => return Err(self.broken("a comma is missing")),
                Some(_) => return Err(self.broken("a name in quotes is missing")),
                None => return Err(self.broken("it ends within an object")),
            }
            let start = self.at;
            let name = self.string()?;
            self.skip()?;
            if self.peek() != Some(b':') {
                return Err(self.broken("a colon is missing"));
            }
            self.at += 1;
            self.skip()?;
            let (node, value) = self.value()?;
            values.insert(name.clone(), value);
            self.skip()?;
            let comma = (self.peek() == Some(b',')).then_some(self.at);
            self.at += usize::from(comma.is_some());
            members.push(Member { name, start, value: node, comma });
        }
        self.at += 1;
        self.depth -= 1;
        Ok((Kind::Object(members), Value::Object(values)))
    }

    fn array(&mut self) -> Result<Value, Problem> {
        self.deeper()?;
        let (mut values, mut expected) = (Vec::new(), true);
        loop {
            self.skip()?;
            match self.peek() {
                Some(b']') => break,
                None => return Err(self.broken("it ends within a list")),
                Some(_) if !expected => return Err(self.broken("a comma is missing")),
                Some(_) => values.push(self.value()?.1),
            }
            self.skip()?;
            expected = self.peek() == Some(b',');
            self.at += usize::from(expected);
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Value::Array(values))
    }

    fn deeper(&mut self) -> Result<(), Problem> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST { Err(self.broken("it is nested too deep")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<String, Problem> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(b'\n') | None => return Err(self.broken("a quote is missing")),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(quoted).map_err(|_| self.broken("a text has a bad escape"))
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Value, Problem> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.find(|c: char| c.is_whitespace() || ",]}/:".contains(c)).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let value = serde_json::from_str(word).map_err(|_| self.broken("this is no value"))?;
        self.at += length;
        Ok(value)
    }

    /// White space and comments.
    fn skip(&mut self) -> Result<(), Problem> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            let rest = self.text.get(self.at..).unwrap_or_default();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(end) => self.at += end + 2,
                    None => return Err(self.broken("a comment has no end")),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn broken(&self, what: &str) -> Problem {
        let before = self.text.as_bytes().get(..self.at).unwrap_or(self.text.as_bytes());
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Problem::Broken { line, what: what.to_owned() }
    }
}
