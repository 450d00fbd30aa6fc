//! The four layers, and which of them wins for each key.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use super::error::{ConfigError, ConfigProblem};
use super::file::{self, Written, WrittenChannel};
use super::key::{KEYS, Key};

/// Everything that the configuration is made of. Reading it is the only time the environment is looked at.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Flags by key name.
    pub flags: BTreeMap<&'static str, String>,
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// Whether the process is root's, which moves defaults to the system's directories.
    pub is_root: bool,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag, such as `--data-dir`.
    Flag(&'static str),
    /// An environment variable.
    Environment(String),
    /// A line of the file, from 1.
    File(PathBuf, usize),
    /// Nothing was said.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Environment(variable) => f.write_str(variable),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One key's value, as text.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// The value; `None` where nothing was said.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// What `DATABASE_URL` is for us: everyone's name for it works as well as our own.
const DATABASE_URL: (&str, &str) = ("DATABASE_URL", "database_url");

/// Names the file, like `--config`.
const CONFIG_VARIABLE: &str = "PITBOSS_CONFIG";

/// Where root's file is.
const SYSTEM_FILE: &str = "/etc/pitboss/pitbossd.toml";

impl Inputs {
    /// The process's own environment and user.
    pub fn from_process(flags: BTreeMap<&'static str, String>, file: Option<PathBuf>) -> Self {
        Self {
            flags,
            file,
            environment: std::env::vars_os().collect(),
            is_root: rustix::process::geteuid().is_root(),
        }
    }

    /// A variable, empty ones counting as not set.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        let value = self.environment.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value)
    }

    /// The file to read: one that was named must be there, the default one may be missing.
    fn file(&self) -> Option<PathBuf> {
        let named = self
            .file
            .clone()
            .or_else(|| self.variable(CONFIG_VARIABLE).map(PathBuf::from));
        if named.is_some() {
            return named;
        }
        let usual = if self.is_root {
            PathBuf::from(SYSTEM_FILE)
        } else {
            let dirs = ProjectDirs::from("", "", "pitboss")?;
            dirs.config_dir().join("pitbossd.toml")
        };
        usual.exists().then_some(usual)
    }

    fn said_in_environment(&self, key: &Key) -> Option<(String, Origin)> {
        let ours = key.variable();
        let everyones = (DATABASE_URL.1 == key.name).then_some(DATABASE_URL.0);
        [Some(ours.as_str()), everyones]
            .into_iter()
            .flatten()
            .find_map(|name| {
                let value = self.variable(name)?.to_string_lossy().into_owned();
                Some((value, Origin::Environment(name.to_owned())))
            })
    }
}

/// The winning value of every key, and the alert channels of the file, where alone they can be.
pub(super) fn resolve(inputs: &Inputs) -> Result<(Vec<Setting>, Vec<WrittenChannel>), ConfigError> {
    let Written {
        values: mut written,
        channels,
    } = match inputs.file() {
        Some(path) => read(&path)?,
        None => Written::default(),
    };
    let mut setting = |key: &'static Key| {
        let flag = inputs.flags.get(key.name);
        let found = flag
            .map(|value| (value.clone(), Origin::Flag(key.flag)))
            .or_else(|| inputs.said_in_environment(key))
            .or_else(|| written.remove(key.name));
        match found {
            Some((value, origin)) => Setting {
                key,
                value: Some(value),
                origin,
            },
            None => Setting {
                key,
                value: None,
                origin: Origin::Default,
            },
        }
    };
    Ok((KEYS.iter().map(&mut setting).collect(), channels))
}

fn read(path: &Path) -> Result<Written, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
        problems: vec![ConfigProblem::Unreadable {
            path: path.to_owned(),
            message: error.to_string(),
        }],
    })?;
    file::parse(path, &text)
}
