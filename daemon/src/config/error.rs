//! What is wrong with a configuration: all of it, each with its place and a fix.

use std::fmt;
use std::path::PathBuf;

use super::layers::Origin;

/// A configuration that cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    /// Everything that is wrong, in the order of the layers.
    pub problems: Vec<ConfigProblem>,
}

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// A key nobody knows.
    #[error("{origin}: unknown key `{name}`{}", suggestion.map(|it| format!("; did you mean `{it}`?")).unwrap_or_default())]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// What was written.
        name: String,
        /// The nearest key there is.
        suggestion: Option<&'static str>,
    },
    /// A value that does not fit its key.
    #[error("{origin}: {key}: {message}")]
    BadValue {
        /// Where.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// What is wrong and what to write instead.
        message: String,
    },
    /// The file cannot be read.
    #[error("{}: {message}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The file is not TOML.
    #[error("{origin}: {message}")]
    NotToml {
        /// Where.
        origin: Origin,
        /// What the parser says.
        message: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
