//! Rows that cannot be used: counted all, shown a few, and too many refuse the log.

use std::path::Path;

use protocol::refusal::Problem;
use serde::Serialize;

use crate::cmd::Failure;

/// More than one row in so many, and the log is not what it is taken for.
const ONE_IN: u64 = 100;

/// So many show what is wrong.
const SHOWN: usize = 5;

/// Why a row cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cmd) struct BadRow {
    /// Its line, from 1, the heading included.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// All of a log's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(in crate::cmd) struct BadRows {
    /// How many.
    pub count: u64,
    /// The first few.
    pub first: Vec<BadRow>,
}

impl BadRows {
    /// One more.
    pub(super) fn add(&mut self, line: u64, reason: String) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(BadRow { line, reason });
        }
    }

    /// Whether the log can be used with them, beside `good` rows.
    pub(super) fn judge(&self, log: &Path, good: u64, strict: bool) -> Result<(), Failure> {
        let log = log.display();
        if good == 0 && self.count == 0 {
            return Err(Failure::Usage(format!("{log} has no rows")));
        }
        let too_many = self.count > (good + self.count) / ONE_IN;
        if self.count == 0 || !(strict || too_many) {
            return Ok(());
        }
        let problem = |bad: &BadRow| Problem {
            file: log.to_string(),
            line: bad.line as u32,
            message: bad.reason.clone(),
            fix: String::new(),
        };
        let mut problems: Vec<Problem> = self.first.iter().map(problem).collect();
        let (all, share) = (good + self.count, if strict { "none" } else { "1 in 100" });
        problems.push(Problem {
            file: log.to_string(),
            line: self.first.first().map_or(0, |bad| bad.line as u32),
            message: format!("{} of {all} rows are bad; {share} may be", self.count),
            fix: "correct the rows, or name the columns with --arm, --reward and --propensity"
                .to_owned(),
        });
        Err(Failure::File(problems))
    }
}
