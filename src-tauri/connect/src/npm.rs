//! npm's configuration: the registry's address and the key for it (npmrc(5)). Where two lines set the same,
//! npm takes the later, so the person's own stays above ours and counts again when ours is gone.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::lines::{append, lines, remove, replace};
use crate::{Client, Entry, Form, Key, Problem, Wanted, at_port, port_of};

/// Makes the service the registry: of the scopes that its own address was given for, else of everything.
pub(crate) fn put(text: &str, wanted: &Wanted) -> Result<String, Problem> {
    let [service] = wanted.services.as_slice() else { return Err(Problem::OneOnly) };
    let address = format!("{}/", service.address.trim_end_matches('/'));
    let key = match &wanted.form {
        Form::Key(key) => key.expose().to_owned(),
        Form::Variable => Client::Npm.variable().unwrap_or_default().to_owned(),
        Form::Program => return Err(Problem::NoSuchForm),
    };
    let upstream = service.upstream.trim_end_matches('/');
    let mut names: Vec<_> = settings(text)
        .filter(|setting| setting.name.starts_with('@') && setting.value.trim_end_matches('/') == upstream)
        .map(|setting| setting.name.to_owned())
        .collect();
    let scopes = settings(text).filter(|setting| setting.name.starts_with('@') && setting.value == address);
    names.extend(scopes.map(|setting| setting.name.to_owned()));
    names.sort();
    names.dedup();
    if names.is_empty() {
        names.push("registry".to_owned());
    }
    let mut wanted: Vec<_> = names.into_iter().map(|name| (name, address.clone())).collect();
    let host = address.strip_prefix("http:").unwrap_or(&address);
    wanted.push((format!("{host}:_authToken"), key));
    Ok(wanted.into_iter().fold(text.to_owned(), |text, (name, value)| {
        let line = [format!("{name}={value}")];
        let ours = |setting: &Setting<'_>| {
            setting.name == name && (name.starts_with("//") || setting.value.starts_with(&address))
        };
        let known = settings(&text).filter(ours).last().map(|setting| setting.line);
        match known {
            Some(range) => replace(&text, range, &line),
            None => append(&text, &line, false),
        }
    }))
}

/// Takes our lines out.
pub(crate) fn take(text: &str, proxy: &str, only: Option<&[String]>) -> String {
    let ports = ports(text, proxy);
    let mut text = text.to_owned();
    let goes = |setting: &Setting<'_>| {
        setting.entry(&ports).is_some_and(|entry| only.is_none_or(|only| only.contains(&entry.service)))
    };
    loop {
        let found = settings(&text).filter(goes).last().map(|setting| setting.line);
        match found {
            Some(range) => text = remove(&text, range, false),
            None => return text,
        }
    }
}

/// Leads the lines of the services that go to another port.
pub(crate) fn moved(text: &str, proxy: &str, to: u16, goes: impl Fn(&Entry) -> bool) -> String {
    let ports = ports(text, proxy);
    let mut text = text.to_owned();
    loop {
        let found = settings(&text).find_map(|setting| {
            let port = setting.entry(&ports).filter(&goes)?.port?;
            Some((setting.line, port))
        });
        let Some((line, port)) = found else { return text };
        let new = at_port(text.get(line.clone()).unwrap_or_default(), port, to);
        text.replace_range(line, &new);
    }
}

/// The services that it uses.
pub(crate) fn entries(text: &str, proxy: &str) -> Vec<Entry> {
    let ports = ports(text, proxy);
    settings(text).filter_map(|setting| setting.entry(&ports)).collect()
}

/// The key that stands in it.
pub(crate) fn key(text: &str, proxy: &str) -> Option<Key> {
    let ports = ports(text, proxy);
    let ours = |setting: &Setting<'_>| setting.name.ends_with(":_authToken") && setting.entry(&ports).is_some();
    settings(text).find(ours).filter(|setting| setting.value.starts_with(Key::PREFIX)).map(|it| Key::new(it.value))
}

/// The ports at which we are or were: the proxy's own, and those for which a key of ours stands here.
fn ports(text: &str, proxy: &str) -> BTreeSet<u16> {
    let keyed = settings(text).filter_map(|setting| {
        let key = setting.value.starts_with(Key::PREFIX) || Client::Npm.variable() == Some(setting.value);
        setting.address().filter(|_| key).and_then(|address| port_of(&address))
    });
    keyed.chain(port_of(proxy)).collect()
}

struct Setting<'a> {
    line: Range<usize>,
    name: &'a str,
    value: &'a str,
}

impl Setting<'_> {
    /// The registry that it is about.
    fn address(&self) -> Option<String> {
        if self.name == "registry" || self.name.ends_with(":registry") {
            return Some(self.value.to_owned());
        }
        let (host, _) = self.name.rsplit_once(':').filter(|_| self.name.starts_with("//"))?;
        Some(format!("http:{host}"))
    }

    fn entry(&self, ports: &BTreeSet<u16>) -> Option<Entry> {
        let address = self.address()?;
        let port = port_of(&address).filter(|port| ports.contains(port))?;
        let (_, path) = address.split_once("://")?.1.split_once('/')?;
        let service = path.split('/').next().filter(|name| !name.is_empty())?;
        Some(Entry { service: service.to_owned(), port: Some(port) })
    }
}

fn settings(text: &str) -> impl Iterator<Item = Setting<'_>> {
    lines(text).into_iter().filter_map(|line| {
        let (name, value) = text.get(line.clone())?.split_once('=')?;
        let name = name.trim();
        (!name.starts_with([';', '#', '['])).then(|| Setting { line, name, value: value.trim() })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Target;

    const PROXY: &str = "http://127.0.0.1:8401";

    fn wanted(form: Form) -> Wanted {
        let service = Target {
            name: "npm".into(),
            address: format!("{PROXY}/npm"),
            upstream: "https://npm.example/acme/".into(),
            account: "a".into(),
        };
        Wanted { services: vec![service], proxy: PROXY.into(), tool: "npm".into(), program: "signbell".into(), form }
    }

    #[test]
    fn in_and_out_to_the_byte() {
        for text in ["", "; mine\nregistry=https://registry.npmjs.org/\n", "save-exact = true", "a=b\r\n[x]\r\n"] {
            let with = put(text, &wanted(Form::Key(Key::new("sbk_1")))).unwrap();
            let lines: Vec<_> = with.lines().rev().take(2).collect();
            assert_eq!(lines, ["//127.0.0.1:8401/npm/:_authToken=sbk_1", "registry=http://127.0.0.1:8401/npm/"]);
            assert_eq!(key(&with, PROXY).unwrap().expose(), "sbk_1");
            assert_eq!(put(&with, &wanted(Form::Key(Key::new("sbk_1")))).unwrap(), with);
            assert!(entries(&with, PROXY).iter().all(|entry| entry.service == "npm" && entry.port == Some(8401)));
            assert_eq!(take(&with, PROXY, Some(&["other".into()])), with);
            assert_eq!(take(&with, PROXY, None), text);
            assert_eq!(take(text, PROXY, None), text);
        }
    }

    #[test]
    fn a_scope_of_that_registry_is_taken_over_alone() {
        let text = "@acme:registry=https://npm.example/acme\n";
        let with = put(text, &wanted(Form::Variable)).unwrap();
        let added = "@acme:registry=http://127.0.0.1:8401/npm/\n//127.0.0.1:8401/npm/:_authToken=${SIGNBELL_KEY}\n";
        assert_eq!(with, format!("{text}{added}"));
        assert_eq!(put(&with, &wanted(Form::Variable)).unwrap(), with);
        assert!(key(&with, PROXY).is_none());
        assert_eq!(take(&with, PROXY, None), text);
    }
}
