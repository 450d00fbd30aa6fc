//! The group commit of events and exposures into the landing table.

use std::sync::Arc;

use sqlx::PgConnection;

use super::group::Flush;
use crate::store::StoreError;
use crate::store::landing::{self, Landed};

/// Lands what one request brought, as a whole.
pub(super) struct Landing;

impl Flush for Landing {
    /// Shared with the caller, who spools it if no answer comes.
    type Item = Arc<Vec<Landed>>;
    type Answer = ();
    const NAME: &'static str = "landing";

    fn rows(rows: &Arc<Vec<Landed>>) -> usize {
        rows.len()
    }

    async fn flush(
        &self,
        connection: &mut PgConnection,
        requests: &[Arc<Vec<Landed>>],
    ) -> Result<Vec<()>, StoreError> {
        let rows: Vec<&Landed> = requests.iter().flat_map(|rows| rows.iter()).collect();
        landing::land(connection, &rows).await?;
        Ok(vec![(); requests.len()])
    }
}
