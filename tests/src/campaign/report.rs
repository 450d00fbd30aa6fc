//! What a campaign prints: one JSON object, and whether everything that must hold does.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::judge::Judgement;

/// Faults by kind.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<&'static str, u64>);

impl Faults {
    /// Counts one.
    pub fn note(&mut self, kind: &'static str) {
        self.add(kind, 1);
    }

    /// Counts many of one kind.
    pub fn add(&mut self, kind: &'static str, count: u64) {
        *self.0.entry(kind).or_default() += count;
    }
}

/// The report, as it grows.
#[derive(Debug, Default)]
pub struct Report {
    /// What was done to the installation.
    pub faults: Faults,
    invariants: BTreeMap<&'static str, bool>,
    figures: Map<String, Value>,
    judgement: Judgement,
}

impl Report {
    /// Notes whether something that must hold does. It must hold every time.
    pub fn must(&mut self, what: &'static str, holds: bool) {
        let so_far = self.invariants.entry(what).or_insert(true);
        if *so_far && !holds {
            super::say(&format!("DOES NOT HOLD: {what}"));
        }
        *so_far &= holds;
    }

    /// Notes a figure.
    pub fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// Notes the judgement, and what of it must hold.
    pub fn judged(&mut self, judgement: Judgement) {
        let events = judgement.events;
        let assignments = judgement.assignments;
        self.must(
            "I1 every acknowledged event is in the ledger exactly once",
            (events.lost, events.doubled) == (0, 0) && events.acknowledged > 0,
        );
        self.must(
            "I2 the ledger has nothing that was not issued",
            (events.strange, assignments.strange) == (0, 0),
        );
        self.must(
            "I4 one arm per unit, the one in the ledger",
            (judgement.moved, assignments.lost, assignments.doubled) == (0, 0, 0),
        );
        self.must(
            "I6 every acknowledged change has its audit row",
            (judgement.changes.lost, judgement.changes.doubled) == (0, 0),
        );
        self.must("a unit is new once", judgement.new_twice == 0);
        self.judgement = judgement;
    }

    /// Whether everything holds that must.
    pub fn holds(&self) -> bool {
        self.judgement.is_clean() && self.invariants.values().all(|holds| *holds)
    }

    /// The object.
    pub fn json(&self, campaign: &str, seed: u64, full: bool, seconds: f64) -> Value {
        let events = self.judgement.events;
        json!({
            "campaign": campaign,
            "holds": self.holds(),
            "acknowledged": events.acknowledged,
            "found": events.found,
            "lost": events.lost,
            "doubled": events.doubled,
            "faults": self.faults.0,
            "seed": seed,
            "full": full,
            "seconds": seconds,
            "invariants": self.invariants,
            "judgement": self.judgement,
            "figures": self.figures,
        })
    }
}
