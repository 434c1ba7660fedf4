//! npm's configuration: the registry's address and the key for it (npmrc(5)). Where two lines set the same,
//! npm takes the later, so the person's own stays above ours and counts again when ours is gone.

use std::ops::Range;

use crate::lines::{append, lines, remove, replace};
use crate::{Client, Form, Key, Problem, Wanted};

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
    let mut text = text.to_owned();
    let goes = |setting: &Setting<'_>| {
        setting.service(proxy).is_some_and(|name| only.is_none_or(|only| only.iter().any(|one| one == name)))
    };
    loop {
        let found = settings(&text).filter(goes).last().map(|setting| setting.line);
        match found {
            Some(range) => text = remove(&text, range, false),
            None => return text,
        }
    }
}

/// The services that it uses.
pub(crate) fn services(text: &str, proxy: &str) -> Vec<String> {
    let mut names: Vec<_> = settings(text).filter_map(|setting| setting.service(proxy).map(str::to_owned)).collect();
    names.sort();
    names.dedup();
    names
}

/// The key that stands in it.
pub(crate) fn key(text: &str, proxy: &str) -> Option<Key> {
    let ours = |setting: &Setting<'_>| setting.name.ends_with(":_authToken") && setting.service(proxy).is_some();
    settings(text).find(ours).filter(|setting| setting.value.starts_with(Key::PREFIX)).map(|it| Key::new(it.value))
}

struct Setting<'a> {
    line: Range<usize>,
    name: &'a str,
    value: &'a str,
}

impl<'a> Setting<'a> {
    fn service(&self, proxy: &str) -> Option<&'a str> {
        let (name, value) = (self.name, self.value);
        let host = proxy.strip_prefix("http:").unwrap_or(proxy);
        let rest = if name == "registry" || name.ends_with(":registry") {
            value.strip_prefix(proxy)
        } else {
            name.strip_prefix(host)
        };
        rest?.strip_prefix('/')?.split('/').next().filter(|name| !name.is_empty())
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
            assert_eq!(services(&with, PROXY), ["npm"]);
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
