//! What is recommended, as a console sees it.

use bandit::decision::{Acts, Check, Status};
use bandit::experiment::{ArmId, RunState};
use protocol::decision::{Decision, DecisionCheck, DecisionLine, DecisionNumbers};

use sqlx::PgConnection;

use super::ReadingError;
use crate::store::decisions::{self, Line, Recorded};
use crate::store::{Store, StoreError};
use crate::workers::decide::auto;
use crate::world::Live;

/// The newest decision on an experiment, if its file says when to end and it has been looked at.
pub(super) async fn decision(store: &Store, live: &Live) -> Result<Option<Decision>, ReadingError> {
    if !applies(live) {
        return Ok(None);
    }
    let mut connection = store.session().await?;
    match decisions::newest(&mut connection, live.id).await {
        Ok(Some(recorded)) => {
            let acts = acts(&mut connection, live, &recorded).await?;
            Ok(Some(whole(live, &recorded, acts)))
        }
        // Of another build: the next look writes one that can be read.
        Ok(None) | Err(StoreError::Unreadable { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The decision in a line, where it still matters.
pub(super) fn line(live: &Live, line: &Line) -> Option<DecisionLine> {
    applies(live).then(|| DecisionLine {
        decision: line.decision.clone(),
        arm: line.arm.map(|arm| name(live, arm)),
        at: line.looked_at,
        since: line.since,
        sentence: line.sentence.clone(),
        caution: line.caution.clone(),
    })
}

/// An experiment that has ended needs no advice on when to end it, and a file without the section wants none.
fn applies(live: &Live) -> bool {
    let open = matches!(
        live.serving.state,
        RunState::Running { .. } | RunState::Paused { .. }
    );
    open && live.spec.decision.is_some()
}

/// What it does by itself, in words.
async fn acts(
    connection: &mut PgConnection,
    live: &Live,
    recorded: &Recorded,
) -> Result<Option<String>, StoreError> {
    let spec = live.spec.decision.as_ref();
    let Some(spec) = spec.filter(|spec| !spec.auto.is_empty()) else {
        return Ok(None);
    };
    let said = match auto::judge(connection, live, spec, &recorded.decision).await? {
        Acts::Never => {
            let auto: Vec<&str> = spec.auto.iter().map(|it| it.word()).collect();
            format!("without asking it would {}", auto.join(" or "))
        }
        Acts::Now => "it is carried out without asking at the next look".to_owned(),
        Acts::Waits(why) => format!("it is not carried out meanwhile: {why}"),
    };
    Ok(Some(said))
}

fn whole(live: &Live, recorded: &Recorded, acts: Option<String>) -> Decision {
    let decision = &recorded.decision;
    let check = |check: &Check| DecisionCheck {
        name: check.name.clone(),
        status: match check.status {
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::Unknown => "unknown",
        }
        .to_owned(),
        text: check.text.clone(),
        arm: check.arm.map(|arm| name(live, arm)),
        value: check.value,
        threshold: check.threshold,
    };
    let numbers = decision.evidence.arms.iter().map(|arm| {
        let lift = arm.versus.and_then(|versus| versus.lift);
        DecisionNumbers {
            arm: arm.name.clone(),
            samples: arm.resolved,
            mean: arm.mean,
            p_best: arm.p_best,
            expected_loss: arm.expected_loss,
            p_better: arm.versus.map(|versus| versus.p_better),
            lift: lift.map(|lift| lift.estimate),
            lift_low: lift.map(|lift| lift.low),
            lift_high: lift.map(|lift| lift.high),
        }
    });
    Decision {
        line: DecisionLine {
            decision: decision.choice.word().to_owned(),
            arm: decision.choice.arm().map(|arm| name(live, arm)),
            at: recorded.looked_at,
            since: recorded.since,
            sentence: decision.sentence.clone(),
            caution: decision.caution.clone(),
        },
        preset: decision.rules.preset.word().to_owned(),
        acts,
        days_left: decision.days_left,
        reasons: decision.reasons.iter().map(check).collect(),
        gates: decision.gates.iter().map(check).collect(),
        numbers: numbers.collect(),
    }
}

fn name(live: &Live, arm: ArmId) -> String {
    live.serving
        .arm(arm)
        .map_or_else(|| format!("arm {arm}"), |arm| arm.name.to_string())
}
