//! Everything the console knows: one serialisable value, so that a session can be recorded and replayed.

pub mod alerts;
pub mod audit;
pub mod detail;
pub mod dialog;
pub mod field;
pub mod filter;
pub mod form;
pub mod link;
pub mod list;
pub mod outcome;
pub mod plan;
pub mod prompt;
pub mod reading;

use std::collections::{BTreeMap, VecDeque};

use bandit::experiment::{ArmVerb, Verb};
use chrono::{DateTime, TimeDelta, Utc};
use protocol::alerts::AlertsPage;
use protocol::control::AuditPage;
use protocol::experiments::{Detail, Row};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::keymap::Key;
use alerts::AlertsView;
use audit::AuditView;
use detail::DetailView;
use dialog::Dialog;
use form::Form;
use link::Link;
use list::ListView;
use outcome::Outcome;
use plan::PlanView;
use prompt::Prompt;

/// Milliseconds since the console started, by a clock that only goes forward.
pub type LocalMs = u64;

/// The screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScreenKind {
    /// All experiments.
    List,
    /// One experiment.
    Detail,
    /// The form for a new experiment.
    Form,
    /// A plan.
    Plan,
    /// The audit log.
    Audit,
    /// What is wrong.
    Alerts,
    /// What was said in this session.
    Messages,
    /// The help of the screen below it.
    Help,
}

impl ScreenKind {
    /// Every screen.
    pub const ALL: [Self; 8] = [
        Self::List,
        Self::Detail,
        Self::Form,
        Self::Plan,
        Self::Audit,
        Self::Alerts,
        Self::Messages,
        Self::Help,
    ];
}

/// The whole state of the console.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The daemon's socket, as shown.
    pub socket: String,
    /// Nothing may be changed from here.
    pub read_only: bool,
    /// Base of this session's request ids.
    pub session: Uuid,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The local clock.
    pub now_ms: LocalMs,
    /// The daemon's end.
    pub link: Link,
    /// What the daemon said last.
    pub data: Data,
    /// What the screen shows instead while it is frozen.
    pub frozen: Option<Box<Frozen>>,
    /// Values that changed lately, by experiment.
    pub moved: BTreeMap<String, Moved>,
    /// The screens, the top one last; never empty.
    pub stack: Vec<ScreenKind>,
    /// The screen before this one.
    pub last: Option<ScreenKind>,
    /// The list's own state.
    pub list: ListView,
    /// The detail's own state.
    pub detail: DetailView,
    /// The plan on screen.
    pub plan: Option<PlanView>,
    /// The form, kept when it is left.
    pub form: Form,
    /// The audit log's own state.
    pub audit: AuditView,
    /// The alert inbox's own state.
    pub alerts: AlertsView,
    /// First line shown of the help and of the messages.
    pub scroll: usize,
    /// The line being typed.
    pub prompt: Option<Prompt>,
    /// The question being asked.
    pub dialog: Option<Dialog>,
    /// The first key of a chord.
    pub chord: Option<(Key, LocalMs)>,
    /// What was done and said, newest last.
    pub outcomes: VecDeque<Outcome>,
    /// A remark until the next key.
    pub note: Option<String>,
    /// What `u` takes back.
    pub undo: Option<Undo>,
    /// Calls without an answer yet.
    pub asked: BTreeMap<u64, Asked>,
    /// The number of the next call.
    pub next_call: u64,
    /// Lines typed before.
    pub history: Vec<String>,
}

/// What the daemon said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Data {
    /// The experiments by key.
    pub rows: BTreeMap<String, Row>,
    /// The installation's revision.
    pub revision: u64,
    /// The experiment on the detail screen.
    pub detail: Option<Detail>,
    /// The audit rows that were asked for.
    pub audit: Option<AuditPage>,
    /// The alerts that were asked for.
    pub alerts: Option<AlertsPage>,
}

/// A screen that was stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// What it shows.
    pub data: Data,
    /// Since when.
    pub since_ms: LocalMs,
    /// The daemon's clock then.
    pub at: Option<DateTime<Utc>>,
    /// Updates that came since.
    pub news: u64,
}

/// What changed in a row lately.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// When.
    pub at_ms: LocalMs,
    /// Where the leader's probability of being best went: -1, 0 or 1.
    pub p_best: i8,
    /// Whether the state is another.
    pub state: bool,
}

/// A pause or resume that can be taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// Of which experiment.
    pub key: String,
    /// The verb that takes it back.
    pub verb: Verb,
    /// Its revision after the change.
    pub revision: u64,
    /// Until when.
    pub until_ms: LocalMs,
}

/// A call whose answer is awaited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Asked {
    /// The detail of an experiment.
    Detail {
        /// Its key.
        key: String,
    },
    /// A change of state.
    Verb {
        /// Which change.
        verb: Verb,
        /// Of which experiment.
        key: String,
        /// Its state before.
        from: String,
        /// Whether it takes another back.
        undoing: bool,
    },
    /// A change of what an arm gets.
    Arm {
        /// Which change.
        verb: ArmVerb,
        /// Of which experiment.
        key: String,
        /// Of which arm; `None`: every hold.
        arm: Option<String>,
    },
    /// A plan.
    Plan,
    /// An apply.
    Apply,
    /// Audit rows.
    Audit,
    /// Alerts.
    Alerts,
    /// Something is done about an alert.
    Answer {
        /// What, such as `ack alert 17`.
        deed: String,
    },
}

impl Model {
    /// A console that has just started.
    pub fn new(socket: String, read_only: bool, session: Uuid, size: (u16, u16)) -> Self {
        Self {
            socket,
            read_only,
            session,
            size,
            now_ms: 0,
            link: Link::default(),
            data: Data::default(),
            frozen: None,
            moved: BTreeMap::new(),
            stack: vec![ScreenKind::List],
            last: None,
            list: ListView::default(),
            detail: DetailView::default(),
            plan: None,
            form: Form::default(),
            audit: AuditView::default(),
            alerts: AlertsView::default(),
            scroll: 0,
            prompt: None,
            dialog: None,
            chord: None,
            outcomes: VecDeque::new(),
            note: None,
            undo: None,
            asked: BTreeMap::new(),
            next_call: 1,
            history: Vec::new(),
        }
    }

    /// The screen on top.
    pub fn screen(&self) -> ScreenKind {
        self.stack.last().copied().unwrap_or(ScreenKind::List)
    }

    /// What the screen shows: the frozen data or the live data.
    pub fn shown(&self) -> &Data {
        self.frozen
            .as_ref()
            .map_or(&self.data, |frozen| &frozen.data)
    }

    /// The key of the experiment that a verb would act on.
    pub fn target(&self) -> Option<String> {
        match self.screen() {
            ScreenKind::List => self.list.selected.clone(),
            ScreenKind::Detail => self.detail.key.clone(),
            ScreenKind::Audit => self.audit.selected(self).map(|entry| entry.target.clone()),
            ScreenKind::Alerts => self.alerts.selected(self)?.experiment.clone(),
            _ => None,
        }
    }

    /// What `y` copies here.
    pub fn copyable(&self) -> Option<String> {
        match self.screen() {
            ScreenKind::List | ScreenKind::Detail => self.target(),
            ScreenKind::Audit => self
                .audit
                .selected(self)
                .map(|entry| entry.request_id.to_string()),
            ScreenKind::Alerts => self
                .alerts
                .selected(self)
                .map(|alert| alert.identity.clone()),
            ScreenKind::Plan => self.plan.as_ref().map(|plan| plan.request.text.clone()),
            _ => None,
        }
    }

    /// The daemon's clock now, as far as it can be told from here; stopped while the screen is.
    pub fn daemon_now(&self) -> Option<DateTime<Utc>> {
        if let Some(frozen) = &self.frozen {
            return frozen.at;
        }
        let since = self.now_ms.saturating_sub(self.link.heard_at_ms?);
        let since = TimeDelta::milliseconds(i64::try_from(since).ok()?);
        self.link.daemon_now.map(|then| then + since)
    }

    /// The oldest failure that was not read yet, else what was said last.
    pub fn outcome_line(&self) -> Option<&Outcome> {
        self.outcomes
            .iter()
            .find(|outcome| outcome.unread_failure())
            .or(self.outcomes.back())
    }

    /// How many failures were not read yet.
    pub fn unread_failures(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|outcome| outcome.unread_failure())
            .count()
    }

    /// The next call's number, and its request id, the same whenever the session is replayed.
    pub fn next_request(&mut self) -> (u64, Uuid) {
        let id = self.next_call;
        self.next_call += 1;
        let request = Uuid::from_u128(self.session.as_u128().wrapping_add(u128::from(id)));
        (id, request)
    }
}
