//! What the daemon is told: flags over environment over file over defaults, every value with its origin.

mod channel;
mod channels;
mod error;
mod file;
mod key;
mod layers;
mod reader;
mod show;
mod suggest;
mod typed;
mod usual;

pub use channel::{Channel, Smtp, SmtpTls, Target};
pub use error::{ConfigError, ConfigProblem};
pub use key::{KEYS, Key, Kind};
pub use layers::{Inputs, Origin, Setting};
pub use show::show;
pub use typed::{Config, Database, LogFormat, Secret};

/// The configuration in force and where each of its values came from.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Every key in the order of the table.
    pub settings: Vec<Setting>,
}

/// Reads the layers and checks the result; all problems at once.
pub fn load(inputs: &Inputs) -> Result<Loaded, ConfigError> {
    let (settings, channels) = layers::resolve(inputs)?;
    let config = reader::read(&settings, &channels, inputs)?;
    Ok(Loaded { config, settings })
}

#[cfg(test)]
mod tests;
