//! Events that nobody has to judge go from table to table inside the database; where each stands is the same.

use super::{assert_verified, fixture, purchase, refund, standings};
use crate::store::results;
use crate::workers::fixture::{Event, hours};

fn view(number: u32, id: u128, at: chrono::DateTime<chrono::Utc>) -> Event {
    Event {
        name: "view",
        value: Some(3.0),
        ..purchase(number, id, at)
    }
}

#[tokio::test]
async fn where_an_event_stands_depends_on_its_unit_and_its_name() {
    let fixture = fixture().await;
    let (start, noon) = (fixture.start, fixture.start + hours(12));
    let [open, waiting, closed, stranger] = [1, 2, 3, 4];
    fixture.assign(closed, start, true).await;
    fixture.fold(start + hours(25)).await;
    let now = start + hours(26);
    fixture.assign(open, now, true).await;
    fixture.assign(waiting, now, false).await;
    let units = [open, waiting, closed, stranger];
    let events: Vec<Event> = units
        .into_iter()
        .flat_map(|unit| {
            let id = u128::from(unit) * 10;
            let early = purchase(unit, id + 2, noon);
            [view(unit, id, now), purchase(unit, id + 1, now), early]
        })
        .chain([refund(open, 99, now)])
        .collect();
    fixture.land(&events).await;
    let folded = fixture.fold(now).await;
    assert_eq!((folded.events, folded.repeats), (13, 0));
    assert_eq!(standings(&fixture, open).await, [5, 0, 4, 0]);
    assert_eq!(standings(&fixture, waiting).await, [2, 2, 2]);
    assert_eq!(standings(&fixture, closed).await, [5, 1, 1]);
    assert_eq!(standings(&fixture, stranger).await, [2, 2, 2]);
    assert_verified(&fixture).await;

    fixture.expose(waiting, now).await;
    fixture.fold(now).await;
    assert_eq!(standings(&fixture, waiting).await, [5, 0, 4]);
    assert_verified(&fixture).await;
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let counts = results::event_counts(&mut connection, fixture.id)
        .await
        .unwrap();
    assert_eq!((counts.by_name["view"], counts.by_name["purchase"]), (4, 8));
    assert_eq!((counts.late, counts.no_exposure), (2, 3));
    assert_eq!((counts.before_exposure, counts.over_cap), (2, 0));
}

#[tokio::test]
async fn the_first_of_an_id_counts_whatever_the_others_say() {
    let fixture = fixture().await;
    let at = fixture.start + hours(1);
    fixture.assign_all(&[1, 2], fixture.start, true).await;
    // A view that comes again as itself, as a purchase, and as a stranger's; the same in the next batch.
    let sent = [
        view(1, 7, at),
        view(1, 7, at),
        purchase(1, 7, at),
        purchase(9, 7, at),
        purchase(2, 8, at),
        view(2, 8, at),
    ];
    fixture.land(&sent).await;
    let folded = fixture.fold(at).await;
    assert_eq!((folded.events, folded.repeats), (2, 4));
    fixture.land(&sent).await;
    let folded = fixture.fold(at).await;
    assert_eq!((folded.events, folded.repeats), (0, 6));
    assert_eq!(standings(&fixture, 1).await, [5]);
    assert_eq!(standings(&fixture, 2).await, [0]);
    assert_eq!(standings(&fixture, 9).await, [0_i16; 0]);
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let repeats = results::repeats(&mut connection, fixture.id).await.unwrap();
    assert_eq!((repeats.duplicates, repeats.conflicts), (4, 6));
    assert_verified(&fixture).await;
}
