//! Fills the ledger of assignments by copy, much faster than through the port.

use std::fmt::Write as _;
use std::ops::Range;

use bandit::assign::UnitKey;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};

/// Rows of one copy: a few megabytes.
const CHUNK: usize = 50_000;

/// Records units `{prefix}-{n}`, for every `n` of `rows`, in the first experiment of the database: its newest lane
/// and version, its first arm, exposed.
pub(super) async fn fill(
    options: &PgConnectOptions,
    unit_secret: &[u8; 32],
    prefix: &str,
    rows: Range<usize>,
) -> anyhow::Result<()> {
    let mut connection = options.connect().await?;
    let (experiment, lane, version): (i32, i16, i32) = sqlx::query_as(
        "select experiment_id, lane, version from experiment_policy_versions
         order by experiment_id, lane desc, version desc limit 1",
    )
    .fetch_one(&mut connection)
    .await?;
    let numbers: Vec<usize> = rows.collect();
    for chunk in numbers.chunks(CHUNK) {
        let mut text = String::with_capacity(chunk.len() * 80);
        for n in chunk {
            let unit = UnitKey::derive(unit_secret, &format!("{prefix}-{n}"));
            let _ = writeln!(
                text,
                "{experiment}\t\\\\x{unit}\t{lane}\t0\t{version}\tt\tnow\tnow"
            );
        }
        let mut copy = connection
            .copy_in_raw(
                "copy experiment_assignments
                     (experiment_id, unit_key, lane, arm, version, open, at, exposed_at) from stdin",
            )
            .await?;
        copy.send(text.into_bytes()).await?;
        copy.finish().await?;
    }
    // What a load in bulk leaves to be done would otherwise be done by what is measured first.
    connection
        .execute("vacuum analyze experiment_assignments")
        .await?;
    connection.execute("checkpoint").await?;
    Ok(())
}
