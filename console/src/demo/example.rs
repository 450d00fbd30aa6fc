//! The example file, in a hurry, applied through the control socket like any other.

use bandit::spec::model::ExperimentSpec;
use bandit::spec::{parse, to_toml};
use protocol::refusal::{Code, Refusal};

use super::tempo::hurried;
use crate::cmd::{Daemon, Failure, apply_request, plan_request};

/// What the README shows and a test of its own reads.
const EXAMPLE: &str = include_str!("../../../experiments.example.toml");

/// The name that the audit log keeps.
const FILE: &str = "experiments.example.toml";

/// The example's experiments with windows of seconds.
pub(super) fn experiments() -> Result<Vec<ExperimentSpec>, Failure> {
    let file = parse(FILE, EXAMPLE).map_err(|problems| {
        let first = problems.first().map(ToString::to_string);
        Failure::Refused(Refusal::new(
            Code::Internal,
            format!(
                "the built-in example has problems: {}",
                first.unwrap_or_default()
            ),
        ))
    })?;
    Ok(file.experiments.into_iter().map(hurried).collect())
}

/// Plan and apply; says what came of it.
pub(super) async fn apply(
    daemon: &Daemon,
    experiments: &[ExperimentSpec],
) -> Result<String, Failure> {
    let parts: Vec<String> = experiments.iter().map(to_toml).collect();
    let request = plan_request(FILE, parts.join("\n"));
    let context = Daemon::patience();
    let plan = daemon.client.plan(context, request.clone()).await??;
    let request = apply_request(request, plan.base_revision, "the demo's experiments");
    let context = Daemon::patience();
    let applied = daemon.client.apply(context, request).await??;
    Ok(applied.outcome)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bandit::spec::parse;

    use super::super::service::Service;
    use super::*;

    #[test]
    fn every_service_finds_its_experiment_in_the_example() {
        let experiments = experiments().unwrap();
        let keys: BTreeSet<&str> = experiments.iter().map(|spec| spec.key.as_str()).collect();
        let wanted = Service::ALL.map(Service::key);
        assert_eq!(keys, BTreeSet::from(wanted));
    }

    #[test]
    fn what_is_sent_to_the_daemon_reads_back_the_same() {
        let experiments = experiments().unwrap();
        let parts: Vec<String> = experiments.iter().map(to_toml).collect();
        let read = parse("demo.toml", &parts.join("\n")).unwrap();
        assert_eq!(read.experiments, experiments);
    }
}
