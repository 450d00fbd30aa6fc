//! The table: a line as soon as it is measured, or one JSON object at the end.

use serde::Serialize;

/// One figure of several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// Microseconds on the processor, for one item.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Cost {
    pub(super) server: f64,
    pub(super) database: f64,
}

/// What an item costs us and the others, in the turn in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Costs {
    ours: Cost,
    beside: Cost,
    /// Theirs over ours, turn by turn: what the ratio would be if only the servers counted.
    ratio: Spread,
}

/// What a figure or a ratio is to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) part: &'static str,
    pub(super) what: String,
    pub(super) unit: &'static str,
    pub(super) ours: Spread,
    /// What it is held against, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) beside: Option<(String, Spread)>,
    /// Ours over the other, turn by turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<Spread>,
    /// What an item costs on the processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) processor: Option<Costs>,
    /// Of the ratio where there is one, else of the figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) goal: Option<Goal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) met: Option<bool>,
}

/// All lines so far.
pub(super) struct Table {
    json: bool,
    quick: bool,
    runs: usize,
    rows: Vec<Row>,
}

impl Spread {
    /// The middle, the smallest and the largest of `values`; there is at least one.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            median: values[values.len() / 2],
            min: values[0],
            max: values[values.len() - 1],
        }
    }

    /// Of `ours` over `theirs`, turn by turn.
    pub(super) fn of_ratios(ours: &[f64], theirs: &[f64]) -> Self {
        Self::of(ours.iter().zip(theirs).map(|(a, b)| a / b).collect())
    }
}

impl Cost {
    fn whole(self) -> f64 {
        self.server + self.database
    }

    fn middle(costs: &[Self]) -> Self {
        let of = |part: fn(&Self) -> f64| Spread::of(costs.iter().map(part).collect()).median;
        Self {
            server: of(|cost| cost.server),
            database: of(|cost| cost.database),
        }
    }
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            server: self.server + other.server,
            database: self.database + other.database,
        }
    }
}

impl Goal {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Row {
    /// A figure that is held against nothing.
    pub(super) fn alone(
        part: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        ours: Vec<f64>,
    ) -> Self {
        Self {
            part,
            what: what.into(),
            unit,
            ours: Spread::of(ours),
            beside: None,
            ratio: None,
            processor: None,
            goal: None,
            met: None,
        }
    }

    /// A figure and what it is held against, measured in turns.
    pub(super) fn beside(
        part: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        ours: Vec<f64>,
        (name, theirs): (impl Into<String>, Vec<f64>),
    ) -> Self {
        Self {
            ratio: Some(Spread::of_ratios(&ours, &theirs)),
            beside: Some((name.into(), Spread::of(theirs))),
            ..Self::alone(part, what, unit, ours)
        }
    }

    /// With what an item costs on the processor, turn by turn.
    pub(super) fn costs(mut self, ours: &[Cost], beside: &[Cost]) -> Self {
        let whole = |costs: &[Cost]| costs.iter().map(|cost| cost.whole()).collect::<Vec<_>>();
        self.processor = Some(Costs {
            ours: Cost::middle(ours),
            beside: Cost::middle(beside),
            ratio: Spread::of_ratios(&whole(beside), &whole(ours)),
        });
        self
    }

    /// With what is aimed at.
    pub(super) fn goal(mut self, goal: Goal) -> Self {
        let judged = self.ratio.unwrap_or(self.ours).median;
        self.goal = Some(goal);
        self.met = Some(goal.is_met_by(judged));
        self
    }
}

impl Table {
    pub(super) fn new(json: bool, quick: bool, runs: usize) -> Self {
        Self {
            json,
            quick,
            runs,
            rows: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, row: Row) {
        if !self.json {
            if self.rows.last().is_none_or(|last| last.part != row.part) {
                println!(
                    "\n{:<38} {:>9} {:>9} {:>22} {:<15} {:>9} goal",
                    row.part, "ours", "beside", "ratio (min..max)", "", "processor"
                );
            }
            println!("{}", line(&row));
        }
        self.rows.push(row);
    }

    /// What the rows come to.
    pub(super) fn end(self) {
        let missed = self
            .rows
            .iter()
            .filter(|row| row.met == Some(false))
            .count();
        if !self.json {
            println!("\nmedians of {} runs; goals missed: {missed}", self.runs);
            return;
        }
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let all = serde_json::json!({
            "cores": cores,
            "quick": self.quick,
            "runs": self.runs,
            "missed": missed,
            "rows": self.rows,
        });
        println!("{all}");
    }
}

fn line(row: &Row) -> String {
    let what = format!("  {} ({})", row.what, row.unit);
    let (name, theirs) = match &row.beside {
        Some((name, theirs)) => (name.as_str(), figure(theirs.median)),
        None => ("", String::new()),
    };
    let shown = row.ratio.unwrap_or(row.ours);
    let range = format!(
        "{} ({}..{})",
        figure(shown.median),
        figure(shown.min),
        figure(shown.max)
    );
    let goal = match row.goal {
        Some(Goal::AtLeast(least)) => format!(">= {}", figure(least)),
        Some(Goal::AtMost(most)) => format!("<= {}", figure(most)),
        None => String::new(),
    };
    let met = match row.met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "",
    };
    let ours = figure(row.ours.median);
    let processor = row
        .processor
        .map(|costs| figure(costs.ratio.median))
        .unwrap_or_default();
    format!("{what:<38} {ours:>9} {theirs:>9} {range:>22} {name:<15} {processor:>9} {goal} {met}")
        .trim_end()
        .to_owned()
}

/// Three digits are all that a run on a shared machine can mean.
fn figure(value: f64) -> String {
    match value.abs() {
        at if at >= 100.0 => format!("{value:.0}"),
        at if at >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_turns_and_a_goal_is_of_the_ratio() {
        let row = Row::beside(
            "part",
            "what",
            "s",
            vec![9.0, 1.0, 50.0],
            ("b", vec![10.0, 1.0, 100.0]),
        )
        .goal(Goal::AtLeast(0.9));
        let ratio = row.ratio.unwrap();
        assert_eq!((ratio.min, ratio.median, ratio.max), (0.5, 0.9, 1.0));
        assert_eq!(row.met, Some(true));
        let slow = Row::alone("part", "what", "ms", vec![3.0]).goal(Goal::AtMost(2.0));
        assert_eq!(slow.met, Some(false));
    }
}
