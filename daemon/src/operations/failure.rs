//! Failures of the machinery, as the caller should hear of them.

use bandit::experiment::{ExperimentId, Verb};
use protocol::refusal::{Code, Refusal, Retry};

use crate::store::versions::PublishError;
use crate::store::{StoreError, TransactionError};
use crate::workers::decide::DecideError;

/// Why an operation could not be judged or carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(PublishError),
    /// The decision could not be looked at again.
    #[error(transparent)]
    Look(DecideError),
    /// It is not to be done; comes before anything was written, so that a mutation can commit it with its audit row.
    #[error("{0}")]
    Refused(Refusal),
    /// Cannot happen while plans are judged under the lock; answered rather than asserted, because a
    /// mutation that fails is rolled back and a panic tells the operator nothing.
    #[error("the plan wants to {verb} experiment {experiment}, which its state does not allow")]
    Illegal {
        experiment: ExperimentId,
        verb: Verb,
    },
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DecideError> for Failure {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Store(error) => Self::Store(error),
            error => Self::Look(error),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Store(error) => Self::Store(error),
            error @ PublishError::Policy { .. } => Self::Publish(error),
        }
    }
}

impl TransactionError for Failure {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Publish(error) => error.store_error(),
            Self::Look(_) | Self::Refused(_) | Self::Illegal { .. } => None,
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => store_refusal(&error),
            Failure::Refused(refusal) => refusal,
            failure @ (Failure::Publish(_) | Failure::Look(_) | Failure::Illegal { .. }) => {
                internal(&failure)
            }
        }
    }
}

/// What a caller hears of a failure of the store; what cannot be helped by trying again is logged here.
pub fn store_refusal(error: &StoreError) -> Refusal {
    if let StoreError::CommitUnknown(_) = error {
        let message = "the database broke off during the commit; ask again with the same request id to learn whether it happened";
        return Refusal::new(Code::Unavailable, message);
    }
    match error.retry() {
        Retry::Later | Retry::AfterReplan => {
            Refusal::new(Code::Unavailable, format!("{error}; try again in a moment"))
        }
        Retry::Never => internal(error),
    }
}

fn internal(error: &dyn std::error::Error) -> Refusal {
    tracing::error!(%error, source = ?error.source(), "operation failed");
    Refusal::new(
        Code::Internal,
        format!("{error}; the daemon's application log says more"),
    )
}
