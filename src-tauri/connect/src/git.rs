//! git's configuration: our credential helper for our address, and each service's own address turned into
//! ours (git-config(1): `credential.<url>.*`, `url.<base>.insteadOf`). No key stands in it.

use std::ops::Range;

use crate::lines::{append, lines, remove, replace};
use crate::{Problem, Wanted, is_ours};

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

/// Takes out the sections of these services, and with the last of them the helper.
pub(crate) fn take(text: &str, proxy: &str, only: Option<&[String]>) -> Result<String, Problem> {
    check(text)?;
    let mut text = text.to_owned();
    let goes =
        |section: &Section| section.service(proxy).is_some_and(|name| only.is_none_or(|only| only.contains(&name)));
    while let Some(section) = sections_of(&text).into_iter().find(goes) {
        text = remove(&text, section.lines, false);
    }
    if services(&text, proxy).is_empty() {
        while let Some(section) = sections_of(&text).into_iter().find(|section| section.is_helper(proxy)) {
            text = remove(&text, section.lines, false);
        }
    }
    Ok(text)
}

/// The services that lead to us.
pub(crate) fn services(text: &str, proxy: &str) -> Vec<String> {
    sections_of(text).iter().filter_map(|section| section.service(proxy)).collect()
}

/// A section as we write one: its header, and those of our keys that follow at once.
struct Section {
    header: String,
    lines: Range<usize>,
    ours: bool,
}

impl Section {
    fn service(&self, proxy: &str) -> Option<String> {
        let address = self.header.strip_prefix("[url \"")?.strip_suffix("\"]")?;
        let path = address.strip_prefix(proxy)?.trim_matches('/');
        (self.ours && !path.is_empty()).then(|| path.to_owned())
    }

    fn is_helper(&self, proxy: &str) -> bool {
        let address = self.header.strip_prefix("[credential \"").and_then(|rest| rest.strip_suffix("\"]"));
        self.ours && address.is_some_and(|address| is_ours(address, proxy, false))
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

    fn wanted(program: &str) -> Wanted {
        let service = |name: &str, upstream: &str| Target {
            name: name.into(),
            address: format!("http://127.0.0.1:8401/{name}"),
            upstream: upstream.into(),
            account: "a".into(),
        };
        Wanted {
            services: vec![service("forge", "https://git.example"), service("b", "https://b.example/git/")],
            proxy: "http://127.0.0.1:8401".into(),
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
            assert_eq!(services(&with, "http://127.0.0.1:8401"), ["forge", "b"]);
            let one = take(&with, "http://127.0.0.1:8401", Some(&["b".to_owned()])).unwrap();
            assert!(one.contains("credential git") && !one.contains("b.example"), "{one}");
            assert_eq!(take(&one, "http://127.0.0.1:8401", None).unwrap(), text);
            assert_eq!(take(&with, "http://127.0.0.1:8401", None).unwrap(), text);
            assert_eq!(take(text, "http://127.0.0.1:8401", None).unwrap(), text);
        }
        let text = put("", &wanted("/a b/it's")).unwrap();
        assert!(text.contains("helper = \"!'/a b/it'\\\\''s' credential git\"\n"), "{text}");
        assert!(text.ends_with("[url \"http://127.0.0.1:8401/b/\"]\n\tinsteadOf = https://b.example/git/\n"));
        assert!(matches!(put("[a]\n[b\n", &wanted("x")), Err(Problem::Broken { line: 2, .. })));
    }

    #[test]
    fn a_section_with_the_person_s_own_key_stays() {
        let text = "[url \"http://127.0.0.1:8401/forge/\"]\n\tinsteadOf = https://x/\n\tpushInsteadOf = https://y/\n";
        assert_eq!(take(text, "http://127.0.0.1:8401", None).unwrap(), text);
    }
}
