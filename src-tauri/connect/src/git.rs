//! git's configuration: our credential helper for our address, and each service's own address turned into
//! ours (git-config(1): `credential.<url>.*`, `url.<base>.insteadOf`). No key stands in it.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::lines::{append, lines, remove, replace};
use crate::{Entry, Problem, Wanted, at_port, port_of};

/// Puts in the helper, and one section for each service.
pub(crate) fn put(text: &str, wanted: &Wanted) -> Result<String, Problem> {
    check(text)?;
    let program = match wanted.program.contains(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c)) {
        true => format!("'{}'", wanted.program.replace('\'', "'\\''")),
        false => wanted.program.clone(),
    };
    let tool = if wanted.tool == "git" { String::new() } else { format!(" --tool {}", wanted.tool) };
    let helper = format!("!{program} credential git{tool}").replace('\\', "\\\\").replace('"', "\\\"");
    let mut sections = vec![vec![
        format!("[credential \"{}\"]", wanted.proxy),
        // An empty one first: what other helpers keep for everybody is no business of this address.
        "\thelper =".to_owned(),
        format!("\thelper = \"{helper}\""),
    ]];
    sections.extend(wanted.services.iter().map(|service| {
        vec![
            format!("[url \"{}/\"]", service.address.trim_end_matches('/')),
            format!("\tinsteadOf = {}/", service.upstream.trim_end_matches('/')),
        ]
    }));
    Ok(sections.iter().fold(text.to_owned(), |text, section| {
        let known = sections_of(&text).into_iter().find(|known| Some(&known.header) == section.first());
        match known {
            Some(known) => replace(&text, known.lines, section),
            None => append(&text, section, false),
        }
    }))
}

/// Takes out the sections of these services, and with the last of them at a port the helper for it.
pub(crate) fn take(text: &str, proxy: &str, only: Option<&[String]>) -> Result<String, Problem> {
    check(text)?;
    let ports = ports(text, proxy);
    let mut text = text.to_owned();
    let goes = |section: &Section| {
        section.entry(&ports).is_some_and(|entry| only.is_none_or(|only| only.contains(&entry.service)))
    };
    while let Some(section) = sections_of(&text).into_iter().find(goes) {
        text = remove(&text, section.lines, false);
    }
    loop {
        let sections = sections_of(&text);
        let used: BTreeSet<_> = sections.iter().filter_map(|section| section.entry(&ports)?.port).collect();
        let idle = |section: &Section| section.helper(&ports).is_some_and(|port| !used.contains(&port));
        match sections.into_iter().find(idle) {
            Some(section) => text = remove(&text, section.lines, false),
            None => return Ok(text),
        }
    }
}

/// Leads the sections of the services that go, and the helper for them, to another port.
pub(crate) fn moved(text: &str, proxy: &str, to: u16, goes: impl Fn(&Entry) -> bool) -> String {
    let ports = ports(text, proxy);
    let left: BTreeSet<_> = sections_of(text)
        .iter()
        .filter_map(|section| section.entry(&ports).filter(|entry| !goes(entry))?.port)
        .collect();
    let from = |section: &Section| match section.entry(&ports) {
        Some(entry) => entry.port.filter(|_| goes(&entry)),
        None => section.helper(&ports).filter(|port| *port != to && !left.contains(port)),
    };
    let mut text = text.to_owned();
    while let Some((section, port)) = sections_of(&text).into_iter().find_map(|it| from(&it).map(|port| (it, port))) {
        let header = at_port(&section.header, port, to);
        let known = sections_of(&text).iter().any(|other| other.ours && other.header == header);
        let said = text.get(section.lines.clone()).unwrap_or_default();
        let new = said.replacen(&section.header, &header, 1);
        if known {
            text = remove(&text, section.lines, false);
        } else {
            text.replace_range(section.lines, &new);
        }
    }
    text
}

/// The services that lead to us.
pub(crate) fn entries(text: &str, proxy: &str) -> Vec<Entry> {
    let ports = ports(text, proxy);
    sections_of(text).iter().filter_map(|section| section.entry(&ports)).collect()
}

/// The tool that the helper is started for.
pub(crate) fn tool(text: &str, proxy: &str) -> Option<String> {
    let ports = ports(text, proxy);
    let sections = sections_of(text);
    let helper = sections.iter().find(|section| section.helper(&ports).is_some())?;
    let words = text.get(helper.lines.clone())?.split(['"', ' ', '\n']);
    words.skip_while(|word| *word != "--tool").nth(1).map(str::to_owned)
}

/// The ports at which we are or were: the proxy's own, and those that our helper was written for.
fn ports(text: &str, proxy: &str) -> BTreeSet<u16> {
    let helped = sections_of(text)
        .into_iter()
        .filter(|section| section.helps)
        .filter_map(|section| section.address("credential").and_then(port_of));
    helped.chain(port_of(proxy)).collect()
}

/// A section as we write one: its header, and those of our keys that follow at once.
struct Section {
    header: String,
    lines: Range<usize>,
    ours: bool,
    /// Our program stands in it.
    helps: bool,
}

impl Section {
    /// The address in the header of such a section.
    fn address(&self, kind: &str) -> Option<&str> {
        let quoted = self.header.strip_prefix('[')?.strip_prefix(kind)?.strip_suffix("\"]")?;
        quoted.strip_prefix(" \"").filter(|_| self.ours)
    }

    fn entry(&self, ports: &BTreeSet<u16>) -> Option<Entry> {
        let address = self.address("url")?;
        let port = port_of(address).filter(|port| ports.contains(port))?;
        let (_, path) = address.split_once("://")?.1.split_once('/')?;
        let service = path.trim_matches('/');
        (!service.is_empty()).then(|| Entry { service: service.to_owned(), port: Some(port) })
    }

    /// The port that it is the helper for.
    fn helper(&self, ports: &BTreeSet<u16>) -> Option<u16> {
        self.address("credential").and_then(port_of).filter(|port| ports.contains(port))
    }
}

fn sections_of(text: &str) -> Vec<Section> {
    let lines = lines(text);
    let said = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default().trim();
    let mut sections = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !said(line).starts_with('[') {
            continue;
        }
        let body: Vec<_> = lines.iter().skip(at + 1).take_while(|line| !said(line).starts_with('[')).collect();
        let is_ours = |line: &&&Range<usize>| {
            let key = said(line).split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
            key == "helper" || key == "insteadof"
        };
        let last = body.iter().take_while(is_ours).last();
        // A person's own key in it stays, and with it the section.
        let others =
            body.iter().skip_while(is_ours).any(|line| !said(line).is_empty() && !said(line).starts_with(['#', ';']));
        let end = last.map_or(line.end, |last| last.end);
        sections.push(Section {
            header: said(line).to_owned(),
            lines: line.start..end,
            ours: last.is_some() && !others,
            helps: last
                .is_some_and(|last| text.get(line.end..last.end).unwrap_or_default().contains(" credential git")),
        });
    }
    sections
}

/// git reads what we don't look at; here it is enough that a section's name has an end.
fn check(text: &str) -> Result<(), Problem> {
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') && !line.contains(']') {
            return Err(Problem::Broken { line: number + 1, what: "a section's name has no end".to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Form, Target};

    const PROXY: &str = "http://127.0.0.1:8401";

    fn wanted(program: &str) -> Wanted {
        let service = |name: &str, upstream: &str| Target {
            name: name.into(),
            address: format!("http://127.0.0.1:8401/{name}"),
            upstream: upstream.into(),
            account: "a".into(),
        };
        Wanted {
            services: vec![service("forge", "https://git.example"), service("b", "https://b.example/git/")],
            proxy: PROXY.into(),
            tool: "git".into(),
            program: program.into(),
            form: Form::Program,
        }
    }

    #[test]
    fn in_and_out_to_the_byte() {
        for text in ["", "[user]\n\tname = Ada\n", "[user]\n\tname = Ada", "# x\r\n[a]\r\nb=c\r\n"] {
            let with = put(text, &wanted("signbell")).unwrap();
            assert_eq!(put(&with, &wanted("signbell")).unwrap(), with);
            let names: Vec<_> = entries(&with, PROXY).into_iter().map(|entry| entry.service).collect();
            assert_eq!(names, ["forge", "b"]);
            let one = take(&with, PROXY, Some(&["b".to_owned()])).unwrap();
            assert!(one.contains("credential git") && !one.contains("b.example"), "{one}");
            assert_eq!(take(&one, PROXY, None).unwrap(), text);
            assert_eq!(take(&with, PROXY, None).unwrap(), text);
            assert_eq!(take(text, PROXY, None).unwrap(), text);
        }
        let text = put("", &wanted("/a b/it's")).unwrap();
        assert!(text.contains("helper = \"!'/a b/it'\\\\''s' credential git\"\n"), "{text}");
        assert!(text.ends_with("[url \"http://127.0.0.1:8401/b/\"]\n\tinsteadOf = https://b.example/git/\n"));
        assert!(matches!(put("[a]\n[b\n", &wanted("x")), Err(Problem::Broken { line: 2, .. })));
    }

    #[test]
    fn a_section_with_the_person_s_own_key_stays() {
        let text = "[url \"http://127.0.0.1:8401/forge/\"]\n\tinsteadOf = https://x/\n\tpushInsteadOf = https://y/\n";
        assert_eq!(take(text, PROXY, None).unwrap(), text);
    }
}
