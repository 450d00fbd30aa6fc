//! K4: SIGTERM, one daemon after the other, behind a load balancer, with callers that never try again.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use protocol::client::{CallError, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::campaign::driver::{Driver, Load};
use crate::campaign::fleet::is_ready;
use crate::campaign::{Finished, Frame, Options, say};

/// How often the balancer probes `/readyz`: an eager one, so that the daemon gets no time for nothing.
const PROBE_EVERY: Duration = Duration::from_millis(100);

/// Services over tarpc.
const CALLERS: usize = 4;

/// 5 ms between two calls of one of them: at any moment of a stop somebody asks.
const PACE: Duration = Duration::from_millis(5);

/// One of the campaign's experiments.
const EXPERIMENT: &str = "binary";

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let mut frame = Frame::open(options, 3).await?;
    let cycles = options.size(2, 50);
    let stop = CancellationToken::new();
    let admin = frame.site.fleet.admin_ports();
    let (rotation, in_rotation) = watch::channel(vec![true; admin.len()]);
    let balancer = tokio::spawn(balance(admin, rotation, stop.clone()));
    let load = Load {
        tries: 1,
        ..Load::STEADY
    };
    let ports = frame.site.fleet.data_ports();
    let driver = Driver::start(&frame.site.oracle, &ports, load, Some(&in_rotation));
    let daemons = frame.site.fleet.daemons.iter();
    let addresses: Vec<String> = daemons.map(|it| it.data_rpc.to_string()).collect();
    let no_more = CancellationToken::new();
    let callers = join_all((0..CALLERS).map(|_| call_on(addresses.clone(), no_more.clone())));
    let callers = tokio::spawn(callers);
    for cycle in 0..cycles {
        frame.progress(cycle, cycles);
        for index in 0..ports.len() {
            let daemon = &mut frame.site.fleet.daemons[index];
            let status = daemon.terminate().await?;
            frame.report.faults.note("daemon_sigterm");
            frame
                .report
                .must("SIGTERM ends with exit code 0", status.success());
            daemon.spawn_if_gone()?;
            daemon.ready().await?;
            // A rollout goes on when the balancer has taken the new one in.
            let mut in_rotation = in_rotation.clone();
            in_rotation.wait_for(|ready| ready[index]).await?;
        }
    }
    frame.needs_no_failure = true;
    no_more.cancel();
    let mut answered = 0;
    for calls in callers.await? {
        if let Err(error) = &calls {
            say(&format!("over tarpc: {error}"));
        }
        let failed = "no call over tarpc fails";
        frame.report.must(failed, calls.is_ok());
        answered += calls.unwrap_or(0);
    }
    frame.report.figure("calls_over_tarpc", answered);
    let finished = frame.finish(driver, None).await;
    stop.cancel();
    balancer.await?;
    finished
}

/// One service over tarpc: asks all the time, never twice, and knows all daemons. Gives how many calls were answered.
/// What it asks for leaves no trace, so that the judge of the ledgers need not know of it.
async fn call_on(addresses: Vec<String>, stop: CancellationToken) -> Result<u64, CallError> {
    let client = Client::connect_any(addresses).await?;
    let mut answered = 0;
    let mut pace = tokio::time::interval(PACE);
    while stop.run_until_cancelled(pace.tick()).await.is_some() {
        client.expose(EXPERIMENT, "nobody").await?;
        answered += 1;
    }
    Ok(answered)
}

async fn balance(
    admin: Vec<SocketAddr>,
    rotation: watch::Sender<Vec<bool>>,
    stop: CancellationToken,
) {
    let mut probes = tokio::time::interval(PROBE_EVERY);
    while stop.run_until_cancelled(probes.tick()).await.is_some() {
        let ready = join_all(admin.iter().map(|port| is_ready(*port))).await;
        rotation.send_replace(ready);
    }
}
