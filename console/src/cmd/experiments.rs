//! `pitboss ls`: the list.

use chrono::{DateTime, Utc};
use protocol::experiments::Row;
use serde::Serialize;

use super::Failure;
use super::daemon::Daemon;
use super::failure::counted;
use super::format::{self, count, guardrails, leader, percent, probability, state};
use crate::cli::LsArgs;
use crate::output::{Align, Answer, Role, Span, Table, Text, plain, versioned};

#[derive(Debug, Serialize)]
pub(super) struct List<'a> {
    pub environment: &'a str,
    pub revision: u64,
    /// The daemon's clock.
    #[serde(skip)]
    pub now: DateTime<Utc>,
    pub experiments: &'a [Row],
}

pub(super) async fn list(daemon: &Daemon, args: &LsArgs) -> Result<Answer, Failure> {
    let (revision, all) = daemon.rows().await?;
    let total = all.len();
    let rows: Vec<Row> = all.into_iter().filter(|row| wanted(row, args)).collect();
    let list = List {
        environment: &daemon.welcome.environment,
        revision,
        now: daemon.welcome.now,
        experiments: &rows,
    };
    Ok(Answer {
        text: text(&list, total),
        json: versioned(&list),
    })
}

fn wanted(row: &Row, args: &LsArgs) -> bool {
    let by_text = args.containing.as_deref();
    by_text.is_none_or(|text| row.key.contains(text))
        && args.state.as_deref().is_none_or(|state| row.state == state)
}

pub(super) fn text(list: &List<'_>, total: usize) -> Text {
    if total == 0 {
        return Text::of("No experiments yet: `pitboss plan experiments.example.toml` is a start.");
    }
    let mut text = Text::new();
    let stale = list.experiments.iter().filter_map(|row| row.stale);
    text.append(format::stale(
        list.now,
        stale.min_by_key(|stale| stale.as_of),
    ));
    if !list.experiments.is_empty() {
        text.append(table(list.experiments).text());
    }
    let shown = list.experiments.len();
    let of = if shown == total {
        String::new()
    } else {
        format!("{shown} of ")
    };
    text.line([Span::new(
        Role::Dim,
        format!(
            "{of}{} in {}, revision {}",
            counted(total, "experiment"),
            list.environment,
            list.revision
        ),
    )]);
    text
}

fn table(rows: &[Row]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("NAME", Left),
        ("STATE", Left),
        ("POLICY", Left),
        ("DEC/S", Right),
        ("ASSIGNED", Right),
        ("LEADER", Left),
        ("SHARE", Right),
        ("P(BEST)", Right),
        ("VERSION", Right),
        ("GUARD", Left),
    ])
    .sparing(&["VERSION", "SHARE", "ASSIGNED", "POLICY"]);
    for row in rows {
        let leader = leader(row);
        let of_leader = |figure: fn(f64) -> String, of: fn(&_) -> f64| {
            plain(leader.map_or_else(|| "-".to_owned(), |arm| figure(of(arm))))
        };
        table.row([
            Span::new(Role::Strong, &row.key),
            state(&row.state),
            plain(&row.policy),
            plain(if_known(row, format!("{:.1}", row.decisions_per_sec))),
            plain(if_known(row, count(row.assigned))),
            plain(leader.map_or("-", |arm| &arm.name)),
            of_leader(percent, |arm| arm.share),
            of_leader(probability, |arm| arm.p_best),
            plain(row.version.to_string()),
            guardrails(row),
        ]);
    }
    table
}

/// Without the database a daemon may never have read what it is asked for.
fn if_known(row: &Row, figure: String) -> String {
    if row.stale.is_some_and(|stale| !stale.figures) {
        return "-".to_owned();
    }
    figure
}
