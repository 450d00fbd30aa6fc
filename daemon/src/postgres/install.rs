//! Installing PostgreSQL from the distribution, where that was asked for and is possible.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::ClusterError;

const APT_GET: &str = "/usr/bin/apt-get";

/// Installs the distribution's `postgresql` package if this is root on a Debian-like system; says so on
/// stderr, where apt's own output goes too. Returns whether it did.
///
/// Only the demo and the test harness ask for this (`--install-postgres`): a daemon does not change the
/// machine it runs on.
pub(super) fn install_with_apt() -> Result<bool, ClusterError> {
    if !geteuid().is_root() || !Path::new(APT_GET).exists() {
        return Ok(false);
    }
    tracing::warn!("no PostgreSQL here: installing the distribution's package with apt-get");
    // The package lists of a fresh container are empty; a failure to renew them is not the end.
    let _ = apt_get(&["update", "-q"]);
    apt_get(&[
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "postgresql",
    ])?;
    Ok(true)
}

fn apt_get(arguments: &[&str]) -> Result<(), ClusterError> {
    let failed = |output: String| ClusterError::Program {
        program: "apt-get",
        output,
    };
    let mut child = Command::new(APT_GET)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut said) = child.stdout.take() {
        // Our stdout may be read by a program; apt's chatter goes where ours goes.
        let _ = std::io::copy(&mut said, &mut std::io::stderr());
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(format!(
        "`{}` ended with {status}",
        arguments.join(" ")
    )))
}
