//! K4: SIGTERM, one daemon after the other, behind a load balancer, with callers that never try again.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::campaign::driver::{Driver, Load};
use crate::campaign::fleet::is_ready;
use crate::campaign::{Finished, Frame, Options};

/// How often the balancer probes `/readyz`: an eager one, so that the daemon gets no time for nothing.
const PROBE_EVERY: Duration = Duration::from_millis(100);

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
    let finished = frame.finish(driver, None).await;
    stop.cancel();
    balancer.await?;
    finished
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
