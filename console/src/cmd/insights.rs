//! `pitboss insights`: the results in words.

use protocol::experiments::Insights;

use super::Failure;
use super::daemon::Daemon;
use super::format::{count, instant, probability, rate};
use crate::output::{Align, Answer, Role, Span, Table, Text, plain, versioned};

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
    text.say(&insights.summary);
    text.blank();
    text.append(table(insights).text());
    if !insights.caveats.is_empty() {
        text.blank();
    }
    for caveat in &insights.caveats {
        text.line([Span::new(Role::Warn, "note"), plain(": "), plain(caveat)]);
    }
    text
}

fn table(insights: &Insights) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("ARM", Left),
        ("SAMPLES", Right),
        ("RATE", Right),
        ("95% INTERVAL", Right),
        ("P(BEST)", Right),
        ("P(>CONTROL)", Right),
        ("READING", Left),
    ]);
    for arm in &insights.arms {
        table.row([
            plain(&arm.arm),
            plain(count(arm.samples)),
            plain(rate(arm.rate)),
            plain(format!("{} .. {:>6}", rate(arm.low), rate(arm.high))),
            plain(probability(arm.p_best)),
            plain(
                arm.p_beats_control
                    .map_or_else(|| "-".to_owned(), probability),
            ),
            plain(&arm.recommendation),
        ]);
    }
    table
}
