//! What a program runs: itself, a script, or whatever it is given.
//!
//! A command line is what the process says of itself, and may be rewritten by it (proc_pid_cmdline(5)).

use std::fs;
use std::path::{Path, PathBuf};

use super::super::apps::file_name;

/// A command line is not read further.
const LONGEST: usize = 16 * 1024;

/// Programs that run what others wrote: for them the script counts. Each with the options before a script
/// that take no value and bring no code of their own.
const INTERPRETERS: &[(&str, &[&str])] = &[
    ("node", NODE),
    ("nodejs", NODE),
    ("bun", &[]),
    ("deno", &[]),
    ("qjs", &[]),
    ("python", PYTHON),
    ("pypy", PYTHON),
    ("ruby", &["-w"]),
    ("perl", &["-w", "-T"]),
    ("php", &[]),
    ("lua", &[]),
    ("luajit", &[]),
    ("tclsh", &[]),
    ("wish", &[]),
    ("guile", &[]),
    ("gawk", &[]),
    ("mawk", &[]),
    ("Rscript", &[]),
    ("R", &[]),
    ("julia", &[]),
    ("java", &["-jar"]),
    ("dotnet", &[]),
    ("mono", &[]),
    ("pwsh", &[]),
    ("bash", SHELL),
    ("sh", SHELL),
    ("zsh", SHELL),
    ("dash", SHELL),
    ("ksh", SHELL),
    ("mksh", SHELL),
    ("fish", &[]),
    ("busybox", &[]),
];

const NODE: &[&str] = &["--no-warnings", "--no-deprecation", "--enable-source-maps"];
const PYTHON: &[&str] = &["-u", "-B", "-E", "-s", "-I", "-O", "-OO", "-q"];
const SHELL: &[&str] = &["-e", "-u", "-x", "-eu", "-ex", "-eux"];

/// Programs that start whatever they are told to, and have no script.
const LAUNCHERS: &[&str] = &["systemd", "init"];

/// What a program runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// What its file says.
    Itself,
    /// This script. `alone`: nothing stands before it that could bring other code or name another file.
    Script { file: PathBuf, alone: bool },
    /// What it was given, which can't be told.
    Anything,
}

/// What the process `pid` runs, whose file is `exe`. What else stands on a command line may be secret, and is
/// never kept.
pub(super) fn of(pid: u32, exe: &str) -> Runs {
    if LAUNCHERS.contains(&file_name(exe)) {
        return Runs::Anything;
    }
    let Some(harmless) = interpreter(exe) else { return Runs::Itself };
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let folder = fs::read_link(format!("/proc/{pid}/cwd")).ok();
    folder.map_or(Runs::Anything, |folder| in_line(line.get(..LONGEST).unwrap_or(&line), &folder, harmless))
}

/// The harmless options of an interpreter; `python3.12`, `luajit-2.1` and `python3.12-dbg` are some too.
fn interpreter(exe: &str) -> Option<&'static [&'static str]> {
    // The kernel says so of a file that was replaced, by an update say (proc_pid_exe(5)).
    let name = file_name(exe.strip_suffix(" (deleted)").unwrap_or(exe));
    // The loader runs the program that it is given (ld.so(8)).
    if name.starts_with("ld-") && name.contains(".so") {
        return Some(&[]);
    }
    let name = name.split(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-')).next().unwrap_or(name);
    INTERPRETERS.iter().find(|(known, _)| *known == name).map(|(_, harmless)| *harmless)
}

/// The script: the first argument that is no option, if that is a file.
fn in_line(line: &[u8], folder: &Path, harmless: &[&str]) -> Runs {
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).skip(1).collect();
    let at = words.iter().position(|word| !word.is_empty() && !word.starts_with(b"-"));
    // The real file: a link such as `bin/claude` says less than where it leads.
    let file = at
        .and_then(|at| std::str::from_utf8(words[at]).ok())
        .and_then(|word| fs::canonicalize(folder.join(word)).ok())
        .filter(|file| file.is_file());
    let before = words.iter().take(at.unwrap_or_default());
    let alone = before.into_iter().all(|option| harmless.iter().any(|known| known.as_bytes() == *option));
    file.map_or(Runs::Anything, |file| Runs::Script { file, alone })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_script_is_a_file_and_nothing_else_of_the_line_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = fs::canonicalize(folder.path()).unwrap().join("server.js");
        fs::write(&file, "").unwrap();
        let alone = Runs::Script { file: file.clone(), alone: true };
        let with_more = Runs::Script { file, alone: false };
        for (exe, line, wanted) in [
            ("node", "node\0server.js\0--token\0hunter2\0", &alone),
            ("node", "node\0--no-warnings\0./server.js\0", &alone),
            ("python3.12", "python3\0-u\0server.js\0", &alone),
            ("java", "java\0-jar\0server.js\0", &alone),
            ("sh", "sh\0-e\0server.js\0", &alone),
            // What is required runs too, and an option may have taken the file for its value.
            ("node", "node\0--inspect\0./server.js\0", &with_more),
            ("node", "node\0--require=/tmp/x.js\0server.js\0", &with_more),
            ("python3", "python3\0-W\0server.js\0other.py\0", &with_more),
            ("perl", "perl\0-e\0server.js\0", &with_more),
            ("python3", "python3\0-c\0print('hunter2')\0", &Runs::Anything),
            ("python3", "python3\0-m\0http.server\0", &Runs::Anything),
            ("node", "node\0-e\0hunter2\0", &Runs::Anything),
            ("node", "node\0", &Runs::Anything),
            ("bash", "bash\0", &Runs::Anything),
            ("java", "java\0-cp\0a.jar\0Main\0", &Runs::Anything),
            ("busybox", "busybox\0wget\0", &Runs::Anything),
            ("sh", "", &Runs::Anything),
            ("sh", "sh\0.\0", &Runs::Anything),
        ] {
            let harmless = interpreter(&format!("/usr/bin/{exe}")).unwrap();
            assert_eq!(in_line(line.as_bytes(), folder.path(), harmless), *wanted, "{line:?}");
        }
    }

    #[test]
    fn interpreters_loaders_and_launchers() {
        for exe in [
            "/usr/bin/python3.12",
            "/usr/bin/python3.12 (deleted)",
            "/usr/bin/python3.12-dbg",
            "/usr/bin/luajit-2.1.0",
            "/bin/busybox.static",
            "/x/node",
            "/usr/bin/perl5.36.0",
            "/lib64/ld-linux-x86-64.so.2",
            "/lib/ld-2.31.so",
        ] {
            assert!(interpreter(exe).is_some(), "{exe}");
        }
        for exe in ["/bin/nodemon", "/usr/bin/curl", "/usr/bin/pythonista"] {
            assert!(interpreter(exe).is_none(), "{exe}");
        }
        let own = std::process::id();
        assert_eq!(of(own, "/usr/lib/systemd/systemd"), Runs::Anything);
        assert_eq!(of(own, "/usr/bin/curl"), Runs::Itself);
    }
}
