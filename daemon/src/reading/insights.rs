//! The reading of the results, in words.

use bandit::inference::srm;
use bandit::posterior::BetaPosterior;
use bandit::probability;
use bandit::spec;
use protocol::evidence::{ArmEvidence, LaneEvidence};
use protocol::experiments::{ArmInsight, ArmRow, Insights, Results, Row};

use super::origin::Origin;
use super::{Reading, ReadingError, results, row};
use crate::world::Live;

/// Fewer resolved units than this say little about a rate of a few percent.
pub(super) const FEW: u64 = 100;

/// The probability from which an arm is called ahead or behind. Words, not a decision: looking again and again
/// at this threshold declares a loser between equal arms far too often (STATS 8.4), and the caveats say so.
const LIKELY: f64 = 0.95;

/// Below this, a drift is told: seen by chance in one of a hundred looks.
const DRIFTED: f64 = 0.01;

pub(super) async fn insights(
    reading: &Reading,
    live: &std::sync::Arc<Live>,
    origin: &Origin,
) -> Result<Insights, ReadingError> {
    let row = reading.row_of(&origin.store, live).await?;
    let results = results::results(reading, live, origin).await?;
    let leading = live.leading_lane().name.to_string();
    let lane = results.lanes.iter().find(|lane| lane.lane == leading);
    let evidence = lane.and_then(|lane| lane.evidence.clone());
    let mut arms: Vec<ArmInsight> = row
        .arms
        .iter()
        .filter(|arm| !arm.retired && !arm.quarantined)
        .map(|arm| insight(&row, arm, of_arm(evidence.as_ref(), &arm.name)))
        .collect();
    arms.sort_by(|a, b| b.p_best.total_cmp(&a.p_best));
    Ok(Insights {
        experiment: row.key.clone(),
        as_of: results.as_of,
        summary: summary(&row, &arms),
        caveats: caveats(live, &row, &arms, evidence.as_ref(), &results),
        arms,
        evidence,
        scale: row.scale,
        decision: results.decision,
        source: results.source,
    })
}

fn of_arm<'a>(evidence: Option<&'a LaneEvidence>, arm: &str) -> Option<&'a ArmEvidence> {
    evidence?.arms.iter().find(|of| of.arm == arm)
}

fn insight(row: &Row, arm: &ArmRow, evidence: Option<&ArmEvidence>) -> ArmInsight {
    let control = row.arms.iter().find(|arm| arm.control && !arm.retired);
    let p_beats_control = control
        .filter(|_| !arm.control)
        .and_then(|control| probability::p_greater(posterior(arm), posterior(control)).ok());
    ArmInsight {
        arm: arm.name.clone(),
        samples: arm.resolved,
        exposed: arm.exposed,
        pending: arm.exposed.saturating_sub(arm.resolved),
        observed: (arm.resolved > 0).then(|| arm.reward_sum / arm.resolved as f64),
        rate: arm.mean,
        low: arm.low,
        high: arm.high,
        p_best: arm.p_best,
        p_beats_control,
        expected_loss: arm.expected_loss,
        recommendation: recommendation(arm, p_beats_control, evidence),
    }
}

fn posterior(arm: &ArmRow) -> BetaPosterior {
    BetaPosterior {
        alpha: arm.alpha,
        beta: arm.beta,
    }
}

/// One sentence. Only what holds at every look is called proven.
fn recommendation(
    arm: &ArmRow,
    p_beats_control: Option<f64>,
    evidence: Option<&ArmEvidence>,
) -> String {
    if arm.resolved < FEW {
        return format!(
            "too few samples to tell: {} of at least {FEW} have resolved",
            arm.resolved
        );
    }
    let contrast = evidence.and_then(|evidence| evidence.against_control);
    let words = match (p_beats_control, contrast) {
        (None, _) if arm.p_best > LIKELY => {
            "control is likely the best arm: nothing to gain by changing"
        }
        (None, _) => "the yardstick: keep it",
        (_, Some(contrast)) if contrast.low > 0.0 => {
            "better than control, and that holds at any look: a candidate to ship"
        }
        (_, Some(contrast)) if contrast.high < 0.0 => {
            "worse than control, and that holds at any look: it can be closed"
        }
        (Some(_), _) if arm.p_best > LIKELY => {
            "likely the best arm, not yet proven for looking again and again: keep running"
        }
        (Some(p), _) if p > LIKELY => "likely better than control, not yet proven: keep running",
        (Some(p), _) if p < 1.0 - LIKELY => {
            "likely worse than control, not yet proven: keep running"
        }
        (Some(_), _) => "not to be told from control yet: keep running",
    };
    words.to_owned()
}

/// Cut and not rounded: nothing looks certain that is not.
fn likely(p: f64) -> String {
    if p > 0.999 {
        return "above 99.9%".to_owned();
    }
    format!("{:.1}%", (p * 1e3 + 1e-6).floor() / 10.0)
}

fn summary(row: &Row, best_first: &[ArmInsight]) -> String {
    let (Some(leader), Some(few)) = (
        best_first.first(),
        best_first.iter().map(|arm| arm.samples).min(),
    ) else {
        return "there are no open arms".to_owned();
    };
    if few < FEW {
        return format!(
            "too early to tell: an arm has {few} resolved units, {FEW} are the least worth reading"
        );
    }
    // the lesser value first
    let mut ends = [leader.low, leader.high];
    if row.scale.is_some_and(|scale| scale.at_one < scale.at_zero) {
        ends.reverse();
    }
    let [low, high] = ends.map(|end| row::said(row.scale, end));
    format!(
        "{} leads with {} ({low} to {high}), is the best arm with probability {}, and gets {:.1}% of new units",
        leader.arm,
        row::said(row.scale, leader.rate),
        likely(leader.p_best),
        row.arms
            .iter()
            .find(|arm| arm.name == leader.arm)
            .map_or(0.0, |arm| arm.share * 100.0),
    )
}

fn caveats(
    live: &Live,
    row: &Row,
    arms: &[ArmInsight],
    evidence: Option<&LaneEvidence>,
    results: &Results,
) -> Vec<String> {
    let Results { pending, early, .. } = *results;
    let mut caveats: Vec<String> = evidence.into_iter().flat_map(alarms).collect();
    for arm in row.arms.iter().filter(|arm| arm.quarantined) {
        caveats.push(format!(
            "{} is quarantined: nobody new gets it, and it is not judged here",
            arm.name
        ));
    }
    caveats.extend(row.burn_in.clone());
    if arms.iter().any(|arm| arm.samples < FEW) {
        caveats.push(format!("some arms have fewer than {FEW} resolved units"));
    }
    if pending > 0 {
        caveats.push(format!(
            "{pending} exposed units have not resolved: they count when their window of {} has closed",
            live.spec.reward.closes_after()
        ));
    }
    if early > 0 {
        caveats.push(format!(
            "{early} of them have sent what changes their outcome; failures among them show at the close alone"
        ));
    }
    for note in spec::learning_notes(&live.spec.reward, live.leading_lane().policy.memory) {
        caveats.push(format!(
            "{}; the figures here are closed windows, all of them",
            note.text
        ));
    }
    let version = live
        .serving
        .lane(live.leading_lane().id)
        .map_or(0, |lane| lane.version.0);
    if version > 1 {
        caveats.push(
            "rates and their intervals are posteriors: they take rates as constant, and looking again and again at it declares winners too often. Weighted figures hold at every look"
                .to_owned(),
        );
    }
    if live.spec.holdback.get() > 0.0 {
        caveats.push(
            "the holdback lane has an even split: its rates are not bent by learning".to_owned(),
        );
    }
    caveats
}

/// What is wrong with the data themselves.
fn alarms(evidence: &LaneEvidence) -> Vec<String> {
    let mut alarms = Vec::new();
    let least = evidence.srm_p.min(evidence.srm_sequential_p);
    if least < srm::ALARM {
        alarms.push(format!(
            "sample ratio mismatch (p {}): the arms did not get the units that their shares promised. Trust no figure before the reason is found",
            p_in_words(least)
        ));
    }
    if let Some(p) = evidence.drift_p.filter(|p| *p < DRIFTED) {
        alarms.push(format!(
            "the differences between arms changed over time (p {}): which arm is better may depend on when",
            p_in_words(p)
        ));
    } else if evidence
        .arms
        .iter()
        .any(|arm| arm.drift_p.is_some_and(|p| p < DRIFTED))
    {
        alarms.push(
            "rates changed over time, about the same for all arms: weighted figures allow for it, the posterior does not"
                .to_owned(),
        );
    }
    alarms
}

fn p_in_words(p: f64) -> String {
    if p < 1e-4 {
        return "below 0.0001".to_owned();
    }
    format!("{p:.4}")
}
