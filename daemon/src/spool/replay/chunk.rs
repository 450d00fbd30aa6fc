//! One chunk of spooled records: assignments first, so that events find them.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::super::item::Item;
use crate::sticky::{Recorded, Sticky};
use crate::store::StoreError;
use crate::store::assignments::{self, Draw, Place};
use crate::store::frozen::{self, Conflict};
use crate::store::landing::{self, Landed, LandedKind};

/// Writes `items`; doing it twice has the effect of doing it once.
pub(super) async fn write(
    connection: &mut PgConnection,
    items: impl Iterator<Item = &Item>,
    sticky: &Sticky,
) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    let mut draws: HashMap<Place, Frozen> = HashMap::new();
    for item in items {
        match item {
            Item::Landed(row) => rows.push(row.clone()),
            Item::Assigned {
                draw,
                propensity,
                exposure,
            } => {
                let frozen = Frozen {
                    draw: *draw,
                    propensity: *propensity,
                    exposure: *exposure,
                };
                draws.entry(draw.place).or_insert(frozen);
            }
        }
    }
    if !draws.is_empty() {
        rows.extend(record(connection, draws, sticky).await?);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<&Landed> = rows.iter().collect();
    landing::land(connection, &rows).await
}

#[derive(Clone, Copy)]
struct Frozen {
    draw: Draw,
    propensity: f64,
    exposure: Uuid,
}

/// Records draws that were answered while the database was away; the first committed record of a unit wins.
/// Gives the exposures that go with those that stand.
async fn record(
    connection: &mut PgConnection,
    answered: HashMap<Place, Frozen>,
    sticky: &Sticky,
) -> Result<Vec<Landed>, StoreError> {
    // Recorded as not exposed: the exposure lands like any other, so that the fold looks again at events
    // that came before it.
    let mut draws: Vec<Draw> = answered
        .values()
        .map(|it| Draw {
            expose: false,
            ..it.draw
        })
        .collect();
    draws.sort_unstable_by_key(|draw| draw.place);
    assignments::record(connection, &draws).await?;
    let places: Vec<Place> = draws.iter().map(|draw| draw.place).collect();
    let recorded = assignments::find(connection, &places).await?;
    let mut exposures = Vec::new();
    let mut conflicts = Vec::new();
    for (place, it) in answered {
        let Some(first) = recorded.get(&place) else {
            let what = format!("assignment of {} in experiment {}", place.1, place.0);
            return Err(StoreError::unreadable(what, "it was recorded and is gone"));
        };
        // Under another version it is still the arm that the unit met.
        if first.stored.arm == it.draw.stored.arm {
            sticky.insert(place.0, place.1, standing(first, &it));
            exposures.extend(it.draw.expose.then(|| exposure(&it)));
        } else {
            conflicts.push(Conflict {
                place,
                shown: it.draw.stored.arm,
                recorded: first.stored.arm,
                at: it.draw.at,
            });
            sticky.insert(place.0, place.1, *first);
        }
    }
    if !conflicts.is_empty() {
        metrics::counter!("pitboss_frozen_conflicts_total").increment(conflicts.len() as u64);
        tracing::warn!(
            units = conflicts.len(),
            "units had another arm while the database was away: results say of which experiments"
        );
        frozen::keep(connection, &conflicts).await?;
    }
    Ok(exposures)
}

/// Its own arm, exposed now if it was to be.
fn standing(first: &Recorded, frozen: &Frozen) -> Recorded {
    let drawn_here = first.stored == frozen.draw.stored;
    Recorded {
        propensity: if drawn_here {
            frozen.propensity
        } else {
            first.propensity
        },
        exposed: first.exposed || frozen.draw.expose,
        ..*first
    }
}

fn exposure(frozen: &Frozen) -> Landed {
    let (experiment, unit) = frozen.draw.place;
    Landed {
        experiment,
        event_id: frozen.exposure,
        unit,
        kind: LandedKind::Exposure,
        event: String::new(),
        value: None,
        digest: 0,
        at: frozen.draw.at,
        received_at: frozen.draw.at,
    }
}

#[cfg(test)]
mod tests {
    use bandit::assign::Stored;
    use bandit::experiment::{ArmId, LaneId, Version};

    use super::*;
    use crate::workers::fixture::{CHECKOUT, Fixture, unit};

    fn frozen(fixture: &Fixture, number: u32, arm: u16) -> Item {
        Item::Assigned {
            draw: Draw {
                place: (fixture.id, unit(number)),
                stored: Stored {
                    lane: LaneId::MAIN,
                    arm: ArmId(arm),
                    version: Version(1),
                },
                expose: true,
                at: fixture.start,
            },
            propensity: 0.5,
            exposure: Uuid::from_u128(number.into()),
        }
    }

    async fn arm_of(fixture: &Fixture, number: u32) -> i16 {
        sqlx::query_scalar("select arm from experiment_assignments where unit_key = $1")
            .bind(&unit(number).0[..])
            .fetch_one(&fixture.store().pool)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_first_committed_record_wins_and_the_cache_learns_it() {
        let fixture = Fixture::start(CHECKOUT).await;
        let sticky = Sticky::new(1024 * 1024);
        let mut connection = fixture.store().pool.acquire().await.unwrap();
        // Unit 1 got arm 0 from another daemon before this one's spool came back.
        let first = [frozen(&fixture, 1, 0)];
        write(&mut connection, first.iter(), &sticky).await.unwrap();
        let late = [frozen(&fixture, 1, 1), frozen(&fixture, 2, 1)];
        for _ in 0..2 {
            write(&mut connection, late.iter(), &sticky).await.unwrap();
        }
        assert_eq!(arm_of(&fixture, 1).await, 0);
        assert_eq!(arm_of(&fixture, 2).await, 1);
        let known = |number| sticky.get(fixture.id, unit(number)).unwrap();
        assert_eq!(known(1).stored.arm, ArmId(0));
        assert_eq!(known(2).stored.arm, ArmId(1));
        assert!(known(2).exposed);
        let conflicts = frozen::count(&mut connection, fixture.id).await.unwrap();
        assert_eq!(conflicts, 1, "each unit once, however often it is replayed");
        // Of the draw that stands, as often as it was written; of the one that lost, none.
        let exposed: Vec<i64> = sqlx::query_scalar(
            "select count(*) from experiment_landing group by event_id order by event_id",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        assert_eq!(exposed, [1, 2]);
    }

    #[tokio::test]
    async fn an_event_that_was_folded_before_its_assignment_came_back_counts() {
        let fixture = Fixture::start(CHECKOUT).await;
        let sticky = Sticky::new(1024 * 1024);
        let mut connection = fixture.store().pool.acquire().await.unwrap();
        let bought = Landed {
            experiment: fixture.id,
            event_id: Uuid::from_u128(9),
            unit: unit(1),
            kind: LandedKind::Event,
            event: "purchase".into(),
            value: None,
            digest: 1,
            at: fixture.start + chrono::TimeDelta::minutes(1),
            received_at: fixture.start,
        };
        let now = fixture.start + chrono::TimeDelta::minutes(2);
        landing::land(&mut connection, &[&bought]).await.unwrap();
        fixture.fold(now).await;
        let items = [frozen(&fixture, 1, 1)];
        write(&mut connection, items.iter(), &sticky).await.unwrap();
        fixture.fold(now).await;
        let rewards: Vec<i32> = sqlx::query_scalar("select reward_micro from experiment_rewards")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        assert_eq!(rewards, [1_000_000]);
    }
}
