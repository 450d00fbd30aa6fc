//! Every metric of the daemon: its name, unit and meaning in one table, and the recorder that serves them.

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use sqlx::PgPool;

use super::process;

/// Upper edges of every duration histogram, in seconds: 50 us for a sticky hit up to 10 s for a plan that
/// waits for the database; 0.1 and 0.12 are the goals for decisions, so that "within the goal" is a bucket.
const SECONDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.12,
    0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Upper edges of histograms of batches, in rows: from one alone to the largest batch.
const ROWS: [f64; 8] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0];

enum Form {
    Counter,
    Gauge,
    /// A histogram of durations.
    Seconds,
    /// A histogram of batches.
    Rows,
}

use Form::{Counter, Gauge, Rows, Seconds};

/// Name as recorded, form, meaning. Names carry their unit; counters end in `_total` when they are served.
#[rustfmt::skip]
const METRICS: &[(&str, Form, &str)] = &[
    ("pitboss_build_info", Gauge, "always 1; the labels say what is running"),
    ("pitboss_ready", Gauge, "1 while the daemon takes traffic"),
    ("pitboss_config_reloads_total", Counter, "times the configuration was read again, by whether it could be"),
    ("pitboss_assignments_total", Counter, "answered assigns, by experiment and where the arm came from"),
    ("pitboss_events_total", Counter, "received events, by experiment and what became of them"),
    ("pitboss_decision_duration_seconds", Seconds, "time to answer an assign, from admission to the arm"),
    ("pitboss_sticky_cache_units", Gauge, "units whose arms are remembered"),
    ("pitboss_sticky_cache_bytes", Gauge, "memory of the cache of assignments"),
    ("pitboss_sticky_cache_hits_total", Counter, "look-ups of units that were remembered"),
    ("pitboss_sticky_cache_misses_total", Counter, "look-ups of units that were not"),
    ("pitboss_http_requests_in_flight", Gauge, "requests of the data ports being carried out, by kind"),
    ("pitboss_data_rpc_connections", Gauge, "connections of services over tarpc"),
    ("pitboss_data_rpc_connections_broken_total", Counter, "connections of services over tarpc cut off because of what they sent, or how slowly"),
    ("pitboss_shed_total", Counter, "requests of the data ports refused because too many of their kind were in flight, or because too much waits for the fold"),
    ("pitboss_group_commit_rows", Rows, "rows that were committed together, by group"),
    ("pitboss_database_up", Gauge, "1 while the database answers, 0 while the daemon serves without it"),
    ("pitboss_spool_records", Gauge, "records on this daemon's disk that are not in the database yet"),
    ("pitboss_spool_bytes", Gauge, "bytes of them"),
    ("pitboss_spool_oldest_timestamp_seconds", Gauge, "when the oldest of them was kept, Unix time; 0 without any"),
    ("pitboss_spool_fsync_duration_seconds", Seconds, "time to sync one batch of the spool"),
    ("pitboss_spool_replayed_total", Counter, "spooled records that were written to the database"),
    ("pitboss_spool_refused_total", Counter, "records that the spool could not keep: their callers were told to come again"),
    ("pitboss_spool_faults_total", Counter, "what was wrong with the spool's files, by kind: damaged, torn, unreadable, failed"),
    ("pitboss_frozen_conflicts_total", Counter, "units that had another arm while the database was away than the one on record"),
    ("pitboss_fold_waiting_rows", Gauge, "landed rows that wait for the fold"),
    ("pitboss_fold_lag_seconds", Gauge, "how long ago the oldest of them was received"),
    ("pitboss_fold_assignments", Counter, "assignments counted into the state"),
    ("pitboss_fold_events", Counter, "events moved into the ledger"),
    ("pitboss_fold_repeats", Counter, "events that came under a known id"),
    ("pitboss_fold_windows_closed", Counter, "attribution windows closed"),
    ("pitboss_database_bytes", Gauge, "bytes of the tables that grow with traffic, with their indexes, by table"),
    ("pitboss_ledger_kept_since_timestamp_seconds", Gauge, "since when events are kept, Unix time; 0 while none was dropped"),
    ("pitboss_events_dropped_total", Counter, "events that retention dropped from the ledger"),
    ("pitboss_policy_versions", Counter, "policy versions published"),
    ("pitboss_decision_looks_total", Counter, "experiments looked at for a decision"),
    ("pitboss_guardrail_looks_total", Counter, "experiments whose guardrails were judged"),
    ("pitboss_worker_run_seconds", Seconds, "time a run of a background worker took, by role"),
    ("pitboss_worker_failures", Counter, "runs of a background worker that failed, by role"),
    ("pitboss_alerts_firing", Gauge, "alerts that fire and that nobody acked or silenced, by severity"),
    ("pitboss_alert_notices_total", Counter, "things that people were told of alerts, one by one"),
    ("pitboss_alert_notices_held_total", Counter, "things beyond what is told in a minute, told in a digest"),
    ("pitboss_alert_deliveries_total", Counter, "attempts to tell a channel, by channel and how they ended: delivered, failed, dead, gone"),
    ("pitboss_mutations_total", Counter, "changes asked for by operators, by action and result"),
    ("pitboss_control_connections", Gauge, "connected consoles"),
    ("pitboss_control_connections_refused_total", Counter, "consoles turned away because all seats were taken"),
    ("pitboss_control_connections_broken_total", Counter, "consoles cut off because of what they sent"),
    ("pitboss_control_forbidden_total", Counter, "calls refused because the caller may not"),
    ("pitboss_postgres_up", Gauge, "1 while the private PostgreSQL answers"),
    ("pitboss_db_pool_connections", Gauge, "connections to PostgreSQL, by state"),
    ("pitboss_replica_lag_seconds", Gauge, "how far the replica is behind the primary; NaN while it is away"),
    ("pitboss_replica_fallbacks_total", Counter, "times figures were read from the primary although there is a replica"),
    ("pitboss_db_transaction_retries", Counter, "transactions that were run again, by name"),
    ("process_resident_memory_bytes", Gauge, "memory in use"),
    ("process_open_fds", Gauge, "open file descriptors"),
    ("process_cpu_seconds_total", Counter, "processor time used"),
];

/// The installed recorder.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Installs the recorder of this process.
    pub fn install() -> Result<Self, BuildError> {
        let handle = PrometheusBuilder::new()
            .with_recommended_naming(true)
            .set_buckets(&SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_rows".into()), &ROWS)?
            .install_recorder()?;
        describe();
        ::metrics::gauge!("pitboss_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self { handle })
    }

    /// Prometheus text format 0.0.4.
    pub fn render(&self, pool: Option<&PgPool>) -> String {
        process::publish();
        if let Some(pool) = pool {
            let idle = pool.num_idle() as f64;
            let used = f64::from(pool.size()) - idle;
            ::metrics::gauge!("pitboss_db_pool_connections", "state" => "idle").set(idle);
            ::metrics::gauge!("pitboss_db_pool_connections", "state" => "used").set(used);
        }
        self.handle.render()
    }

    /// Moves recorded values from their buffers into the histograms; without it they grow.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

fn describe() {
    for (name, form, meaning) in METRICS {
        match form {
            Counter => describe_counter!(*name, *meaning),
            Gauge => describe_gauge!(*name, *meaning),
            Seconds => describe_histogram!(*name, Unit::Seconds, *meaning),
            Rows => describe_histogram!(*name, *meaning),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Every `"pitboss_.."` literal under `directory`.
    fn recorded(directory: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                recorded(&path, names);
            } else if !path.ends_with("telemetry/metrics.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let literals = text.split("\"pitboss_").skip(1);
                let ends = literals.filter_map(|literal| literal.split('"').next());
                names.extend(ends.map(|end| format!("pitboss_{end}")));
            }
        }
    }

    #[test]
    fn every_metric_that_is_recorded_is_in_the_table() {
        let mut names = BTreeSet::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        recorded(&source, &mut names);
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            assert!(
                METRICS.iter().any(|it| it.0 == name),
                "{name} is not in the table"
            );
        }
    }

    #[test]
    fn the_tables_names_are_what_prometheus_recommends() {
        for (name, form, meaning) in METRICS {
            let prefix = name.starts_with("pitboss_") || name.starts_with("process_");
            assert!(prefix && !meaning.is_empty(), "{name}");
            let suffixed = match form {
                Counter => true,
                Gauge => !name.ends_with("_total"),
                Seconds => name.ends_with("_seconds"),
                Rows => name.ends_with("_rows"),
            };
            assert!(suffixed, "{name}");
        }
    }
}
