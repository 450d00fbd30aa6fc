//! The stream of changes: a snapshot first, then deltas; again a snapshot when the daemon says so.

use std::time::Duration;

use chrono::{DateTime, Utc};
use protocol::control::{Cursor, MAX_WATCH_MS, Watched};
use protocol::experiments::Row;
use protocol::transport;

use super::super::Failure;
use super::super::daemon::Daemon;

/// The daemon answers within [`MAX_WATCH_MS`]; 5 s more means that it does not.
const PATIENCE: Duration = Duration::from_millis(MAX_WATCH_MS + 5_000);

/// Experiments as they are now.
pub(super) struct Update {
    /// The daemon's clock.
    pub now: DateTime<Utc>,
    /// The installation's revision.
    pub revision: u64,
    /// All of them at first, then the changed ones.
    pub rows: Vec<Row>,
}

/// A place in the stream.
pub(super) struct Feed<'a> {
    daemon: &'a Daemon,
    cursor: Option<Cursor>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(daemon: &'a Daemon) -> Self {
        Self {
            daemon,
            cursor: None,
        }
    }

    /// The next update that carries experiments; waits as long as nothing changes.
    pub(super) async fn next(&mut self) -> Result<Update, Failure> {
        loop {
            let Some(cursor) = self.cursor.clone() else {
                return self.snapshot().await;
            };
            let context = transport::within(PATIENCE);
            let client = &self.daemon.client;
            match client.watch(context, cursor, MAX_WATCH_MS).await?? {
                Watched::Delta(delta) => {
                    self.cursor = Some(delta.cursor);
                    if !delta.rows.is_empty() {
                        return Ok(Update {
                            now: delta.now,
                            revision: delta.revision,
                            rows: delta.rows,
                        });
                    }
                }
                Watched::Resync | Watched::Unknown => self.cursor = None,
            }
        }
    }

    /// All pages; the cursor is the first page's, so that nothing between the pages is missed.
    async fn snapshot(&mut self) -> Result<Update, Failure> {
        let client = &self.daemon.client;
        let first = client.snapshot(Daemon::patience(), None).await??;
        let mut rows = first.rows;
        let mut after = first.next;
        while after.is_some() {
            let page = client.snapshot(Daemon::patience(), after).await??;
            rows.extend(page.rows);
            after = page.next;
        }
        self.cursor = Some(first.cursor);
        Ok(Update {
            now: first.now,
            revision: first.revision,
            rows,
        })
    }
}
