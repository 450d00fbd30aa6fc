//! The log on disks that are not well.

use proptest::prelude::*;

use super::log::{Limits, Log, NotKept};
use super::trials::{self, Step};
use crate::durable::model::{Fault, Model};
use crate::durable::{Directory, Disk};

const LIMITS: Limits = Limits {
    segment_bytes: 1_000,
    total_bytes: 100_000,
};

fn batch(from: u8, count: u8) -> Vec<Vec<u8>> {
    (from..from + count).map(|n| vec![n; 20]).collect()
}

fn delivered<D: Directory>(log: &mut Log<D>) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(batch) = log.oldest() {
        all.extend(batch.payloads.iter().map(|payload| payload[0]));
        log.done(&batch.segment);
    }
    all
}

#[test]
fn what_was_kept_is_delivered_in_order_by_the_next_run() {
    let root = tempfile::tempdir().unwrap();
    let mut log = Log::open(Disk::open(root.path()).unwrap(), LIMITS).unwrap();
    for from in [0, 50, 100] {
        log.append(&batch(from, 50), i64::from(from)).unwrap();
    }
    let usage = log.usage();
    assert_eq!((usage.segments, usage.records), (3, 150));
    assert_eq!(usage.oldest, Some(0));
    assert_eq!(usage.bytes, 150 * 48);
    drop(log);

    let mut log = Log::open(Disk::open(root.path()).unwrap(), LIMITS).unwrap();
    assert_eq!(log.usage(), usage);
    assert_eq!(delivered(&mut log), (0..150).collect::<Vec<u8>>());
    assert_eq!(log.usage().segments, 0);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn records_that_come_while_the_oldest_are_delivered_are_not_lost() {
    let mut log = Log::open(Model::default(), LIMITS).unwrap();
    log.append(&batch(0, 2), 0).unwrap();
    let first = log.oldest().unwrap();
    log.append(&batch(2, 2), 0).unwrap();
    assert_eq!(first.payloads.len(), 2);
    log.done(&first.segment);
    assert_eq!(delivered(&mut log), [2, 3]);
}

#[test]
fn a_full_spool_refuses_and_takes_again() {
    let limits = Limits {
        segment_bytes: 200,
        total_bytes: 480,
    };
    let mut log = Log::open(Model::default(), limits).unwrap();
    log.append(&batch(0, 8), 0).unwrap();
    assert!(matches!(log.append(&batch(8, 3), 0), Err(NotKept::Full)));
    log.append(&batch(8, 2), 0).unwrap();
    assert_eq!(delivered(&mut log).len(), 10);
    log.append(&batch(0, 10), 0).unwrap();
}

#[test]
fn a_full_disk_refuses_and_takes_again_without_anybody_tidying_up() {
    let disk = Model::default();
    let mut log = Log::open(disk.clone(), LIMITS).unwrap();
    log.append(&batch(0, 10), 0).unwrap();
    disk.capacity(Some(700));
    for _ in 0..5 {
        assert!(matches!(
            log.append(&batch(10, 10), 0),
            Err(NotKept::Disk(_))
        ));
    }
    disk.capacity(Some(1_500));
    log.append(&batch(10, 10), 0).unwrap();
    assert_eq!(log.usage().found.failed, 10);
    assert_eq!(delivered(&mut log), (0..20).collect::<Vec<u8>>());
    assert_eq!(disk.list().unwrap(), Vec::<String>::new());
}

/// The kernel forgets what it could not write, and says yes the next time.
#[test]
fn nothing_is_acknowledged_on_a_segment_whose_sync_failed() {
    let disk = Model::default();
    let mut log = Log::open(disk.clone(), LIMITS).unwrap();
    log.append(&batch(0, 3), 0).unwrap();
    disk.fail(Fault::EverySync);
    assert!(matches!(log.append(&batch(3, 3), 0), Err(NotKept::Disk(_))));
    disk.heal();
    log.append(&batch(6, 3), 0).unwrap();
    assert_eq!(log.usage().segments, 2);
    disk.crash(1);
    let mut log = Log::open(disk, LIMITS).unwrap();
    let found = delivered(&mut log);
    for acknowledged in [0, 1, 2, 6, 7, 8] {
        assert!(found.contains(&acknowledged), "{found:?}");
    }
}

#[test]
fn every_call_may_fail_once() {
    for nth in 0..40 {
        let disk = Model::default();
        let mut log = Log::open(disk.clone(), LIMITS).unwrap();
        disk.fail(Fault::Nth(nth));
        let mut acknowledged = Vec::new();
        for from in (0..200).step_by(10) {
            if log.append(&batch(from, 10), 0).is_ok() {
                acknowledged.extend(from..from + 10);
            }
        }
        assert!(acknowledged.len() >= 190, "a single failure is got over");
        disk.crash(nth as u64);
        let mut log = Log::open(disk, LIMITS).unwrap();
        let found = delivered(&mut log);
        assert!(
            acknowledged.iter().all(|it| found.contains(it)),
            "call {nth}"
        );
    }
}

#[test]
fn a_torn_end_is_cut_off_and_kept_aside() {
    let disk = Model::default();
    let mut log = Log::open(disk.clone(), LIMITS).unwrap();
    log.append(&batch(0, 3), 0).unwrap();
    let name = disk.list().unwrap().remove(0);
    disk.damage(&name, |bytes| bytes.extend_from_slice(b"\xf5PS\x01half"));
    let log = Log::open(disk.clone(), LIMITS).unwrap();
    let found = log.usage().found;
    assert_eq!((found.torn, found.damaged), (1, 0));
    assert_eq!(disk.read(&name).unwrap().len(), 3 * 48);
    let aside = format!("{name}.{:08x}.damaged", 3 * 48);
    assert_eq!(disk.read(&aside).unwrap(), b"\xf5PS\x01half");
    assert_eq!(Log::open(disk, LIMITS).unwrap().usage().found.torn, 0);
}

#[test]
fn a_segment_of_nothing_but_rubbish_stands_in_nobodys_way() {
    let disk = Model::default();
    disk.put("0000000000000005.spool", &[7; 5_000]);
    disk.put("0000000000000006.spool", &[]);
    disk.put("ffffffffffffffff.spool", b"last number there is");
    disk.put("notes.txt", b"somebody's");
    let mut log = Log::open(disk.clone(), LIMITS).unwrap();
    assert_eq!(log.usage().records, 0);
    assert!(log.oldest().is_none());
    log.append(&batch(0, 1), 0).unwrap();
    assert_eq!(delivered(&mut log), [0]);
    assert!(disk.list().unwrap().contains(&"notes.txt".to_owned()));
}

#[test]
fn damage_costs_what_is_damaged_and_no_more() {
    let tally = trials::damage(4_000, 8).unwrap();
    assert!(tally.cases > 1_900, "{tally:?}");
    assert_eq!(tally.acknowledged, tally.found);
}

#[test]
fn what_was_acknowledged_survives_random_histories() {
    let tally = trials::power_cuts(300, 40, 1).unwrap();
    assert!(tally.acknowledged > 5_000, "{tally:?}");
    assert_eq!(tally.acknowledged, tally.found);
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..8_u8).prop_map(Step::Append),
        2 => any::<bool>().prop_map(Step::Deliver),
        2 => any::<u64>().prop_map(Step::Crash),
        2 => (0..6_u8).prop_map(Step::Break),
        1 => Just(Step::BreakSyncs),
        1 => Just(Step::Heal),
        1 => prop::option::of(0..3_000_u16).prop_map(Step::Capacity),
    ]
}

proptest! {
    #[test]
    fn what_was_acknowledged_survives(steps in prop::collection::vec(step(), 1..60)) {
        prop_assert!(trials::power_cut(&steps).map_err(TestCaseError::fail)?.cases == 1);
    }
}
