//! How figures and instants are written, the same in every command.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::experiments::{ArmRow, Row, Stale};
use protocol::source::Source;

use crate::output::{Role, Span, Text, plain};

/// `1,482,390`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share as `89.0%`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A probability with three digits; one that is nearly certain does not look certain, here as on the screens.
pub(super) fn probability(p: f64) -> String {
    crate::view::text::probability(p)
}

/// Where figures were read from, where that is worth a line; a fallback is worth a warning.
pub(super) fn source(source: Option<&Source>) -> Text {
    let mut text = Text::new();
    if let Some(source) = source {
        let role = if source.note.is_some() {
            Role::Warn
        } else {
            Role::Dim
        };
        text.line([Span::new(role, format!("  {}", source.in_words()))]);
    }
    text
}

/// That what follows is not of now, where it is not.
pub(super) fn stale(now: DateTime<Utc>, stale: Option<Stale>) -> Text {
    let mut text = Text::new();
    if let Some(Stale { as_of, figures }) = stale {
        let unknown = if figures {
            ""
        } else {
            "; counts and probabilities are not known"
        };
        let as_of = format!(
            ": the database is away; as of {}, {} old{unknown}",
            instant(as_of),
            age(now, as_of)
        );
        text.line([Span::new(Role::Warn, "STALE"), plain(as_of)]);
    }
    text
}

/// `2026-02-01 12:04:31Z`
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `12:04:31Z`, where the day is plain.
pub(super) fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%SZ").to_string()
}

/// How long ago `at` was at `now`, by the daemon's clock: `8s`, `4m`, `6d 2h`.
pub(super) fn age(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let age = (now - at).max(TimeDelta::zero());
    let (seconds, minutes, hours, days) = (
        age.num_seconds(),
        age.num_minutes(),
        age.num_hours(),
        age.num_days(),
    );
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// A state's word, marked by what it means for users.
pub(super) fn state(state: &str) -> Span {
    let role = match state {
        "running" => Role::Good,
        "paused" => Role::Warn,
        "rolled_back" => Role::Bad,
        "draft" | "stopped" | "archived" => Role::Dim,
        _ => Role::Plain,
    };
    Span::new(role, state)
}

/// The open arm with the greatest probability of being the best; none while nothing has been learned.
pub(super) fn leader(row: &Row) -> Option<&ArmRow> {
    let learned = row.arms.iter().any(|arm| arm.resolved > 0);
    let open = row.arms.iter();
    let open = open.filter(|arm| !arm.retired && !arm.quarantined);
    open.max_by(|a, b| a.p_best.total_cmp(&b.p_best))
        .filter(|_| learned)
}

/// The worst word of its guardrails, and how many are not evaluated.
pub(super) fn guardrails(row: &Row) -> Span {
    let having = |status: &str| row.guardrails.iter().filter(|g| g.status == status).count();
    let (failing, warning) = (having("fail"), having("warn"));
    let (idle, unknown) = (having("not_active"), having("unknown"));
    match (failing, warning) {
        (0, 0) if row.guardrails.is_empty() => Span::new(Role::Dim, "none"),
        (0, 0) if idle == row.guardrails.len() => Span::new(Role::Dim, "not active"),
        (0, 0) if unknown > 0 => Span::new(Role::Dim, format!("unknown {unknown}")),
        (0, 0) => Span::new(Role::Good, "ok"),
        (0, _) => Span::new(Role::Warn, format!("WARN {warning}")),
        _ => Span::new(Role::Bad, format!("BREACH {failing}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_three() {
        for (number, wanted) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_482_390, "1,482,390"),
        ] {
            assert_eq!(count(number), wanted);
        }
    }

    #[test]
    fn ages_keep_two_units() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(10);
        for (seconds, wanted) in [
            (-5, "0s"),
            (8, "8s"),
            (250, "4m 10s"),
            (7_300, "2h 1m"),
            (525_600, "6d 2h"),
        ] {
            assert_eq!(age(now, now - TimeDelta::seconds(seconds)), wanted);
        }
    }
}
