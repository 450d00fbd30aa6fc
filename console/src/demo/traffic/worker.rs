//! One worker of a service: visitors arrive, get their arm, and do something or not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bandit::experiment::ArmName;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Scene;
use super::outbox::Planned;
use crate::demo::http::Http;
use crate::demo::journey::{Step, journey};
use crate::demo::tally::Tally;
use crate::demo::visitor::{Purpose, Visitor, rng, visitor};

/// Of all visits, how many are by somebody who has been here before.
const RETURNING: f64 = 0.25;

/// How many visitors may come back; older ones have moved on.
const REMEMBERED: u64 = 2_000;

/// How far arrivals may lag behind before they are given up.
const CATCH_UP: Duration = Duration::from_secs(1);

/// A visit is tried so often; then the visitor leaves.
const TRIES: u32 = 5;

/// Between two tries: a daemon that restarts is back within some seconds.
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// What the data port answers; the demo needs no more of it.
#[derive(Debug, Deserialize)]
struct Assigned {
    arm: ArmName,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    new: bool,
}

impl Assigned {
    /// Whether the arm was drawn for this unit, now or before; else it is what everybody gets.
    fn is_drawn(&self) -> bool {
        matches!(self.reason.as_str(), "split" | "sticky")
    }
}

/// Who has been here, and which arm they were told.
#[derive(Debug, Default)]
struct Guests {
    count: u64,
    arms: HashMap<u64, ArmName>,
}

/// What an answer means beside the ones before it.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// The visitor meets an arm for the first time.
    First,
    /// The same as before.
    Again,
    /// Another one: this must not happen.
    Other,
}

impl Guests {
    /// A new visitor, or one of those who are remembered.
    fn next(&mut self, arrivals: &mut StdRng) -> u64 {
        if self.count > 0 && arrivals.random_bool(RETURNING) {
            return arrivals.random_range(self.count.saturating_sub(REMEMBERED)..self.count);
        }
        self.count += 1;
        self.count - 1
    }

    fn remember(&mut self, place: u64, arm: &ArmName) -> Told {
        if self.arms.len() as u64 > 2 * REMEMBERED {
            let oldest = self.count.saturating_sub(REMEMBERED);
            self.arms.retain(|place, _| *place >= oldest);
        }
        match self.arms.insert(place, arm.clone()) {
            None => Told::First,
            Some(before) if before == *arm => Told::Again,
            Some(_) => Told::Other,
        }
    }
}

pub(super) struct Worker {
    pub scene: Arc<Scene>,
    /// From 0; the visitors are dealt out among the workers.
    pub number: u64,
    pub workers: u64,
    pub seed: u64,
    pub visits_per_sec: f64,
    pub tally: Arc<Tally>,
    pub events: mpsc::Sender<Planned>,
}

impl Worker {
    pub(super) async fn run(self, data_address: String, stop: CancellationToken) {
        let mut http = Http::new(&data_address);
        let mut arrivals = rng(self.seed, self.scene.service, self.number, Purpose::When);
        let mut guests = Guests::default();
        let mut next = Instant::now();
        loop {
            next += self.pause(&mut arrivals);
            // Cancel safe: a sleep loses nothing.
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
            }
            // After an outage the visitors of the meantime are gone; they do not all come at once.
            next = next.max(Instant::now() - CATCH_UP);
            let place = guests.next(&mut arrivals);
            let number = place * self.workers + self.number;
            let visitor = visitor(self.seed, self.scene.service, number);
            // A request that is on its way is answered also when the traffic stops.
            let Some(assigned) = self.visit(&mut http, &visitor, &stop).await else {
                continue;
            };
            self.note(&assigned);
            if !assigned.is_drawn() {
                continue;
            }
            match guests.remember(place, &assigned.arm) {
                Told::First => self.act(&visitor, &assigned).await,
                Told::Again => {}
                Told::Other => self.tally.arm_changes.add(1),
            }
        }
    }

    /// The time between two arrivals that do not know of each other.
    fn pause(&self, arrivals: &mut StdRng) -> Duration {
        let uniform: f64 = arrivals.random_range(f64::EPSILON..1.0);
        Duration::from_secs_f64(-uniform.ln() / self.visits_per_sec)
    }

    async fn visit(
        &self,
        http: &mut Http,
        visitor: &Visitor,
        stop: &CancellationToken,
    ) -> Option<Assigned> {
        let path = format!("/api/experiments/{}/assign", self.scene.service.key());
        let body = serde_json::json!({
            "unit": visitor.unit,
            "attributes": visitor.attributes,
        });
        for _ in 0..TRIES {
            if let Ok((status, answer)) = http.post(&path, body.to_string()).await
                && status.is_success()
                && let Ok(assigned) = serde_json::from_slice(&answer)
            {
                return Some(assigned);
            }
            self.tally.assign_errors.add(1);
            // Cancel safe: a sleep loses nothing.
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(BETWEEN_TRIES) => {}
            }
        }
        None
    }

    fn note(&self, assigned: &Assigned) {
        self.tally.visits.add(1);
        match (assigned.is_drawn(), assigned.new) {
            (false, _) => self.tally.unassigned.add(1),
            (true, true) => self.tally.new_units.add(1),
            (true, false) => self.tally.sticky.add(1),
        }
    }

    /// What the visitor will do. Those who met no arm of the experiment buy as well, but there is nothing to
    /// attribute it to and their service does not track it.
    async fn act(&self, visitor: &Visitor, assigned: &Assigned) {
        let Some(truth) = self.scene.truth.get(&assigned.arm) else {
            return;
        };
        let service = self.scene.service;
        let mut rng = rng(self.seed, service, visitor.number, Purpose::What);
        let breakage = self.scene.breakage.as_ref();
        // Who cannot pay buys nothing.
        let steps = match breakage.and_then(|it| it.error(&assigned.arm, &mut rng)) {
            Some(error) => vec![Step {
                after: Duration::ZERO,
                event: error.to_owned(),
                value: None,
            }],
            None => journey(&self.scene.reward, *truth, &mut rng),
        };
        for (place, step) in steps.into_iter().enumerate() {
            let planned = Planned {
                due: Instant::now() + step.after,
                experiment: service.key(),
                id: format!("{}-{place}", visitor.unit),
                unit: visitor.unit.clone(),
                event: step.event,
                value: step.value,
            };
            // A closed outbox means that the traffic stops.
            let _ = self.events.send(planned).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_quarter_of_the_visits_are_by_somebody_who_was_here_before() {
        let mut arrivals = StdRng::seed_from_u64(3);
        let mut guests = Guests::default();
        let mut seen = 0;
        let visits = 4_000;
        for _ in 0..visits {
            let place = guests.next(&mut arrivals);
            assert!(place <= seen, "nobody comes before those in front of them");
            seen = seen.max(place + 1);
        }
        let returning = 1.0 - seen as f64 / f64::from(visits);
        assert!((0.22..0.28).contains(&returning), "{returning}");
    }

    #[test]
    fn another_arm_than_before_is_noticed() {
        let arm = |name: &str| -> ArmName { name.parse().unwrap() };
        let mut guests = Guests::default();
        assert_eq!(guests.remember(0, &arm("blue")), Told::First);
        assert_eq!(guests.remember(0, &arm("blue")), Told::Again);
        assert_eq!(guests.remember(0, &arm("green")), Told::Other);
    }
}
