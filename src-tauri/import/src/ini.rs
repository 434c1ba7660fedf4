//! PURE: INI as Python's configparser reads it (docs.python.org/3/library/configparser, "Supported INI File
//! Structure"): sections, `key = value` or `key: value`, and indented lines that go on with a value.

/// A section and its keys, in the file's order. Keys are lower case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) values: Vec<(String, String)>,
}

impl Section {
    /// The value, if there is one that says something.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }
}

/// The sections.
///
/// # Errors
/// Which line is not understood, without its text.
pub(crate) fn parse(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1usize..).zip(text.lines()) {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let indented = line.starts_with([' ', '\t']);
        if indented && goes_on {
            let last = sections.last_mut().and_then(|section| section.values.last_mut());
            if let Some((_, value)) = last {
                value.push('\n');
                value.push_str(content);
            }
            continue;
        }
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name: name.to_owned(), values: vec![] });
            goes_on = false;
            continue;
        }
        let pair = content.split_once(['=', ':']).zip(sections.last_mut());
        let Some(((key, value), section)) = pair else { return Err(format!("line {number} is not understood")) };
        section.values.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        goes_on = true;
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::parse;

    #[test]
    fn sections_and_values_over_several_lines() {
        let text = "[A b]\ndoc = one\n\ttwo\n\n\tthree\n; no\nURL: https://x.test/?a=b\n[c@d.test]\nempty =\n";
        let sections = parse(text).unwrap();
        assert_eq!(sections[0].get("doc"), Some("one\ntwo\nthree"));
        assert_eq!(sections[0].get("url"), Some("https://x.test/?a=b"));
        assert_eq!((sections[1].name.as_str(), sections[1].get("empty")), ("c@d.test", None));
        assert_eq!(parse("key = before any section").unwrap_err(), "line 1 is not understood");
        assert_eq!(parse("[a]\nno value here").unwrap_err(), "line 2 is not understood");
    }
}
