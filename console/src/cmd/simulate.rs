//! `pitboss simulate`: what an experiment would earn and tell on rates that somebody declares, or a daemon has seen.

mod arguments;
mod chart;
mod fitted;
mod report;
mod runs;
#[cfg(test)]
mod tests;
mod text;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use bandit::simulate::Simulation;

use super::{Exit, Failure};
use crate::cli::SimulateArgs;
use crate::output::{self, Answer, Form, versioned};
use crate::runtime::environment::Environment;
use crate::theme::glyphs::Glyphs;

pub use arguments::Rate;

pub(super) fn run(socket: &Path, args: &SimulateArgs) -> Result<Exit, Failure> {
    let answer = answer(args, |key| fitted::ask(socket, key))?;
    output::answer(&answer, Form::from_flag(args.reading.json))?;
    Ok(Exit::Done)
}

/// With rates from what `look` sees of an experiment, where they are to be fitted.
fn answer(
    args: &SimulateArgs,
    look: impl FnOnce(&str) -> Result<fitted::Seen, Failure>,
) -> Result<Answer, Failure> {
    let asked = arguments::read(args, look)?;
    let simulation = Simulation::new(&asked.spec, &asked.truth, asked.scenario, args.seed)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let summary = runs::all(&simulation, args.runs, args.threads, progress(args.runs))
        .map_err(|error| Failure::Breached(format!("a run failed: {error}")))?;
    let report = report::Report::new(&asked, args, &simulation, &summary);
    let mut text = text::of(&report);
    if args.chart {
        let glyphs = glyphs(args.ascii);
        text.blank().append(chart::of(&report, &glyphs, width()));
    }
    Ok(Answer {
        text,
        json: versioned(&report),
    })
}

/// Says on a terminal how far it is, a hundred times at most, and leaves a clean line.
fn progress(runs: u64) -> impl FnMut(u64) {
    let watched = std::io::stderr().is_terminal();
    let step = (runs / 100).max(1);
    move |done| {
        if !watched || !(done.is_multiple_of(step) || done == runs) {
            return;
        }
        let mut err = std::io::stderr().lock();
        let line = if done == runs {
            "\r\x1b[K".to_owned()
        } else {
            format!("\r{done} of {runs} runs")
        };
        // Nothing can be said about a standard error that is gone.
        let _ = err.write_all(line.as_bytes()).and_then(|()| err.flush());
    }
}

/// Blocks where the locale has them.
fn glyphs(ascii: bool) -> Glyphs {
    if ascii || !Environment::read().utf8 {
        Glyphs::ASCII
    } else {
        Glyphs::UNICODE
    }
}

/// Of the terminal; 80 columns where the output goes elsewhere.
fn width() -> usize {
    let size = std::io::stdout()
        .is_terminal()
        .then(crossterm::terminal::size);
    match size {
        Some(Ok((columns, _))) => usize::from(columns),
        _ => 80,
    }
}
