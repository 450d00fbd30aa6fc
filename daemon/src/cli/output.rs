//! The only place of `pitbossd` that writes to stdout, and to stderr outside the logs.

use std::error::Error;
use std::io::{IsTerminal, Write};

use crate::verify::Step;

/// Writes `text` to stdout. A reader that has gone is not our failure.
pub(super) fn text(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Writes what went wrong and the chain of its causes to stderr.
pub(super) fn error(error: &dyn Error) {
    let mut text = format!("pitbossd: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        let said = source.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = source.source();
    }
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes over the line that the cursor is on.
const OVER: &str = "\r\x1b[K";

/// Shows how far something is, where there is somebody to see it.
pub(super) fn progress(step: Step<'_>) {
    over(&step.to_string());
}

/// Takes the last step away.
pub(super) fn progress_ends() {
    over("");
}

fn over(line: &str) {
    let mut stderr = std::io::stderr().lock();
    if stderr.is_terminal() {
        let _ = write!(stderr, "{OVER}{line}").and_then(|()| stderr.flush());
    }
}
