//! Plans as they go over the wire and into the audit log.

use bandit::experiment::Revision;
use bandit::plan::{self, Plan};
use bandit::spec;
use protocol::plans::{Change, ChangeKind, Effect, FieldChange, PlanReply, PlanRequest};
use protocol::refusal::{Code, Problem, Refusal};

pub(super) fn reply(base: Revision, plan: Plan) -> PlanReply {
    let Plan {
        changes,
        unchanged,
        not_declared,
        refused,
    } = plan;
    PlanReply {
        base_revision: base.0,
        changes: changes.into_iter().map(change).collect(),
        unchanged: unchanged.into_iter().map(String::from).collect(),
        not_declared: not_declared.into_iter().map(String::from).collect(),
        refused,
    }
}

fn change(change: plan::Change) -> Change {
    let plan::Change {
        key,
        kind,
        fields,
        effects,
        holds,
        released: _,
        verb: _,
        spec: _,
    } = change;
    Change {
        key: key.into(),
        kind: match kind {
            plan::ChangeKind::Add => ChangeKind::Add,
            plan::ChangeKind::Change => ChangeKind::Change,
            plan::ChangeKind::Stop => ChangeKind::Stop,
        },
        fields: fields.into_iter().map(field).collect(),
        effects: effects.into_iter().map(effect).collect(),
        // Everything that a file may declare has its engine; older consoles expect the list.
        not_active: Vec::new(),
        holds,
    }
}

fn field(field: plan::FieldChange) -> FieldChange {
    let plan::FieldChange { path, from, to } = field;
    FieldChange { path, from, to }
}

fn effect(effect: plan::Effect) -> Effect {
    let plan::Effect { warning, text } = effect;
    Effect { warning, text }
}

/// The file's problems, all of them.
pub(super) fn problems(found: Vec<spec::Problem>) -> Refusal {
    let message = match found.as_slice() {
        [one] => format!("{}:{}: {}", one.file, one.line, one.message),
        several => format!("the file has {} problems", several.len()),
    };
    let problems = found
        .into_iter()
        .map(|problem| Problem {
            file: problem.file,
            line: problem.line,
            message: problem.message,
            fix: problem.fix,
        })
        .collect();
    Refusal {
        code: Code::Invalid,
        message,
        problems,
    }
}

/// A plan that cannot be applied.
pub(super) fn refused(plan: &Plan) -> Refusal {
    Refusal::new(Code::IllegalState, plan.refused.join("; "))
}

/// What the audit log keeps of an applied plan.
pub(super) fn detail(plan: &Plan, asked: &PlanRequest) -> serde_json::Value {
    let changes: Vec<_> = plan
        .changes
        .iter()
        .filter(|it| it.alters())
        .map(|it| {
            let fields: Vec<_> = it
                .fields
                .iter()
                .map(|field| serde_json::json!([field.path, field.from, field.to]))
                .collect();
            serde_json::json!({
                "key": it.key,
                "verb": it.verb,
                "spec": it.spec.is_some(),
                "released": it.released,
                "fields": fields,
            })
        })
        .collect();
    serde_json::json!({
        "changes": changes,
        "prune": asked.prune,
        "release_holds": asked.release_holds,
    })
}
