//! The probe: asks the database once a second, over a connection of its own.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};
use tokio_util::sync::CancellationToken;

use super::Breaker;

/// Between two looks at a database that is there: a daemon that only serves sticky units must notice, too.
const WHILE_THERE: Duration = Duration::from_secs(1);

/// Between two looks at one that is away: PostgreSQL starts in 0.2 to 1 s.
const WHILE_AWAY: Duration = Duration::from_millis(250);

/// 3 s: the question takes less than a millisecond; a server that is silent for longer serves nobody.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Asks again and again. Run it with [`Probe::run`], once.
#[derive(Debug)]
pub struct Probe {
    breaker: Breaker,
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Probe {
    /// A probe of the database behind `options`.
    pub fn new(breaker: Breaker, options: PgConnectOptions) -> Self {
        Self {
            breaker,
            options,
            connection: None,
        }
    }

    /// Probes until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.watch()).await;
        if let Some(connection) = self.connection {
            let _ = tokio::time::timeout(WHILE_THERE, connection.close()).await;
        }
    }

    async fn watch(&mut self) {
        loop {
            let there = self.ask().await;
            self.breaker.set(!there);
            let pause = if there { WHILE_THERE } else { WHILE_AWAY };
            let jittered = rand::random_range(pause * 3 / 4..=pause);
            // Whoever doubts is believed at once and checked at once; while it is away it is asked often anyway.
            if there {
                let _ = tokio::time::timeout(jittered, self.breaker.0.doubt.notified()).await;
            } else {
                tokio::time::sleep(jittered).await;
            }
        }
    }

    /// Whether the database answers and takes writes. A connection that broke proves nothing: the server may
    /// have been restarted since, so a new one is tried at once.
    async fn ask(&mut self) -> bool {
        let kept = self.connection.is_some();
        let there = self.ask_once().await;
        there || (kept && self.ask_once().await)
    }

    async fn ask_once(&mut self) -> bool {
        // Taken out: one that is cut off half-way must not be used again.
        let connection = self.connection.take();
        let asked = tokio::time::timeout(ANSWER_WITHIN, ask(connection, &self.options)).await;
        match asked {
            Ok(Ok((connection, writable))) => {
                self.connection = Some(connection);
                writable
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "probe of the database failed");
                false
            }
            Err(_) => false,
        }
    }
}

async fn ask(
    connection: Option<PgConnection>,
    options: &PgConnectOptions,
) -> Result<(PgConnection, bool), sqlx::Error> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => PgConnection::connect_with(options).await?,
    };
    // In one exchange and under no name: between two, a pooler in transaction mode may change the server.
    let answer = sqlx::raw_sql("select pg_is_in_recovery()")
        .fetch_one(&mut connection)
        .await?;
    let standby: bool = answer.try_get(0)?;
    Ok((connection, !standby))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::testing::{database, settings};

    #[tokio::test]
    async fn opens_when_the_database_goes_and_closes_when_it_is_back() {
        let database = database().await;
        let breaker = Breaker::closed(Clock::system());
        let options = database.cluster().connect_options();
        let stop = CancellationToken::new();
        let probe = tokio::spawn(Probe::new(breaker.clone(), options).run(stop.clone()));

        // A doubt that is unfounded is over at once.
        breaker.open();
        breaker.is_closed().await;

        let directory = database.stop().await;
        breaker.opened().await;
        let cluster = crate::postgres::Cluster::start(settings(directory.path()));
        let cluster = cluster.await.unwrap();
        breaker.is_closed().await;
        stop.cancel();
        probe.await.unwrap();
        cluster.stop().await;
    }
}
