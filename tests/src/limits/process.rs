//! What the system says of this process and of its database: memory, and time on the processor.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// The name of the threads that serve, ours and the others' alike.
pub(super) const SERVER_THREADS: &str = "limits-server";

/// Bytes of memory that this process has in use.
pub(super) fn resident_bytes() -> anyhow::Result<u64> {
    let kibibytes = field(Path::new("/proc/self"), "VmRSS:").context("its memory")?;
    let kibibytes: u64 = kibibytes.trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

/// Time on the processor. Unlike throughput it does not depend on who else uses the machine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Processor {
    /// Of the threads that serve.
    pub(super) server: Duration,
    /// Of the PostgreSQL under them.
    pub(super) database: Duration,
}

impl Processor {
    /// So far.
    pub(super) fn now() -> Self {
        let own = std::process::id().to_string();
        let threads = entries("/proc/self/task").into_iter().filter(|thread| {
            let name = fs::read_to_string(thread.join("comm"));
            name.is_ok_and(|name| name.trim() == SERVER_THREADS)
        });
        let parent = |process: &Path| field(process, "PPid:").unwrap_or_default();
        let backends = entries("/proc").into_iter().filter(|process| {
            let name = fs::read_to_string(process.join("comm"));
            // A backend is a child of the postmaster, which is a child of ours.
            name.is_ok_and(|name| name.trim() == "postgres")
                && parent(&Path::new("/proc").join(parent(process))) == own
        });
        Self {
            server: threads.map(|task| on_processor(&task)).sum(),
            database: backends.map(|task| on_processor(&task)).sum(),
        }
    }

    /// Since `before`. A backend that has ended since is not in it.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            database: self.database.saturating_sub(before.database),
        }
    }
}

fn entries(directory: &str) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).collect()
}

/// What follows `name` in a task's status.
fn field(task: &Path, name: &str) -> Option<String> {
    let status = fs::read_to_string(task.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

/// The first number of a task's schedstat, in nanoseconds; nothing of one that has just ended.
fn on_processor(task: &Path) -> Duration {
    let stat = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}
