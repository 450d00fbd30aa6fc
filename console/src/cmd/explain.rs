//! `pitboss explain`: why a unit has its arm, recomputed from what is stored.

use protocol::experiments::{Explanation, StoredAssignment};

use super::daemon::Daemon;
use super::format::{instant, probability};
use super::{Exit, Failure};
use crate::cli::ExplainArgs;
use crate::output::{self, Align, Answer, Form, Role, Span, Table, Text, plain, versioned};

pub(super) async fn run(daemon: &Daemon, args: &ExplainArgs) -> Result<Exit, Failure> {
    let context = Daemon::patience();
    let (key, unit) = (args.key.clone(), args.unit.clone());
    let explanation = daemon.client.explain(context, key, unit).await??;
    let answer = Answer {
        text: text(&explanation),
        json: versioned(&explanation),
    };
    output::answer(&answer, Form::from_flag(args.reading.json))?;
    Ok(verdict(&explanation))
}

/// A stored arm that cannot be recomputed breaks an invariant of the house.
pub(super) fn verdict(explanation: &Explanation) -> Exit {
    match explanation.agrees {
        Some(false) => Exit::Breached,
        Some(true) | None => Exit::Done,
    }
}

pub(super) fn text(explanation: &Explanation) -> Text {
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, &explanation.experiment),
        plain(format!("  unit key {}", explanation.unit_key)),
    ]);
    match &explanation.stored {
        Some(stored) => text.append(stored_text(stored)),
        None => text.say("  never assigned; this is what would happen now"),
    };
    text.blank();
    let mut table = Table::new(&[
        ("STEP", Align::Left),
        ("OUTCOME", Align::Left),
        ("DETAIL", Align::Left),
    ]);
    for step in &explanation.steps {
        table.row([plain(&step.step), plain(&step.outcome), plain(&step.detail)]);
    }
    text.append(table.text());
    text.blank();
    text.line(conclusion(explanation));
    text
}

fn stored_text(stored: &StoredAssignment) -> Text {
    let mut text = Text::new();
    text.say(format!(
        "  assigned {} to {} (lane {}, version {}) with probability {}",
        instant(stored.at),
        stored.arm,
        stored.lane,
        stored.version,
        probability(stored.propensity)
    ));
    let exposed = stored.exposed_at.map_or_else(
        || "not exposed yet".to_owned(),
        |at| format!("exposed {}", instant(at)),
    );
    let reward = stored.reward.map_or_else(
        || "no reward yet: its window is open".to_owned(),
        |reward| format!("reward {reward:.3}"),
    );
    text.say(format!("  {exposed}; {reward}"));
    text
}

fn conclusion(explanation: &Explanation) -> [Span; 2] {
    let arm = explanation.recomputed_arm.as_deref().unwrap_or("no arm");
    match explanation.agrees {
        Some(true) => [
            Span::new(Role::Good, "agrees"),
            plain(format!(": the recomputation gives {arm} too")),
        ],
        Some(false) => [
            Span::new(Role::Bad, "DISAGREES"),
            plain(format!(
                ": the recomputation gives {arm}; report this, it must not happen"
            )),
        ],
        None => [
            Span::new(Role::Strong, arm),
            plain(" is what a call would get now"),
        ],
    }
}
