//! The form for a new experiment: steps of fields that become the same spec a file would.

pub mod build;
pub mod targeting;

use serde::{Deserialize, Serialize};

use super::field::TextField;

/// Most arms the form takes; more are written in a file.
pub const MAX_ARMS: usize = 8;

/// The form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// The step on screen.
    pub step: Step,
    /// All fields, in order.
    pub fields: Vec<Field>,
    /// The field with the cursor, among those of the step.
    pub focus: usize,
    /// What is wrong, by field.
    pub problems: Vec<(FieldId, String)>,
}

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Name and owner.
    #[default]
    Basics,
    /// The arms.
    Arms,
    /// What counts as success.
    Reward,
    /// Who takes part, and how it learns.
    Traffic,
}

/// The name of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldId {
    /// The experiment's key.
    Key,
    /// A title.
    Name,
    /// The team to ask.
    Owner,
    /// What is being tried.
    Description,
    /// The name of an arm.
    ArmName(usize),
    /// What callers of an arm are told.
    ArmConfig(usize),
    /// Which arm is control.
    Control,
    /// Binary or scaled.
    Outcome,
    /// The event that counts.
    Event,
    /// The least value of a success, or the value that becomes 0.
    Min,
    /// The value that becomes 1.
    Max,
    /// Events that revoke a success.
    Negative,
    /// How long events count.
    Window,
    /// How long late ones are waited for.
    Grace,
    /// The share of eligible units.
    Traffic,
    /// The share that never learns.
    Holdback,
    /// Who is eligible.
    Targeting,
    /// The policy.
    Policy,
    /// Every arm's least probability.
    Floor,
    /// The control's, where it is to have more.
    ControlFloor,
    /// How long the split stays even.
    BurnInFor,
    /// Exposures and rewards per arm until which it stays even.
    BurnInRewards,
    /// How far back it learns from.
    Memory,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub id: FieldId,
    /// What is in it.
    pub input: Input,
}

/// What a field takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// Text.
    Text(TextField),
    /// One of several, by number.
    Choice(usize),
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 4] = [Self::Basics, Self::Arms, Self::Reward, Self::Traffic];

    /// The word on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Basics => "basics",
            Self::Arms => "arms",
            Self::Reward => "reward",
            Self::Traffic => "traffic",
        }
    }

    /// The next step; `None` after the last.
    pub fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|step| *step == self)?;
        Self::ALL.get(at + 1).copied()
    }

    /// The step before; `None` before the first.
    pub fn previous(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|step| *step == self)?;
        Self::ALL.get(at.checked_sub(1)?).copied()
    }
}

impl FieldId {
    /// The step it is on.
    pub fn step(self) -> Step {
        match self {
            Self::Key | Self::Name | Self::Owner | Self::Description => Step::Basics,
            Self::ArmName(_) | Self::ArmConfig(_) | Self::Control => Step::Arms,
            Self::Outcome
            | Self::Event
            | Self::Min
            | Self::Max
            | Self::Negative
            | Self::Window
            | Self::Grace => Step::Reward,
            Self::Traffic
            | Self::Holdback
            | Self::Targeting
            | Self::Policy
            | Self::Floor
            | Self::ControlFloor
            | Self::BurnInFor
            | Self::BurnInRewards
            | Self::Memory => Step::Traffic,
        }
    }

    /// The label beside it.
    pub fn label(self) -> String {
        match self {
            Self::Key => "key".into(),
            Self::Name => "title".into(),
            Self::Owner => "owner".into(),
            Self::Description => "what is tried".into(),
            Self::ArmName(n) => format!("arm {}", n + 1),
            Self::ArmConfig(_) => "  config".into(),
            Self::Control => "control".into(),
            Self::Outcome => "outcome".into(),
            Self::Event => "success event".into(),
            Self::Min => "least value".into(),
            Self::Max => "greatest value".into(),
            Self::Negative => "revoked by".into(),
            Self::Window => "window".into(),
            Self::Grace => "grace".into(),
            Self::Traffic => "traffic".into(),
            Self::Holdback => "holdback".into(),
            Self::Targeting => "only for".into(),
            Self::Policy => "policy".into(),
            Self::Floor => "floor".into(),
            Self::ControlFloor => "control's floor".into(),
            Self::BurnInFor => "burn-in time".into(),
            Self::BurnInRewards => "burn-in rewards".into(),
            Self::Memory => "memory".into(),
        }
    }

    /// What it takes, in a few words.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Key => "a-z 0-9 . _ -  settled once created",
            Self::Name => "for people (may be empty)",
            Self::Owner => "the team to ask (may be empty)",
            Self::Description => "and why (may be empty)",
            Self::ArmName(_) => "ctrl-n adds one, ctrl-x removes it",
            Self::ArmConfig(_) => "JSON for callers: {\"colour\": \"blue\"}",
            Self::Control => "left/right: whom everyone gets when in doubt",
            Self::Outcome => "left/right: did it happen, or how much",
            Self::Event => "as the service tracks it, such as conversion",
            Self::Min => "of a success (may be empty); scaled: becomes 0",
            Self::Max => "scaled only: becomes 1",
            Self::Negative => "such as refund, churn (may be empty)",
            Self::Window => "events count so long after exposure: 90s, 24h",
            Self::Grace => "late arrivals are waited for so long (empty: a 24th)",
            Self::Traffic => "share of eligible units that take part",
            Self::Holdback => "share in an even split that never learns",
            Self::Targeting => "country = DE, AT; age >= 18 (empty: all)",
            Self::Policy => "left/right: how it learns; fixed keeps an even split",
            Self::Floor => "of one that learns: least share of every arm",
            Self::ControlFloor => "least share of the control (empty: the floor)",
            Self::BurnInFor => "the split stays even at least so long",
            Self::BurnInRewards => "and until each arm has so many closed windows",
            Self::Memory => "window 14d, or half-life 7d (empty: everything)",
        }
    }

    /// What a choice can be; empty for text.
    pub fn choices(self) -> &'static [&'static str] {
        match self {
            Self::Outcome => &["binary: did it happen", "scaled: how much"],
            Self::Policy => &[
                "thompson",
                "top_two_thompson",
                "epsilon_greedy",
                "ucb1",
                "ucb1_tuned",
                "kl_ucb",
                "fixed",
            ],
            _ => &[],
        }
    }
}

fn text(id: FieldId, text: &str) -> Field {
    Field {
        id,
        input: Input::Text(TextField::new(text)),
    }
}

fn choice(id: FieldId) -> Field {
    Field {
        id,
        input: Input::Choice(0),
    }
}

impl Default for Form {
    fn default() -> Self {
        let fields = vec![
            text(FieldId::Key, ""),
            text(FieldId::Name, ""),
            text(FieldId::Owner, ""),
            text(FieldId::Description, ""),
            text(FieldId::ArmName(0), "control"),
            text(FieldId::ArmConfig(0), "{}"),
            text(FieldId::ArmName(1), "treatment"),
            text(FieldId::ArmConfig(1), "{}"),
            choice(FieldId::Control),
            choice(FieldId::Outcome),
            text(FieldId::Event, "conversion"),
            text(FieldId::Min, ""),
            text(FieldId::Max, ""),
            text(FieldId::Negative, ""),
            text(FieldId::Window, "24h"),
            text(FieldId::Grace, ""),
            text(FieldId::Traffic, "100%"),
            text(FieldId::Holdback, "5%"),
            text(FieldId::Targeting, ""),
            choice(FieldId::Policy),
            text(FieldId::Floor, "1%"),
            text(FieldId::ControlFloor, ""),
            text(FieldId::BurnInFor, "1h"),
            text(FieldId::BurnInRewards, "100"),
            text(FieldId::Memory, ""),
        ];
        Self {
            step: Step::Basics,
            fields,
            focus: 0,
            problems: Vec::new(),
        }
    }
}

impl Form {
    /// The fields of the step on screen.
    pub fn on_screen(&self) -> Vec<&Field> {
        self.fields
            .iter()
            .filter(|field| field.id.step() == self.step)
            .collect()
    }

    /// The field with the cursor.
    pub fn focused(&self) -> Option<FieldId> {
        self.on_screen().get(self.focus).map(|field| field.id)
    }

    /// What is in a field, as text; empty for a choice.
    pub fn text(&self, id: FieldId) -> &str {
        match self.input(id) {
            Some(Input::Text(field)) => field.text().trim(),
            _ => "",
        }
    }

    /// The number of a choice.
    pub fn chosen(&self, id: FieldId) -> usize {
        match self.input(id) {
            Some(Input::Choice(at)) => *at,
            _ => 0,
        }
    }

    /// What is in a field.
    pub fn input(&self, id: FieldId) -> Option<&Input> {
        self.fields
            .iter()
            .find(|field| field.id == id)
            .map(|field| &field.input)
    }

    /// What is in a field, to be changed.
    pub fn input_mut(&mut self, id: FieldId) -> Option<&mut Input> {
        self.fields
            .iter_mut()
            .find(|field| field.id == id)
            .map(|field| &mut field.input)
    }

    /// How many arms there are.
    pub fn arms(&self) -> usize {
        let is_name = |field: &&Field| matches!(field.id, FieldId::ArmName(_));
        self.fields.iter().filter(is_name).count()
    }

    /// The words of a choice, which for the control are the arms' names.
    pub fn words(&self, id: FieldId) -> Vec<String> {
        if id == FieldId::Control {
            return (0..self.arms())
                .map(|arm| self.text(FieldId::ArmName(arm)).to_owned())
                .collect();
        }
        id.choices().iter().map(|word| (*word).to_owned()).collect()
    }

    /// What is wrong with a field.
    pub fn problem(&self, id: FieldId) -> Option<&str> {
        self.problems
            .iter()
            .find(|(field, _)| *field == id)
            .map(|(_, problem)| problem.as_str())
    }

    /// Put the cursor on a field.
    pub fn go_to(&mut self, id: FieldId) {
        self.step = id.step();
        let at = self.on_screen().iter().position(|field| field.id == id);
        self.focus = at.unwrap_or(0);
    }

    /// One arm more, if there is room, with the cursor on its name.
    pub fn add_arm(&mut self) -> bool {
        let arm = self.arms();
        if arm >= MAX_ARMS {
            return false;
        }
        let at = self
            .fields
            .iter()
            .position(|field| field.id == FieldId::Control)
            .unwrap_or(self.fields.len());
        self.fields.insert(at, text(FieldId::ArmConfig(arm), "{}"));
        self.fields.insert(at, text(FieldId::ArmName(arm), ""));
        self.go_to(FieldId::ArmName(arm));
        true
    }

    /// One arm less, if two are left.
    pub fn remove_arm(&mut self, arm: usize) -> bool {
        if self.arms() <= 2 {
            return false;
        }
        let gone = [FieldId::ArmName(arm), FieldId::ArmConfig(arm)];
        self.fields.retain(|field| !gone.contains(&field.id));
        for field in &mut self.fields {
            match &mut field.id {
                FieldId::ArmName(n) | FieldId::ArmConfig(n) if *n > arm => *n -= 1,
                _ => {}
            }
        }
        let control = self.chosen(FieldId::Control);
        if let Some(Input::Choice(at)) = self.input_mut(FieldId::Control)
            && control >= arm
        {
            *at = control.saturating_sub(1);
        }
        self.problems.clear();
        self.go_to(FieldId::ArmName(arm.saturating_sub(1)));
        true
    }
}
