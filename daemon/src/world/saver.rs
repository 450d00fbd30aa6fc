//! The task that keeps the world's file as the world is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{World, WorldHandle, snapshot};
use crate::clock::{Clock, Stopwatch};
use crate::durable::{Directory, Disk, replace};

/// What the file is called.
const NAME: &str = "world.snapshot";

/// 1 s between two files: changes in between are in the next one.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// A file that took long to write is left alone for so many times as long, unless somebody changed something:
/// with thousands of experiments that learn, their splits move every second, and writing them down must stay
/// cheap beside serving them. A stop or a rollback does not wait for that.
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
            let saved = self.world.load();
            let took = self.save(&saved).await;
            let next = async {
                tokio::time::sleep(AT_MOST_EVERY).await;
                let rested = tokio::time::sleep(took * REST);
                let mut seen = changed.clone();
                // Both are cancel-safe.
                tokio::select! {
                    () = rested => {}
                    _ = seen.wait_for(|_| self.world.load().revision != saved.revision) => {}
                }
                // The sender is the world's own, so it is there.
                let _ = changed.changed().await;
            };
            if stop.run_until_cancelled(next).await.is_none() {
                break;
            }
        }
        if changed.has_changed().unwrap_or(false) {
            self.save(&self.world.load()).await;
        }
    }

    /// Saves `world`; how long it took.
    async fn save(&self, world: &Arc<World>) -> Duration {
        let started = Stopwatch::start();
        let world = Arc::clone(world);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::fixture::{CHECKOUT, Fixture};

    #[tokio::test]
    async fn the_file_follows_the_world_up_to_the_end() {
        let fixture = Fixture::start(CHECKOUT).await;
        let (world, refresher) = WorldHandle::open(fixture.store().clone()).await.unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(refresher.run(stop.child_token()));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert!(saved(path).unwrap().is_none());
        let saver = Saver::new(world.clone(), path, [7; 16], Clock::system()).unwrap();
        let end = CancellationToken::new();
        let saving = tokio::spawn(saver.run(end.clone()));
        while saved(path).unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        fixture
            .execute("update installation set revision = revision + 1")
            .await;
        world.refresh().await;
        end.cancel();
        saving.await.unwrap();
        let file = saved(path).unwrap().unwrap();
        let back = snapshot::read(&file).unwrap();
        assert_eq!(back.world.revision, world.load().revision);
        assert_eq!(back.secret, [7; 16]);
        stop.cancel();
    }
}
