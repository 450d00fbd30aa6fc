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

/// PostgreSQL's severities, as ours. `LOG` lines are its daily business.
fn log(line: &str) {
    if line.contains("PANIC:") || line.contains("FATAL:") {
        tracing::warn!(target: "daemon::postgres::server", line);
    } else if line.contains("ERROR:") || line.contains("WARNING:") {
        tracing::info!(target: "daemon::postgres::server", line);
    } else {
        tracing::debug!(target: "daemon::postgres::server", line);
    }
}
