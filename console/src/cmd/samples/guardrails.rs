//! Guardrails that have rolled an experiment back.

use chrono::TimeDelta;
use protocol::guardrails::{Guardrail, Guardrails, Verdict};

use super::now;

pub(in crate::cmd) fn guardrails() -> Guardrails {
    let at = now() - TimeDelta::seconds(14);
    let verdict = |arm: Option<&str>, verdict: &str, samples: u64, sentence: &str| Verdict {
        guardrail: "checkout errors".into(),
        arm: arm.map(str::to_owned),
        verdict: verdict.into(),
        window_start: now() - TimeDelta::minutes(3),
        at,
        samples,
        value: Some(0.031),
        limit: Some(0.01),
        statistic: Some(21.4),
        bound: Some(9.210_340_371_976_184),
        fails: 0,
        breached_at: None,
        action: None,
        sentence: sentence.into(),
    };
    let acted = Verdict {
        fails: 2,
        breached_at: Some(at),
        action: Some("rollback".into()),
        ..verdict(
            Some("blue"),
            "fail",
            1_310,
            "blue: 3.10% of 1310 against 1.00%, evidence 21.4 of 9.2",
        )
    };
    Guardrails {
        experiment: "checkout_button".into(),
        state: "rolled_back".into(),
        state_since: Some(at),
        state_by: "pitbossd (guardrail checkout errors)".into(),
        state_why:
            "guardrail checkout errors: blue: 3.10% of 1310 against 1.00%, evidence 21.4 of 9.2"
                .into(),
        now: now(),
        guardrails: vec![Guardrail {
            name: "checkout errors".into(),
            limit: "checkout_error rate < 1%".into(),
            action: "rollback".into(),
            test: "sequential".into(),
            window: "5m".into(),
            breaches: 2,
            dry_run: false,
            status: "fail".into(),
            verdicts: vec![
                verdict(
                    None,
                    "pass",
                    2_702,
                    "all arms: 0.70% of 2702 against 1.00%, evidence 0.4 of 9.2",
                ),
                acted.clone(),
                verdict(
                    Some("green"),
                    "pass",
                    1_392,
                    "green: 0.22% of 1392 against 1.00%, evidence 0.0 of 9.2",
                ),
            ],
            overridden: None,
        }],
        acted: vec![acted],
        verdicts: vec![],
        holds: vec!["rolled back by pitbossd (guardrail checkout errors): blue: 3.10%".into()],
    }
}
