//! A verdict in a sentence: the figure, how many it goes by, the limit, the test.

use bandit::guardrail::{Because, Verdict};
use bandit::spec::model::{EventMeasure, GuardrailCheck, GuardrailSpec, GuardrailTest, OnNoData};

use super::figures::Figure;

/// Such as `blue: 3.1% of 412 against 1%, evidence 9.6 of 9.2`.
pub(super) fn sentence(
    subject: &str,
    spec: &GuardrailSpec,
    figure: &Figure,
    (verdict, because): (Verdict, Because),
) -> String {
    let mut text = format!("{subject}: {}", measured(spec, figure));
    if let Some(test) = test(spec, figure) {
        text = format!("{text}, {test}");
    }
    let why = match (because, verdict) {
        (Because::Test, _) => None,
        (Because::WarmUp, _) => Some(format!("not judged in the first {}", spec.warm_up)),
        (Because::TooFew, _) => Some("too few to tell".to_owned()),
        (Because::NotServed, _) => Some("no new units while it is not running".to_owned()),
        (Because::Silence, Verdict::Unknown) if spec.on_no_data == OnNoData::Hold => {
            Some("nothing comes".to_owned())
        }
        (Because::Silence, Verdict::Unknown) => Some(format!(
            "nothing comes; after {} that is a {}",
            spec.grace,
            spec.on_no_data.word()
        )),
        (Because::Silence, _) => Some(format!("nothing has come for more than {}", spec.grace)),
    };
    if let Some(why) = why {
        text = format!("{text}; {why}");
    }
    if let Some(note) = &figure.note {
        text = format!("{text}; {note}");
    }
    text
}

fn measured(spec: &GuardrailSpec, figure: &Figure) -> String {
    let (value, limit) = (figure.value, figure.limit.unwrap_or(0.0));
    let samples = figure
        .counted
        .map_or(figure.samples, |counted| counted.total);
    match &spec.check {
        GuardrailCheck::Latency { quantile, .. } => {
            let p = quantile.get() * 100.0;
            let now = value.map_or("-".to_owned(), |value| format!("{value:.0} ms"));
            let over = figure.counted.and_then(bandit::guardrail::Window::rate);
            let over = over.map_or(String::new(), |over| format!(" ({} above)", percent(over)));
            format!("p{p} {now}{over} of {samples:.0} against {limit:.0} ms")
        }
        GuardrailCheck::ErrorRate { .. }
        | GuardrailCheck::Event {
            measure: EventMeasure::Rate,
            ..
        } => {
            let now = value.map_or("-".to_owned(), percent);
            format!("{now} of {samples:.0} against {}", percent(limit))
        }
        GuardrailCheck::Event {
            measure: EventMeasure::Mean,
            ..
        } => {
            let now = value.map_or("-".to_owned(), |value| format!("{value:.2}"));
            format!("mean {now} of {samples:.0} against {limit}")
        }
        GuardrailCheck::RewardDrop { .. } => {
            let now = value.map_or("-".to_owned(), signed);
            format!(
                "{now} to control with {samples:.0} outcomes, limit {}",
                signed(limit)
            )
        }
        GuardrailCheck::Concentration { .. } => {
            let now = value.map_or("-".to_owned(), percent);
            format!(
                "{now} of the units with {samples:.0} outcomes, limit {}",
                percent(limit)
            )
        }
        GuardrailCheck::Srm { .. } => {
            let now = value.map_or("-".to_owned(), |p| format!("{p:.2e}"));
            format!("sample ratio p {now} of {samples:.0} units against {limit}")
        }
        GuardrailCheck::Staleness { limit } => {
            let now = value.map_or("-".to_owned(), |seconds| format!("{seconds:.0} s"));
            format!("nobody exposed for {now}, limit {limit}")
        }
    }
}

fn test(spec: &GuardrailSpec, figure: &Figure) -> Option<String> {
    let (statistic, bound) = (figure.statistic?, figure.bound?);
    match (&spec.check, spec.test) {
        (GuardrailCheck::RewardDrop { .. }, _) => {
            Some(format!("surely below {}", signed(statistic)))
        }
        (GuardrailCheck::Srm { .. }, _) => Some(format!("evidence {statistic:.1} of {bound:.1}")),
        (
            GuardrailCheck::Event {
                measure: EventMeasure::Mean,
                ..
            },
            _,
        )
        | (_, GuardrailTest::Posterior) => Some(format!("P(over) {statistic:.3} of {bound}")),
        (_, GuardrailTest::Sequential) => Some(format!("evidence {statistic:.1} of {bound:.1}")),
        (_, GuardrailTest::Threshold) => None,
    }
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

fn signed(share: f64) -> String {
    format!("{:+.1}%", share * 100.0)
}
