//! A bad deploy: from some moment on, requests of one arm fail, and later those of control fail too.

use std::time::Duration;

use bandit::experiment::ArmName;
use bandit::spec::model::{ExperimentSpec, GuardrailCheck};
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::Instant;

use super::service::Service;
use crate::cli::Break;

/// The deploy of the arm: after the first versions, so that it is seen to learn before.
const ARM_AFTER: Duration = Duration::from_secs(20);

/// The deploy of control, two minutes later: the arm has been closed by then.
const CONTROL_AFTER: Duration = Duration::from_secs(140);

/// The part of the requests that fail; the guardrail's limit is 1 %.
const FAILING: f64 = 0.03;

/// What breaks, and when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Breakage {
    began: Instant,
    arm: ArmName,
    control: ArmName,
    event: String,
}

impl Breakage {
    /// What `what` breaks of an experiment; `None` if it is about another one. The event is the one that the
    /// experiment's error rate is guarded by.
    pub(super) fn of(what: Break, spec: &ExperimentSpec) -> Option<Self> {
        let Break::PaymentErrors = what;
        let arm = spec.arms.iter().find(|arm| !arm.control)?;
        let event = spec.guardrails.iter().find_map(|it| match &it.check {
            GuardrailCheck::ErrorRate { event, .. } => Some(event.clone()),
            _ => None,
        })?;
        (spec.key.as_str() == Service::Checkout.key()).then(|| Self {
            began: Instant::now(),
            arm: arm.name.clone(),
            control: spec.control().name.clone(),
            event,
        })
    }

    /// The error of a request that is made now, if it fails.
    pub(super) fn error(&self, arm: &ArmName, rng: &mut StdRng) -> Option<&str> {
        self.error_after(self.began.elapsed(), arm, rng)
    }

    fn error_after(&self, elapsed: Duration, arm: &ArmName, rng: &mut StdRng) -> Option<&str> {
        let broken = (*arm == self.arm && elapsed >= ARM_AFTER)
            || (*arm == self.control && elapsed >= CONTROL_AFTER);
        (broken && rng.random_bool(FAILING)).then_some(self.event.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::super::visitor::{Purpose, rng};
    use super::*;

    fn failing(breakage: &Breakage, elapsed: u64, arm: &ArmName) -> f64 {
        const REQUESTS: u64 = 20_000;
        let failed = (0..REQUESTS).filter(|number| {
            let mut rng = rng(5, Service::Checkout, *number, Purpose::What);
            let elapsed = Duration::from_secs(elapsed);
            breakage.error_after(elapsed, arm, &mut rng).is_some()
        });
        failed.count() as f64 / REQUESTS as f64
    }

    #[test]
    fn first_one_arm_fails_and_then_control_too() {
        let experiments = example::experiments().unwrap();
        let mut broken = experiments
            .iter()
            .filter_map(|spec| Breakage::of(Break::PaymentErrors, spec));
        let breakage = broken.next().unwrap();
        assert_eq!(broken.next(), None, "one experiment breaks");
        assert_eq!(breakage.event, "checkout_error");
        let (arm, control) = (&breakage.arm, &breakage.control);
        assert!(failing(&breakage, 10, arm) + failing(&breakage, 60, control) < 1e-9);
        for share in [
            failing(&breakage, 60, arm),
            failing(&breakage, 141, control),
        ] {
            assert!((share - FAILING).abs() < 0.005, "{share}");
        }
    }
}
