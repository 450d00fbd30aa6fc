//! The only place of `pitbossd` that writes to stdout, and to stderr outside the logs.

use std::error::Error;
use std::io::Write;

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
