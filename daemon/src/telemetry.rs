//! Logs: to stderr, and into three rolling files by what they are about.

pub mod metrics;
mod process;

use std::fs::DirBuilder;
use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use tracing::Metadata;
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, filter, fmt, reload};

use crate::config::{Config, LogFormat};

/// For the daemon's user and group: logs name experiments, operators and their reasons.
const LOG_DIR_MODE: u32 = 0o750;

/// Keeps the writers of the logs alive; what is still in their queues is written when it is dropped.
#[derive(Debug)]
pub struct Logs {
    _writers: Vec<WorkerGuard>,
    filter: Option<LogFilter>,
}

/// What is logged, to be changed while the daemon runs.
#[derive(Debug, Clone)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

impl Logs {
    /// What changes the filter of the rolling logs.
    pub fn filter(&self) -> Option<LogFilter> {
        self.filter.clone()
    }
}

impl LogFilter {
    /// Logs what `config` asks for from now on.
    pub fn follow(&self, config: &Config) {
        if let Err(error) = self.0.reload(filter_of(config)) {
            tracing::error!(%error, "the log filter cannot be changed");
        }
    }
}

/// Logs that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The directory or a file in it cannot be made.
    #[error("cannot write logs into {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The three logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Application,
    Guardrail,
    Worker,
}

/// Targets that belong to another log than the application's, by prefix; the first match counts.
const ROUTES: [(&str, Subject); 4] = [
    ("pitboss::guardrail", Subject::Guardrail),
    ("daemon::workers::guardrail", Subject::Guardrail),
    ("pitboss::worker", Subject::Worker),
    ("daemon::workers", Subject::Worker),
];

impl Subject {
    const ALL: [Self; 3] = [Self::Application, Self::Guardrail, Self::Worker];

    fn file_name(self) -> &'static str {
        match self {
            Self::Application => "application.log",
            Self::Guardrail => "guardrail.log",
            Self::Worker => "worker.log",
        }
    }

    fn of(target: &str) -> Self {
        let route = ROUTES.iter().find(|(prefix, _)| target.starts_with(prefix));
        route.map_or(Self::Application, |(_, subject)| *subject)
    }

    fn takes(self, metadata: &Metadata<'_>) -> bool {
        Self::of(metadata.target()) == self
    }
}

/// Logs to stderr only: for commands that run and end.
pub fn log_to_stderr(config: &Config) -> Logs {
    let (layer, writer) = stderr_layer(config.log_format);
    let _ = tracing_subscriber::registry()
        .with(filter_of(config))
        .with(layer)
        .try_init();
    Logs {
        _writers: vec![writer],
        filter: None,
    }
}

/// Logs to stderr and into the log directory. No writer blocks: a full disk or a reader of stderr that
/// hangs costs lines, not requests.
pub fn log_to_files(config: &Config) -> Result<Logs, LogError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| LogError::Directory {
        path: config.log_dir.clone(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(LOG_DIR_MODE)
        .create(&config.log_dir)
        .map_err(|error| failed(error.into()))?;
    let (layer, writer) = stderr_layer(config.log_format);
    let mut writers = vec![writer];
    let mut layers = vec![layer];
    for subject in Subject::ALL {
        let file = rolling(config, subject).map_err(|error| failed(error.into()))?;
        let (file, writer) = tracing_appender::non_blocking(file);
        writers.push(writer);
        layers.push(file_layer(subject, file));
    }
    let (filter, handle) = reload::Layer::new(filter_of(config));
    let _ = tracing_subscriber::registry()
        .with(layers.with_filter(filter))
        .try_init();
    Ok(Logs {
        _writers: writers,
        filter: Some(LogFilter(handle)),
    })
}

/// The configured filter, without the notices of statements such as `create table if not exists`.
fn filter_of(config: &Config) -> EnvFilter {
    EnvFilter::new(format!("sqlx::postgres::notice=warn,{}", config.log))
}

fn rolling(
    config: &Config,
    subject: Subject,
) -> Result<RollingFileAppender, tracing_appender::rolling::InitError> {
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(subject.file_name())
        .max_log_files(config.log_files)
        .build(&config.log_dir)
}

type BoxedLayer<S> = Box<dyn Layer<S> + Send + Sync>;

fn stderr_layer<S>(format: LogFormat) -> (BoxedLayer<S>, WorkerGuard)
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let terminal = std::io::stderr().is_terminal();
    let (stderr, writer) = tracing_appender::non_blocking(std::io::stderr());
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Human => false,
    };
    let layer = fmt::layer().with_writer(stderr).with_ansi(terminal);
    if json {
        return (layer.json().flatten_event(true).boxed(), writer);
    }
    (layer.boxed(), writer)
}

fn file_layer<S>(subject: Subject, file: NonBlocking) -> BoxedLayer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    fmt::layer()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_writer(file)
        .with_filter(filter::filter_fn(move |metadata| subject.takes(metadata)))
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_goes_into_one_log() {
        for (target, subject) in [
            ("daemon::app", Subject::Application),
            ("sqlx::query", Subject::Application),
            ("pitboss::worker", Subject::Worker),
            ("daemon::workers::fold", Subject::Worker),
            ("daemon::workers::guardrails::breach", Subject::Guardrail),
        ] {
            assert_eq!(Subject::of(target), subject, "{target}");
        }
    }
}
