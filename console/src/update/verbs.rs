//! Start, pause, resume, stop, roll back, archive: what happens at once, and what is asked first.

use bandit::experiment::Verb;
use protocol::control::VerbRequest;
use protocol::experiments::Row;

use crate::effect::{Call, Effect};
use crate::model::dialog::{Action, Dialog, Focus};
use crate::model::field::TextField;
use crate::model::{Asked, Model};
use crate::view::text;

use super::call;

/// Do it, or ask first. `reason` is what came with the `:` line, else empty.
pub(super) fn ask(model: &mut Model, verb: Verb, key: &str, reason: &str) -> Vec<Effect> {
    let Some(row) = model.shown().rows.get(key).cloned() else {
        return Vec::new();
    };
    if happens_at_once(verb, &row) {
        let reason = if reason.is_empty() {
            proposal(verb)
        } else {
            reason
        };
        return send(model, verb, key, row.revision, &row.state, reason, false);
    }
    let reason = match (reason.is_empty(), row.state.as_str()) {
        (false, _) => reason,
        (true, "rolled_back") if verb == Verb::Resume => "",
        (true, _) => proposal(verb),
    };
    model.dialog = Some(dialog(model, verb, &row, reason));
    Vec::new()
}

/// Pausing, and resuming what was paused, can be taken back.
fn happens_at_once(verb: Verb, row: &Row) -> bool {
    verb == Verb::Pause || (verb == Verb::Resume && row.state == "paused")
}

/// The reason that is proposed; the audit log shows it, so it says no more than is known.
fn proposal(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "started by the operator",
        Verb::Pause => "paused by the operator",
        Verb::Resume => "resumed by the operator",
        Verb::Stop => "the experiment is over",
        Verb::Rollback => "rolled back by the operator",
        Verb::Archive => "no longer needed",
    }
}

/// Take the last pause or resume back.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    let Some(undo) = model.undo.take() else {
        return Vec::new();
    };
    let from = model.data.rows.get(&undo.key);
    let from = from.map_or_else(String::new, |row| row.state.clone());
    let reason = format!("undo, back to {}", after(undo.verb));
    send(
        model,
        undo.verb,
        &undo.key,
        undo.revision,
        &from,
        &reason,
        true,
    )
}

fn after(verb: Verb) -> &'static str {
    match verb {
        Verb::Start | Verb::Resume => "running",
        Verb::Pause => "paused",
        Verb::Stop => "stopped",
        Verb::Rollback => "rolled back",
        Verb::Archive => "archived",
    }
}

/// Send a change of state, against the revision that was on screen.
pub(super) fn send(
    model: &mut Model,
    verb: Verb,
    key: &str,
    revision: u64,
    from: &str,
    reason: &str,
    undoing: bool,
) -> Vec<Effect> {
    let asked = Asked::Verb {
        verb,
        key: key.to_owned(),
        from: from.to_owned(),
        undoing,
    };
    call(model, asked, |request_id| Call::Verb {
        verb,
        request: VerbRequest {
            key: key.to_owned(),
            reason: reason.to_owned(),
            request_id,
            expect_revision: Some(revision),
        },
    })
}

fn dialog(model: &Model, verb: Verb, row: &Row, reason: &str) -> Dialog {
    let irreversible = matches!(verb, Verb::Stop | Verb::Archive);
    let place = place(model);
    Dialog {
        action: Action::Verb {
            verb,
            key: row.key.clone(),
            revision: row.revision,
            from: row.state.clone(),
        },
        title: format!("{} {} in {place}", text::capital(verb.as_str()), row.key),
        lines: consequences(verb, row),
        reason: TextField::new(reason),
        proof: irreversible.then(|| row.key.clone()),
        typed: TextField::default(),
        focus: Focus::Cancel,
        yes: text::capital(verb.as_str()),
    }
}

/// The environment, in capitals where mistakes hurt.
pub(super) fn place(model: &Model) -> String {
    let environment = model.link.environment().unwrap_or("?");
    if model.link.production() {
        environment.to_uppercase()
    } else {
        environment.to_owned()
    }
}

/// How many feel a change.
pub(super) fn serving(row: &Row) -> String {
    let rate = text::rate(row.decisions_per_sec);
    let assigned = text::count(row.assigned);
    format!("It assigns {rate} new units/s now; {assigned} units have an arm.")
}

/// What will happen, to how many, and whether it can be undone.
fn consequences(verb: Verb, row: &Row) -> Vec<String> {
    let control = row.arms.iter().find(|arm| arm.control);
    let control = control.map_or("control", |arm| arm.name.as_str());
    let traffic = text::percent(row.traffic, 0);
    let serving = serving(row);
    match verb {
        Verb::Start => vec![
            format!(
                "{} arms share {traffic} of the eligible units at once.",
                row.arms.len()
            ),
            "Its reward, its salt and its control are settled from then on.".to_owned(),
            "It can be paused, but not made a draft again.".to_owned(),
        ],
        Verb::Stop => vec![
            serving,
            format!("From the next request on everyone gets \"{control}\"."),
            "Open windows still resolve. Irreversible: it cannot run again.".to_owned(),
        ],
        Verb::Rollback => vec![
            serving,
            format!("From the next request on everyone gets \"{control}\"."),
            "It can be resumed with a reason.".to_owned(),
        ],
        Verb::Resume => vec![
            format!("It was rolled back: {}", said(&row.state_why)),
            "Units with an arm get it back, new units draw one again.".to_owned(),
            "It can be paused or rolled back again.".to_owned(),
        ],
        Verb::Archive => vec![
            "It goes out of the list. Its ledger stays and its key is never reused.".to_owned(),
            "Irreversible.".to_owned(),
        ],
        Verb::Pause => vec![serving],
    }
}

fn said(why: &str) -> &str {
    if why.is_empty() {
        "nobody said why"
    } else {
        why
    }
}
