//! From what was typed to a spec: every field's problem beside the field.

use std::str::FromStr;

use bandit::experiment::{ArmName, ExperimentKey, Millis, Share};
use bandit::spec::model::{
    Aggregate, ArmSpec, BurnIn, Credit, Direction, ExperimentSpec, Memory, OnOutage, OnQuarantine,
    OutcomeSpec, PolicyKind, PolicySpec, RewardSpec, SuccessSpec,
};
use bandit::spec::{defaults, policy_kind};
use bandit::targeting::Targeting;

use super::{FieldId, Form, targeting};

/// Problems found on the way.
struct Reader<'a> {
    form: &'a Form,
    problems: Vec<(FieldId, String)>,
}

impl Form {
    /// The spec that the form describes, or what is wrong with which field.
    pub fn spec(&self) -> Result<ExperimentSpec, Vec<(FieldId, String)>> {
        let mut reader = Reader {
            form: self,
            problems: Vec::new(),
        };
        let spec = reader.spec();
        match spec {
            Some(spec) if reader.problems.is_empty() => Ok(spec),
            _ => Err(reader.problems),
        }
    }
}

impl Reader<'_> {
    fn spec(&mut self) -> Option<ExperimentSpec> {
        let key = self.parsed::<ExperimentKey>(FieldId::Key);
        let arms = self.arms();
        let reward = self.reward();
        let traffic = self.share(FieldId::Traffic);
        let holdback = self.share(FieldId::Holdback);
        let targeting = self.targeting();
        let policy = self.policy();
        let (key, reward) = (key?, reward?);
        Some(ExperimentSpec {
            salt: key.to_string(),
            key,
            name: self.optional(FieldId::Name),
            description: self.optional(FieldId::Description),
            owner: self.optional(FieldId::Owner),
            state: None,
            traffic: traffic?,
            holdback: holdback?,
            on_outage: OnOutage::Control,
            on_quarantine: OnQuarantine::Keep,
            arms: arms?,
            targeting: targeting?,
            policy: PolicySpec {
                posterior: defaults::posterior(&reward.outcome),
                ..policy?
            },
            lanes: Vec::new(),
            reward,
            guardrails: Vec::new(),
            decision: None,
            schedule: None,
        })
    }

    fn fail(&mut self, id: FieldId, problem: impl Into<String>) {
        self.problems.push((id, problem.into()));
    }

    fn optional(&self, id: FieldId) -> Option<String> {
        let text = self.form.text(id);
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, id: FieldId) -> Option<T> {
        let text = self.form.text(id);
        if text.is_empty() {
            self.fail(id, "is needed");
            return None;
        }
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(id, error.to_string());
                None
            }
        }
    }

    fn share(&mut self, id: FieldId) -> Option<Share> {
        match parse_share(self.form.text(id)) {
            Ok(share) => Some(share),
            Err(problem) => {
                self.fail(id, problem);
                None
            }
        }
    }

    fn number(&mut self, id: FieldId) -> Option<f64> {
        match self.form.text(id).parse::<f64>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => {
                self.fail(id, "is not a number");
                None
            }
        }
    }

    fn arms(&mut self) -> Option<Vec<ArmSpec>> {
        let control = self.form.chosen(FieldId::Control);
        let mut arms: Vec<ArmSpec> = Vec::new();
        for n in 0..self.form.arms() {
            let name = self.parsed::<ArmName>(FieldId::ArmName(n));
            let config = self.config(FieldId::ArmConfig(n));
            let (Some(name), Some(config)) = (name, config) else {
                continue;
            };
            if arms.iter().any(|arm| arm.name == name) {
                self.fail(FieldId::ArmName(n), "another arm has this name");
            }
            arms.push(ArmSpec {
                name,
                control: n == control,
                config,
                weight: 1.0,
            });
        }
        (arms.len() == self.form.arms()).then_some(arms)
    }

    fn config(&mut self, id: FieldId) -> Option<serde_json::Value> {
        let text = self.form.text(id);
        let text = if text.is_empty() { "{}" } else { text };
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) if value.is_null() => {
                self.fail(id, "null cannot be written in a file; use {}");
                None
            }
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(id, format!("is not JSON: {error}"));
                None
            }
        }
    }

    fn reward(&mut self) -> Option<RewardSpec> {
        let outcome = match self.form.chosen(FieldId::Outcome) {
            0 => self.binary(),
            _ => self.scaled(),
        };
        let window = self.parsed::<Millis>(FieldId::Window);
        let grace = match self.optional(FieldId::Grace) {
            Some(_) => self.parsed::<Millis>(FieldId::Grace),
            None => window.map(defaults::grace),
        };
        let negative = self.form.text(FieldId::Negative);
        let negative = negative.split(',').map(str::trim);
        Some(RewardSpec {
            outcome: outcome?,
            negative: negative
                .filter(|event| !event.is_empty())
                .map(str::to_owned)
                .collect(),
            window: window?,
            grace: grace?,
            credit: Credit::Matured,
            direction: Direction::Increase,
            max_events_per_unit: defaults::MAX_EVENTS_PER_UNIT,
        })
    }

    fn event(&mut self) -> Option<String> {
        let event = self.optional(FieldId::Event);
        if event.is_none() {
            self.fail(FieldId::Event, "is needed");
        }
        event
    }

    fn binary(&mut self) -> Option<OutcomeSpec> {
        let event = self.event();
        let min = match self.optional(FieldId::Min) {
            None => Some(None),
            Some(_) => self.number(FieldId::Min).map(Some),
        };
        if self.optional(FieldId::Max).is_some() {
            self.fail(FieldId::Max, "is for scaled outcomes; leave it empty");
        }
        Some(OutcomeSpec::Binary {
            success: vec![SuccessSpec {
                event: event?,
                min: min?,
            }],
        })
    }

    fn scaled(&mut self) -> Option<OutcomeSpec> {
        let event = self.event();
        let min = self.number(FieldId::Min);
        let max = self.number(FieldId::Max);
        let (min, max) = (min?, max?);
        if max <= min {
            self.fail(FieldId::Max, "must be above the least value");
        }
        Some(OutcomeSpec::Scaled {
            event: event?,
            aggregate: Aggregate::Last,
            min,
            max,
            default: min,
        })
    }

    fn targeting(&mut self) -> Option<Targeting> {
        match targeting::parse(self.form.text(FieldId::Targeting)) {
            Ok(targeting) => Some(targeting),
            Err(problem) => {
                self.fail(FieldId::Targeting, problem);
                None
            }
        }
    }

    fn policy(&mut self) -> Option<PolicySpec> {
        let burn_in = self.burn_in();
        let memory = self.memory();
        let word = FieldId::Policy.choices()[self.form.chosen(FieldId::Policy)];
        let kind = policy_kind(word)?;
        if kind == PolicyKind::Fixed {
            if memory.is_some() {
                self.fail(
                    FieldId::Memory,
                    "a fixed split learns nothing; leave it empty",
                );
            }
            if self.optional(FieldId::ControlFloor).is_some() {
                self.fail(
                    FieldId::ControlFloor,
                    "a fixed split has no floor; leave it empty",
                );
            }
            return burn_in.map(|_| defaults::policy(kind));
        }
        let (floor, control_floor) = self.floors()?;
        Some(PolicySpec {
            floor,
            control_floor,
            burn_in: burn_in?,
            memory,
            ..defaults::policy(kind)
        })
    }

    /// Every arm's, and the control's where it has one of its own. There is room above them.
    fn floors(&mut self) -> Option<(Share, Option<Share>)> {
        let floor = self.share(FieldId::Floor)?;
        let arms = self.form.arms() as f64;
        if floor.get() * arms >= 1.0 {
            let least = 100.0 / arms;
            self.fail(
                FieldId::Floor,
                format!("{arms} arms leave room for less than {least:.0}%"),
            );
        }
        if self.optional(FieldId::ControlFloor).is_none() {
            return Some((floor, None));
        }
        let of_control = self.share(FieldId::ControlFloor)?;
        let others = floor.get() * (arms - 1.0);
        if of_control < floor {
            self.fail(
                FieldId::ControlFloor,
                format!("is below the floor of {floor}"),
            );
        } else if others < 1.0 && of_control.get() + others >= 1.0 {
            let room = (1.0 - others) * 100.0;
            self.fail(
                FieldId::ControlFloor,
                format!("the others' floors leave room for less than {room:.0}%"),
            );
        }
        Some((floor, Some(of_control)))
    }

    /// `window 14d` or `half-life 7d`; nothing is everything.
    fn memory(&mut self) -> Option<Memory> {
        let text = self.form.text(FieldId::Memory);
        if text.is_empty() {
            return None;
        }
        let memory = parse_memory(text);
        if memory.is_none() {
            let how = "is neither `window 14d` nor `half-life 7d`";
            self.fail(FieldId::Memory, how);
        }
        memory
    }

    fn burn_in(&mut self) -> Option<BurnIn> {
        let for_ = self.parsed::<Millis>(FieldId::BurnInFor);
        let rewards = self.parsed::<u64>(FieldId::BurnInRewards);
        Some(BurnIn {
            for_: for_?,
            exposures_per_arm: rewards?,
            rewards_per_arm: rewards?,
        })
    }
}

/// A word and a length of time that is not empty.
fn parse_memory(text: &str) -> Option<Memory> {
    let (word, length) = text.split_once(char::is_whitespace)?;
    let memory = match word {
        "window" => Memory::Window,
        "half-life" | "half_life" => Memory::HalfLife,
        _ => return None,
    };
    let length: Millis = length.trim().parse().ok()?;
    (length.0 > 0).then(|| memory(length))
}

/// `50%`, or `0.5`.
fn parse_share(text: &str) -> Result<Share, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 100.0),
        None => (text, 1.0),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{text}` is not a share; use 50% or 0.5"))?;
    Share::new(number / scale).map_err(|_| format!("`{text}` is not between 0% and 100%"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::field::TextField;
    use crate::model::form::Input;

    #[test]
    fn an_empty_form_lacks_only_its_key() {
        let problems = Form::default().spec().expect_err("no key");
        assert_eq!(problems, [(FieldId::Key, "is needed".to_owned())]);
    }

    #[test]
    fn every_policy_of_the_form_makes_a_spec() {
        for (at, word) in FieldId::Policy.choices().iter().enumerate() {
            let mut form = Form::default();
            *form.input_mut(FieldId::Key).unwrap() = Input::Text(TextField::new("checkout"));
            *form.input_mut(FieldId::Policy).unwrap() = Input::Choice(at);
            let spec = form.spec().unwrap();
            assert_eq!(spec.policy.kind.name(), *word);
        }
    }

    /// The form with a key, and `text` in the field `id`.
    fn with(id: FieldId, text: &str) -> Form {
        let mut form = Form::default();
        for (id, text) in [(FieldId::Key, "checkout"), (id, text)] {
            *form.input_mut(id).unwrap() = Input::Text(TextField::new(text));
        }
        form
    }

    #[test]
    fn the_control_may_have_a_floor_of_its_own_and_the_memory_may_end() {
        let day = 24 * 60 * 60 * 1_000;
        let of_control = with(FieldId::ControlFloor, "20%").spec().unwrap();
        assert_eq!(of_control.policy.control_floor.map(Share::get), Some(0.2));
        for (text, memory) in [
            ("", None),
            ("window 14d", Some(Memory::Window(Millis(14 * day)))),
            ("half-life 7d", Some(Memory::HalfLife(Millis(7 * day)))),
        ] {
            let spec = with(FieldId::Memory, text).spec().unwrap();
            assert_eq!(spec.policy.memory, memory, "{text}");
            // What the form takes, a file takes.
            let toml = bandit::spec::to_toml(&spec);
            bandit::spec::parse("form.toml", &toml).expect("the form's spec is valid");
        }
        for (id, text) in [
            (FieldId::ControlFloor, "0.5%"),
            (FieldId::ControlFloor, "99%"),
            (FieldId::Memory, "14d"),
            (FieldId::Memory, "window 0s"),
        ] {
            let problems = with(id, text).spec().expect_err(text);
            assert_eq!(problems[0].0, id, "{text}");
        }
        for (id, text) in [
            (FieldId::ControlFloor, "20%"),
            (FieldId::Memory, "window 14d"),
        ] {
            let mut form = with(id, text);
            let fixed = FieldId::Policy.choices().len() - 1;
            *form.input_mut(FieldId::Policy).unwrap() = Input::Choice(fixed);
            assert_eq!(form.spec().expect_err(text)[0].0, id);
        }
    }

    #[test]
    fn shares_are_written_either_way() {
        assert_eq!(parse_share("50%").map(Share::get), Ok(0.5));
        assert_eq!(parse_share("0.25").map(Share::get), Ok(0.25));
        assert!(parse_share("150%").is_err());
        assert!(parse_share("").is_err());
    }
}
