//! `pitboss demo`: a private daemon, example experiments, simulated services, and the console on top.
//!
//! Everything is real but the visitors: the daemon that is installed, the control socket, the data port over HTTP.
//! The order in which things are made is the order in which they are dropped backwards, so that every way out (the
//! end, an error, a panic, a signal) leaves nothing: first the traffic stops, then the daemon, then its directory.

mod breakage;
mod error;
mod example;
mod headless;
mod http;
mod installation;
mod journey;
#[cfg(test)]
mod pace;
mod screen;
mod service;
mod signals;
mod summary;
mod tally;
mod tempo;
mod traffic;
mod visitor;

use crate::cli::DemoArgs;
use crate::cmd::{Daemon, Exit, Failure};
use crate::output::{self, Text};

pub use error::DemoError;
use installation::{Installation, Program};
use signals::Signals;
use traffic::{Scene, Traffic};

/// Simulated services and the full screen do not wait for each other.
const THREADS: usize = 2;

/// Give the demo.
pub fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    if !args.headless && !output::has_screen() {
        return Err(Failure::Usage(
            "the demo needs a terminal; without one: pitboss demo --headless --seconds 60"
                .to_owned(),
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?;
    // The daemon is told to end with the thread that starts it. `block_on` stays on this one, which lives as
    // long as the process; a spawned task would not.
    runtime.block_on(give(args))
}

/// Everything that runs, in the order in which it must go: a drop leaves nothing behind.
struct Stage {
    traffic: Traffic,
    daemon: Daemon,
    installation: Installation,
}

async fn give(args: &DemoArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let stage = signals.unless(set_up(args)).await?;
    match args.seconds {
        Some(seconds) => {
            signals
                .unless(headless::run(stage, args.seed, seconds))
                .await
        }
        // The full screen listens to signals itself: it has a terminal to give back.
        None => screen::run(stage).await,
    }
}

async fn set_up(args: &DemoArgs) -> Result<Stage, Failure> {
    let experiments = example::experiments()?;
    say("starting a private pitbossd with a database of its own");
    let installation = Installation::start(Program::find(), |line| {
        say(&format!("still starting{line}"));
    })
    .await?;
    let daemon = Daemon::connect(&installation.socket()).await?;
    say(&example::apply(&daemon, &experiments).await?);
    let scenes = experiments
        .iter()
        .filter_map(|spec| Scene::of(spec, args.broken))
        .collect();
    let data_address = &installation.addresses().data;
    say(&format!("simulated services call http://{data_address}"));
    let traffic = Traffic::start(scenes, data_address, args.seed, args.rate);
    Ok(Stage {
        traffic,
        daemon,
        installation,
    })
}

/// Progress, beside whatever standard output carries.
fn say(words: &str) {
    output::aside(&Text::of(format!("demo: {words}")));
}
