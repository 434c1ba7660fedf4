//! What changes, for a person to look at: a unified diff in which no secret stands, ours or another's.

use similar::TextDiff;

use crate::{Form, Key};

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

/// Names beside which a secret is likely.
const NAMES: [&str; 8] = ["token", "secret", "password", "passwd", "authorization", "api_key", "apikey", "_auth"];

/// A line with every secret cut to its beginning.
fn shortened(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let named = NAMES.iter().any(|name| lower.contains(name));
    let value = line.find([':', '=']).map_or(line.len(), |at| at + 1);
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let length = rest.find(|c: char| !is_of_a_secret(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let at = line.len() - rest.len();
        let ours = word.starts_with(Key::PREFIX);
        let known = BEGINNINGS.iter().any(|start| word.starts_with(start)) && word.len() >= 12;
        let beside =
            named && at >= value && word.len() >= 12 && !matches!(word, Form::VARIABLE) && !word.contains("//");
        // What a user name is told with, in an address or in a person's words: it is what follows.
        let in_address = after.starts_with('@') && out.ends_with(':');
        if ours || known || beside || in_address {
            out.extend(word.chars().take(4));
            out.push('…');
        } else {
            out.push_str(word);
        }
        let mut next = after.chars();
        out.extend(next.next());
        rest = next.as_str();
    }
    out
}

fn is_of_a_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.+/~".contains(c)
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
            (
                "+index-url = http://signbell:sbk_1@127.0.0.1:8401/pypi/simple/",
                "+index-url = http://signbell:sbk_…@127.0.0.1:8401/pypi/simple/",
            ),
            (" url = https://ada:hunter2@git.example/", " url = https://ada:hunt…@git.example/"),
            ("-//registry.npmjs.org/:_authToken=0a1b2c3d-4e5f", "-//registry.npmjs.org/:_authToken=0a1b…"),
            ("+bearer_token_env_var = \"SIGNBELL_KEY\"", "+bearer_token_env_var = \"SIGNBELL_KEY\""),
            ("+  \"url\": \"http://127.0.0.1:8401/linear\",", "+  \"url\": \"http://127.0.0.1:8401/linear\","),
        ] {
            assert_eq!(shortened(line), shown);
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
