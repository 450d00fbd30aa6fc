//! N1: a bad network between each daemon and the database.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::campaign::database::Database;
use crate::campaign::driver::{Driver, Load};
use crate::campaign::operator::Operator;
use crate::campaign::proxy::{Proxy, Weather};
use crate::campaign::site::Site;
use crate::campaign::{Finished, Frame, Options};

/// RELIABILITY section 9, N1: nothing is stuck for longer. A caller's own limit is far below.
const NOTHING_STUCK: Duration = Duration::from_secs(30);

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let mut proxies: Vec<Proxy> = Vec::new();
    let home = daemon::testing::stopped_cluster().await;
    let upstream = Database::socket_in(home.path());
    for _ in 0..3 {
        proxies.push(Proxy::to(upstream.clone()).await?);
    }
    let urls = proxies.iter().map(|proxy| {
        format!(
            "postgres://pitboss@{}/pitboss?sslmode=disable",
            proxy.address
        )
    });
    let site = Site::in_home(home, options.seed, urls.collect()).await?;
    let mut frame = Frame::around(options, site);
    let operator = Operator::start(&frame.site.oracle, &frame.site.fleet);
    let driver = Driver::start(
        &frame.site.oracle,
        &frame.site.fleet.data_ports(),
        Load::STEADY,
        None,
    );
    let rounds = options.size(10, 200);
    let lasting = options.size(0.1..1.5, 0.2..9.0);
    for round in 0..rounds {
        frame.progress(round, rounds);
        let weather = choose(round, &mut frame.rng);
        // Every third time it is everywhere, else at one daemon.
        let everywhere = round % 3 == 0;
        let one = frame.rng.random_range(0..proxies.len());
        for (index, proxy) in proxies.iter().enumerate() {
            if everywhere || index == one {
                proxy.set(weather);
            }
        }
        frame.report.faults.note(weather.name());
        let seconds = match weather {
            // An answer is lost once a connection; all have met it in a moment.
            Weather::AnswerLost => 0.3,
            _ => frame.rng.random_range(lasting.clone()),
        };
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        for proxy in &proxies {
            proxy.set(Weather::Fair);
        }
        let pause = frame.rng.random_range(0.2..1.5);
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
    }
    frame.needs_answers_within = Some(NOTHING_STUCK);
    frame.finish(driver, Some(operator)).await
}

fn choose(round: u64, rng: &mut StdRng) -> Weather {
    match round % 5 {
        0 => Weather::Cut,
        1 => Weather::HalfOpen,
        2 => Weather::Slow(Duration::from_millis(rng.random_range(50..500))),
        3 => Weather::Trickle,
        _ => Weather::AnswerLost,
    }
}
