//! The saved responses of `tests/recognition` and `tests/providers`: what each is, and how it is played back.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::http::Curl;

/// A saved response with what the tool had asked and what must be made of it.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The file's name without its ending.
    pub name: String,
    notes: Vec<(String, String)>,
    head: String,
    /// The response's body.
    pub body: Vec<u8>,
}

impl Saved {
    /// Where they are kept.
    #[must_use]
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("recognition")
    }

    /// Every file whose name is this or begins so, followed by `_`.
    pub fn of(name: &str) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(Self::folder()).context("the saved responses")? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            let is_wanted = stem == name || stem.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'));
            if is_wanted && path.extension().is_some_and(|ending| ending == "http") {
                found.push(Self::parse(stem, &fs::read(&path)?)?);
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// One file.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        Self::parse(name, &fs::read(path).with_context(|| path.display().to_string())?)
    }

    fn parse(name: String, bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8(bytes.to_vec()).with_context(|| name.clone())?;
        let mut notes = Vec::new();
        let mut rest = text.as_str();
        while let Some(line) = rest.strip_prefix('#') {
            let (line, after) = line.split_once('\n').unwrap_or((line, ""));
            if let Some((key, value)) = line.split_once(':') {
                notes.push((key.trim().to_owned(), value.trim().to_owned()));
            }
            rest = after;
        }
        let (head, body) = rest.split_once("\n\n").with_context(|| format!("{name}: no empty line"))?;
        let body = body.strip_suffix('\n').unwrap_or(body).as_bytes().to_vec();
        Ok(Self { name, notes, head: head.to_owned(), body })
    }

    /// The value of a `# key: value` line.
    #[must_use]
    pub fn note(&self, key: &str) -> Option<&str> {
        self.notes(key).next()
    }

    fn notes(&self, key: &str) -> impl Iterator<Item = &str> {
        self.notes.iter().filter(move |(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The method and the path that the tool asked for.
    #[must_use]
    pub fn request(&self) -> (&str, &str) {
        self.note("request").and_then(|request| request.split_once(' ')).unwrap_or(("GET", "/"))
    }

    /// The same request, to this address.
    #[must_use]
    pub fn curl(&self, base: &str) -> Curl {
        let (method, path) = self.request();
        let mut curl = Curl::new(format!("{base}{path}")).method(method);
        for header in self.notes("request-header") {
            if let Some((name, value)) = header.split_once(':') {
                curl = curl.header(name.trim(), value.trim());
            }
        }
        match self.note("request-body") {
            Some(body) => curl.body(body.as_bytes().to_vec()),
            None => curl,
        }
    }

    /// Whether the request is JSON-RPC.
    #[must_use]
    pub fn is_json_rpc(&self) -> bool {
        self.request().0 == "POST" && self.note("request-body").is_some_and(|body| body.contains("\"jsonrpc\""))
    }

    /// The response's status.
    pub fn status(&self) -> Result<u16> {
        let status = self.head.split(' ').nth(1).and_then(|status| status.get(..3)?.parse().ok());
        status.with_context(|| format!("{}: no status line", self.name))
    }

    /// The response's headers: names in lower case.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect()
    }

    /// The whole response as it goes over the wire, with this body in the place of its own.
    #[must_use]
    pub fn response(&self, more: &str, body: &[u8]) -> Vec<u8> {
        let head = self.head.lines().collect::<Vec<_>>().join("\r\n");
        let length = body.len();
        [format!("{head}\r\n{more}content-length: {length}\r\n\r\n").as_bytes(), body].concat()
    }
}
