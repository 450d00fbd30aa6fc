//! How the parts of the daemon say whether they are well.

use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::control::PartHealth;

/// Asks the daemon's parts; `app`, which owns them, brings it.
#[derive(Clone)]
pub struct PartCheck(Arc<dyn Fn() -> BoxFuture<'static, Vec<PartHealth>> + Send + Sync>);

impl PartCheck {
    /// Asks with `check`.
    pub fn new(
        check: impl Fn() -> BoxFuture<'static, Vec<PartHealth>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(check))
    }

    pub(super) async fn parts(&self) -> Vec<PartHealth> {
        (self.0)().await
    }
}

impl std::fmt::Debug for PartCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartCheck")
    }
}
