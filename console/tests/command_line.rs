//! What `pitboss` says and how it ends where no daemon is needed: cases as text, in `tests/data/command_line`.
//!
//! A case file is a list of files to write and of commands to run:
//!
//! ```text
//! == bad.toml                what follows is written to this file
//! [[experiment]]
//! $ check bad.toml           what follows is its whole output, standard error after standard output
//! bad.toml:1: ...
//! ? 2                        its exit code
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

/// Set to rewrite the case files with what the commands say now; read the difference before committing it.
const UPDATE: Option<&str> = option_env!("UPDATE_CASES");

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/command_line")
}

#[test]
fn commands_say_what_the_case_files_say() -> anyhow::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(cases())? {
        files.push(entry?.path());
    }
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let wanted = std::fs::read_to_string(&file)?;
        let said = replay(&wanted)?;
        if UPDATE.is_some() {
            std::fs::write(&file, said)?;
        } else {
            assert_eq!(said, wanted, "{}", file.display());
        }
    }
    Ok(())
}

/// The case file as it would be if everything in it was right.
fn replay(text: &str) -> anyhow::Result<String> {
    let directory = tempfile::tempdir()?;
    let mut said = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("== ") {
            let mut content = String::new();
            while let Some(line) = lines.next_if(|line| !is_mark(line)) {
                content.push_str(line);
                content.push('\n');
            }
            std::fs::write(directory.path().join(name.trim()), &content)?;
            write!(said, "{line}\n{content}")?;
        } else if let Some(command) = line.strip_prefix("$ ") {
            while lines.next_if(|line| !line.starts_with("? ")).is_some() {}
            lines.next();
            write!(said, "{line}\n{}", run(directory.path(), command)?)?;
        } else {
            writeln!(said, "{line}")?;
        }
    }
    Ok(said)
}

fn is_mark(line: &str) -> bool {
    line.starts_with("== ") || line.starts_with("$ ") || line.starts_with('#')
}

fn run(directory: &Path, arguments: &str) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_pitboss"))
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .env_remove("PITBOSS_CONTROL_SOCKET")
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .output()?;
    let (out, err) = (
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    );
    let code = output.status.code().context("ended by a signal")?;
    Ok(format!("{out}{err}? {code}\n"))
}
