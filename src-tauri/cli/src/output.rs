//! The one place that prints.
//!
//! For people: results on standard output, everything else on standard error. With `--json`: one
//! object a line on standard output and nothing else there. Text from elsewhere can't steer a
//! terminal: control and direction characters are escaped on the way out.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::error::ErrorKind;
use serde::Serialize;
use serde_json::json;
use signbell_engine::control::Failure;
use signbell_engine::wording;

use signbell_engine::wording::cli as words;

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// A result: `value` for programs, `text` for people.
    ///
    /// # Errors
    /// Where standard output can't be written.
    pub(crate) fn result(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            let line = serde_json::to_string(value).map_err(|e| words::output_failed(&e.into()))?;
            print(&line)
        } else {
            self.text(&text())
        }
    }

    /// A result that only people get; may have several lines.
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        if self.json || text.is_empty() { Ok(()) } else { print(&escape(text, true)) }
    }

    /// A result that another program reads as it is, which is why nothing in it is escaped: what is ours
    /// alone, never what came from elsewhere.
    pub(crate) fn verbatim(self, value: &impl Serialize, text: &str) -> Result<(), Failure> {
        if self.json { self.result(value, String::new) } else { print(text.trim_end_matches('\n')) }
    }

    /// Something besides the result.
    pub(crate) fn say(self, text: &str) {
        // There is nowhere to say that standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{}", escape(text, true));
    }

    /// Why it was not done.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let mut error = json!({ "code": failure.code, "message": failure.message });
            if let Some(step) = failure.step {
                error["step"] = json!(step);
            }
            if let Some(came) = &failure.came {
                error["came"] = json!(came);
            }
            let _ = print(&json!({ "error": error }).to_string());
        }
        if failure.code != words::OUTPUT_CLOSED {
            self.say(&failure.message);
            if let Some(line) = wording::at_step(failure) {
                self.say(&line);
            }
        }
    }

    /// What clap says: help and version are results, anything else is a usage error.
    pub(crate) fn clap(self, said: &clap::Error) {
        if self.json {
            if said.use_stderr() {
                let error = json!({ "error": { "code": "usage", "message": usage(said) } });
                let _ = print(&error.to_string());
            }
            self.say(said.render().to_string().trim_end());
        } else {
            let _ = said.print();
        }
    }
}

/// What is wrong, without the usage and the tips that follow it.
fn usage(said: &clap::Error) -> String {
    if said.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return words::NO_COMMAND.to_owned();
    }
    let text = said.render().to_string();
    let wrong: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    wrong.join(" ").trim_start_matches("error: ").to_owned()
}

fn print(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| words::output_failed(&e))
}

/// One field of a line: no control character survives, not even a line's end.
pub(crate) fn field(text: &str) -> String {
    escape(text, false)
}

fn escape(text: &str, lines: bool) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        // A tab moves only within its line, and a file shown as it is may have some.
        if (lines && matches!(c, '\n' | '\t')) || !steers(c) {
            clean.push(c);
        } else {
            let _ = write!(clean, "\\u{{{:x}}}", u32::from(c));
        }
    }
    clean
}

/// Control characters (C0, C1, DEL), line and paragraph separators, and what turns the direction of
/// text around.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g2_nothing_steers_the_terminal() {
        for (text, clean) in [
            ("Linear (work) · Ünïcode ✓", "Linear (work) · Ünïcode ✓"),
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("a\r\nb", "a\\u{d}\\u{a}b"),
            ("\u{9b}31m\x07\x7f\0", "\\u{9b}31m\\u{7}\\u{7f}\\u{0}"),
            ("user\u{202e}nimda", "user\\u{202e}nimda"),
        ] {
            assert_eq!(field(text), clean);
        }
        assert_eq!(escape("a\n\tb\r", true), "a\n\tb\\u{d}");
        assert_eq!(field("a\tb"), "a\\u{9}b");
    }
}
