//! Whether PostgreSQL answers: the only proof that it is there.

use std::path::Path;

use sqlx::{ConnectOptions, Connection, PgConnection};

use super::{NAME, connect_options};

/// One query in our database, which the first to ask creates.
pub(super) async fn ask(socket_dir: &Path) -> Result<(), sqlx::Error> {
    let options = connect_options(socket_dir).disable_statement_logging();
    match options.connect().await {
        Ok(mut connection) => {
            sqlx::query("select 1").execute(&mut connection).await?;
            connection.close().await
        }
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("3D000") => {
            create_database(socket_dir).await
        }
        Err(error) => Err(error),
    }
}

/// `initdb` makes the database `postgres` only.
async fn create_database(socket_dir: &Path) -> Result<(), sqlx::Error> {
    let options = connect_options(socket_dir).database("postgres");
    let mut connection = PgConnection::connect_with(&options).await?;
    let statement = format!("create database {NAME}");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&mut connection)
        .await?;
    connection.close().await
}
