//! SIGHUP: the configuration is read again, checked as a whole, and what may change while the daemon runs is
//! changed. A configuration that is wrong changes nothing.

use std::ffi::OsStr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{self, Channel, Config, Inputs, Key, Loaded, Setting};
use crate::telemetry::LogFilter;

/// The configuration in force, and what it is read from.
#[derive(Debug)]
pub struct Reloading {
    inputs: Inputs,
    settings: Vec<Setting>,
    config: Arc<Config>,
    channels: watch::Sender<Arc<[Channel]>>,
    log: Option<LogFilter>,
}

impl Reloading {
    /// What was loaded from `inputs`.
    pub fn new(inputs: Inputs, loaded: Loaded, log: Option<LogFilter>) -> Self {
        Self {
            inputs,
            settings: loaded.settings,
            channels: watch::Sender::new(Arc::clone(&loaded.config.alert_channels)),
            config: Arc::new(loaded.config),
            log,
        }
    }

    /// What is in force.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Where alerts go, now and after every time it was read.
    pub(super) fn alert_channels(&self) -> watch::Receiver<Arc<[Channel]>> {
        self.channels.subscribe()
    }

    /// A variable of the environment that it is read from.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.inputs.variable(name)
    }

    /// Reads it again. All or nothing, and loud either way.
    pub(super) fn reload(&mut self) {
        match config::load(&self.inputs) {
            Ok(loaded) => self.take(&loaded),
            Err(error) => {
                count("refused");
                tracing::error!(
                    %error,
                    "the configuration is wrong and was not read: the old one stays in force"
                );
            }
        }
    }

    fn take(&mut self, loaded: &Loaded) {
        let differs = |setting: &&Setting| {
            let before = self.settings.iter().find(|it| it.key == setting.key);
            before.is_none_or(|before| before.value != setting.value)
        };
        let differing = loaded.settings.iter().filter(differs).map(|it| it.key);
        let (live, fixed): (Vec<&Key>, Vec<&Key>) = differing.partition(|key| key.is_live());
        self.config = Arc::new(self.config.with_live_keys_of(&loaded.config));
        // The others are compared again the next time, with what is really in force.
        for setting in &mut self.settings {
            if let Some(read) = loaded.settings.iter().find(|it| it.key == setting.key)
                && setting.key.is_live()
            {
                setting.clone_from(read);
            }
        }
        if let Some(log) = &self.log {
            log.follow(&self.config);
        }
        // Whether or not they changed: what a secret's file holds is not compared here.
        self.channels
            .send_replace(Arc::clone(&self.config.alert_channels));
        count("ok");
        tracing::info!(changed = names(&live), "the configuration was read again");
        if !fixed.is_empty() {
            tracing::warn!(
                keys = names(&fixed),
                "changed in the configuration; needs a restart to take effect"
            );
        }
    }
}

fn names(keys: &[&Key]) -> String {
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    names.join(", ")
}

fn count(result: &'static str) {
    metrics::counter!("pitboss_config_reloads_total", "result" => result).increment(1);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reloading(file: &std::path::Path) -> Reloading {
        let inputs = Inputs {
            file: Some(file.to_owned()),
            ..Inputs::default()
        };
        let loaded = config::load(&inputs).unwrap();
        Reloading::new(inputs, loaded, None)
    }

    #[test]
    fn live_keys_change_others_wait_and_a_wrong_file_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pitbossd.toml");
        std::fs::write(&file, "drain_timeout = '20s'\nenvironment = 'one'\n").unwrap();
        let mut reloading = reloading(&file);

        std::fs::write(&file, "drain_timeout = '50s'\nenvironment = 'two'\n").unwrap();
        reloading.reload();
        assert_eq!(reloading.config().drain_timeout, Duration::from_secs(50));
        assert_eq!(reloading.config().environment, "one");
        let in_force = |reloading: &Reloading, key: &str| {
            let setting = reloading.settings.iter().find(|it| it.key.name == key);
            setting.and_then(|it| it.value.clone()).unwrap()
        };
        assert_eq!(in_force(&reloading, "drain_timeout"), "50s");
        assert_eq!(in_force(&reloading, "environment"), "one");

        for wrong in ["drain_timeout = '1h'\n", "drain_tmeout = '9s'\n", "= ="] {
            std::fs::write(&file, format!("log = 'debug'\n{wrong}")).unwrap();
            reloading.reload();
            assert_eq!(reloading.config().drain_timeout, Duration::from_secs(50));
            assert_eq!(reloading.config().log, "info");
        }
        std::fs::remove_file(&file).unwrap();
        reloading.reload();
        assert_eq!(reloading.config().drain_timeout, Duration::from_secs(50));
    }
}
