//! Track: events and exposures on their way to the landing table.

use std::sync::Arc;
use std::time::Duration;

use bandit::assign::{Reason, UnitKey, honour};
use bandit::reward::event_time;
use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};
use xxhash_rust::xxh3::xxh3_64;

use super::assign::keeps_assignments;
use super::{Ingest, NotDone};
use crate::sticky::Recorded;
use crate::store::landing::{Landed, LandedKind};
use crate::world::Live;

/// 5 s: a caller that tracks in the background can wait for a restarting server, and is told to come again
/// if it takes longer; with an id of its own the event has one effect either way.
const WAIT: Duration = Duration::from_secs(5);

/// An event as a service tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Who.
    pub unit: UnitKey,
    /// What happened.
    pub name: String,
    /// How much; finite.
    pub value: Option<f64>,
    /// The caller's id of it: unique per experiment, the same id again has no second effect.
    pub id: Option<String>,
    /// When it happened, as the caller says.
    pub at: Option<DateTime<Utc>>,
}

/// Where something is that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Committed in the database.
    Db,
    /// Synced on this daemon's disk; it goes to the database when that is back.
    Spool,
}

impl Durability {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Db => "db",
            Self::Spool => "spool",
        }
    }
}

/// What became of an expose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// The unit's attribution window has started: before, or now, and where that is on record. A unit whose record could
    /// not be looked up is taken to have one: if it has none, the exposure has no effect.
    Exposed(Option<Durability>),
    /// The unit has no arm of its own here: nothing to expose.
    NotAssigned,
}

impl Exposure {
    /// Whether the unit has met its arm.
    pub fn is_exposed(self) -> bool {
        matches!(self, Self::Exposed(_))
    }

    /// Where what this call wrote is, if it wrote anything.
    pub fn durability(self) -> Option<Durability> {
        match self {
            Self::Exposed(durability) => durability,
            Self::NotAssigned => None,
        }
    }
}

impl Ingest {
    /// The row an event becomes; its id is the caller's, or new.
    pub fn landed(&self, live: &Live, event: Event) -> Landed {
        let received_at = self.clock.now();
        let digest = digest(&event);
        let event_id = event
            .id
            .as_deref()
            .map_or_else(|| new_id(received_at), caller_id);
        Landed {
            experiment: live.id,
            event_id,
            unit: event.unit,
            kind: LandedKind::Event,
            event: event.name,
            value: event.value,
            digest,
            at: event_time(event.at, received_at),
            received_at,
        }
    }

    /// Whether events would be refused however few they are, because more waits for the fold than it can do in seconds:
    /// told before they are read, which costs as much as to land them.
    pub fn takes_no_events(&self) -> bool {
        self.backlog.is_full() && !self.outage.breaker.is_open()
    }

    /// Lands `rows`, all or none: when this returns `Ok`, all of them are where it says. [`NotDone::Full`] while more
    /// waits for the fold than it can do in seconds.
    pub async fn land(&self, rows: Vec<Landed>) -> Result<Durability, NotDone> {
        if !self.outage.breaker.is_open() && !self.backlog.admit(rows.len()) {
            return Err(NotDone::Full);
        }
        self.land_within(WAIT, rows).await
    }

    /// Lands them however much waits for the fold, and waits for the database no longer than `limit`. Rows that may or may
    /// not have been committed are spooled as well: under the same ids they have one effect.
    pub(super) async fn land_within(
        &self,
        limit: Duration,
        rows: Vec<Landed>,
    ) -> Result<Durability, NotDone> {
        if rows.is_empty() {
            return Ok(Durability::Db);
        }
        let rows = Arc::new(rows);
        let landing = self.landing.submit(Arc::clone(&rows));
        match self.outage.unless_away(limit, landing).await {
            Ok(()) => return Ok(Durability::Db),
            Err(NotDone::Away) => {}
            Err(otherwise) => return Err(otherwise),
        }
        self.outage.keep(&rows).await?;
        Ok(Durability::Spool)
    }

    /// Starts the attribution window of a unit that was assigned with `expose: false`.
    pub async fn expose(&self, live: &Live, unit: UnitKey) -> Result<Exposure, NotDone> {
        if !keeps_assignments(&live.serving.state) {
            return Ok(Exposure::NotAssigned);
        }
        let mut known = self.sticky.get(live.id, unit);
        if known.is_none() {
            let found = self.lookups.submit((live.id, unit));
            known = match self.outage.unless_away(WAIT, found).await {
                Ok(known) => known,
                Err(NotDone::Away) => {
                    self.outage.keep(&[self.exposure(live, unit)]).await?;
                    return Ok(Exposure::Exposed(Some(Durability::Spool)));
                }
                Err(otherwise) => return Err(otherwise),
            };
        }
        let Some(recorded) = known else {
            return Ok(Exposure::NotAssigned);
        };
        if honour(&live.serving, recorded.stored).reason != Reason::Sticky {
            return Ok(Exposure::NotAssigned);
        }
        if recorded.exposed {
            return Ok(Exposure::Exposed(None));
        }
        let durability = self.land_exposure(WAIT, live, unit, recorded).await?;
        Ok(Exposure::Exposed(Some(durability)))
    }

    /// Lands the exposure of a unit that was not exposed. Two at once are harmless: the fold takes the first. They are
    /// few, and part of an assign, which does not wait for the fold.
    pub(super) async fn land_exposure(
        &self,
        limit: Duration,
        live: &Live,
        unit: UnitKey,
        recorded: Recorded,
    ) -> Result<Durability, NotDone> {
        let row = self.exposure(live, unit);
        let durability = self.land_within(limit, vec![row]).await?;
        let exposed = Recorded {
            exposed: true,
            ..recorded
        };
        self.sticky.insert(live.id, unit, exposed);
        Ok(durability)
    }

    /// The row of an exposure that happens now.
    fn exposure(&self, live: &Live, unit: UnitKey) -> Landed {
        let event = Event {
            unit,
            name: String::new(),
            value: None,
            id: None,
            at: None,
        };
        Landed {
            kind: LandedKind::Exposure,
            ..self.landed(live, event)
        }
    }
}

/// An id for an event whose caller gave none: `UUIDv7`, because time-ordered keys insert 1.5 to 1.9 times as
/// fast as random ones (LIMITS section 2).
pub(super) fn new_id(at: DateTime<Utc>) -> Uuid {
    let secs = at.timestamp().cast_unsigned();
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        secs,
        at.timestamp_subsec_nanos(),
    ))
}

/// The caller's id as the ledger keys it: the first 16 bytes of its BLAKE3 hash, marked as `UUIDv8`.
fn caller_id(id: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    Uuid::from_bytes(bytes)
}

/// Of what the caller said, as it said it: tells a repeat from a conflict.
fn digest(event: &Event) -> u64 {
    let mut said = Vec::with_capacity(64);
    said.extend_from_slice(&event.unit.0);
    said.extend_from_slice(&event.value.map_or(u64::MAX, f64::to_bits).to_le_bytes());
    let at = event.at.map_or(i64::MAX, |at| at.timestamp_micros());
    said.extend_from_slice(&at.to_le_bytes());
    said.extend_from_slice(event.name.as_bytes());
    xxh3_64(&said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_say_which_kind_they_are() {
        let own = new_id(DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000));
        assert_eq!(own.get_version_num(), 7);
        let callers = caller_id("order-17");
        assert_eq!(callers.get_version_num(), 8);
        assert_eq!(callers.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(callers, caller_id("order-17"));
        assert_ne!(callers, caller_id("order-18"));
    }

    #[test]
    fn a_digest_differs_with_everything_the_caller_said() {
        let event = Event {
            unit: UnitKey([1; 16]),
            name: "conversion".into(),
            value: Some(1.0),
            id: Some("a".into()),
            at: None,
        };
        let other_id = Event {
            id: None,
            ..event.clone()
        };
        assert_eq!(digest(&event), digest(&other_id));
        let changes: [fn(&mut Event); 4] = [
            |event| event.unit = UnitKey([2; 16]),
            |event| event.name.push('s'),
            |event| event.value = None,
            |event| event.at = Some(DateTime::UNIX_EPOCH),
        ];
        for change in changes {
            let mut other = event.clone();
            change(&mut other);
            assert_ne!(digest(&event), digest(&other));
        }
    }
}
