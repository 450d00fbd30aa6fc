//! How a Rust service asks a daemon: one connection, many calls in flight on it, made anew when it breaks.
//!
//! ```no_run
//! use protocol::client::{CallError, Client};
//! use protocol::serve::Event;
//!
//! # async fn example() -> Result<(), CallError> {
//! let pitboss = Client::connect("127.0.0.1:7401").await?;
//! let assigned = pitboss
//!     .assign("checkout_button", "customer-17")
//!     .attribute("country", "SN")
//!     .await?;
//! println!("show {}, configured by {}", assigned.arm, assigned.config);
//! let purchase = Event::new("checkout_button", "customer-17", "purchase")
//!     .with_value(49.9)
//!     .with_id("order-8812");
//! pitboss.track(purchase).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is cheap to clone and meant to be shared: calls from any number of tasks travel on its one
//! connection, up to [`MAX_IN_FLIGHT`](crate::serve::MAX_IN_FLIGHT) at once, and the others wait their turn.
//! A daemon that is about to stop says so: calls in flight are answered, and the next ones travel on a new connection,
//! to another daemon if [`Client::connect_any`] knows one or a balancer is at the address.
//! Nothing is sent twice by itself. What a caller may repeat, and when, is [`CallError::retry`] and
//! [`CallError::retry_after`]: an assign and an expose always, an event if it has an id.

mod assign;
mod error;
mod link;

use std::sync::Arc;
use std::time::Duration;

use crate::serve::{
    Batch, Call, Event, ExposeRequest, ItemOutcome, MAX_BATCH, Problem, Reply, Tracked,
};
use link::Link;

pub use assign::Assign;
pub use error::CallError;

/// How long a call may take unless said: above the 5 s after which a daemon gives up on its database.
const PATIENCE: Duration = Duration::from_secs(8);

/// A way to one daemon, or to one of several.
#[derive(Debug, Clone)]
pub struct Client {
    link: Arc<Link>,
    patience: Duration,
}

impl Client {
    /// Connects to the daemon at `address`, such as `127.0.0.1:7401`. It listens there if it was told to
    /// with `data_rpc_listen`. Must be called inside a tokio runtime.
    pub async fn connect(address: impl Into<String>) -> Result<Self, CallError> {
        Self::connect_any([address]).await
    }

    /// Connects to the first that answers of the daemons at `addresses`, which share one database. Calls go to another
    /// one when it is gone, or says that it is about to stop. At least one address.
    pub async fn connect_any(
        addresses: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, CallError> {
        let link = Arc::new(Link::new(addresses.into_iter().map(Into::into).collect()));
        link.connection().await?;
        Ok(Self {
            link,
            patience: PATIENCE,
        })
    }

    /// The same client, whose calls are given up after `patience`; the daemon works on none for longer than
    /// 30 s.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Whether calls go to the daemon at `address` now.
    pub fn is_at(&self, address: &str) -> bool {
        self.link.is_at(address)
    }

    /// Asks for the unit's arm. The same unit gets the same arm from then on. Await it, or add to it first.
    pub fn assign(&self, experiment: impl Into<String>, unit: impl Into<String>) -> Assign<'_> {
        Assign::new(self, experiment.into(), unit.into())
    }

    /// Says that a unit which was assigned with [`Assign::hold_exposure`] meets its arm now. `false`: it has
    /// no arm of its own.
    pub async fn expose(
        &self,
        experiment: impl Into<String>,
        unit: impl Into<String>,
    ) -> Result<bool, CallError> {
        let request = ExposeRequest {
            experiment: experiment.into(),
            unit: unit.into(),
        };
        match self.call(Call::Expose(request)).await? {
            Reply::Exposed(exposed) => Ok(exposed.exposed),
            other => Err(CallError::not_asked_for(other)),
        }
    }

    /// Says what a unit did. When this returns `Ok`, it is stored.
    pub async fn track(&self, event: Event) -> Result<Tracked, CallError> {
        match self.call(Call::Track(event)).await? {
            Reply::Tracked(tracked) => Ok(tracked),
            other => Err(CallError::not_asked_for(other)),
        }
    }

    /// Says what many units did, up to [`MAX_BATCH`] events at once; one result for each, in their order. The
    /// good ones are stored when this returns `Ok`; after an error none is known to be.
    pub async fn track_batch(
        &self,
        events: &[Event],
    ) -> Result<Vec<Result<Tracked, Problem>>, CallError> {
        if events.len() > MAX_BATCH {
            return Err(CallError::TooLarge(format!(
                "a batch has at most {MAX_BATCH} events and this one has {}",
                events.len()
            )));
        }
        match self.call(Call::TrackBatch(Batch::of(events))).await? {
            Reply::BatchTracked(tracked) => tracked
                .results
                .into_iter()
                .map(|item| match item.outcome {
                    Some(ItemOutcome::Accepted(tracked)) => Ok(Ok(tracked)),
                    Some(ItemOutcome::Rejected(problem)) => Ok(Err(problem)),
                    None => Err(CallError::UnknownAnswer),
                })
                .collect(),
            other => Err(CallError::not_asked_for(other)),
        }
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Reply, CallError> {
        self.link.call(call, self.patience).await
    }
}
