//! What PostgreSQL says on stderr: into our log, and its last lines into our errors.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines kept for an error message.
const KEPT_LINES: usize = 12;

/// The last lines of a program's output. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    /// Reads `output` to its end on a thread of its own, logging every line. The thread ends with the
    /// program: it holds nothing and needs no owner.
    pub(super) fn follow(&self, output: impl Read + Send + 'static) {
        let lines = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                log(&line);
                lines.push(line);
            }
        });
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The lines, joined.
    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// What PostgreSQL says when it is asked before it can answer, which we do until it can.
const EXPECTED: [&str; 3] = [
    "the database system is starting up",
    "the database system is shutting down",
    "database \"pitboss\" does not exist",
];

/// PostgreSQL's severities, as ours. `FATAL` ends one connection, `PANIC` the server; `LOG` lines are its
/// daily business.
fn log(line: &str) {
    const SERIOUS: [&str; 3] = ["FATAL:", "ERROR:", "WARNING:"];
    if line.contains("PANIC:") {
        tracing::error!(target: "daemon::postgres::server", line);
    } else if SERIOUS.iter().any(|it| line.contains(it))
        && !EXPECTED.iter().any(|it| line.contains(it))
    {
        tracing::info!(target: "daemon::postgres::server", line);
    } else {
        tracing::debug!(target: "daemon::postgres::server", line);
    }
}
