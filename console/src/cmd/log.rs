//! Logs of other people's experiments: CSV and JSON lines, gzipped or not, read row by row.

mod bad;
mod columns;
mod csv;
mod jsonl;
mod names;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;

use bandit::offpolicy::{InvalidRow, RewardRange, Row, Survey};

use super::Failure;
use crate::cli::{LogArgs, LogFormat};

pub(super) use bad::BadRows;
use columns::Columns;
use names::Names;
use source::Source;

/// A log that was read once: what it is made of, and how to read it again.
#[derive(Debug)]
pub(super) struct Log<'a> {
    args: &'a LogArgs,
    format: LogFormat,
    columns: Columns,
    /// The arms, in the order in which they came.
    pub arms: Names,
    /// The positions or segments; one without a name where the log has none.
    pub cells: Names,
    /// Counts and limits.
    pub survey: Survey,
    /// The rows that cannot be used.
    pub bad: BadRows,
}

/// A row as it is written; the names still borrow from the line.
#[derive(Debug, Clone, Copy)]
struct Written<'a> {
    arm: &'a str,
    cell: &'a str,
    reward: f64,
    propensity: f64,
}

/// A row, or why the line gives none; with the line's number.
type Sink<'s> = dyn FnMut(u64, Result<Written<'_>, String>) -> Result<(), Failure> + 's;

impl<'a> Log<'a> {
    /// Read the whole log once.
    pub(super) fn survey(args: &'a LogArgs) -> Result<Self, Failure> {
        let format = format_of(args)?;
        let source = Source::open(&args.log, "surveying")?;
        let mut log = Self {
            args,
            format,
            columns: Columns::of(args),
            arms: Names::default(),
            cells: Names::default(),
            survey: Survey::default(),
            bad: BadRows::default(),
        };
        let mut columns = std::mem::take(&mut log.columns);
        let (arms, cells) = (&mut log.arms, &mut log.cells);
        let (survey, bad) = (&mut log.survey, &mut log.bad);
        each(format, source, &mut columns, &mut |line, written| {
            let row = written.and_then(|written| {
                let row = Row::new(
                    cells.number(written.cell),
                    arms.number(written.arm),
                    written.reward,
                    written.propensity,
                );
                row.and_then(|row| within(row, args.reward_range))
                    .map_err(|error| error.to_string())
            });
            match row {
                Ok(row) => survey.add(&row),
                Err(reason) => bad.add(line, reason),
            }
            Ok(())
        })?;
        log.columns = columns;
        log.bad.judge(&args.log, log.survey.rows(), args.strict)?;
        Ok(log)
    }

    /// Read it again, for its good rows.
    pub(super) fn rows(
        &self,
        mut each_row: impl FnMut(&Row) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let source = Source::open(&self.args.log, "evaluating")?;
        let mut columns = self.columns.clone();
        each(self.format, source, &mut columns, &mut |_, written| {
            let Ok(written) = written else {
                return Ok(());
            };
            let known = self
                .cells
                .find(written.cell)
                .zip(self.arms.find(written.arm));
            let Some((cell, arm)) = known else {
                return Err(self.changed());
            };
            let row = Row::new(cell, arm, written.reward, written.propensity);
            match row.and_then(|row| within(row, self.args.reward_range)) {
                Ok(row) => each_row(&row),
                Err(_) => Ok(()),
            }
        })
    }

    /// The rewards' range: as declared, or as it must be.
    pub(super) fn reward_range(&self) -> Option<RewardRange> {
        let declared = self
            .args
            .reward_range
            .map(|(min, max)| RewardRange { min, max });
        declared.or_else(|| self.survey.reward_range())
    }

    /// A row does not fit what the first reading found.
    pub(super) fn changed(&self) -> Failure {
        let log = self.args.log.display();
        Failure::Usage(format!(
            "{log} changed while it was read: try again with a finished file"
        ))
    }

    /// Such as `random_men.csv.gz`.
    pub(super) fn name(&self) -> String {
        let log = &self.args.log;
        let name = log.file_name().unwrap_or(log.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

fn within(row: Row, range: Option<(f64, f64)>) -> Result<Row, InvalidRow> {
    match range {
        Some((min, max)) if !(min..=max).contains(&row.reward()) => {
            Err(InvalidRow::OutOfRange(row.reward()))
        }
        _ => Ok(row),
    }
}

fn each(
    format: LogFormat,
    source: Source,
    columns: &mut Columns,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    match format {
        LogFormat::Csv => csv::each(source, columns, sink),
        LogFormat::Jsonl => jsonl::each(source, columns, sink),
    }
}

fn format_of(args: &LogArgs) -> Result<LogFormat, Failure> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let name = args.log.to_string_lossy();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    match Path::new(plain).extension().and_then(|end| end.to_str()) {
        Some("csv") => Ok(LogFormat::Csv),
        Some("jsonl" | "ndjson") => Ok(LogFormat::Jsonl),
        _ => Err(Failure::Usage(format!(
            "the name {name} does not say how the log is written; add --format csv or --format jsonl"
        ))),
    }
}
