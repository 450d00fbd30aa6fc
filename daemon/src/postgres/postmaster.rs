//! Whether a postmaster is alive, judged by what the kernel says and not by its pid file alone.
//!
//! After kill -9 or a reboot the pid in the file may belong to nobody or to a stranger. Every process of a
//! cluster works in the cluster's directory (`/proc/PID/cwd`), so that tells ours from others.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::ClusterError;
use crate::clock::Stopwatch;

/// Backends of a killed postmaster notice its death when they next wait, which takes milliseconds; one deep
/// in a query is stopped after this.
const ORPHANS_MAY_TAKE: Duration = Duration::from_secs(5);

/// Between two looks at `/proc`.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a pid file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: Pid,
    pub(super) socket_dir: PathBuf,
}

/// The living postmaster of `cluster`, if there is one.
pub(super) fn find(cluster: &Path) -> Option<Postmaster> {
    let text = std::fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let postmaster = parse(&text)?;
    works_in(postmaster.pid, cluster).then_some(postmaster)
}

/// Whether the process lives (a zombie does not) and works in `directory`.
pub(super) fn works_in(pid: Pid, directory: &Path) -> bool {
    let wanted = directory.canonicalize().ok();
    wanted.is_some() && working_directory(pid) == wanted
}

/// `None` for a process that has ended, or that belongs to someone else.
fn working_directory(pid: Pid) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).ok()
}

/// Whether the postmaster of the pid file was killed and is not gone yet: it works nowhere any more, but its number
/// is taken, and PostgreSQL refuses to start beside it.
fn is_dying(cluster: &Path) -> bool {
    let text = std::fs::read_to_string(cluster.join("postmaster.pid")).ok();
    text.as_deref()
        .and_then(parse)
        .is_some_and(|it| works_nowhere(it.pid))
}

/// A process that has given up its directory: it is ending, or a zombie that nobody has waited for.
fn works_nowhere(pid: Pid) -> bool {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let directory = std::fs::read_link(process.join("cwd"));
    process.exists() && directory.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Makes the way free for a new postmaster: waits for what an earlier one left behind, and removes a pid file
/// whose number has gone to a stranger, or to a zombie that stays.
///
/// The caller holds the lock of the data directory and has found no living postmaster.
pub(super) fn clear_away(cluster: &Path) -> Result<(), ClusterError> {
    let started = Stopwatch::start();
    let mut told = false;
    loop {
        let orphans = orphans(cluster);
        let waited = started.elapsed() > ORPHANS_MAY_TAKE;
        if orphans.is_empty() && (waited || !is_dying(cluster)) {
            break;
        }
        if waited && !told {
            told = true;
            for orphan in orphans {
                let _ = kill_process(orphan, Signal::QUIT);
            }
        }
        if started.elapsed() > ORPHANS_MAY_TAKE * 2 {
            return Err(ClusterError::Program {
                program: "postgres",
                output: format!(
                    "processes of an earlier run still work in {}; end them and start again",
                    cluster.display()
                ),
            });
        }
        std::thread::sleep(LOOK_EVERY);
    }
    remove_misleading_pid_file(cluster)
}

/// PostgreSQL checks its own pid file, and more carefully than we can (it asks for the shared memory too), but
/// takes any living process of its user under that number for a postmaster. Only that case is ours.
fn remove_misleading_pid_file(cluster: &Path) -> Result<(), ClusterError> {
    let pid_file = cluster.join("postmaster.pid");
    let named = std::fs::read_to_string(&pid_file).ok();
    let Some(postmaster) = named.as_deref().and_then(parse) else {
        return Ok(());
    };
    let works_elsewhere = working_directory(postmaster.pid).is_some_and(|it| it != cluster);
    if works_elsewhere || works_nowhere(postmaster.pid) {
        std::fs::remove_file(&pid_file).map_err(ClusterError::io("remove", pid_file))?;
    }
    Ok(())
}

fn orphans(cluster: &Path) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| works_in(*pid, cluster))
        .collect()
}

/// Lines: pid, directory, start, port, socket directory, address, shared memory, state.
fn parse(text: &str) -> Option<Postmaster> {
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok().and_then(Pid::from_raw)?;
    let socket_dir = PathBuf::from(lines.nth(3)?.trim());
    Some(Postmaster { pid, socket_dir })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "4711\n/data/postgres\n1790000000\n5432\n/data/socket\n\n 12 34\nready   \n";

    #[test]
    fn the_pid_file_names_the_process_and_its_socket() {
        let found = parse(FILE).unwrap();
        assert_eq!(found.pid.as_raw_nonzero().get(), 4711);
        assert_eq!(found.socket_dir, Path::new("/data/socket"));
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_pid_that_went_to_a_stranger_is_not_a_postmaster() {
        let root = tempfile::tempdir().unwrap();
        let own = std::process::id().to_string();
        std::fs::write(
            root.path().join("postmaster.pid"),
            FILE.replace("4711", &own),
        )
        .unwrap();
        assert_eq!(find(root.path()), None);
        clear_away(root.path()).unwrap();
        assert!(!root.path().join("postmaster.pid").exists());
    }
}
