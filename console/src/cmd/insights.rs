//! `pitboss insights`: the results in words.

use protocol::experiments::Insights;

use super::daemon::Daemon;
use super::format::{count, instant, probability, source};
use super::{Failure, decision, evidence};
use crate::output::{Align, Answer, Role, Span, Table, Text, plain, versioned};
use crate::units::Units;

pub(super) async fn run(daemon: &Daemon, key: &str) -> Result<Answer, Failure> {
    let context = Daemon::patience();
    let insights = daemon.client.insights(context, key.to_owned()).await??;
    Ok(Answer {
        text: text(&insights),
        json: versioned(&insights),
    })
}

pub(super) fn text(insights: &Insights) -> Text {
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, &insights.experiment),
        plain(format!("  as of {}", instant(insights.as_of))),
    ]);
    text.append(source(insights.source.as_ref()));
    text.say(&insights.summary);
    if let Some(decision) = &insights.decision {
        decision::whole(decision, &mut text);
    }
    let units = Units::of(insights.scale);
    text.blank();
    text.append(table(insights, units).text());
    if let Some(found) = &insights.evidence {
        text.blank();
        text.append(evidence::weighted(found, units));
    }
    text.blank();
    for arm in &insights.arms {
        text.line([
            Span::new(Role::Strong, &arm.arm),
            plain(": "),
            plain(&arm.recommendation),
        ]);
    }
    if !insights.caveats.is_empty() {
        text.blank();
    }
    for caveat in &insights.caveats {
        text.line([Span::new(Role::Warn, "note"), plain(": "), plain(caveat)]);
    }
    text
}

fn table(insights: &Insights, units: Units) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("ARM", Left),
        ("SAMPLES", Right),
        ("PENDING", Right),
        ("MEAN", Right),
        ("95% INTERVAL", Right),
        ("P(BEST)", Right),
        ("P(>CTRL)", Right),
    ]);
    for arm in &insights.arms {
        let seen = |figure: String| {
            if arm.samples == 0 {
                return "no data".to_owned();
            }
            figure
        };
        table.row([
            plain(&arm.arm),
            plain(count(arm.samples)),
            plain(count(arm.pending)),
            plain(seen(units.value(arm.rate))),
            plain(seen(units.interval(arm.low, arm.high))),
            plain(probability(arm.p_best)),
            plain(
                arm.p_beats_control
                    .map_or_else(|| "-".to_owned(), probability),
            ),
        ]);
    }
    table
}
