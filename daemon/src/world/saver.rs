//! The task that keeps the world's file as the world is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{WorldHandle, snapshot};
use crate::clock::{Clock, Stopwatch};
use crate::durable::{Directory, Disk, replace};

/// What the file is called.
const NAME: &str = "world.snapshot";

/// 1 s between two files: changes in between are in the next one.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// A file that took long to write is left alone for so many times as long: with thousands of experiments that
/// learn, the world changes every second, and writing it must stay cheap beside serving it.
const REST: u32 = 50;

/// Writes the file whenever the world has changed. Run it with [`Saver::run`], once.
#[derive(Debug)]
pub struct Saver {
    world: WorldHandle,
    directory: Arc<Disk>,
    secret: [u8; 16],
    clock: Clock,
}

impl Saver {
    /// Saves `world` in the directory `path`, for daemons with the unit secret of this fingerprint.
    pub fn new(
        world: WorldHandle,
        path: &Path,
        secret: [u8; 16],
        clock: Clock,
    ) -> std::io::Result<Self> {
        Ok(Self {
            world,
            directory: Arc::new(Disk::open(path)?),
            secret,
            clock,
        })
    }

    /// Saves until `stop`, and once more then if there is something new.
    pub async fn run(self, stop: CancellationToken) {
        let mut changed = self.world.changed();
        loop {
            changed.mark_unchanged();
            let took = self.save().await;
            let rest = AT_MOST_EVERY.max(took * REST);
            // An error means that the world has ended, and nothing changes any more.
            let next = async {
                tokio::time::sleep(rest).await;
                changed.changed().await
            };
            match stop.run_until_cancelled(next).await {
                Some(Ok(())) => {}
                Some(Err(_)) => stop.cancelled().await,
                None => break,
            }
            if stop.is_cancelled() {
                break;
            }
        }
        if changed.has_changed().unwrap_or(false) {
            self.save().await;
        }
    }

    /// Saves the present world; how long it took.
    async fn save(&self) -> Duration {
        let started = Stopwatch::start();
        let world = self.world.load();
        let (directory, secret, now) = (Arc::clone(&self.directory), self.secret, self.clock.now());
        // The disk blocks, and so does writing many megabytes of JSON.
        let saving = tokio::task::spawn_blocking(move || {
            let file = snapshot::write(&world, secret, now);
            replace(&*directory, NAME, &file)
        });
        let saved = saving
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)));
        if let Err(error) = saved {
            tracing::error!(%error, "world not saved: a start without the database would serve an older one");
        }
        started.elapsed()
    }
}

/// The file's content in the directory `path`; `None` if there is none.
pub fn saved(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    if !path.is_dir() {
        return Ok(None);
    }
    match Disk::existing(path)?.read(NAME) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
