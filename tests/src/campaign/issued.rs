//! What a campaign's services do, as a function of the seed: who comes, and what each of them tracks.
//!
//! Nothing of it is remembered: the judge derives it again, so a row of the ledger that nobody issued has
//! nowhere to hide.

use serde_json::{Value, json};

/// The most events of one unit.
pub const MOST_EVENTS: u64 = 7;

/// Experiments that units are spread over; both close their windows while the campaign looks.
pub const EXPERIMENTS: &str = r#"
[[experiment]]
key = "binary"
state = "running"

[experiment.reward]
success = "purchase"
negative = ["refund"]
window = "3s"
grace = "1s"

[experiment.policy]
kind = "thompson"
floor = 0.05
publish_every = "1s"
burn_in = { for = "0s", exposures_per_arm = 0, rewards_per_arm = 0 }

[[experiment.arm]]
name = "old"
control = true

[[experiment.arm]]
name = "new"

[[experiment.arm]]
name = "newest"

[[experiment]]
key = "scaled"
state = "running"

[experiment.reward]
scaled = { event = "rating", aggregate = "sum", min = 0, max = 30 }
window = "2s"
grace = "0s"

[experiment.policy]
kind = "thompson"
floor = 0.05
publish_every = "1s"
burn_in = { for = "0s", exposures_per_arm = 0, rewards_per_arm = 0 }

[[experiment.arm]]
name = "old"
control = true

[[experiment.arm]]
name = "new"

[[experiment]]
key = "drill"
state = "running"
reward = "purchase"
arms = ["old", "new"]
control = "old"
"#;

/// Everything that a seed issues.
#[derive(Debug, Clone, Copy)]
pub struct Issued {
    /// The seed.
    pub seed: u64,
}

/// One event: which of its unit's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Event {
    /// The unit's number.
    pub unit: u64,
    /// Which of the unit's events, from 0.
    pub nth: u64,
}

impl Issued {
    /// What the unit is called.
    pub fn unit_id(self, unit: u64) -> String {
        format!("u{}-{unit}", self.seed)
    }

    /// Where the unit takes part.
    pub fn experiment(self, unit: u64) -> &'static str {
        ["binary", "scaled"][(self.die(unit, 100) % 2) as usize]
    }

    /// What the unit does.
    pub fn events(self, unit: u64) -> impl Iterator<Item = Event> {
        let count = self.die(unit, 101) % (MOST_EVENTS + 1);
        (0..count).map(move |nth| Event { unit, nth })
    }

    /// The event's name.
    pub fn name(self, event: Event) -> &'static str {
        if self.experiment(event.unit) == "scaled" {
            return "rating";
        }
        let roll = self.die(event.unit, 200 + event.nth) % 10;
        match roll {
            0..3 => "purchase",
            3 => "refund",
            _ => "click",
        }
    }

    /// The event's value: its whole part is the event's number, the rest is noise that only the seed knows.
    pub fn value(self, event: Event) -> f64 {
        event.nth as f64 + (self.die(event.unit, event.nth) % 1_000) as f64 / 1_000.0
    }

    /// The caller's id of the event.
    pub fn event_id(self, event: Event) -> String {
        format!("e{}-{}-{}", self.seed, event.unit, event.nth)
    }

    /// The event as it is tracked in a batch; the experiment's own path takes it without `experiment`.
    pub fn body(self, event: Event, in_batch: bool) -> Value {
        let mut body = json!({
            "unit": self.unit_id(event.unit),
            "event": self.name(event),
            "value": self.value(event),
            "id": self.event_id(event),
        });
        if in_batch {
            body["experiment"] = json!(self.experiment(event.unit));
        }
        body
    }

    /// `SplitMix64`: every unit has its own dice, and no two of them look alike.
    fn die(self, unit: u64, purpose: u64) -> u64 {
        let mut z = self
            .seed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(unit.wrapping_mul(0xd1b5_4a32_d192_ed03))
            .wrapping_add(purpose.wrapping_mul(0x8cb9_2ba7_2f3d_8dd7));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
