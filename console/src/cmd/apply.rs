//! `pitboss apply`: plan, show, ask, and carry it out at the revision that was shown.

use protocol::plans::{Applied, ApplyRequest, ChangeKind, PlanReply};
use serde::Serialize;

use super::confirm::{self, Grade};
use super::daemon::Daemon;
use super::plan;
use super::{Exit, Failure, apply_request};
use crate::cli::ApplyArgs;
use crate::output::{self, Answer, Form, Role, Span, Text, plain, versioned};

/// What `--json` prints: what was planned, and what came of it; `None` where nothing was to be done or the
/// plan was refused.
#[derive(Debug, Serialize)]
pub(super) struct Outcome<'a> {
    pub plan: &'a PlanReply,
    pub applied: Option<&'a Applied>,
}

pub(super) async fn run(daemon: &Daemon, args: &ApplyArgs) -> Result<Exit, Failure> {
    let form = Form::from_flag(args.plan.reading.json);
    let request = plan::request(&args.plan)?;
    let reply = plan::ask(daemon, request.clone()).await?;
    let shown = plan::text(&request.file, &reply);
    if !reply.refused.is_empty() || reply.changes.is_empty() {
        output::answer(&outcome(shown, &reply, None), form)?;
        return Ok(plan::verdict(&reply));
    }
    if form == Form::Text {
        output::text(&shown)?;
    }
    let deed = deed(&daemon.welcome.environment, &reply);
    let yes = args.acting.yes;
    confirm::confirm(&deed, &question_about(form, shown), &grade(&reply), yes)?;
    let proposal = format!("apply {}", request.file);
    let reason = confirm::reason(args.acting.reason.as_deref(), &proposal, yes)?;
    let request = apply_request(request, reply.base_revision, &reason);
    let applied = carry_out(daemon, request).await?;
    output::answer(&outcome(done_text(&applied), &reply, Some(&applied)), form)?;
    Ok(Exit::Done)
}

/// Send it; a broken connection is tried once more under the same request id.
pub(super) async fn carry_out(daemon: &Daemon, request: ApplyRequest) -> Result<Applied, Failure> {
    daemon
        .insist(|client| {
            let request = request.clone();
            async move { client.apply(plan::applying(), request).await }
        })
        .await
}

/// Where the plan went to nobody's eyes because standard output is for a script, the question shows it.
fn question_about(form: Form, shown: Text) -> Text {
    match form {
        Form::Text => Text::new(),
        Form::Json => shown,
    }
}

fn stops(reply: &PlanReply) -> Vec<&str> {
    let stops = reply.changes.iter().filter(|c| c.kind == ChangeKind::Stop);
    stops.map(|change| change.key.as_str()).collect()
}

/// One stopped experiment is typed by its name; of several, how many.
fn grade(reply: &PlanReply) -> Grade {
    match stops(reply).as_slice() {
        [] => Grade::Costly,
        [key] => Grade::Irreversible {
            typed: (*key).to_owned(),
        },
        several => Grade::Irreversible {
            typed: format!("stop {}", several.len()),
        },
    }
}

fn deed(environment: &str, reply: &PlanReply) -> String {
    match stops(reply).as_slice() {
        [] => format!("apply this plan in {environment}"),
        keys => format!(
            "apply this plan in {environment}, which stops {}",
            keys.join(", ")
        ),
    }
}

fn outcome(text: Text, plan: &PlanReply, applied: Option<&Applied>) -> Answer {
    Answer {
        text,
        json: versioned(&Outcome { plan, applied }),
    }
}

pub(super) fn done_text(applied: &Applied) -> Text {
    let mut text = Text::new();
    let repeated = if applied.repeated {
        " (it had been carried out before the connection broke)"
    } else {
        ""
    };
    text.blank().line([
        Span::new(Role::Good, "done"),
        plain(format!(": {}{repeated}", applied.outcome)),
    ]);
    text
}

#[cfg(test)]
mod tests {
    use protocol::plans::Change;

    use super::*;

    fn plan(kinds: &[(&str, ChangeKind)]) -> PlanReply {
        let change = |(key, kind): &(&str, ChangeKind)| Change {
            key: (*key).to_owned(),
            kind: *kind,
            fields: vec![],
            effects: vec![],
            not_active: vec![],
            holds: vec![],
        };
        PlanReply {
            base_revision: 7,
            changes: kinds.iter().map(change).collect(),
            unchanged: vec![],
            not_declared: vec![],
            refused: vec![],
        }
    }

    #[test]
    fn a_plan_that_stops_something_is_confirmed_by_name() {
        use ChangeKind::{Add, Stop};
        let typed = |text: &str| Grade::Irreversible { typed: text.into() };
        for (kinds, wanted) in [
            (vec![("a", Add)], Grade::Costly),
            (vec![("a", Add), ("promo", Stop)], typed("promo")),
            (vec![("promo", Stop), ("b", Stop)], typed("stop 2")),
        ] {
            assert_eq!(grade(&plan(&kinds)), wanted);
        }
    }

    #[test]
    fn the_question_names_the_environment_and_what_stops() {
        let reply = plan(&[("promo", ChangeKind::Stop)]);
        assert_eq!(
            deed("prod", &reply),
            "apply this plan in prod, which stops promo"
        );
    }
}
