//! What a record means: an event, an exposure or an assignment, as JSON that a later build still reads.

use bandit::assign::{Stored, UnitKey};
use bandit::experiment::{ArmId, ExperimentId, LaneId, Version};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::assignments::Draw;
use crate::store::landing::{Landed, LandedKind};

/// What is spooled.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// An event or an exposure.
    Landed(Landed),
    /// An arm that was drawn and answered while the database was away.
    Assigned {
        /// The draw.
        draw: Draw,
        /// The probability with which its arm was drawn, in `0..=1`.
        propensity: f64,
        /// The id of the exposure that goes with it, where the unit met its arm at once.
        exposure: Uuid,
    },
}

/// A payload that this build does not understand.
#[derive(Debug, thiserror::Error)]
#[error("a record of the spool is not one of this build's")]
pub struct Unknown(#[source] serde_json::Error);

/// The form on the disk. Fields may come, none may go or change its meaning.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kept<'a> {
    Event {
        experiment: ExperimentId,
        id: Uuid,
        unit: UnitKey,
        #[serde(borrow)]
        event: std::borrow::Cow<'a, str>,
        value: Option<f64>,
        digest: u64,
        at: DateTime<Utc>,
        received_at: DateTime<Utc>,
    },
    Exposure {
        experiment: ExperimentId,
        id: Uuid,
        unit: UnitKey,
        digest: u64,
        at: DateTime<Utc>,
        received_at: DateTime<Utc>,
    },
    Assignment {
        experiment: ExperimentId,
        unit: UnitKey,
        lane: LaneId,
        arm: ArmId,
        version: Version,
        propensity: f64,
        expose: bool,
        exposure: Uuid,
        at: DateTime<Utc>,
    },
}

/// The payload of an event or exposure.
pub fn landed(row: &Landed) -> Vec<u8> {
    let Landed {
        experiment,
        event_id: id,
        unit,
        kind,
        ref event,
        value,
        digest,
        at,
        received_at,
    } = *row;
    encode(&match kind {
        LandedKind::Event => Kept::Event {
            experiment,
            id,
            unit,
            event: event.as_str().into(),
            value,
            digest,
            at,
            received_at,
        },
        LandedKind::Exposure => Kept::Exposure {
            experiment,
            id,
            unit,
            digest,
            at,
            received_at,
        },
    })
}

/// The payload of an assignment; `exposure` is the id of the exposure that goes with it.
pub fn assigned(draw: &Draw, propensity: f64, exposure: Uuid) -> Vec<u8> {
    let Draw {
        place: (experiment, unit),
        stored: Stored { lane, arm, version },
        expose,
        at,
    } = *draw;
    encode(&Kept::Assignment {
        experiment,
        unit,
        lane,
        arm,
        version,
        propensity,
        expose,
        exposure,
        at,
    })
}

fn encode(kept: &Kept<'_>) -> Vec<u8> {
    serde_json::to_vec(kept).expect("plain data with text keys")
}

/// What a payload means.
pub fn decode(payload: &[u8]) -> Result<Item, Unknown> {
    let kept: Kept<'_> = serde_json::from_slice(payload).map_err(Unknown)?;
    Ok(match kept {
        Kept::Event {
            experiment,
            id,
            unit,
            event,
            value,
            digest,
            at,
            received_at,
        } => Item::Landed(Landed {
            experiment,
            event_id: id,
            unit,
            kind: LandedKind::Event,
            event: event.into_owned(),
            value,
            digest,
            at,
            received_at,
        }),
        Kept::Exposure {
            experiment,
            id,
            unit,
            digest,
            at,
            received_at,
        } => Item::Landed(Landed {
            experiment,
            event_id: id,
            unit,
            kind: LandedKind::Exposure,
            event: String::new(),
            value: None,
            digest,
            at,
            received_at,
        }),
        Kept::Assignment {
            experiment,
            unit,
            lane,
            arm,
            version,
            propensity,
            expose,
            exposure,
            at,
        } => Item::Assigned {
            draw: Draw {
                place: (experiment, unit),
                stored: Stored { lane, arm, version },
                expose,
                at,
            },
            propensity,
            exposure,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Landed {
        Landed {
            experiment: ExperimentId(3),
            event_id: Uuid::from_u128(7),
            unit: UnitKey([9; 16]),
            kind: LandedKind::Event,
            event: "purchase \"ü\"\n".into(),
            value: Some(93_479.003_434_045_21),
            digest: u64::MAX,
            at: DateTime::UNIX_EPOCH,
            received_at: DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap(),
        }
    }

    #[test]
    fn items_come_back_as_they_were() {
        let event = row();
        assert_eq!(decode(&landed(&event)).unwrap(), Item::Landed(event));
        let exposure = Landed {
            kind: LandedKind::Exposure,
            event: String::new(),
            value: None,
            ..row()
        };
        assert_eq!(decode(&landed(&exposure)).unwrap(), Item::Landed(exposure));
        let draw = Draw {
            place: (ExperimentId(3), UnitKey([1; 16])),
            stored: Stored {
                lane: LaneId(1),
                arm: ArmId(2),
                version: Version(40),
            },
            expose: true,
            at: DateTime::UNIX_EPOCH,
        };
        let (propensity, exposure) = (1.0 / 3.0, Uuid::from_u128(8));
        let item = Item::Assigned {
            draw,
            propensity,
            exposure,
        };
        assert_eq!(
            decode(&assigned(&draw, propensity, exposure)).unwrap(),
            item
        );
    }

    #[test]
    fn what_an_earlier_build_kept_is_read() {
        let payload = br#"{"kind":"event","experiment":3,"id":"00000000-0000-0000-0000-000000000007","unit":"09090909090909090909090909090909","event":"purchase","value":null,"digest":1,"at":"1970-01-01T00:00:00Z","received_at":"1970-01-01T00:00:00Z","a_field":"of a later build"}"#;
        let Ok(Item::Landed(row)) = decode(payload) else {
            panic!("not an event");
        };
        assert_eq!(row.event, "purchase");
        assert!(decode(b"{\"kind\":\"novelty\"}").is_err());
        assert!(decode(b"").is_err());
    }

    #[test]
    fn no_item_is_longer_than_a_record_may_be() {
        let longest = Landed {
            event: "\u{1}".repeat(512),
            value: Some(f64::MIN_POSITIVE),
            ..row()
        };
        assert!(landed(&longest).len() < super::super::record::LONGEST / 8);
    }
}
