//! pip's configuration: `index-url` with the key in it (pip.pypa.io, "Configuration").
//!
//! pip refuses a file that sets the same option twice, so an index of the person's is set aside as a comment
//! and comes back when ours goes.

use std::ops::Range;

use crate::lines::{append, insert, lines, remove, replace};
use crate::{Entry, Form, Key, Problem, Wanted, at_port, is_ours};

/// Before what is set aside.
const ASIDE: &str = "# set aside by signbell: ";

/// Makes the service the index; says whether the section had to be made.
pub(crate) fn put(text: &str, wanted: &Wanted) -> Result<(String, bool), Problem> {
    check(text)?;
    let [service] = wanted.services.as_slice() else { return Err(Problem::OneOnly) };
    let Form::Key(key) = &wanted.form else { return Err(Problem::NoKeyHere) };
    let address = service.address.trim_end_matches('/');
    // PEP 503: the index is a folder named "simple" wherever anybody serves one.
    let simple = if service.upstream.trim_end_matches('/').ends_with("/simple") { "" } else { "/simple" };
    let rest = address.strip_prefix("http://").unwrap_or(address);
    let index = format!("index-url = http://signbell:{}@{rest}{simple}/", key.expose());
    let ours = [index.clone()];
    let Some(section) = Global::find(text) else {
        let block = ["[global]".to_owned(), index];
        return Ok((append(text, &block, true), true));
    };
    let Some(line) = section.index else { return Ok((insert(text, section.header.end, &ours), false)) };
    let said = text.get(line.clone()).unwrap_or_default();
    if is_ours(&value(said), &wanted.proxy, true) {
        return Ok((replace(text, line, &ours), false));
    }
    if section.index_goes_on {
        return Err(Problem::ByHand { what: "index-url".to_owned() });
    }
    let block = [format!("{ASIDE}{}", said.trim_end_matches(['\n', '\r'])), index];
    Ok((replace(text, line, &block), false))
}

/// Takes our index out, and with `whole` an empty section.
pub(crate) fn take(text: &str, proxy: &str, only: Option<&[String]>, whole: bool) -> Result<String, Problem> {
    check(text)?;
    let goes = entries(text, proxy).iter().any(|entry| only.is_none_or(|only| only.contains(&entry.service)));
    let Some(section) = Global::find(text).filter(|_| goes) else { return Ok(text.to_owned()) };
    let Some(line) = section.index else { return Ok(text.to_owned()) };
    let before = lines(text).into_iter().find(|before| before.end == line.start);
    let aside = before.as_ref().and_then(|before| text.get(before.clone())?.strip_prefix(ASIDE));
    if let (Some(aside), Some(before)) = (aside, before.as_ref()) {
        let back = [aside.trim_end_matches(['\n', '\r']).to_owned()];
        return Ok(replace(text, before.start..line.end, &back));
    }
    if whole && before == Some(section.header.clone()) && section.end == line.end {
        return Ok(remove(text, section.header.start..line.end, true));
    }
    Ok(remove(text, line, false))
}

/// Leads the index to another port, if it goes.
pub(crate) fn moved(text: &str, proxy: &str, to: u16, goes: impl Fn(&Entry) -> bool) -> String {
    let from = entries(text, proxy).into_iter().find(goes).and_then(|entry| entry.port);
    let line = Global::find(text).and_then(|section| section.index);
    let (Some(from), Some(line)) = (from, line) else { return text.to_owned() };
    let new = at_port(text.get(line.clone()).unwrap_or_default(), from, to);
    let mut text = text.to_owned();
    text.replace_range(line, &new);
    text
}

/// The service that is the index.
pub(crate) fn entries(text: &str, proxy: &str) -> Vec<Entry> {
    let entry = index(text, proxy).and_then(|url| {
        let service = url.path_segments()?.next()?.to_owned();
        Some(Entry { service, port: url.port_or_known_default() })
    });
    entry.into_iter().collect()
}

/// The key that stands in it.
pub(crate) fn key(text: &str, proxy: &str) -> Option<Key> {
    index(text, proxy).and_then(|url| url.password().filter(|key| key.starts_with(Key::PREFIX)).map(Key::new))
}

fn index(text: &str, proxy: &str) -> Option<url::Url> {
    let url = value(text.get(Global::find(text)?.index?)?);
    let has_key = url.contains(Key::PREFIX);
    is_ours(&url, proxy, has_key).then(|| url.parse().ok())?
}

/// Where `[global]` and its index are.
struct Global {
    header: Range<usize>,
    index: Option<Range<usize>>,
    /// Further lines belong to the index's value.
    index_goes_on: bool,
    /// Behind the last line of the section that says something.
    end: usize,
}

impl Global {
    fn find(text: &str) -> Option<Self> {
        let lines = lines(text);
        let said = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let first = lines.iter().position(|line| said(line).trim() == "[global]")?;
        let header = lines.get(first)?.clone();
        let body: Vec<_> = lines.iter().skip(first + 1).take_while(|line| !said(line).starts_with('[')).collect();
        let at = body.iter().position(|line| {
            let (name, _) = said(line).split_once(['=', ':']).unwrap_or_default();
            name.trim_end().eq_ignore_ascii_case("index-url") || name.trim_end().eq_ignore_ascii_case("index_url")
        });
        let next = at.and_then(|at| body.get(at + 1)).is_some_and(|line| {
            let line = said(line);
            line.starts_with([' ', '\t']) && !line.trim().is_empty()
        });
        let end = body.iter().rfind(|line| !said(line).trim().is_empty()).map_or(header.end, |line| line.end);
        let index = at.and_then(|at| body.get(at)).map(|line| (*line).clone());
        Some(Self { header, index, index_goes_on: next, end })
    }
}

fn value(line: &str) -> String {
    line.split_once(['=', ':']).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// What Python's configparser would refuse.
fn check(text: &str) -> Result<(), Problem> {
    let mut section = false;
    for (number, line) in text.lines().enumerate() {
        let broken = |what: &str| Problem::Broken { line: number + 1, what: what.to_owned() };
        let said = line.trim();
        if said.is_empty() || said.starts_with(['#', ';']) {
            continue;
        }
        if said.starts_with('[') {
            if !said.contains(']') {
                return Err(broken("a section's name has no end"));
            }
            section = true;
        } else if !section {
            return Err(broken("an option stands before the first section"));
        } else if !line.starts_with([' ', '\t']) && !said.contains(['=', ':']) {
            return Err(broken("an option has no value"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Target;

    const PROXY: &str = "http://127.0.0.1:8401";

    fn wanted(upstream: &str) -> Wanted {
        let service = Target {
            name: "pypi".into(),
            address: format!("{PROXY}/pypi"),
            upstream: upstream.into(),
            account: "a".into(),
        };
        let form = Form::Key(Key::new("sbk_1"));
        Wanted { services: vec![service], proxy: PROXY.into(), tool: "pip".into(), program: "signbell".into(), form }
    }

    #[test]
    fn in_and_out_to_the_byte() {
        for text in [
            "",
            "[global]\n",
            "[global]\ntimeout = 60\n",
            "# mine\n[install]\nno-cache-dir = yes",
            "[global]\r\nindex-url=https://pypi.org/simple\r\ntimeout = 60\r\n",
            "[global]\ntimeout = 1\nindex_url : https://pypi.org/simple",
        ] {
            let (with, made) = put(text, &wanted("https://py.example")).unwrap();
            assert!(with.contains("index-url = http://signbell:sbk_1@127.0.0.1:8401/pypi/simple/"), "{with}");
            assert_eq!(put(&with, &wanted("https://py.example")).unwrap(), (with.clone(), false));
            let there = [Entry { service: "pypi".into(), port: Some(8401) }];
            assert_eq!((entries(&with, PROXY), key(&with, PROXY).unwrap().expose()), (there.into(), "sbk_1"));
            assert_eq!(take(&with, PROXY, None, made).unwrap(), text);
            assert_eq!(take(&with, PROXY, Some(&["x".into()]), made).unwrap(), with);
            assert_eq!(take(text, PROXY, None, true).unwrap(), text);
        }
        let (with, _) = put("", &wanted("https://py.example/simple/")).unwrap();
        assert!(with.ends_with("@127.0.0.1:8401/pypi/\n"), "{with}");
    }

    #[test]
    fn what_pip_refuses_is_left_alone() {
        for (text, line) in [("a = 1\n", 1), ("[global]\n[x\n", 2), ("[global]\nnonsense\n", 2)] {
            let outcome = put(text, &wanted("https://x"));
            assert!(matches!(outcome, Err(Problem::Broken { line: named, .. }) if named == line), "{outcome:?}");
        }
        let text = "[global]\nindex-url =\n  https://pypi.org/simple\n";
        assert!(matches!(put(text, &wanted("https://x")), Err(Problem::ByHand { .. })));
    }
}
