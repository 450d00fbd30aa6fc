//! A decision as text, below whatever it belongs to.

use protocol::decision::{Decision, DecisionCheck, DecisionLine};

use super::format::instant;
use crate::output::{Role, Span, Text, plain};

/// The recommendation, with what to know about its rule.
pub(super) fn line(decision: &DecisionLine, text: &mut Text) {
    let role = match decision.decision.as_str() {
        "keep_running" => Role::Dim,
        "ship" => Role::Good,
        _ => Role::Warn,
    };
    text.line([
        Span::new(Role::Strong, "decision"),
        plain(": "),
        Span::new(role, &decision.sentence),
        plain(format!("  since {}", instant(decision.since))),
    ]);
    if let Some(caution) = &decision.caution {
        text.line([Span::new(Role::Warn, "but"), plain(": "), plain(caution)]);
    }
}

/// The recommendation, what it does by itself, its reasons, and the gates that do not hold.
pub(super) fn whole(decision: &Decision, text: &mut Text) {
    line(&decision.line, text);
    if let Some(acts) = &decision.acts {
        text.line([Span::new(Role::Warn, "by itself"), plain(": "), plain(acts)]);
    }
    for reason in &decision.reasons {
        check(reason, text);
    }
    let closed = decision.gates.iter().filter(|gate| gate.status != "pass");
    for gate in closed.filter(|gate| !decision.reasons.contains(gate)) {
        check(gate, text);
    }
}

fn check(check: &DecisionCheck, text: &mut Text) {
    let (role, word) = match check.status.as_str() {
        "pass" => (Role::Good, "ok"),
        "fail" => (Role::Warn, "not yet"),
        other => (Role::Dim, other),
    };
    text.line([
        plain("  "),
        Span::new(role, format!("{word:<8}")),
        plain(&check.text),
    ]);
}
