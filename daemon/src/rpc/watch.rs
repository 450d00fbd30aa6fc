//! The two ways to see the whole: a page of it, and what changed since.

use std::time::Duration;

use bandit::experiment::ExperimentKey;
use protocol::control::{Cursor, Delta, MAX_WATCH_MS, PAGE_ROWS, Snapshot, Watched};
use protocol::refusal::Refusal;
use tokio_util::sync::CancellationToken;

use super::server::Service;
use crate::changes::{Batch, Changes};

/// One page of all experiments, in key order, after `after`.
pub(super) async fn snapshot(service: &Service, after: Option<&str>) -> Result<Snapshot, Refusal> {
    // Before the rows are read: a change in between is then watched once too often, never missed.
    let cursor = service.feed.cursor();
    let world = service.world.load();
    let mut keys: Vec<ExperimentKey> = world
        .in_key_order()
        .into_iter()
        .map(|live| live.serving.key.clone())
        .filter(|key| after.is_none_or(|after| key.as_str() > after))
        .take(PAGE_ROWS + 1)
        .collect();
    let more = keys.len() > PAGE_ROWS;
    keys.truncate(PAGE_ROWS);
    let next = keys.last().filter(|_| more).map(ToString::to_string);
    Ok(Snapshot {
        cursor,
        now: service.clock.now(),
        revision: world.revision.0,
        rows: service.reading.rows(&keys).await?,
        next,
    })
}

/// What changed after `cursor`: as soon as something did, or nothing after `max_wait_ms`.
pub(super) async fn watch(
    service: &Service,
    cursor: &Cursor,
    max_wait_ms: u64,
    stop: &CancellationToken,
) -> Result<Watched, Refusal> {
    let wait = Duration::from_millis(max_wait_ms.min(MAX_WATCH_MS));
    let mut enough = std::pin::pin!(tokio::time::sleep(wait));
    let mut bell = service.feed.bell();
    loop {
        let batch = match service.feed.since(cursor, PAGE_ROWS) {
            Changes::Unknown => return Ok(Watched::Resync),
            Changes::Since(batch) => batch,
        };
        if !batch.keys.is_empty() {
            return delta(service, batch).await;
        }
        // All arms are cancel-safe: waiting takes nothing away.
        tokio::select! {
            rung = bell.changed() => if rung.is_err() {
                return delta(service, batch).await;
            },
            () = &mut enough => return delta(service, batch).await,
            () = stop.cancelled() => return delta(service, batch).await,
        }
    }
}

async fn delta(service: &Service, batch: Batch) -> Result<Watched, Refusal> {
    let world = service.world.load();
    let (present, gone): (Vec<ExperimentKey>, Vec<ExperimentKey>) = batch
        .keys
        .into_iter()
        .partition(|key| world.experiments.contains_key(key));
    Ok(Watched::Delta(Delta {
        cursor: batch.cursor,
        now: service.clock.now(),
        revision: world.revision.0,
        rows: service.reading.rows(&present).await?,
        gone: gone.into_iter().map(String::from).collect(),
        coalesced: batch.coalesced,
        more: batch.more,
    }))
}
