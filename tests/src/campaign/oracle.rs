//! The oracle: issues units and events, and notes in its journal what was acknowledged before anything else
//! is done with the answer.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::issued::{Event, Issued};
use super::journal::{Journal, Line, Told};

/// The oracle.
#[derive(Debug)]
pub struct Oracle {
    /// What it issues.
    pub issued: Issued,
    journal: Journal,
    next: AtomicU64,
}

/// An answer that does not say what an answer must.
#[derive(Debug, thiserror::Error)]
#[error("the answer makes no sense: {0}")]
pub struct Senseless(pub Value);

impl Oracle {
    /// A new oracle with a new journal.
    pub fn new(seed: u64, journal: &Path) -> anyhow::Result<Self> {
        let journal = Journal::append_to(journal)?;
        journal.write(&[Line::Seed(seed)]);
        Ok(Self {
            issued: Issued { seed },
            journal,
            next: AtomicU64::new(0),
        })
    }

    /// Units that nobody has met.
    pub fn issue(&self, count: u64) -> Vec<u64> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        self.journal.write(&[Line::IssuedBelow(first + count)]);
        (first..first + count).collect()
    }

    /// Notes the answer to an assign. Whether the arm was the unit's own: an answer without a record behind
    /// it (control during an outage) promises nothing.
    pub fn assigned(&self, unit: u64, answer: &Value) -> Result<bool, Senseless> {
        let senseless = || Senseless(answer.clone());
        if answer["experiment"] != self.issued.experiment(unit) {
            return Err(senseless());
        }
        if answer["assignment"].is_null() {
            // Control, or it is no answer.
            let control = answer["arm"] == "old";
            return control.then_some(false).ok_or_else(senseless);
        }
        let told = Told {
            unit,
            arm: answer["arm"].as_str().ok_or_else(senseless)?.to_owned(),
            version: answer["version"].as_i64().ok_or_else(senseless)?,
            reason: answer["reason"].as_str().ok_or_else(senseless)?.to_owned(),
            new: answer["new"].as_bool().ok_or_else(senseless)?,
        };
        self.journal.write(&[Line::Assigned(told)]);
        Ok(true)
    }

    /// Notes the answer to a track.
    pub fn tracked(&self, event: Event, answer: &Value) -> Result<(), Senseless> {
        self.journal.write(&[tracked(event, answer)?]);
        Ok(())
    }

    /// Notes the answer to a batch, item by item; how many were taken.
    pub fn tracked_batch(&self, events: &[Event], answer: &Value) -> Result<usize, Senseless> {
        let results = answer["results"].as_array();
        let results = results.filter(|results| results.len() == events.len());
        let results = results.ok_or_else(|| Senseless(answer.clone()))?;
        let taken = |item: &&Value| item["status"] == "accepted";
        let lines: Vec<Line> = events
            .iter()
            .zip(results)
            .filter(|(_, item)| taken(item))
            .map(|(event, item)| tracked(*event, item))
            .collect::<Result<_, _>>()?;
        self.journal.write(&lines);
        Ok(lines.len())
    }

    /// Notes that an operator's change was acknowledged.
    pub fn changed(&self, reason: &str) {
        self.journal.write(&[Line::Changed(reason.to_owned())]);
    }

    /// Its journal.
    pub fn journal(&self) -> &Path {
        self.journal.path()
    }
}

fn tracked(event: Event, answer: &Value) -> Result<Line, Senseless> {
    let id = answer["event_id"].as_str().and_then(|id| id.parse().ok());
    let durability = answer["durability"].as_str();
    match (id, durability) {
        (Some(id), Some(durability @ ("db" | "spool"))) => Ok(Line::Tracked {
            event,
            id,
            durability: durability.to_owned(),
        }),
        _ => Err(Senseless(answer.clone())),
    }
}
