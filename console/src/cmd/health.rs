//! `pitboss health`: whether every part of the daemon is well.

use protocol::control::Health;

use super::daemon::Daemon;
use super::format::age;
use super::{Exit, Failure};
use crate::cli::Reading;
use crate::output::{self, Align, Answer, Form, Role, Span, Table, Text, plain, versioned};

pub(super) async fn run(daemon: &Daemon, reading: Reading) -> Result<Exit, Failure> {
    let health = daemon.client.health(Daemon::patience()).await??;
    let answer = Answer {
        text: text(&health),
        json: versioned(&health),
    };
    output::answer(&answer, Form::from_flag(reading.json))?;
    Ok(verdict(&health))
}

/// A part that is not well breaks what the others promise.
pub(super) fn verdict(health: &Health) -> Exit {
    if health.ok {
        Exit::Done
    } else {
        Exit::Breached
    }
}

pub(super) fn text(health: &Health) -> Text {
    let mut text = Text::new();
    text.line([
        well(health.ok),
        plain(format!(
            "  {}, up {}",
            health.build,
            age(health.now, health.started_at)
        )),
    ]);
    let mut table = Table::new(&[
        ("PART", Align::Left),
        ("", Align::Left),
        ("LAST RUN", Align::Right),
        ("DETAIL", Align::Left),
    ]);
    for part in &health.parts {
        let last = part.last_run.map_or_else(
            || "-".to_owned(),
            |at| format!("{} ago", age(health.now, at)),
        );
        table.row([
            plain(&part.name),
            well(part.ok),
            plain(last),
            plain(&part.detail),
        ]);
    }
    text.append(table.text());
    text
}

fn well(ok: bool) -> Span {
    if ok {
        Span::new(Role::Good, "ok")
    } else {
        Span::new(Role::Bad, "NOT WELL")
    }
}
