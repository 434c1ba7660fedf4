//! `docs/conformance.md` names the test that shows each line. A test that is not there any more shows
//! nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Every test function of the sources as `file::function`; a unit test's file counts by its own name.
fn functions(folder: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            if !path.ends_with("node_modules") && !path.ends_with("target") {
                functions(&path, found)?;
            }
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let module = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path)?;
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if !line.starts_with("#[test]") && !line.starts_with("#[tokio::test") {
                continue;
            }
            let function = lines.find(|line| line.contains("fn ")).unwrap_or_default();
            let name = function.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).unwrap_or_default();
            found.insert(format!("{module}::{name}"));
        }
    }
    Ok(())
}

fn all() -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for folder in ["src-tauri", "tests/tests", "tests/src"] {
        functions(&Path::new(ROOT).join(folder), &mut found)?;
    }
    Ok(found)
}

/// What stands between backticks and has the form `module::function`.
fn named(text: &str) -> Vec<&str> {
    let word = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let is_test = |text: &&str| text.split_once("::").is_some_and(|(module, name)| word(module) && word(name));
    text.split('`').skip(1).step_by(2).filter(is_test).collect()
}

#[test]
fn the_page_names_only_tests_that_exist() -> Result<()> {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/conformance.md"))?;
    let (tests, named) = (all()?, named(&page));
    ensure!(named.len() > 60, "the page names hardly any test: {named:?}");
    let missing: Vec<&str> = named.into_iter().filter(|name| !tests.contains(*name)).collect();
    ensure!(missing.is_empty(), "docs/conformance.md names tests that don't exist: {missing:?}");
    Ok(())
}

#[test]
fn every_line_of_the_page_has_a_test_or_says_why_not() -> Result<()> {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/conformance.md"))?;
    let mut lines = 0;
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let last = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        if last.starts_with("---") || last == "Shown by" {
            continue;
        }
        lines += 1;
        let says_why = ["not ours: ", "not done: "].iter().any(|start| last.starts_with(start));
        ensure!(says_why || !named(last).is_empty(), "neither a test nor a reason: {line}");
    }
    ensure!(lines > 60, "only {lines} lines");
    Ok(())
}

/// How many rows each part of the list of threats has.
const THREATS: [(char, u32); 9] =
    [('l', 12), ('d', 16), ('t', 11), ('i', 14), ('e', 11), ('r', 18), ('u', 5), ('p', 5), ('g', 3)];

#[test]
fn every_threat_has_a_test_by_its_id_and_a_row_in_the_page() -> Result<()> {
    let tests = all()?;
    // A name begins with its id, or with several: `d12_d16_…`, `r18_d8_d13_…`.
    let ids: BTreeSet<String> = tests
        .iter()
        .filter_map(|test| test.split_once("::"))
        .flat_map(|(_, name)| name.split('_').take_while(|part| is_id(part)).map(str::to_owned))
        .collect();
    let wanted: Vec<String> =
        THREATS.iter().flat_map(|(part, last)| (1..=*last).map(move |n| format!("{part}{n}"))).collect();
    let missing: Vec<&String> = wanted.iter().filter(|id| !ids.contains(*id)).collect();
    ensure!(missing.is_empty(), "no test begins with {missing:?}");

    let page = fs::read_to_string(Path::new(ROOT).join("docs/security.md"))?;
    for id in &wanted {
        let row = page.lines().find(|line| line.starts_with(&format!("| {} |", id.to_uppercase())));
        let named = named(row.with_context(|| format!("docs/security.md has no row {id}"))?);
        ensure!(!named.is_empty(), "row {id} of docs/security.md names no test");
        let gone: Vec<&str> = named.into_iter().filter(|name| !tests.contains(*name)).collect();
        ensure!(gone.is_empty(), "docs/security.md names tests that don't exist: {gone:?}");
    }
    Ok(())
}

/// A letter and a number.
fn is_id(part: &str) -> bool {
    let (letter, number) = part.split_at_checked(1).unwrap_or(("", part));
    letter.bytes().all(|b| b.is_ascii_lowercase()) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}
