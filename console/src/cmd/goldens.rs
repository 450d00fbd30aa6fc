//! What every command prints for the samples: text without colour, and JSON, whose fields must stay.

use protocol::experiments::{Detail, Row, Stale};
use serde::Serialize;

use super::samples;
use super::{
    alerts, apply, audit, detail, experiments, explain, guardrails, health, insights, plan,
    results, watch, whatif, why,
};
use crate::output::{Text, versioned};

/// Text and JSON side by side.
fn golden<T: Serialize>(name: &str, text: &Text, json: &T) {
    let shown = format!("{}---\n{:#}\n", text.render(false), versioned(json));
    insta::assert_snapshot!(name, shown);
}

#[test]
fn every_answer_reads_well_and_keeps_its_fields() {
    let rows = [samples::row(), samples::young_row()];
    let list = experiments::List {
        environment: "prod",
        revision: 18_422,
        now: samples::now(),
        experiments: &rows,
    };
    golden("ls", &experiments::text(&list, 41), &list);
    let answer = samples::detail();
    golden("show", &detail::text(&answer), &answer);
    let answer = samples::results();
    golden("results", &results::text(&answer), &answer);
    let answer = samples::insights();
    golden("insights", &insights::text(&answer), &answer);
    let answer = samples::guardrails();
    golden("guardrails", &guardrails::text(&answer), &answer);
    golden("why", &why::text(&answer), &answer);
    let answer = samples::what_if();
    let rounded = samples::rounded(&answer);
    golden("whatif", &whatif::text(&answer, false), &rounded);
    let answer = samples::explanation(Some(true));
    golden("explain", &explain::text(&answer), &answer);
    let answer = samples::audit();
    golden("audit", &audit::text(&answer), &answer);
    let answer = samples::alerts();
    golden("alerts", &alerts::text(&answer), &answer);
    let answer = samples::health(true);
    golden("health", &health::text(&answer), &answer);
    let answer = samples::plan();
    golden("plan", &plan::text("experiments.toml", &answer), &answer);
    let applied = samples::applied();
    let outcome = apply::Outcome {
        plan: &answer,
        applied: Some(&applied),
    };
    golden("apply", &apply::done_text(&applied), &outcome);
}

#[test]
fn what_is_known_without_the_database_says_how_old_it_is() {
    let as_of = samples::now() - chrono::TimeDelta::seconds(250);
    let stale = |figures| Row {
        stale: Some(Stale { as_of, figures }),
        ..samples::row()
    };
    let rows = [stale(true), samples::young_row()];
    let list = experiments::List {
        environment: "prod",
        revision: 18_422,
        now: samples::now(),
        experiments: &rows,
    };
    let text = experiments::text(&list, 2).render(false);
    let said = "STALE: the database is away; as of ";
    assert!(
        text.starts_with(said) && text.contains(", 4m 10s old\n"),
        "{text}"
    );
    let answer = Detail {
        row: stale(false),
        ..samples::detail()
    };
    let rows = [answer.row.clone()];
    let unread = experiments::List {
        experiments: &rows,
        ..list
    };
    let text = experiments::text(&unread, 1).render(false);
    assert!(!text.contains("1,482,390"), "{text}");
    let text = detail::text(&answer).render(false);
    assert!(!text.contains("1,482,390"), "{text}");
    let unknown = ", 4m 10s old; counts and probabilities are not known\n";
    assert!(text.starts_with(said) && text.contains(unknown), "{text}");
}

#[test]
fn nothing_yet_says_what_to_type_first() {
    let list = experiments::List {
        environment: "prod",
        revision: 0,
        now: samples::now(),
        experiments: &[],
    };
    let text = experiments::text(&list, 0).render(false);
    assert!(
        text.contains("pitboss plan experiments.example.toml"),
        "{text}"
    );
    let text = experiments::text(&list, 41).render(false);
    assert_eq!(text, "0 of 41 experiments in prod, revision 0\n");
}

#[test]
fn what_must_hold_and_does_not_is_a_breach() {
    use super::Exit::{Breached, Done};
    for (agrees, exit) in [(None, Done), (Some(true), Done), (Some(false), Breached)] {
        assert_eq!(explain::verdict(&samples::explanation(agrees)), exit);
    }
    for (ok, exit) in [(true, Done), (false, Breached)] {
        assert_eq!(health::verdict(&samples::health(ok)), exit);
    }
}

#[test]
fn a_refused_plan_says_why_and_is_no_success() {
    let refused = protocol::plans::PlanReply {
        refused: vec!["pricing: the reward is settled once started; create a new key".into()],
        ..samples::plan()
    };
    let text = plan::text("a.toml", &refused).render(false);
    assert!(
        text.contains("It cannot be applied:\n  - pricing: the reward"),
        "{text}"
    );
    assert_eq!(plan::verdict(&refused), super::Exit::Refused);
}

#[test]
fn a_watch_says_only_what_changed() {
    let row = samples::row();
    let mut busier = row.clone();
    busier.assigned += 500;
    assert_eq!(watch::line::of(&row), watch::line::of(&busier));
    let mut moved = row.clone();
    moved.arms[1].share = 0.95;
    assert_ne!(watch::line::of(&row), watch::line::of(&moved));
    assert_eq!(
        watch::line::text(samples::now(), &row, &watch::line::of(&row)).render(false),
        "12:04:31Z  checkout_button       running      v37   blue 94.2%, P(best) 0.994\n"
    );
}
