//! Plans: what a file would change, and the word to carry it out.

use serde::{Deserialize, Serialize};

/// A file to be planned. The daemon reads it with the very parser that the console's `check` uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// The file's name, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Stop experiments that the file does not mention; otherwise they are left alone.
    #[serde(default)]
    pub prune: bool,
    /// Change held objects too.
    #[serde(default)]
    pub release_holds: bool,
}

/// The plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanReply {
    /// The revision it is valid for.
    pub base_revision: u64,
    /// The changes, in key order. Empty: applying changes nothing.
    pub changes: Vec<Change>,
    /// Declared and already so.
    pub unchanged: Vec<String>,
    /// Not mentioned in the file and left alone.
    pub not_declared: Vec<String>,
    /// Why it cannot be applied at all; empty if it can.
    pub refused: Vec<String>,
}

/// One experiment's change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which experiment.
    pub key: String,
    /// Sign and word of the diff.
    pub kind: ChangeKind,
    /// What differs.
    pub fields: Vec<FieldChange>,
    /// What it means for users, in words.
    pub effects: Vec<Effect>,
    /// Parts that are accepted but whose engine does not run yet.
    pub not_active: Vec<String>,
    /// Holds in the way, kept unless released.
    pub holds: Vec<String>,
}

/// What happens to an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// `+` new
    Add,
    /// `~` changed
    Change,
    /// `-` stopped: irreversible
    Stop,
    /// A kind this build does not know.
    #[serde(other)]
    Unknown,
}

/// One field, before and after, as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Such as `policy.floor` or `arm "terse".weight`.
    pub path: String,
    /// Before; `(none)` where there was none.
    pub from: String,
    /// After.
    pub to: String,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Whether it deserves a second look.
    pub warning: bool,
    /// In words, with figures.
    pub text: String,
}

/// Carry out a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplyRequest {
    /// The same file, text and options that were planned.
    pub plan: PlanRequest,
    /// The revision the plan was made for.
    pub base_revision: u64,
    /// Why; kept in the audit log. Must not be empty.
    pub reason: String,
    /// UUID made by the caller; the same id again gives the same answer and no second effect.
    pub request_id: uuid::Uuid,
}

/// An applied plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The installation's revision after it; the base if nothing changed.
    pub revision: u64,
    /// Keys that were changed.
    pub changed: Vec<String>,
    /// One sentence for the line that stays.
    pub outcome: String,
    /// Whether this request id had been carried out before.
    #[serde(default)]
    pub repeated: bool,
}
