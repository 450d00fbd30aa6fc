//! What can be said of a lane's arms at any look, whatever its allocation learned.

use serde::{Deserialize, Serialize};

/// A lane's evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaneEvidence {
    /// The lane.
    pub lane: String,
    /// Sample-ratio mismatch: the probability of assignments as uneven as these if every arm got the units that its
    /// propensities promised. Valid at one look; below 0.001 is an alarm.
    pub srm_p: f64,
    /// The same test in its sequential form: valid however often one looks.
    pub srm_sequential_p: f64,
    /// Whether the differences between arms changed over time: the probability of changes as great as these if they
    /// did not. `None` while there are too few units to cut time into parts.
    pub drift_p: Option<f64>,
    /// Each arm, in the order of the lane's arms.
    pub arms: Vec<ArmEvidence>,
}

/// An arm's evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmEvidence {
    /// Its name.
    pub arm: String,
    /// Its mean reward in `0..=1`, weighted by the logged propensities so that neither a trend nor the allocation's
    /// learning bends it; `None` without resolved units.
    pub estimate: Option<f64>,
    /// The estimate's standard error.
    pub standard_error: Option<f64>,
    /// The lower end of the 95 % confidence sequence: it holds at every look.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Against the control; `None` for the control, and while either has too few units.
    pub against_control: Option<Contrast>,
    /// Whether its own rate changed over time: the probability of changes as great as these if it did not.
    pub drift_p: Option<f64>,
}

/// How far an arm is from the control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Contrast {
    /// Its weighted mean reward minus the control's.
    pub difference: f64,
    /// The difference's standard error.
    pub standard_error: f64,
    /// The lower end of the 95 % confidence sequence: it holds at every look.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Of "there is no difference"; the sequential p-value of this look.
    pub p_value: f64,
}
