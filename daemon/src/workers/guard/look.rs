//! A look at all guardrails of one experiment: what each says of each of its subjects, and what is due.

use std::collections::{BTreeMap, BTreeSet};

use bandit::decision::Evidence;
use bandit::experiment::{Arm, ArmId, Millis, RunState};
use bandit::guardrail::{
    Act, Because, Circumstances, GOOD_TO_CLEAR, Override, Run, Sight, State, Subject, Verdict,
    Watch, consequence, verdict,
};
use bandit::spec::model::{GuardrailAction, GuardrailCheck, GuardrailSpec};
use chrono::{DateTime, Utc};

use super::counts::{self, Learned};
use super::figures::{self, Figure};
use super::words;
use crate::store::alerts::Severity;
use crate::store::experiments::Stored;
use crate::store::guardrails::{Judges, Memory, Place, Said};
use crate::store::state::LaneStats;

/// What a look goes by.
pub(super) struct Look<'a> {
    pub(super) stored: &'a Stored,
    pub(super) started_at: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
    pub(super) learned: &'a Learned,
    /// Over all lanes; empty where no check asks for it.
    pub(super) stats: &'a LaneStats,
    /// Comparisons of rewards and of shares; only now and then, because they read every policy version.
    pub(super) evidence: Option<&'a Evidence>,
    pub(super) before: &'a BTreeMap<Place, Memory>,
    pub(super) overrides: &'a BTreeMap<String, Override>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// When.
    pub now: DateTime<Utc>,
    /// In which state the experiment was.
    pub state: RunState,
    /// What is to be remembered, of every guardrail and subject.
    pub memories: BTreeMap<Place, Memory>,
    /// Guardrails whose override is over.
    pub armed_again: Vec<String>,
    /// Whose action is to tell people, from this look on.
    pub alerted: BTreeSet<Place>,
    /// What people are told of, as long as it lasts.
    pub wrong: Vec<Wrong>,
    /// Identities of what is over.
    pub over: Vec<String>,
    /// What is to be done, the worst there is.
    pub due: Option<Due>,
}

/// A breach, as people are told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrong {
    /// What makes it the same alert at the next look.
    pub identity: String,
    /// The guardrail.
    pub guardrail: String,
    /// The arm, if it is one.
    pub arm: Option<String>,
    /// Critical where it acts.
    pub severity: Severity,
    /// The verdict.
    pub said: Said,
}

/// `guardrail/<key>/<guardrail>/<arm or *>`.
pub(super) fn identity(key: &str, guardrail: &str, subject: Subject, arms: &[Arm]) -> String {
    let arm = match subject {
        Subject::Experiment => "*".to_owned(),
        Subject::Arm(id) => arms
            .iter()
            .find(|arm| arm.id == id)
            .map_or_else(|| id.to_string(), |arm| arm.name.to_string()),
    };
    format!("guardrail/{key}/{guardrail}/{arm}")
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// What.
    pub act: Act,
    /// The guardrail that wants it.
    pub guardrail: String,
    /// Its subjects that are in breach.
    pub by: Vec<Subject>,
    /// In a sentence.
    pub why: String,
    /// When the breach began.
    pub breached_at: DateTime<Utc>,
}

impl Judged {
    /// A breach has acted.
    pub fn mark(&mut self, place: &Place, action: GuardrailAction, at: DateTime<Utc>) {
        if let Some(memory) = self.memories.get_mut(place) {
            memory.run.acted = Some(action);
            memory.acted_at = Some(at);
        }
    }
}

impl Look<'_> {
    pub(super) fn judge(&self) -> Judged {
        let mut judged = Judged {
            now: self.now,
            state: self.stored.state.clone(),
            memories: BTreeMap::new(),
            armed_again: Vec::new(),
            alerted: BTreeSet::new(),
            wrong: Vec::new(),
            over: self.undeclared(),
            due: None,
        };
        for spec in &self.stored.spec.guardrails {
            self.judge_one(spec, &mut judged);
        }
        judged
    }

    fn judge_one(&self, spec: &GuardrailSpec, judged: &mut Judged) {
        let mut breached: Vec<(Subject, Memory)> = Vec::new();
        for subject in self.subjects(&spec.check) {
            let place = (spec.name.clone(), subject);
            let memory = self.memory(spec, &place);
            if memory.run.is_breached() {
                breached.push((subject, memory.clone()));
            } else if self.was_breached(&place) {
                judged.over.push(self.identity(&place));
            }
            judged.memories.insert(place, memory);
        }
        let given = self.overrides.get(&spec.name);
        let overridden = given.is_some_and(|it| it.holds(is_clear(spec, judged), self.now));
        if given.is_some() && !overridden {
            judged.armed_again.push(spec.name.clone());
        }
        let acts = spec.action != GuardrailAction::Alert && !spec.dry_run && !overridden;
        judged
            .wrong
            .extend(breached.iter().map(|(subject, memory)| Wrong {
                identity: self.identity(&(spec.name.clone(), *subject)),
                guardrail: spec.name.clone(),
                arm: match subject {
                    Subject::Experiment => None,
                    Subject::Arm(_) => Some(self.name(*subject)),
                },
                severity: if acts {
                    Severity::Critical
                } else {
                    Severity::Warning
                },
                said: memory.said.clone(),
            }));
        let due = breached
            .iter()
            .filter(|(_, memory)| memory.run.is_due(spec, overridden));
        // All arms together do not say which one is to be closed.
        let of_arms = spec.action == GuardrailAction::Quarantine;
        let due = due.filter(|(subject, _)| !of_arms || *subject != Subject::Experiment);
        let due: Vec<(Subject, Memory)> = due.cloned().collect();
        if spec.action == GuardrailAction::Alert {
            for (subject, _) in due {
                let place = (spec.name.clone(), subject);
                judged.mark(&place, GuardrailAction::Alert, self.now);
                judged.alerted.insert(place);
            }
        } else {
            self.decide(spec, &due, judged);
        }
    }

    fn was_breached(&self, place: &Place) -> bool {
        let before = self.before.get(place);
        before.is_some_and(|memory| memory.run.is_breached())
    }

    /// What was wrong with guardrails and arms that the file does not have any more.
    fn undeclared(&self) -> Vec<String> {
        let is_declared = |(name, subject): &Place| {
            let arm = |id| self.stored.arms.iter().find(move |arm| arm.id == id);
            let there = match subject {
                Subject::Experiment => true,
                Subject::Arm(id) => arm(*id).is_some_and(|arm| !arm.retired),
            };
            there
                && self
                    .stored
                    .spec
                    .guardrails
                    .iter()
                    .any(|it| it.name == *name)
        };
        let gone = self.before.keys().filter(|place| !is_declared(place));
        gone.filter(|place| self.was_breached(place))
            .map(|place| self.identity(place))
            .collect()
    }

    fn identity(&self, (guardrail, subject): &Place) -> String {
        identity(
            self.stored.spec.key.as_str(),
            guardrail,
            *subject,
            &self.stored.arms,
        )
    }

    fn decide(&self, spec: &GuardrailSpec, due: &[(Subject, Memory)], judged: &mut Judged) {
        let subjects: Vec<Subject> = due.iter().map(|(subject, _)| *subject).collect();
        let Some(control) = self
            .stored
            .arms
            .iter()
            .find(|arm| arm.control && !arm.retired)
        else {
            return;
        };
        let closed = self.closed_by(spec);
        let Some(act) = consequence(spec.action, &subjects, &closed, control.id) else {
            return;
        };
        // All arms together first, if they are in it: that is the sentence which says most.
        let Some((_, first)) = due.first() else {
            return;
        };
        let worse = judged.due.as_ref().is_none_or(|due| act > due.act);
        if worse {
            judged.due = Some(Due {
                act,
                guardrail: spec.name.clone(),
                by: subjects,
                why: format!("guardrail {}: {}", spec.name, first.said.sentence),
                breached_at: first.run.breached_at.unwrap_or(self.now),
            });
        }
    }

    /// Arms that this guardrail has closed before, and that still are.
    fn closed_by(&self, spec: &GuardrailSpec) -> Vec<ArmId> {
        let arms = self.stored.arms.iter().filter(|arm| arm.quarantined);
        arms.filter(|arm| {
            let place = (spec.name.clone(), Subject::Arm(arm.id));
            let memory = self.before.get(&place);
            memory.is_some_and(|it| it.run.acted == Some(GuardrailAction::Quarantine))
        })
        .map(|arm| arm.id)
        .collect()
    }

    /// What a check judges. All arms together come first.
    fn subjects(&self, check: &GuardrailCheck) -> Vec<Subject> {
        let open = self.stored.arms.iter().filter(|arm| arm.is_open());
        let arms = |with_control: bool| {
            let arms = open.clone().filter(move |arm| with_control || !arm.control);
            arms.map(|arm| Subject::Arm(arm.id))
        };
        match check {
            GuardrailCheck::ErrorRate { .. }
            | GuardrailCheck::Latency { .. }
            | GuardrailCheck::Event { .. } => [Subject::Experiment]
                .into_iter()
                .chain(arms(true))
                .collect(),
            GuardrailCheck::RewardDrop { .. } => arms(false).collect(),
            GuardrailCheck::Concentration { .. } => arms(true).collect(),
            GuardrailCheck::Srm { .. } | GuardrailCheck::Staleness { .. } => {
                vec![Subject::Experiment]
            }
        }
    }

    fn memory(&self, spec: &GuardrailSpec, place: &Place) -> Memory {
        let before = self.before.get(place);
        let memory = match before {
            Some(before) if self.is_taken_back(before, place.1) => Memory {
                anew_at: Some(self.now),
                ..self.fresh(spec)
            },
            Some(before) if before.of == Judges::of(spec) => before.clone(),
            Some(_) | None => self.fresh(spec),
        };
        if self.now < memory.said.at + spec.cadence.to_chrono() && memory.said.at > memory.armed_at
        {
            return memory;
        }
        self.looked(spec, place.1, memory)
    }

    /// A person has taken back what was done, by this guardrail or by any other, or by hand: it judges what comes from then
    /// on, so that what was broken before does not act again by itself.
    fn is_taken_back(&self, memory: &Memory, subject: Subject) -> bool {
        let resumed =
            matches!(self.stored.state, RunState::Running { since } if since > memory.said.at);
        let released = match (memory.run.acted, subject) {
            (Some(GuardrailAction::Quarantine), Subject::Arm(arm)) => self
                .stored
                .arms
                .iter()
                .any(|it| it.id == arm && it.is_open()),
            _ => false,
        };
        resumed || released
    }

    fn fresh(&self, spec: &GuardrailSpec) -> Memory {
        Memory {
            of: Judges::of(spec),
            armed_at: self.now,
            anew_at: None,
            watches: Vec::new(),
            run: Run::default(),
            acted_at: None,
            said: Said {
                verdict: Verdict::Unknown,
                because: Because::TooFew,
                window_start: self.now,
                at: self.now,
                samples: 0.0,
                value: None,
                statistic: None,
                bound: None,
                limit: None,
                sentence: String::new(),
            },
        }
    }

    fn looked(&self, spec: &GuardrailSpec, subject: Subject, mut memory: Memory) -> Memory {
        let figure = match counts::counted(spec, subject, self.learned) {
            _ if self.is_warming_up(spec) => Figure::warming_up(self.now),
            Ok(limits) if !limits.is_empty() => self.watched(spec, subject, limits, &mut memory),
            Ok(_) => figures::direct(self, spec, subject, &memory),
            // Checked when the file was read; a spec of before that says so here.
            Err(error) => Figure::without(error.to_string(), self.now),
        };
        let (verdict, because) = match figure.verdict {
            Some(said) => said,
            None => verdict(
                spec,
                figure.state,
                figure.samples,
                self.circumstances(&figure, &memory),
            ),
        };
        memory.run = memory
            .run
            .after(verdict, figure.anew, spec.breaches, self.now);
        memory.said = Said {
            verdict,
            because,
            window_start: figure.window_start,
            at: self.now,
            samples: figure.samples,
            value: figure.value,
            statistic: figure.statistic,
            bound: figure.bound,
            limit: figure.limit,
            sentence: words::sentence(&self.name(subject), spec, &figure, (verdict, because)),
        };
        memory
    }

    fn is_warming_up(&self, spec: &GuardrailSpec) -> bool {
        self.now < self.started_at + spec.warm_up.to_chrono()
    }

    /// From when on what is counted counts: neither what was taken back, nor what came while it was warming up.
    pub(super) fn listens_since(
        &self,
        spec: &GuardrailSpec,
        memory: &Memory,
    ) -> Option<DateTime<Utc>> {
        let warm = self.started_at + spec.warm_up.to_chrono();
        let warm = (spec.warm_up > Millis(0)).then_some(warm);
        memory.anew_at.max(warm)
    }

    fn circumstances(&self, figure: &Figure, memory: &Memory) -> Circumstances {
        Circumstances {
            now: self.now,
            started_at: self.started_at,
            armed_at: memory.armed_at,
            heard_at: figure.heard_at,
            serving: matches!(self.stored.state, RunState::Running { .. }),
        }
    }

    /// The limits of a check that counts: the one that is kept least speaks.
    fn watched(
        &self,
        spec: &GuardrailSpec,
        subject: Subject,
        limits: Vec<counts::Counted>,
        memory: &mut Memory,
    ) -> Figure {
        let listens_since = self.listens_since(spec, memory);
        let begun = Watch::begun(memory.armed_at, spec.window);
        memory.watches.resize(limits.len(), begun);
        let mut worst: Option<(Sight, counts::Counted, Option<DateTime<Utc>>)> = None;
        for (watch, mut counted) in memory.watches.iter_mut().zip(limits) {
            counted.minutes.retain(|it| Some(it.at) > listens_since);
            let (next, sight) = watch.look(counted.rule, &counted.minutes, self.now);
            *watch = next;
            let worse = worst
                .as_ref()
                .is_none_or(|(before, ..)| rank(sight.state) > rank(before.state));
            if worse {
                worst = Some((sight, counted, next.heard_at));
            }
        }
        let (sight, counted, heard_at) = worst.expect("there is at least one limit");
        let share = sight.counted.rate();
        let value = match &spec.check {
            GuardrailCheck::Latency {
                event, quantile, ..
            } => {
                let since = self.now - spec.window.to_chrono();
                let values = counts::values_since(self.learned, subject, event, since);
                values.quantile(quantile.get())
            }
            _ if counted.of_missing => share.map(|missing| 1.0 - missing),
            _ => share,
        };
        let limit = match &spec.check {
            GuardrailCheck::Latency { limit_ms, .. } => *limit_ms,
            _ if counted.of_missing => 1.0 - counted.rule.limit.rate(),
            _ => counted.rule.limit.rate(),
        };
        Figure {
            verdict: None,
            state: sight.state,
            anew: sight.anew,
            samples: sight.samples,
            value,
            statistic: Some(sight.statistic),
            bound: Some(sight.bound),
            limit: Some(limit),
            window_start: sight.window_start,
            heard_at,
            counted: Some(sight.counted),
            note: None,
        }
    }

    pub(super) fn name(&self, subject: Subject) -> String {
        match subject {
            Subject::Experiment => "all arms".to_owned(),
            Subject::Arm(id) => {
                let arm = self.stored.arms.iter().find(|arm| arm.id == id);
                arm.map_or_else(|| format!("arm {id}"), |arm| arm.name.to_string())
            }
        }
    }
}

/// Whether the condition has cleared: nothing of it is in breach or fails, and enough has been judged good to say so.
fn is_clear(spec: &GuardrailSpec, judged: &Judged) -> bool {
    let mine = || {
        let memories = judged.memories.iter();
        memories
            .filter(|((name, _), _)| *name == spec.name)
            .map(|(_, it)| &it.run)
    };
    mine().all(|run| !run.is_breached() && run.fails == 0)
        && mine().any(|run| run.good >= GOOD_TO_CLEAR)
}

fn rank(state: State) -> u8 {
    match state {
        State::Pass => 0,
        State::Insufficient => 1,
        State::Warn => 2,
        State::Fail => 3,
    }
}
