//! Who is eligible: typed matchers on the attributes a caller sends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Matchers by attribute; all must match. Empty matches everyone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Targeting(pub BTreeMap<String, Matcher>);

/// A condition on one attribute; all parts that are set must hold. A missing attribute does not match,
/// except with `exists = false`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    /// Equal to one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<serde_json::Value>,
    /// Equal to none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<serde_json::Value>,
    /// A number of at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// A number of at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// A text that starts with one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefix: Vec<String>,
    /// Present, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}
