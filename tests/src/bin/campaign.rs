//! `campaign NAME [--full] [--seed N] [--binaries DIRECTORY]`: runs one campaign and prints its report, one JSON
//! object. Exit code 0 only if everything holds that must. With `--binaries` the `pitbossd` and `pitboss` there
//! are used, such as an older build, or copies that no build replaces while the campaign runs.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use harness::campaign::runs::{self, CAMPAIGNS};
use harness::campaign::{self, Options};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut name = None;
    let mut options = Options {
        seed: 1,
        full: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--full" => options.full = true,
            "--seed" => {
                let seed = arguments.next().context("--seed needs a number")?;
                options.seed = seed.parse().context("--seed needs a number")?;
            }
            "--binaries" => {
                let directory = arguments.next().context("--binaries needs a directory")?;
                harness::binaries::take_from(directory.as_ref());
            }
            flag if flag.starts_with('-') => {
                bail!("{flag} is not known: NAME [--full] [--seed N] [--binaries DIRECTORY]")
            }
            _ => name = Some(argument),
        }
    }
    let mut out = std::io::stdout();
    let Some(name) = name else {
        for campaign in CAMPAIGNS {
            writeln!(out, "{:4} {}", campaign.name, campaign.what)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let campaign = runs::find(&name).with_context(|| format!("there is no campaign {name}"))?;
    let (report, holds) = campaign::run(campaign, options).await?;
    writeln!(out, "{report}")?;
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
