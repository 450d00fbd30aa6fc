//! Where figures were read from.

use serde::{Deserialize, Serialize};

/// The database behind an answer; told only where a replica is configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// `replica` or `primary`.
    pub database: String,
    /// How far the replica was behind the primary when it was looked at last, in seconds; `None` if that is not known.
    #[serde(default)]
    pub replica_lag_seconds: Option<f64>,
    /// Why the figures are the primary's, if they are.
    #[serde(default)]
    pub note: Option<String>,
}

impl Source {
    /// In words, such as `from a replica, 0.8 s behind`.
    pub fn in_words(&self) -> String {
        let lag = self.replica_lag_seconds;
        let lag = lag.map_or_else(String::new, |lag| format!(", {lag:.1} s behind"));
        match (self.database.as_str(), &self.note) {
            ("replica", _) => format!("from a replica{lag}"),
            (_, Some(note)) => format!("from the primary: {note}"),
            (_, None) => "from the primary".to_owned(),
        }
    }
}
