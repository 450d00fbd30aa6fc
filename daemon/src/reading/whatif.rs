//! What another policy would have earned on an experiment's own log.

use bandit::experiment::{Arm, ArmId, LaneId, Version};
use bandit::inference::Period;
use bandit::lanes::Lane;
use bandit::offpolicy::{Candidate, Known, WhatIfError, targets, what_if};
use bandit::posterior::ArmStats;
use bandit::spec::model::{ExperimentSpec, PolicySpec};
use protocol::evaluation::{Evaluation, WhatIf, WhatIfRequest};
use sqlx::PgConnection;

use super::origin::Origin;
use super::{Reading, ReadingError};
use crate::publication::{LaneEvidence, open_arms};
use crate::store::periods::{LanePeriods, OfLane, of_lane};
use crate::store::versions::PolicyVersion;
use crate::store::{experiments, results, state, versions};
use crate::world::Live;

/// Versions a page.
const PAGE: i64 = 1_000;

pub(super) async fn read(
    reading: &Reading,
    live: &Live,
    request: &WhatIfRequest,
    origin: &Origin,
) -> Result<WhatIf, ReadingError> {
    let candidate: Candidate = request.policy.parse().map_err(invalid)?;
    let lane = lane_of(live, request.lane.as_deref())?;
    let log = log_of(reading, live, lane.id, origin).await?;
    let resolved: u64 = log.periods.periods.iter().map(Period::resolved).sum();
    if resolved == 0 {
        return Err(ReadingError::TooEarly(format!(
            "no unit in lane {} of `{}` has resolved yet: its window of {} must close first",
            lane.name, live.serving.key, live.spec.reward.window
        )));
    }
    let lived = log
        .periods
        .periods
        .iter()
        .filter(|period| period.resolved() > 0);
    let versions = lived.count() as u64;
    let evaluation = {
        let (spec, arms) = (live.spec.clone(), live.serving.arms.clone());
        let (asked, periods) = (candidate.clone(), log.periods);
        let policy = lane.policy.clone();
        // A policy that learns is asked hundreds of times, each a quadrature.
        let evaluated = tokio::task::spawn_blocking(move || {
            evaluate(&asked, &policy, (&spec, &arms), &periods, &log.published)
        });
        evaluated
            .await
            .map_err(|error| inconsistent(live, error.to_string()))?
    };
    let evaluation = evaluation.map_err(|error| match error {
        WhatIfError::Candidate(error) => invalid(error),
        WhatIfError::Policy(_) | WhatIfError::Counts(_) => inconsistent(live, chain(&error)),
    })?;
    Ok(WhatIf {
        experiment: live.serving.key.to_string(),
        lane: lane.name.to_string(),
        policy: candidate.to_string(),
        instead_of: if lane.learns {
            lane.policy.kind.name().to_owned()
        } else {
            "an even split".to_owned()
        },
        as_of: log.as_of,
        versions,
        pending: log.pending,
        evaluation,
        source: origin.source.clone(),
    })
}

/// All that is read of a lane, as of one instant.
struct Log {
    periods: LanePeriods,
    /// What each version was computed from, in the order of the periods.
    published: Vec<PolicyVersion>,
    pending: u64,
    as_of: chrono::DateTime<chrono::Utc>,
}

async fn log_of(
    reading: &Reading,
    live: &Live,
    lane: LaneId,
    origin: &Origin,
) -> Result<Log, ReadingError> {
    let Some(started_at) = live.started_at else {
        return Err(ReadingError::TooEarly(format!(
            "`{}` was never started: it has no log",
            live.serving.key
        )));
    };
    let mut view = experiments::snapshot(&origin.store).await?;
    let ids: Vec<ArmId> = live.serving.arms.iter().map(|arm| arm.id).collect();
    let of = OfLane {
        experiment: live.id,
        lane,
        arms: &ids,
        started_at,
        at: reading.clock.now(),
    };
    let periods = of_lane(&mut view, of).await?;
    let published = published(&mut view, live, lane).await?;
    let sums = state::sums(&mut view, &[live.id]).await?;
    let horizon = results::fold_horizon(&mut view, live.id).await?;
    let pending = sums
        .get(&(live.id, lane))
        .map_or(0, |arms| arms.values().map(ArmStats::pending).sum());
    Ok(Log {
        periods,
        published,
        pending,
        as_of: origin.as_of(horizon.as_of),
    })
}

/// What each version of the lane was computed from, oldest first.
async fn published(
    view: &mut PgConnection,
    live: &Live,
    lane: LaneId,
) -> Result<Vec<PolicyVersion>, ReadingError> {
    let mut all = Vec::new();
    let mut after = (lane, Version(0));
    loop {
        let page = versions::page(view, live.id, after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(all);
        };
        after = *last;
        for ((of, _), version) in page {
            if of != lane {
                return Ok(all);
            }
            all.push(version?);
        }
    }
}

fn evaluate(
    candidate: &Candidate,
    base: &PolicySpec,
    (spec, arms): (&ExperimentSpec, &[Arm]),
    log: &LanePeriods,
    published: &[PolicyVersion],
) -> Result<Evaluation, WhatIfError> {
    let names: Vec<(ArmId, &str)> = arms.iter().map(|arm| (arm.id, arm.name.as_str())).collect();
    let known: Vec<Known> = published
        .iter()
        .map(|version| known(spec, arms, version))
        .collect();
    let targets = targets(candidate, base, &names, &known)?;
    Ok(Evaluation::from(&what_if(&log.periods, &targets)?))
}

fn known(spec: &ExperimentSpec, arms: &[Arm], version: &PolicyVersion) -> Known {
    let ids = version.allocation.arms();
    let evidence: LaneEvidence = ids.zip(version.evidence.iter().copied()).collect();
    let then: Vec<Arm> = arms
        .iter()
        .map(|arm| Arm {
            retired: !version.allocation.arms().any(|open| open == arm.id),
            quarantined: false,
            ..arm.clone()
        })
        .collect();
    Known {
        open: open_arms(spec, &then, &evidence),
        running_for: version.running_for,
    }
}

/// The lane by its name; without one, the learning lane with the largest share.
fn lane_of<'a>(live: &'a Live, named: Option<&str>) -> Result<&'a Lane, ReadingError> {
    let Some(name) = named else {
        return Ok(live.leading_lane());
    };
    let found = live.lanes.iter().find(|lane| lane.name.as_str() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = live.lanes.iter().map(|lane| lane.name.as_str()).collect();
        let (key, names) = (&live.serving.key, names.join(", "));
        ReadingError::Invalid(format!("`{key}` has no lane `{name}`; it has {names}"))
    })
}

fn invalid(error: impl std::fmt::Display) -> ReadingError {
    ReadingError::Invalid(error.to_string())
}

fn inconsistent(live: &Live, why: String) -> ReadingError {
    ReadingError::Inconsistent {
        what: format!("what if of `{}`", live.serving.key),
        why,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error
        .source()
        .map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{error}{cause}")
}

#[cfg(test)]
mod tests;
