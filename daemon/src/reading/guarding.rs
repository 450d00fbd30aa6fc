//! What guardrails say of an experiment, as a console sees it.

use bandit::experiment::{ArmId, RunState};
use bandit::guardrail::{Subject, Verdict as Word};
use bandit::spec::model::GuardrailSpec;
use protocol::guardrails::{Guardrail, Guardrails, Overridden, Verdict};

use super::{Reading, ReadingError};
use crate::store::guardrails::{self, Kept, Memory, Place, Said};
use crate::store::holds;
use crate::world::Live;

/// Verdicts of the past, at most: two screens.
const MOST_VERDICTS: i64 = 100;

/// And those that acted.
const MOST_ACTED: i64 = 20;

pub(super) async fn guardrails(reading: &Reading, live: &Live) -> Result<Guardrails, ReadingError> {
    let mut connection = reading.store.session().await?;
    let memories = guardrails::memories(&mut connection, live.id).await?;
    let overrides = guardrails::overrides(&mut connection, live.id).await?;
    let acted = guardrails::acted(&mut connection, live.id, MOST_ACTED).await?;
    let verdicts = guardrails::verdicts(&mut connection, live.id, MOST_VERDICTS).await?;
    let holds = holds::active(&mut connection).await?.into_iter();
    let holds = holds
        .filter(|(id, _)| *id == live.id)
        .map(|(_, hold)| hold.in_words(&live.serving.arms))
        .collect();
    drop(connection);
    let of = |spec: &GuardrailSpec| {
        let mine = memories.iter().filter(|((name, _), _)| *name == spec.name);
        let mine: Vec<(&Place, &Memory)> = mine.collect();
        Guardrail {
            name: spec.name.clone(),
            limit: spec.describe_limit(),
            action: spec.action.word().to_owned(),
            test: spec.test.word().to_owned(),
            window: spec.window.to_string(),
            breaches: spec.breaches,
            dry_run: spec.dry_run,
            status: worst(mine.iter().map(|(_, memory)| memory.said.verdict))
                .word()
                .to_owned(),
            verdicts: mine
                .into_iter()
                .map(|(place, memory)| present(live, place, memory))
                .collect(),
            overridden: overrides.get(&spec.name).map(|given| Overridden {
                by: given.by.clone(),
                why: given.why.clone(),
                at: given.at,
                until: given.until,
            }),
        }
    };
    let state = &live.serving.state;
    let (state_by, state_why) = by_and_why(state);
    Ok(Guardrails {
        experiment: live.serving.key.to_string(),
        state: state.name().to_owned(),
        state_since: state.since(),
        state_by,
        state_why,
        now: reading.clock.now(),
        guardrails: live.spec.guardrails.iter().map(of).collect(),
        acted: acted.iter().map(|it| past(live, it)).collect(),
        verdicts: verdicts.iter().map(|it| past(live, it)).collect(),
        holds,
    })
}

/// The verdict that a guardrail has in a list: a fail of one arm is a fail, and so is not knowing of all.
pub(super) fn worst(verdicts: impl Iterator<Item = Word>) -> Word {
    let rank = |word: &Word| match word {
        Word::Unknown => 0,
        Word::Pass => 1,
        Word::Warn => 2,
        Word::Fail => 3,
    };
    verdicts.max_by_key(rank).unwrap_or(Word::Unknown)
}

pub(super) fn by_and_why(state: &RunState) -> (String, String) {
    match state {
        RunState::Paused { by, why, .. }
        | RunState::Stopped { by, why, .. }
        | RunState::RolledBack { by, why, .. } => (by.clone(), why.clone()),
        RunState::Draft | RunState::Running { .. } | RunState::Archived { .. } => {
            (String::new(), String::new())
        }
    }
}

fn present(live: &Live, (guardrail, subject): &Place, memory: &Memory) -> Verdict {
    Verdict {
        fails: memory.run.fails,
        breached_at: memory.run.breached_at,
        action: memory.run.acted.map(|action| action.word().to_owned()),
        ..verdict(live, guardrail, *subject, &memory.said)
    }
}

fn past(live: &Live, kept: &Kept) -> Verdict {
    Verdict {
        action: kept.action.clone(),
        ..verdict(live, &kept.guardrail, kept.subject, &kept.said)
    }
}

fn verdict(live: &Live, guardrail: &str, subject: Subject, said: &Said) -> Verdict {
    Verdict {
        guardrail: guardrail.to_owned(),
        arm: match subject {
            Subject::Experiment => None,
            Subject::Arm(arm) => Some(name(live, arm)),
        },
        verdict: said.verdict.word().to_owned(),
        window_start: said.window_start,
        at: said.at,
        samples: said.samples as u64,
        value: said.value,
        limit: said.limit,
        statistic: said.statistic,
        bound: said.bound,
        fails: 0,
        breached_at: None,
        action: None,
        sentence: said.sentence.clone(),
    }
}

fn name(live: &Live, arm: ArmId) -> String {
    let known = live.serving.arm(arm);
    known.map_or_else(|| format!("arm {arm}"), |arm| arm.name.to_string())
}
