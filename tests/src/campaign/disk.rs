//! A small disk of its own under a daemon's spool, which fills, and takes a write only in part.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::fs::{FallocateFlags, fallocate, ftruncate, statvfs};
use rustix::process::geteuid;
use tokio_util::sync::CancellationToken;

/// A disk that fills in a moment.
const SIZE: &str = "size=4m";

/// What a tmpfs hands out. A write of more than is left gets what is left, and the next one `ENOSPC`.
const PAGE: u64 = 4_096;

/// Most pages that a breathing disk leaves: a batch of the flood is larger than some of what is left, and not than all.
const MOST_LEFT: u64 = 24;

/// Between two breaths: some batches find the disk as the one before them left it, some do not.
const BREATH: Duration = Duration::from_millis(5);

/// What takes the room. No segment of a spool has such a name.
const FILLER: &str = "filler";

/// A mounted tmpfs; unmounted when dropped.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts one `on` a directory, which is made if needed.
    pub fn mount(on: &Path) -> anyhow::Result<Self> {
        ensure!(
            geteuid().is_root(),
            "a small tmpfs is mounted, which takes root: run it as root"
        );
        std::fs::create_dir_all(on)?;
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "pitboss-campaign"])
            .arg(on)
            .status()
            .context("running mount")?;
        ensure!(status.success(), "cannot mount a tmpfs on {}", on.display());
        Ok(Self(on.to_owned()))
    }

    /// Leaves now less, now more room than a batch needs, until `stop`; then all of it. Gives how often it left some and
    /// not enough for every batch.
    pub async fn breathe(&self, seed: u64, stop: CancellationToken) -> anyhow::Result<u64> {
        let path = self.0.join(FILLER);
        let filler = File::create(&path)?;
        let mut random = StdRng::seed_from_u64(seed);
        let mut breaths = tokio::time::interval(BREATH);
        let (mut taken, mut tight) = (0, 0);
        while stop.run_until_cancelled(breaths.tick()).await.is_some() {
            let left = random.random_range(0..=MOST_LEFT) * PAGE;
            let disk = statvfs(&self.0)?;
            let wanted = (taken + disk.f_bavail * disk.f_frsize).saturating_sub(left);
            taken = set_length(&filler, taken, wanted);
            tight += u64::from(left > 0);
        }
        drop(filler);
        std::fs::remove_file(path)?;
        Ok(tight)
    }
}

/// The length that it has then: the daemon may have been quicker to take what was to be taken.
fn set_length(filler: &File, from: u64, to: u64) -> u64 {
    let done = if to > from {
        fallocate(filler, FallocateFlags::empty(), 0, to)
    } else {
        ftruncate(filler, to)
    };
    if done.is_ok() { to } else { from }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a daemon that is still ending may have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
