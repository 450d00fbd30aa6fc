//! The judge: the oracle's journal against the ledgers.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::Context;
use bandit::assign::UnitKey;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::issued::{Event, Issued};
use super::journal::{self, Line, Told};
use super::ledger;

/// Examples of what is wrong that are told; one fault often shows in every row.
const MOST_TOLD: usize = 10;

/// What was promised, against what is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Promised.
    pub acknowledged: u64,
    /// Of these, there.
    pub found: u64,
    /// Of these, not there.
    pub lost: u64,
    /// There more than once.
    pub doubled: u64,
    /// There, and issued by nobody or with another content.
    pub strange: u64,
    /// There without having been promised: answers that got lost, or were never given.
    pub unpromised: u64,
}

/// The judgement.
#[derive(Debug, Default, Serialize)]
pub struct Judgement {
    /// Events: invariants I1 and I2.
    pub events: Count,
    /// Events that were acknowledged out of the spool.
    pub spooled: u64,
    /// Assignments.
    pub assignments: Count,
    /// Units that were told more than one arm: invariant I4.
    pub moved: u64,
    /// Units that were told twice that they are new.
    pub new_twice: u64,
    /// Operators' changes in the audit log: invariant I6.
    pub changes: Count,
    /// The first few of everything that is wrong.
    pub told: Vec<String>,
}

/// What the journal says.
#[derive(Debug, Default)]
struct Promised {
    seed: u64,
    below: u64,
    events: HashMap<Event, (Uuid, bool)>,
    arms: HashMap<u64, Told>,
    moved: HashSet<u64>,
    new: HashSet<u64>,
    new_twice: HashSet<u64>,
    changes: Vec<String>,
    other_ids: Vec<Event>,
}

/// How many different events the journal at `path` has acknowledged.
pub fn acknowledged_events(path: &Path) -> anyhow::Result<u64> {
    Ok(Promised::read(path)?.events.len() as u64)
}

/// Judges the journal at `path` by the ledgers behind `connection`.
pub async fn judge(
    path: &Path,
    secret: &[u8; 32],
    connection: &mut PgConnection,
) -> anyhow::Result<Judgement> {
    let promised = Promised::read(path)?;
    let issued = Issued {
        seed: promised.seed,
    };
    let units: HashMap<UnitKey, u64> = (0..promised.below)
        .map(|unit| (UnitKey::derive(secret, &issued.unit_id(unit)), unit))
        .collect();
    let mut judgement = Judgement {
        moved: promised.moved.len() as u64,
        new_twice: promised.new_twice.len() as u64,
        spooled: promised.events.values().filter(|it| it.1).count() as u64,
        ..Judgement::default()
    };
    for unit in promised.moved.iter().chain(&promised.new_twice) {
        judgement.tell(format!(
            "unit {unit} was told two arms, or twice that it is new"
        ));
    }
    for event in &promised.other_ids {
        judgement.events.strange += 1;
        judgement.tell(format!("{event:?} was acknowledged under two ids"));
    }
    judgement.events(&promised, issued, &units, ledger::events(connection).await?);
    judgement.assignments(&promised, &units, ledger::assignments(connection).await?);
    judgement.changes(&promised, &ledger::reasons(connection).await?);
    Ok(judgement)
}

impl Promised {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let mut promised = Self::default();
        for line in journal::read(path)? {
            promised.note(line.context("reading the journal")?);
        }
        Ok(promised)
    }

    fn note(&mut self, line: Line) {
        match line {
            Line::Seed(seed) => self.seed = seed,
            Line::IssuedBelow(below) => self.below = self.below.max(below),
            Line::Assigned(told) => self.note_arm(told),
            Line::Tracked {
                event,
                id,
                durability,
            } => {
                let spooled = durability == "spool";
                let first = self.events.entry(event).or_insert((id, spooled));
                if first.0 != id {
                    self.other_ids.push(event);
                }
            }
            Line::Changed(reason) => self.changes.push(reason),
        }
    }

    fn note_arm(&mut self, told: Told) {
        if told.new && !self.new.insert(told.unit) {
            self.new_twice.insert(told.unit);
        }
        if let Some(first) = self.arms.get(&told.unit) {
            if (&first.arm, first.version) != (&told.arm, told.version) {
                self.moved.insert(told.unit);
            }
            return;
        }
        self.arms.insert(told.unit, told);
    }
}

impl Judgement {
    /// Whether every promise was kept and nothing is there that should not be.
    pub fn is_clean(&self) -> bool {
        let clean = |count: &Count| (count.lost, count.doubled, count.strange) == (0, 0, 0);
        let counts = [&self.events, &self.assignments, &self.changes];
        counts.into_iter().all(clean) && (self.moved, self.new_twice) == (0, 0)
    }

    fn tell(&mut self, what: String) {
        if self.told.len() < MOST_TOLD {
            self.told.push(what);
        }
    }

    fn events(
        &mut self,
        promised: &Promised,
        issued: Issued,
        units: &HashMap<UnitKey, u64>,
        rows: Vec<ledger::EventRow>,
    ) {
        let mut found: HashMap<Event, Uuid> = HashMap::with_capacity(rows.len());
        for row in rows {
            match recognise(&row, issued, units) {
                None => {
                    self.events.strange += 1;
                    self.tell(format!("nobody issued {row:?}"));
                }
                Some(event) => {
                    let there = found.entry(event).or_insert(row.event_id);
                    if *there != row.event_id {
                        self.events.doubled += 1;
                        // The promised one stays: that there is another is not that it is lost.
                        if promised
                            .events
                            .get(&event)
                            .is_some_and(|it| it.0 == row.event_id)
                        {
                            *there = row.event_id;
                        }
                        self.tell(format!("{event:?} is there twice: {row:?}"));
                    }
                }
            }
        }
        self.events.acknowledged = promised.events.len() as u64;
        for (event, (id, _)) in &promised.events {
            match found.remove(event) {
                Some(there) if there == *id => self.events.found += 1,
                Some(there) => {
                    self.events.strange += 1;
                    self.tell(format!(
                        "{event:?} was acknowledged as {id} and is there as {there}"
                    ));
                }
                None => {
                    self.events.lost += 1;
                    self.tell(format!(
                        "{event:?} was acknowledged as {id} and is not there"
                    ));
                }
            }
        }
        self.events.unpromised = found.len() as u64;
    }

    fn assignments(
        &mut self,
        promised: &Promised,
        units: &HashMap<UnitKey, u64>,
        rows: Vec<ledger::AssignmentRow>,
    ) {
        let mut found = HashMap::with_capacity(rows.len());
        for row in rows {
            let Some(unit) = row.unit().and_then(|key| units.get(&key)) else {
                self.assignments.strange += 1;
                self.tell(format!("nobody issued the unit of {row:?}"));
                continue;
            };
            if found
                .insert(*unit, (row.arm, i64::from(row.version)))
                .is_some()
            {
                self.assignments.doubled += 1;
                self.tell(format!("unit {unit} is assigned in two experiments"));
            }
        }
        self.assignments.acknowledged = promised.arms.len() as u64;
        for (unit, told) in &promised.arms {
            match found.remove(unit) {
                Some(there) if there == (told.arm.clone(), told.version) => {
                    self.assignments.found += 1;
                }
                there => {
                    self.assignments.lost += 1;
                    self.tell(format!("{told:?}, but the ledger has {there:?}"));
                }
            }
        }
        self.assignments.unpromised = found.len() as u64;
    }

    fn changes(&mut self, promised: &Promised, reasons: &[String]) {
        self.changes.acknowledged = promised.changes.len() as u64;
        for reason in &promised.changes {
            match reasons.iter().filter(|there| *there == reason).count() {
                0 => {
                    self.changes.lost += 1;
                    self.tell(format!("no audit row says {reason:?}"));
                }
                1 => self.changes.found += 1,
                _ => self.changes.doubled += 1,
            }
        }
    }
}

/// Which of the issued events a row is; `None` if none, or not with this content.
fn recognise(
    row: &ledger::EventRow,
    issued: Issued,
    units: &HashMap<UnitKey, u64>,
) -> Option<Event> {
    let unit = *units.get(&row.unit()?)?;
    let value = row.value?;
    let nth = value as u64;
    let event = issued.events(unit).nth(nth as usize)?;
    let as_issued = row.experiment == issued.experiment(unit)
        && row.event == issued.name(event)
        && value.to_bits() == issued.value(event).to_bits();
    as_issued.then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUED: Issued = Issued { seed: 5 };
    const SECRET: [u8; 32] = [3; 32];

    fn key(unit: u64) -> UnitKey {
        UnitKey::derive(&SECRET, &ISSUED.unit_id(unit))
    }

    fn row(event: Event, id: u128) -> ledger::EventRow {
        ledger::EventRow {
            experiment: ISSUED.experiment(event.unit).to_owned(),
            event_id: Uuid::from_u128(id),
            unit_key: key(event.unit).0.to_vec(),
            event: ISSUED.name(event).to_owned(),
            value: Some(ISSUED.value(event)),
        }
    }

    fn judged(acknowledged: &[Event], rows: Vec<ledger::EventRow>) -> Count {
        let units = (0..50).map(|unit| (key(unit), unit)).collect();
        let mut promised = Promised::default();
        for event in acknowledged {
            promised.note(Line::Tracked {
                event: *event,
                id: Uuid::from_u128(u128::from(event.nth)),
                durability: "db".into(),
            });
        }
        let mut judgement = Judgement::default();
        judgement.events(&promised, ISSUED, &units, rows);
        judgement.events
    }

    #[test]
    fn lost_doubled_and_strange_events_are_told_apart() {
        let unit = (0..50)
            .find(|unit| ISSUED.events(*unit).count() > 3)
            .unwrap();
        let events: Vec<Event> = ISSUED.events(unit).take(3).collect();
        let whole = || vec![row(events[0], 0), row(events[1], 1), row(events[2], 2)];
        let good = Count {
            acknowledged: 3,
            found: 3,
            ..Count::default()
        };
        assert_eq!(judged(&events, whole()), good);
        let unanswered = Count {
            acknowledged: 2,
            found: 2,
            unpromised: 1,
            ..Count::default()
        };
        assert_eq!(judged(&events[..2], whole()), unanswered);
        assert_eq!(judged(&events, whole()[..2].to_vec()).lost, 1);
        let mut twice = whole();
        twice.insert(0, row(events[0], 9));
        let doubled = Count { doubled: 1, ..good };
        assert_eq!(judged(&events, twice), doubled);
        let mut bent = whole();
        bent[1].value = bent[1].value.map(|value| value + 0.000_1);
        let bent = judged(&events, bent);
        assert_eq!((bent.strange, bent.lost), (1, 1));
        let mut stranger = whole();
        stranger[0].unit_key[0] ^= 1;
        assert_eq!(judged(&events, stranger).strange, 1);
    }

    #[test]
    fn a_unit_that_was_told_two_arms_has_moved() {
        let told = |arm: &str, new| {
            Line::Assigned(Told {
                unit: 4,
                arm: arm.into(),
                version: 1,
                reason: "sticky".into(),
                new,
            })
        };
        let mut promised = Promised::default();
        promised.note(told("old", true));
        promised.note(told("old", false));
        assert!(promised.moved.is_empty());
        promised.note(told("new", true));
        assert_eq!((promised.moved.len(), promised.new_twice.len()), (1, 1));
    }
}
