//! `signbell completions` and `signbell man`: made from what can be typed, so that they can't be behind it.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use serde_json::json;
use signbell_engine::control::Failure;

use crate::args::Cli;
use crate::output::Output;
use signbell_engine::wording::cli as words;

const NAME: &str = "signbell";

/// Prints the shell's own script.
pub(super) fn completions(out: Output, shell: Shell) -> Result<u8, Failure> {
    let mut script = vec![];
    generate(shell, &mut Cli::command(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script);
    out.verbatim(&json!({ "shell": shell.to_string(), "script": script }), &script)?;
    Ok(0)
}

/// Prints the page of the whole, or writes those of every command into `folder`.
pub(super) fn pages(out: Output, folder: Option<&Path>) -> Result<u8, Failure> {
    let pages = all();
    let Some(folder) = folder else {
        let whole = pages.into_iter().next().map(|(_, page)| page).unwrap_or_default();
        out.verbatim(&json!({ "page": whole }), &whole)?;
        return Ok(0);
    };
    let failed = |file: &Path| {
        let name = file.display().to_string();
        move |e: io::Error| words::page_not_written(&name, &e)
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    for (name, page) in &pages {
        let file = folder.join(format!("{name}.1"));
        fs::write(&file, page).map_err(failed(&file))?;
    }
    let name = folder.display().to_string();
    out.result(&json!({ "folder": name, "pages": pages.len() }), || words::pages_written(pages.len(), &name))?;
    Ok(0)
}

/// Every command's page by its name, the whole one first: `signbell`, `signbell-add`, `signbell-tool-add`.
fn all() -> Vec<(String, String)> {
    let mut whole = Cli::command();
    whole.build();
    let mut pages = vec![];
    collect(&whole, NAME, &mut pages);
    pages
}

fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) {
    let mut page = vec![];
    // A vector takes whatever is written.
    let _ = Man::new(command.clone()).title(name.to_uppercase()).manual("Signbell").render(&mut page);
    // Alternatives are one word else, and may be longer than a line (groff(7), `\:`).
    let page = String::from_utf8_lossy(&page).replace("\\fR|\\fB", "\\fR|\\:\\fB");
    pages.push((name.to_owned(), page));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        collect(inner, &format!("{name}-{}", inner.get_name()), pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_example() {
        let pages = all();
        assert_eq!(pages[0].0, "signbell");
        for wanted in ["signbell-add", "signbell-sign-in", "signbell-tool-add", "signbell-credential-git"] {
            let (_, page) = pages.iter().find(|(name, _)| name == wanted).unwrap_or_else(|| panic!("no {wanted}"));
            assert!(page.contains(".SH SYNOPSIS"), "{page}");
        }
        assert!(pages.iter().any(|(name, page)| name == "signbell-sign-in" && page.contains("\\-\\-no\\-browser")));
    }

    #[test]
    fn each_shell_has_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = vec![];
            generate(shell, &mut Cli::command(), NAME, &mut script);
            let script = String::from_utf8(script).expect("text");
            assert!(script.contains("sign-in") && script.contains("min-valid"), "{shell}");
        }
    }
}
