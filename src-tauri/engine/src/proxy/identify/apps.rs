//! Programs that people know by another name than their file's.

/// A program, as the system shows it.
pub(super) struct Seen<'a> {
    /// The file that runs.
    pub(super) exe: &'a str,
    /// The script that it runs, where it is an interpreter.
    pub(super) script: Option<&'a str>,
}

/// By the last part of the file's path.
const FILES: &[(&str, &str)] = &[
    ("claude", "Claude Code"),
    ("claude-desktop", "Claude Desktop"),
    ("codex", "Codex CLI"),
    ("gemini", "Gemini CLI"),
    ("code", "VS Code"),
    ("code-insiders", "VS Code"),
    ("codium", "VSCodium"),
    ("vscodium", "VSCodium"),
    ("cursor", "Cursor"),
    ("zed", "Zed"),
    ("zed-editor", "Zed"),
    ("windsurf", "Windsurf"),
    ("opencode", "opencode"),
    ("goose", "Goose"),
    ("goosed", "Goose"),
];

/// By a part of the path of the script, or of the file that runs: where a package puts it.
const PATHS: &[(&str, &str)] = &[
    ("/@anthropic-ai/claude-code/", "Claude Code"),
    ("/share/claude/versions/", "Claude Code"),
    ("/@openai/codex/", "Codex CLI"),
    ("/@google/gemini-cli/", "Gemini CLI"),
    ("/opencode-ai/", "opencode"),
    ("/share/code/", "VS Code"),
    ("/.vscode-server/", "VS Code"),
    ("/.cursor-server/", "Cursor"),
    ("/share/cursor/", "Cursor"),
    ("/zed.app/", "Zed"),
    ("/share/windsurf/", "Windsurf"),
];

/// What people call it, where they call it something.
pub(super) fn known(seen: &Seen<'_>) -> Option<&'static str> {
    let paths = [seen.script, Some(seen.exe)];
    let by_path = paths
        .into_iter()
        .flatten()
        .find_map(|path| PATHS.iter().find(|(part, _)| path.contains(part)).map(|(_, name)| *name));
    by_path.or_else(|| {
        // Whoever runs a script is known by that alone: `node` is nobody.
        let name = file_name(seen.script.unwrap_or(seen.exe));
        let name = name.strip_suffix(".js").or(name.strip_suffix(".mjs")).unwrap_or(name);
        FILES.iter().find(|(file, _)| *file == name).map(|(_, title)| *title)
    })
}

/// The last part of a path; a file that was replaced while it runs keeps its name.
pub(super) fn file_name(path: &str) -> &str {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_file_and_by_package() {
        for (exe, script, name) in [
            ("/usr/bin/curl", None, None),
            ("/home/ada/.local/bin/claude", None, Some("Claude Code")),
            ("/home/ada/.local/share/claude/versions/2.1.0", None, Some("Claude Code")),
            ("/usr/bin/node", None, None),
            ("/usr/bin/node", Some("/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"), Some("Claude Code")),
            ("/usr/bin/node", Some("/home/ada/.npm/bin/claude"), Some("Claude Code")),
            ("/usr/bin/node", Some("/home/ada/server.js"), None),
            ("/usr/share/code/code", None, Some("VS Code")),
            ("/home/ada/.vscode-server/cli/servers/x/server/node", Some("/x/server-main.js"), Some("VS Code")),
            ("/home/ada/.local/zed.app/libexec/zed-editor", None, Some("Zed")),
            ("/usr/bin/claude (deleted)", None, Some("Claude Code")),
            ("/usr/bin/claudette", None, None),
        ] {
            assert_eq!(known(&Seen { exe, script }), name, "{exe} {script:?}");
        }
    }
}
