//! From what a test sees to what is done about it: verdicts, runs of fails, overrides.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::State;
use crate::experiment::{ArmId, Millis};
use crate::spec::model::{GuardrailAction, GuardrailSpec, OnNoData};

/// Good verdicts in a row that end a breach: one that comes and goes is one breach, and acts once.
pub const GOOD_TO_CLEAR: u32 = 3;

/// What a guardrail says at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The limit is kept.
    Pass,
    /// There is some evidence that it is not.
    Warn,
    /// It is not kept.
    Fail,
    /// Nobody can tell. Never a reason to act, and never a pass.
    Unknown,
}

impl Verdict {
    /// The word on screens, in JSON and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a verdict is what it is, where the test alone does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The test says so.
    Test,
    /// It is too early after the start.
    WarmUp,
    /// Too little was counted.
    TooFew,
    /// Nothing came lately.
    Silence,
    /// It is not served with these figures: paused experiments send none.
    NotServed,
}

/// What a look is made with, besides what the test sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances {
    /// Now.
    pub now: DateTime<Utc>,
    /// When the experiment was started.
    pub started_at: DateTime<Utc>,
    /// Since when the guardrail has been listening.
    pub armed_at: DateTime<Utc>,
    /// When it heard something last.
    pub heard_at: Option<DateTime<Utc>>,
    /// Whether silence says anything: new units are assigned.
    pub serving: bool,
}

/// The verdict on what a test of `samples` sees.
pub fn verdict(
    spec: &GuardrailSpec,
    state: State,
    samples: f64,
    at: Circumstances,
) -> (Verdict, Because) {
    let since = |then: DateTime<Utc>| at.now.signed_duration_since(then);
    if since(at.started_at) < spec.warm_up.to_chrono() {
        return (Verdict::Unknown, Because::WarmUp);
    }
    if state == State::Fail && samples >= spec.min_samples as f64 {
        return (Verdict::Fail, Because::Test);
    }
    let silent_for = since(at.heard_at.unwrap_or(at.armed_at).max(at.armed_at));
    if silent_for > spec.window.max(SHORTEST_SILENCE).to_chrono() {
        return silence(spec, silent_for, at.serving);
    }
    if samples < spec.min_samples as f64 || state == State::Insufficient {
        return (Verdict::Unknown, Because::TooFew);
    }
    match state {
        State::Warn => (Verdict::Warn, Because::Test),
        State::Pass | State::Insufficient | State::Fail => (Verdict::Pass, Because::Test),
    }
}

/// Two minutes: counts come in by the minute, so a minute without any is none yet.
const SHORTEST_SILENCE: Millis = Millis(120_000);

fn silence(spec: &GuardrailSpec, silent_for: TimeDelta, serving: bool) -> (Verdict, Because) {
    if !serving {
        return (Verdict::Unknown, Because::NotServed);
    }
    let speaks = silent_for > spec.grace.to_chrono();
    let verdict = match spec.on_no_data {
        OnNoData::Pass if speaks => Verdict::Pass,
        OnNoData::Fail if speaks => Verdict::Fail,
        OnNoData::Hold | OnNoData::Pass | OnNoData::Fail => Verdict::Unknown,
    };
    (verdict, Because::Silence)
}

/// A person's word that a breach is known and shall not act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Until then; `None`: until the condition clears.
    pub until: Option<DateTime<Utc>>,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Where a guardrail stands for one arm, or for the experiment; stored between looks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Run {
    /// Fails in a row.
    pub fails: u32,
    /// Good verdicts in a row.
    pub good: u32,
    /// Since when the fails have been enough to act.
    pub breached_at: Option<DateTime<Utc>>,
    /// What was done about it.
    pub acted: Option<GuardrailAction>,
}

impl Run {
    /// After a verdict; `anew` says whether it judges anything that the one before had not.
    ///
    /// Nothing follows from `unknown`: neither does it go on with a run of fails, nor does it end a breach.
    #[must_use]
    pub fn after(self, verdict: Verdict, anew: bool, breaches: u32, now: DateTime<Utc>) -> Self {
        if !anew {
            return self;
        }
        match verdict {
            Verdict::Unknown => self,
            Verdict::Fail => {
                let fails = self.fails.saturating_add(1);
                let breached_at = self
                    .breached_at
                    .or_else(|| (fails >= breaches).then_some(now));
                Self {
                    fails,
                    good: 0,
                    breached_at,
                    acted: self.acted,
                }
            }
            Verdict::Pass | Verdict::Warn => {
                let good = self.good.saturating_add(1);
                if good >= GOOD_TO_CLEAR {
                    return Self {
                        good,
                        ..Self::default()
                    };
                }
                Self {
                    fails: 0,
                    good,
                    ..self
                }
            }
        }
    }

    /// Whether there is a breach.
    pub fn is_breached(&self) -> bool {
        self.breached_at.is_some()
    }

    /// Whether it is to act now: not twice, but again where the file has made its action a worse one meanwhile.
    pub fn is_due(&self, spec: &GuardrailSpec, overridden: bool) -> bool {
        let has_acted = self.acted.is_some_and(|acted| acted >= spec.action);
        self.is_breached() && !has_acted && !spec.dry_run && !overridden
    }
}

impl Override {
    /// Whether it still holds: until its time, or until the condition is clear. Then the guardrail is armed again.
    pub fn holds(&self, clear: bool, now: DateTime<Utc>) -> bool {
        self.until.map_or(!clear, |until| now < until)
    }
}

/// What a guardrail judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// All arms together.
    Experiment,
    /// One arm.
    Arm(ArmId),
}

impl Act {
    /// The action that it is.
    pub fn action(self) -> GuardrailAction {
        match self {
            Self::Quarantine(_) => GuardrailAction::Quarantine,
            Self::Pause => GuardrailAction::Pause,
            Self::Rollback => GuardrailAction::Rollback,
        }
    }
}

/// What is to be done to an experiment, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// No new units for this arm.
    Quarantine(ArmId),
    /// No new units for any arm.
    Pause,
    /// Everyone gets control.
    Rollback,
}

/// What follows from breaches of one guardrail that are due: `due` those of now, `closed` the arms that it has closed
/// before and that still are. People are told in any case; where that is all, nothing follows.
///
/// A quarantine closes the arm. Where the control breaches, or a second arm does, it is not the arm: then the whole
/// experiment is rolled back (STATS 7.1). All arms together say nothing about which arm it is, so a quarantine leaves
/// that to the arms.
pub fn consequence(
    action: GuardrailAction,
    due: &[Subject],
    closed: &[ArmId],
    control: ArmId,
) -> Option<Act> {
    let arms = due.iter().filter_map(|subject| match subject {
        Subject::Arm(arm) => Some(*arm),
        Subject::Experiment => None,
    });
    match action {
        _ if due.is_empty() => None,
        GuardrailAction::Alert => None,
        GuardrailAction::Pause => Some(Act::Pause),
        GuardrailAction::Rollback => Some(Act::Rollback),
        GuardrailAction::Quarantine => {
            let arms: Vec<ArmId> = arms.filter(|arm| !closed.contains(arm)).collect();
            match arms.as_slice() {
                [] => None,
                [arm] if *arm != control && closed.is_empty() => Some(Act::Quarantine(*arm)),
                _ => Some(Act::Rollback),
            }
        }
    }
}
