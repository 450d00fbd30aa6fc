//! The reading of the results, in words.

use bandit::posterior::BetaPosterior;
use bandit::probability;
use protocol::experiments::{ArmInsight, ArmRow, Insights, Row};

use super::{Reading, ReadingError};
use crate::world::Live;

/// Fewer resolved units than this say little about a rate of a few percent.
const FEW: u64 = 100;

/// The probability from which an arm is called ahead or behind. Words, not a decision: looking again and again
/// at this threshold declares a loser between equal arms far too often (STATS 8.4), and the caveats say so.
const LIKELY: f64 = 0.95;

pub(super) async fn insights(
    reading: &Reading,
    live: &std::sync::Arc<Live>,
) -> Result<Insights, ReadingError> {
    let key = live.serving.key.as_str();
    let row = reading.row(key).await?;
    let results = reading.results(key).await?;
    let mut arms: Vec<ArmInsight> = row
        .arms
        .iter()
        .filter(|arm| !arm.retired)
        .map(|arm| insight(&row, arm))
        .collect();
    arms.sort_by(|a, b| b.p_best.total_cmp(&a.p_best));
    Ok(Insights {
        experiment: row.key.clone(),
        as_of: results.as_of,
        summary: summary(&row, &arms),
        caveats: caveats(live, &row, &arms, results.pending),
        arms,
    })
}

fn insight(row: &Row, arm: &ArmRow) -> ArmInsight {
    let control = row.arms.iter().find(|arm| arm.control && !arm.retired);
    let p_beats_control = control
        .filter(|_| !arm.control)
        .and_then(|control| probability::p_greater(posterior(arm), posterior(control)).ok());
    ArmInsight {
        arm: arm.name.clone(),
        samples: arm.resolved,
        rate: arm.mean,
        low: arm.low,
        high: arm.high,
        p_best: arm.p_best,
        p_beats_control,
        expected_loss: arm.expected_loss,
        recommendation: recommendation(arm, p_beats_control),
    }
}

fn posterior(arm: &ArmRow) -> BetaPosterior {
    BetaPosterior {
        alpha: arm.alpha,
        beta: arm.beta,
    }
}

fn recommendation(arm: &ArmRow, p_beats_control: Option<f64>) -> String {
    let words = match p_beats_control {
        _ if arm.resolved < FEW => "too few samples to tell",
        None if arm.p_best > LIKELY => "control is likely the best arm",
        None => "the yardstick: keep it",
        Some(_) if arm.p_best > LIKELY => "likely the best arm",
        Some(p) if p > LIKELY => "likely better than control",
        Some(p) if p < 1.0 - LIKELY => "likely worse than control",
        Some(_) => "not to be told from control yet",
    };
    words.to_owned()
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
    format!(
        "{} leads with {:.2}% ({:.2}% to {:.2}%), is the best arm with probability {:.1}%, and gets {:.1}% of new units",
        leader.arm,
        leader.rate * 100.0,
        leader.low * 100.0,
        leader.high * 100.0,
        leader.p_best * 100.0,
        row.arms
            .iter()
            .find(|arm| arm.name == leader.arm)
            .map_or(0.0, |arm| arm.share * 100.0),
    )
}

fn caveats(live: &Live, row: &Row, arms: &[ArmInsight], pending: u64) -> Vec<String> {
    let mut caveats = Vec::new();
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
    let version = live
        .serving
        .lane(live.leading_lane().id)
        .map_or(0, |lane| lane.version.0);
    if version > 1 {
        caveats.push(
            "shares changed while rates may have: arms that got less traffic in good hours look worse than they are"
                .to_owned(),
        );
        caveats.push(
            "the intervals are posteriors: they hold at any look only if the prior and the model do"
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
