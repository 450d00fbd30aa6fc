//! How a row reads: its leader, its lift, its guardrails in one word.

use bandit::experiment::ArmVerb;
use protocol::experiments::{ArmRow, Row};

/// The arm that leads, with what it is ahead by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leader<'a> {
    /// The arm.
    pub arm: &'a ArmRow,
    /// How far its mean is from the control's, relatively; `None` for the control itself or where that is 0.
    pub lift: Option<f64>,
}

/// All guardrails of an experiment in one word, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// None declared.
    None,
    /// All pass.
    Ok,
    /// So many are declared, and their engine does not run yet.
    NotActive(usize),
    /// So many have no verdict.
    Unknown(usize),
    /// So many are near their limit.
    Warn(usize),
    /// So many are over it.
    Breach(usize),
}

/// Stands for no arm in particular: whatever is held. No name of an arm has this letter.
pub const EVERY_HOLD: &str = "*";

/// What a verb can be done to: names of arms, in the order of the file, and [`EVERY_HOLD`] where there is more to be
/// released than one of them.
pub fn arms_for(row: &Row, verb: ArmVerb) -> Vec<&str> {
    let declared = row.arms.iter().filter(|arm| !arm.retired);
    let fits = |arm: &&ArmRow| match verb {
        ArmVerb::Quarantine => !arm.control && !arm.quarantined,
        ArmVerb::Release => arm.quarantined,
        ArmVerb::Ship => !arm.quarantined,
    };
    let mut arms: Vec<&str> = declared.filter(fits).map(|arm| arm.name.as_str()).collect();
    let more = verb == ArmVerb::Release && (arms.len() > 1 || row.holds.len() > arms.len());
    if more {
        arms.push(EVERY_HOLD);
    }
    arms
}

/// The arm that is most probably best; `None` before the first window has closed.
pub fn leader(row: &Row) -> Option<Leader<'_>> {
    let learned = row.arms.iter().any(|arm| arm.resolved > 0);
    if !learned {
        return None;
    }
    let arm = row
        .arms
        .iter()
        .filter(|arm| !arm.retired && !arm.quarantined)
        .max_by(|a, b| a.p_best.total_cmp(&b.p_best))?;
    let control = row.arms.iter().find(|other| other.control);
    let lift = control
        .filter(|control| !arm.control && control.mean > 0.0)
        .map(|control| arm.mean / control.mean - 1.0);
    Some(Leader { arm, lift })
}

/// The guardrails in one word.
pub fn guard(row: &Row) -> Guard {
    let count = |status: &str| row.guardrails.iter().filter(|g| g.status == status).count();
    if row.guardrails.is_empty() {
        return Guard::None;
    }
    match (
        count("fail"),
        count("warn"),
        count("unknown"),
        count("not_active"),
    ) {
        (0, 0, 0, 0) => Guard::Ok,
        (0, 0, 0, off) => Guard::NotActive(off),
        (0, 0, unknown, _) => Guard::Unknown(unknown),
        (0, warn, ..) => Guard::Warn(warn),
        (breach, ..) => Guard::Breach(breach),
    }
}

impl Guard {
    /// The word in the list.
    pub fn word(self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Ok => "ok".to_owned(),
            Self::NotActive(_) => "n/a yet".to_owned(),
            Self::Unknown(_) => "unknown".to_owned(),
            Self::Warn(n) => format!("WARN {n}"),
            Self::Breach(n) => format!("BREACH {n}"),
        }
    }

    /// The word that the filter knows it by.
    pub fn filter_word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ok => "ok",
            Self::NotActive(_) => "n/a",
            Self::Unknown(_) => "unknown",
            Self::Warn(_) => "warn",
            Self::Breach(_) => "breach",
        }
    }
}

/// The experiment's word for its state on screen: what needs attention is in capitals.
pub fn state_word(state: &str) -> &str {
    match state {
        "rolled_back" => "ROLLED BK",
        other => other,
    }
}
