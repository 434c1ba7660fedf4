//! What changes, for a person to look at: a unified diff in which no secret stands, ours or another's, and
//! everything else is as it will be.

use std::ops::Range;

use similar::TextDiff;

use crate::Key;

/// Lines of a file around a change.
const AROUND: usize = 3;

/// A unified diff; empty where nothing changes.
pub(crate) fn unified(before: &str, after: &str, name: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let text = diff.unified_diff().context_radius(AROUND).header(name, name).to_string();
    text.lines().map(|line| format!("{}\n", shortened(line.trim_end_matches('\r')))).collect()
}

/// How the secrets of others begin: GitHub, GitLab, OpenAI and its kin, Slack, JWT, npm.
const BEGINNINGS: [&str; 8] = ["ghp_", "gho_", "github_pat_", "glpat-", "sk-", "xox", "eyJ", "npm_"];

/// A secret this long still says something of itself when its first four letters are shown.
const LONG: usize = 12;

/// A line with every secret cut to its beginning.
fn shortened(line: &str) -> String {
    let mut secrets = [known(line), named(line), in_addresses(line)].concat();
    secrets.sort_by_key(|range| (range.start, range.end));
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    for range in secrets {
        // Two may have found the same.
        if range.start >= at {
            out.push_str(line.get(at..range.start).unwrap_or_default());
            out.push_str(&beginning(line.get(range.clone()).unwrap_or_default()));
            at = range.end;
        }
    }
    out.push_str(line.get(at..).unwrap_or_default());
    out
}

fn beginning(secret: &str) -> String {
    let is_long = secret.len() >= LONG || secret.starts_with(Key::PREFIX);
    let shown: String = secret.chars().take(if is_long { 4 } else { 0 }).collect();
    format!("{shown}…")
}

/// What is known by how it begins: ours wherever it stands, another's as a word of its own.
fn known(line: &str) -> Vec<Range<usize>> {
    let mut found = vec![];
    for start in BEGINNINGS.into_iter().chain([Key::PREFIX]) {
        let ours = start == Key::PREFIX;
        for (at, _) in line.match_indices(start) {
            let before = line.get(..at).unwrap_or_default();
            let apart = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || (!ours && "_-./".contains(c)));
            let rest = line.get(at..).unwrap_or_default();
            let end = rest.find(|c: char| !is_of_a_secret(c) || (ours && c == '.')).unwrap_or(rest.len());
            if apart && (ours || end >= LONG) {
                found.push(at..at + end);
            }
        }
    }
    found
}

fn is_of_a_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.".contains(c)
}

/// The value of a setting whose name says that it is secret.
fn named(line: &str) -> Vec<Range<usize>> {
    let value = |at: usize| {
        let name = line.get(..at)?.trim_end().trim_end_matches(['"', '\'']);
        let start = name.rfind(|c: char| !is_of_a_secret(c)).map_or(0, |before| before + 1);
        if !is_secret(name.get(start..)?) {
            return None;
        }
        let rest = line.get(at + 1..)?;
        let said = rest.trim_start();
        let start = at + 1 + rest.len() - said.len();
        let (start, end) = match said.chars().next()? {
            quote @ ('"' | '\'') => {
                let inner = said.get(1..)?;
                let end =
                    inner.match_indices(quote).find(|(at, _)| !inner.get(..*at).unwrap_or_default().ends_with('\\'));
                (start + 1, end.map_or(inner.len(), |(at, _)| at))
            }
            // What is within has names of its own.
            '{' => return None,
            '$' => (start, said.find('}').map_or(said.len(), |at| at + 1)),
            '[' => (start + 1, said.get(1..)?.find(']').unwrap_or(said.len() - 1)),
            _ => (start, said.find([',', '}', '#']).unwrap_or(said.len())),
        };
        let value = line.get(start..start + end)?.trim_end();
        let scheme = ["Bearer ", "Basic ", "Token ", "Digest ", "DPoP "]
            .into_iter()
            .find(|scheme| value.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)));
        let skipped = scheme.map_or(0, str::len);
        (!is_plain(value.get(skipped..)?)).then(|| start + skipped..start + value.len())
    };
    line.match_indices([':', '=']).filter_map(|(at, _)| value(at)).collect()
}

/// Whether a setting of this name holds a secret: its last word tells (`_authToken`, but not `token_endpoint`).
fn is_secret(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (small && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        small = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    let before = words.iter().rev().nth(1).map(String::as_str);
    let Some(last) = words.last().map(|word| word.trim_end_matches('s')) else { return false };
    let ends = ["token", "secret", "password", "passwd", "passphrase", "apikey", "cookie"];
    ends.iter().any(|end| last.ends_with(end))
        || matches!(last, "authorization" | "auth" | "pwd")
        || (last == "key" && matches!(before, Some("api" | "access" | "private" | "secret")))
}

/// What is no secret whatever it is called: a number, a word of the format, the name of a variable.
fn is_plain(value: &str) -> bool {
    let variable =
        value.contains('_') && value.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let number = value.len() <= 8 && value.chars().all(|c| c.is_ascii_digit());
    let filled_in = ["${", "{env:", "{file:"].iter().any(|start| value.starts_with(start)) && value.ends_with('}');
    variable || number || filled_in || matches!(value, "true" | "false" | "null" | "none" | "")
}

/// What follows the user's name in an address: `https://ada:hunter2@git.example/`.
fn in_addresses(line: &str) -> Vec<Range<usize>> {
    let password = |at: usize| {
        let start = at + "://".len();
        let rest = line.get(start..)?;
        let end = rest.find(|c: char| c.is_whitespace() || "/\"'<>".contains(c)).unwrap_or(rest.len());
        let user = rest.get(..end)?.rfind('@')?;
        let colon = rest.get(..user)?.find(':')?;
        Some(start + colon + 1..start + user)
    };
    line.match_indices("://").filter_map(|(at, _)| password(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g1_no_secret_is_shown() {
        for (line, shown) in [
            ("+    \"Authorization\": \"Bearer sbk_a-B1\"", "+    \"Authorization\": \"Bearer sbk_…\""),
            (" \"GITHUB_TOKEN\": \"ghp_0123456789abcdef\",", " \"GITHUB_TOKEN\": \"ghp_…\","),
            (" x: ghp_0123456789abcdef", " x: ghp_…"),
            (" api_key = 'abcdefghijklmnop'", " api_key = 'abcd…'"),
            (" \"password\": \"hunter2\", \"user\": \"ada\"", " \"password\": \"…\", \"user\": \"ada\""),
            (" \"auth\": \"YWRhOmh1bnRlcjI=\"", " \"auth\": \"YWRh…\""),
            (" \"apiTokens\": [\"0123456789abcdef\"],", " \"apiTokens\": [\"012…],"),
            (" \textraHeader = Authorization: Bearer 0123456789abcdef", " \textraHeader = Authorization: Bearer 0123…"),
            (
                "+index-url = http://signbell:sbk_1@127.0.0.1:8401/pypi/simple/",
                "+index-url = http://signbell:sbk_…@127.0.0.1:8401/pypi/simple/",
            ),
            (" url = https://ada:hunter2!@git.example/", " url = https://ada:…@git.example/"),
            (" url = http://127.0.0.1:8401/k/sbk_a-B1/notes", " url = http://127.0.0.1:8401/k/sbk_…/notes"),
            ("-//registry.npmjs.org/:_authToken=0a1b2c3d-4e5f", "-//registry.npmjs.org/:_authToken=0a1b…"),
            ("+user = \"signbell:sbk_a-B1\"", "+user = \"signbell:sbk_…\""),
        ] {
            assert_eq!(shortened(line), shown);
        }
    }

    #[test]
    fn what_is_no_secret_is_shown_as_it_will_be() {
        for line in [
            "+bearer_token_env_var = \"SIGNBELL_KEY\"",
            "+  \"url\": \"http://127.0.0.1:8401/linear\",",
            "+    \"Authorization\": \"Bearer ${SIGNBELL_KEY}\"",
            "+//127.0.0.1:8401/npm/:_authToken=${SIGNBELL_KEY}",
            "+credential-provider = [\"cargo:token-from-stdout\", \"/opt/signbell\", \"credential\", \"cargo\", \"--tool\", \"cargo\"]",
            " \t\"credsStore\": \"secretservice\"",
            " \"token_endpoint\": \"https://login.example.com/oauth2/token\",",
            " \"max_output_tokens\": 4096,",
            " \thelper = \"!/usr/bin/signbell credential git\"",
            "--- /home/ada/secrets/token-and-password/settings.json",
            " path = /opt/sk-learn-environments/one",
        ] {
            assert_eq!(shortened(line), line);
        }
    }

    #[test]
    fn only_what_changes_is_shown() {
        let before: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let diff = unified(&before, &before.replace("10\n", "10\nnew\n"), "f");
        assert_eq!(diff, "--- f\n+++ f\n@@ -8,6 +8,7 @@\n 8\n 9\n 10\n+new\n 11\n 12\n 13\n");
        assert_eq!(unified("a\n", "a\n", "f"), "");
    }
}
