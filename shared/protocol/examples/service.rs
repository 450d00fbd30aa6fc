//! A service in small: asks which button each visitor gets, shows it, and says who bought.
//!
//! `cargo run --release -p protocol --example service -- 127.0.0.1:7401 1000`, against a daemon that was started
//! with `--data-rpc-listen 127.0.0.1:7401` and knows `checkout_button` of `experiments.example.toml`.
#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use protocol::client::{CallError, Client};
use protocol::serve::Event;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const EXPERIMENT: &str = "checkout_button";

/// Visitors who are served at the same time, all on one connection.
const AT_ONCE: usize = 64;

/// What became of one visitor.
struct Visit {
    arm: String,
    bought: bool,
}

#[tokio::main]
async fn main() -> Result<(), CallError> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:7401".to_owned());
    let visitors: u64 = arguments
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000);

    let pitboss = Client::connect(address).await?;
    let mut visits = stream::iter(0..visitors)
        .map(|visitor| visit(&pitboss, visitor))
        .buffer_unordered(AT_ONCE);
    let mut shown: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    while let Some(visit) = visits.next().await {
        let Visit { arm, bought } = visit?;
        let (seen, sold) = shown.entry(arm).or_default();
        *seen += 1;
        *sold += u64::from(bought);
    }
    for (arm, (seen, sold)) in shown {
        println!("{arm}: shown to {seen}, bought by {sold}");
    }
    Ok(())
}

/// Serves one visitor. The chance is seeded by the visitor: a second run changes nobody's mind, and sends
/// every purchase again under its old id, which counts once.
async fn visit(pitboss: &Client, visitor: u64) -> Result<Visit, CallError> {
    let unit = format!("visitor-{visitor}");
    let assigned = pitboss
        .assign(EXPERIMENT, &unit)
        .attribute("country", "SN")
        .attribute("device", "ios")
        .await?;
    let buys = if assigned.arm == "blue" { 0.085 } else { 0.045 };
    let bought = StdRng::seed_from_u64(visitor).random_bool(buys);
    if bought {
        let purchase = Event::new(EXPERIMENT, &unit, "purchase")
            .with_value(49.9)
            .with_id(format!("order-of-{unit}"));
        pitboss.track(purchase).await?;
    }
    Ok(Visit {
        arm: assigned.arm,
        bought,
    })
}
