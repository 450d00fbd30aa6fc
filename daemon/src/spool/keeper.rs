//! The thread that owns the log, and the handle to it: many callers, one sync.
//!
//! Disks block, so this is a thread of its own. While one batch is synced the next one gathers; there are no
//! timers.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::log::{Batch, Limits, Log, NotKept, Usage};
use super::record::LONGEST;
use crate::clock::Clock;
use crate::durable::{Directory, Disk};

/// Records that may wait for the disk: a second of what it takes in batches.
const QUEUE_RECORDS: u32 = 100_000;

/// Payload of one batch, at most about this; a single request may be larger.
const BATCH_BYTES: usize = 1024 * 1024;

/// 8 MiB: a segment is read back in one piece, and a new file every few seconds costs nothing.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// The way to the spool. Cheap to clone; the thread ends when the last one is gone.
#[derive(Debug, Clone)]
pub struct Spool {
    orders: mpsc::UnboundedSender<Order>,
    room: Arc<Semaphore>,
    usage: watch::Receiver<Usage>,
}

/// Why something was not spooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The spool has its size.
    #[error("the spool is full")]
    Full,
    /// Too much waits for the disk.
    #[error("too much is waiting for the spool")]
    Busy,
    /// The disk is full or broken.
    #[error("the spool cannot be written")]
    Broken,
}

#[derive(Debug)]
enum Order {
    Keep(Keep),
    Oldest(oneshot::Sender<Option<Batch>>),
    PutAside {
        segment: String,
        nth: usize,
        payload: Vec<u8>,
    },
    Done(String, oneshot::Sender<()>),
}

#[derive(Debug)]
struct Keep {
    payloads: Vec<Vec<u8>>,
    answer: oneshot::Sender<Result<(), Refused>>,
    _room: OwnedSemaphorePermit,
}

/// Resolves when the thread has ended.
#[derive(Debug)]
#[must_use = "what is queued is lost if the process ends before the thread does"]
pub struct Ended(oneshot::Receiver<()>);

impl Spool {
    /// Starts the thread on the directory `path`, which may hold `total_bytes`. A directory that cannot be
    /// used refuses what it is given, until it can.
    pub fn start(path: &Path, total_bytes: u64, clock: Clock) -> std::io::Result<(Self, Ended)> {
        let limits = Limits {
            segment_bytes: SEGMENT_BYTES,
            total_bytes,
        };
        let path = path.to_owned();
        Self::on(move || Log::open(Disk::open(&path)?, limits), clock)
    }

    /// Starts the thread on whatever log `open` gives; it is asked again until it gives one.
    pub(super) fn on<D: Directory>(
        open: impl FnMut() -> std::io::Result<Log<D>> + Send + 'static,
        clock: Clock,
    ) -> std::io::Result<(Self, Ended)> {
        let (orders, incoming) = mpsc::unbounded_channel();
        let (usage, watched) = watch::channel(Usage::default());
        let (ending, ended) = oneshot::channel();
        let keeper = Keeper {
            open,
            log: None,
            clock,
            usage,
        };
        std::thread::Builder::new()
            .name("spool".into())
            .spawn(move || {
                keeper.run(incoming);
                let _ = ending.send(());
            })?;
        let spool = Self {
            orders,
            room: Arc::new(Semaphore::new(QUEUE_RECORDS as usize)),
            usage: watched,
        };
        Ok((spool, Ended(ended)))
    }

    /// Keeps `payloads`, all or none: when this returns `Ok`, they survive the power. Dropping the future
    /// does not take them back.
    pub async fn keep(&self, payloads: Vec<Vec<u8>>) -> Result<(), Refused> {
        if payloads.iter().any(|payload| payload.len() > LONGEST) {
            // It would be taken for damage when it is read back. Items are far shorter.
            tracing::error!("a record is too long for the spool");
            return Err(Refused::Broken);
        }
        let records = u32::try_from(payloads.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(records)
            .map_err(|_| Refused::Busy)?;
        let (answer, answered) = oneshot::channel();
        let keep = Keep {
            payloads,
            answer,
            _room: room,
        };
        self.orders
            .send(Order::Keep(keep))
            .map_err(|_| Refused::Broken)?;
        answered.await.unwrap_or(Err(Refused::Broken))
    }

    /// How much there is, now and as it changes.
    pub fn usage(&self) -> watch::Receiver<Usage> {
        self.usage.clone()
    }

    /// The oldest records; `None` if there are none.
    pub(super) async fn oldest(&self) -> Option<Batch> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::Oldest(answer)).ok()?;
        answered.await.ok().flatten()
    }

    /// Puts the record aside that nobody understands.
    pub(super) fn put_aside(&self, segment: &str, nth: usize, payload: Vec<u8>) {
        let segment = segment.to_owned();
        let _ = self.orders.send(Order::PutAside {
            segment,
            nth,
            payload,
        });
    }

    /// Removes a segment whose records are in the database.
    pub(super) async fn done(&self, segment: String) {
        let (answer, answered) = oneshot::channel();
        if self.orders.send(Order::Done(segment, answer)).is_ok() {
            let _ = answered.await;
        }
    }
}

impl Ended {
    /// Waits for it.
    pub async fn wait(self) {
        // The other end is dropped when the thread panics, which is an end too.
        let _ = self.0.await;
    }
}

struct Keeper<D: Directory, O> {
    open: O,
    log: Option<Log<D>>,
    clock: Clock,
    usage: watch::Sender<Usage>,
}

impl<D: Directory, O: FnMut() -> std::io::Result<Log<D>>> Keeper<D, O> {
    fn run(mut self, mut incoming: mpsc::UnboundedReceiver<Order>) {
        self.open();
        while let Some(order) = incoming.blocking_recv() {
            let mut next = Some(order);
            while let Some(order) = next.take() {
                match order {
                    Order::Keep(first) => next = self.gather(first, &mut incoming),
                    other => self.look(other),
                }
            }
            self.publish();
        }
    }

    fn open(&mut self) -> Option<&mut Log<D>> {
        if self.log.is_none() {
            match (self.open)() {
                Ok(log) => self.log = Some(log),
                Err(error) => tracing::error!(%error, "the spool cannot be opened"),
            }
            self.publish();
        }
        self.log.as_mut()
    }

    /// Takes what else is waiting to be kept, keeps it with `first`, and gives back the order that ended it.
    fn gather(
        &mut self,
        first: Keep,
        incoming: &mut mpsc::UnboundedReceiver<Order>,
    ) -> Option<Order> {
        let size = |keep: &Keep| keep.payloads.iter().map(Vec::len).sum::<usize>();
        let mut bytes = size(&first);
        let mut batch = vec![first];
        let mut next = None;
        while bytes < BATCH_BYTES {
            match incoming.try_recv() {
                Ok(Order::Keep(keep)) => {
                    bytes += size(&keep);
                    batch.push(keep);
                }
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.keep(batch);
        next
    }

    fn keep(&mut self, batch: Vec<Keep>) {
        let at = self.clock.now().timestamp_micros();
        let Some(log) = self.open() else {
            return answer(batch, Err(Refused::Broken));
        };
        let mut payloads = Vec::new();
        let mut bytes = 0;
        let mut taken = Vec::with_capacity(batch.len());
        for mut keep in batch {
            let more: usize = keep.payloads.iter().map(Vec::len).sum();
            let records = payloads.len() + keep.payloads.len();
            if !log.fits(records, bytes + more) {
                answer(vec![keep], Err(Refused::Full));
                continue;
            }
            bytes += more;
            payloads.append(&mut keep.payloads);
            taken.push(keep);
        }
        if taken.is_empty() {
            return;
        }
        let kept = log.append(&payloads, at).map_err(|error| match error {
            NotKept::Full => Refused::Full,
            NotKept::Disk(source) => {
                let records = payloads.len();
                tracing::error!(records, error = %source, "the spool cannot be written");
                Refused::Broken
            }
        });
        // The figures are right before anybody acts on its answer.
        self.publish();
        answer(taken, kept);
    }

    fn look(&mut self, order: Order) {
        match order {
            Order::Keep(_) => {}
            Order::Oldest(answer) => {
                let oldest = self.open().and_then(Log::oldest);
                let _ = answer.send(oldest);
            }
            Order::PutAside {
                segment,
                nth,
                payload,
            } => {
                if let Some(log) = self.open() {
                    log.put_aside(&segment, nth, &payload);
                }
            }
            Order::Done(segment, answer) => {
                if let Some(log) = self.open() {
                    log.done(&segment);
                }
                self.publish();
                let _ = answer.send(());
            }
        }
    }

    fn publish(&mut self) {
        let usage = self.log.as_ref().map(Log::usage).unwrap_or_default();
        meter(&usage);
        self.usage.send_if_modified(|seen| {
            let changed = *seen != usage;
            *seen = usage;
            changed
        });
    }
}

/// Callers that have hung up do not need to know.
fn answer(batch: Vec<Keep>, result: Result<(), Refused>) {
    for keep in batch {
        if result.is_err() {
            metrics::counter!("pitboss_spool_refused_total").increment(keep.payloads.len() as u64);
        }
        let _ = keep.answer.send(result);
    }
}

fn meter(usage: &Usage) {
    metrics::gauge!("pitboss_spool_records").set(usage.records as f64);
    metrics::gauge!("pitboss_spool_bytes").set(usage.bytes as f64);
    let oldest = usage.oldest.map_or(0.0, |at| at as f64 / 1e6);
    metrics::gauge!("pitboss_spool_oldest_timestamp_seconds").set(oldest);
    let found = usage.found;
    for (kind, count) in [
        ("damaged", found.damaged),
        ("torn", found.torn),
        ("unreadable", found.unreadable),
        ("failed", found.failed),
    ] {
        metrics::counter!("pitboss_spool_faults_total", "kind" => kind).absolute(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::model::{Fault, Model};

    fn start(disk: &Model, total_bytes: u64) -> (Spool, Ended) {
        let disk = disk.clone();
        let limits = Limits {
            segment_bytes: 10_000,
            total_bytes,
        };
        Spool::on(move || Log::open(disk.clone(), limits), Clock::system()).unwrap()
    }

    fn payloads(count: u8) -> Vec<Vec<u8>> {
        (0..count).map(|n| vec![n; 12]).collect()
    }

    #[tokio::test]
    async fn an_answer_comes_after_the_sync_and_an_end_after_everything() {
        let disk = Model::default();
        let (spool, ended) = start(&disk, 1 << 20);
        let callers = (0..50).map(|_| spool.keep(payloads(2)));
        for kept in futures::future::join_all(callers).await {
            kept.unwrap();
        }
        assert_eq!(spool.usage().borrow().records, 100);
        let late = tokio::spawn({
            let spool = spool.clone();
            async move { spool.keep(payloads(5)).await }
        });
        late.await.unwrap().unwrap();
        drop(spool);
        ended.wait().await;
        disk.crash(0);
        let (spool, _ended) = start(&disk, 1 << 20);
        let batch = spool.oldest().await.unwrap();
        assert_eq!(batch.payloads.len(), 105);
        spool.done(batch.segment).await;
        assert!(spool.oldest().await.is_none());
        assert_eq!(spool.usage().borrow().records, 0);
    }

    #[tokio::test]
    async fn who_does_not_fit_is_refused_and_the_others_are_not() {
        let (spool, _ended) = start(&Model::default(), 400);
        assert_eq!(spool.keep(payloads(100)).await, Err(Refused::Full));
        spool.keep(payloads(10)).await.unwrap();
        assert_eq!(spool.keep(payloads(1)).await, Err(Refused::Full));
        let batch = spool.oldest().await.unwrap();
        spool.done(batch.segment).await;
        spool.keep(payloads(10)).await.unwrap();
    }

    #[tokio::test]
    async fn a_disk_that_breaks_refuses_until_it_is_well() {
        let disk = Model::default();
        let (spool, _ended) = start(&disk, 1 << 20);
        disk.fail(Fault::EverySync);
        assert_eq!(spool.keep(payloads(1)).await, Err(Refused::Broken));
        disk.heal();
        spool.keep(payloads(1)).await.unwrap();
        let mut tries = 0;
        let limits = Limits {
            segment_bytes: 1,
            total_bytes: 1_000,
        };
        let open = move || {
            tries += 1;
            if tries < 3 {
                return Err(std::io::Error::other("not yet"));
            }
            Log::open(Model::default(), limits)
        };
        let (spool, _ended) = Spool::on(open, Clock::system()).unwrap();
        assert_eq!(spool.keep(payloads(1)).await, Err(Refused::Broken));
        spool.keep(payloads(1)).await.unwrap();
    }
}
