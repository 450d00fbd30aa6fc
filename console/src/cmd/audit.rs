//! `pitboss audit`: who changed what and why.

use protocol::control::{AuditPage, AuditQuery};

use super::Failure;
use super::daemon::Daemon;
use super::format::instant;
use crate::cli::AuditArgs;
use crate::output::{Align, Answer, Role, Span, Table, Text, plain, versioned};

pub(super) async fn run(daemon: &Daemon, args: &AuditArgs) -> Result<Answer, Failure> {
    let query = AuditQuery {
        key: args.key.clone(),
        before: args.before,
        limit: args.limit,
    };
    let page = daemon.client.audit(Daemon::patience(), query).await??;
    Ok(Answer {
        text: text(&page),
        json: versioned(&page),
    })
}

pub(super) fn text(page: &AuditPage) -> Text {
    use Align::{Left, Right};
    if page.entries.is_empty() {
        return Text::of("Nothing has been changed yet.");
    }
    let mut table = Table::new(&[
        ("SEQ", Right),
        ("TIME", Left),
        ("ACTOR", Left),
        ("VIA", Left),
        ("ACTION", Left),
        ("TARGET", Left),
        ("RESULT", Left),
        ("REV", Right),
        ("REASON", Left),
    ]);
    for entry in &page.entries {
        let role = if entry.result == "ok" {
            Role::Plain
        } else {
            Role::Bad
        };
        table.row([
            plain(entry.seq.to_string()),
            plain(instant(entry.at)),
            plain(&entry.actor),
            plain(&entry.via),
            plain(&entry.action),
            plain(&entry.target),
            Span::new(role, &entry.result),
            plain(entry.revision.to_string()),
            plain(&entry.reason),
        ]);
    }
    let mut text = table.text();
    if let Some(before) = page.next {
        text.line([Span::new(
            Role::Dim,
            format!("older ones: pitboss audit --before {before}"),
        )]);
    }
    text
}
