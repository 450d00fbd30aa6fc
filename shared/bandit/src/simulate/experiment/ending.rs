//! When a run would have been ended: the decision rules of the file, on evidence as the daemon gathers it.

use super::{Ended, Simulation, SimulationError};
use crate::decision::{
    self, Choice, Decision, Evidence, Memory, Rules, SampleRatio, WeighedArm, weigh,
};
use crate::experiment::{ArmId, Millis};
use crate::inference::Period;
use crate::policy::{PolicyError, family};
use crate::scale::Scale;
use crate::simulate::experiment::DAY;
use crate::spec::model::DecisionPreset;

/// Looks at a run, and remembers.
pub(super) struct Watch {
    rules: Rules,
    memory: Memory,
    next_look: u64,
    looked_at: Millis,
    resolved: u64,
    ended: Ended,
}

impl Watch {
    pub(super) fn new(of: &Simulation<'_>) -> Self {
        Self {
            rules: Rules::new(&of.decision, of.arms.len()),
            memory: Memory::default(),
            next_look: 1,
            looked_at: Millis(0),
            resolved: 0,
            ended: Ended::default(),
        }
    }

    /// When the next look may be.
    pub(super) fn due(&self) -> Millis {
        Millis(looks_every(&self.rules).0.saturating_mul(self.next_look))
    }

    /// Looks once at all lanes' periods; `at_floor` says of an arm whether no learning lane gives it more than its floor.
    pub(super) fn look(
        &mut self,
        of: &Simulation<'_>,
        now: Millis,
        periods: &[Period],
        at_floor: impl Fn(ArmId) -> bool,
    ) -> Result<(), SimulationError> {
        self.next_look += 1;
        let resolved: u64 = periods.iter().map(Period::resolved).sum();
        let since = Millis(now.0 - self.looked_at.0);
        if !self.rules.look_due(since, resolved - self.resolved) {
            return Ok(());
        }
        (self.looked_at, self.resolved) = (now, resolved);
        let evidence = self.evidence(of, now, periods, at_floor)?;
        let decision = decision::decide(&self.rules, &evidence, &self.memory);
        self.note(&decision, now);
        self.memory = decision.memory;
        Ok(())
    }

    pub(super) fn ended(self) -> Ended {
        self.ended
    }

    /// The first end that was recommended, and the first arm that was to be closed.
    fn note(&mut self, decision: &Decision, now: Millis) {
        match decision.choice {
            Choice::KeepRunning => {}
            Choice::KillArm { arm } => {
                self.ended.closed.get_or_insert((arm, now));
            }
            choice @ (Choice::Ship { .. } | Choice::Kill | Choice::Iterate) => {
                self.ended.end.get_or_insert((choice, now));
            }
        }
    }

    fn evidence(
        &self,
        of: &Simulation<'_>,
        now: Millis,
        periods: &[Period],
        at_floor: impl Fn(ArmId) -> bool,
    ) -> Result<Evidence, SimulationError> {
        let arms = of.arms.iter().enumerate();
        let arms: Vec<WeighedArm> = arms
            .map(|(position, arm)| WeighedArm {
                arm: arm.id,
                name: arm.name.to_string(),
                control: arm.control,
                at_floor: at_floor(arm.id),
                position,
            })
            .collect();
        let family = family(&of.spec.policy);
        let weighed = weigh(&self.rules, &arms, periods, family).map_err(PolicyError::from)?;
        let reward = &of.spec.reward;
        let matured_for = Millis(now.0.saturating_sub(reward.window.0 + reward.grace.0));
        let days = matured_for.0 as f64 / DAY as f64;
        Ok(Evidence {
            running_for: now,
            matured_for,
            arms: weighed.arms,
            value_remaining: weighed.value_remaining,
            resolved_per_day: if days > 0.0 {
                self.resolved as f64 / days
            } else {
                0.0
            },
            sample_ratio: SampleRatio::of(periods),
            guardrails: Vec::new(),
            late_share: 0.0,
            scale: Scale::of(reward),
        })
    }
}

/// Once a day of the rules: the standard ones end an experiment with a day's whole cycles, and what the daemon's
/// hourly looks find for harm a day finds as well. Fail-fast is asked after every hundred outcomes; an hour is as often
/// as a simulation can afford.
pub(super) fn looks_every(rules: &Rules) -> Millis {
    match rules.preset {
        DecisionPreset::FailFast => rules.look_every(),
        DecisionPreset::Standard | DecisionPreset::Strict => rules.day(),
    }
}
