//! Why something asked of the broker failed: lapin's errors in this crate's words, without secrets.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hmac_propagation::broker::{BrokerError, PublishError};
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

/// Why something asked of the broker failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// No connection, or no answer in time.
    Unavailable(Arc<dyn Error + Send + Sync>),
    /// The broker answered and refused.
    Refused(Arc<dyn Error + Send + Sync>),
}

/// An error of lapin. It names its source in its own text, so it tells of none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct AmqpError(lapin::Error);

impl Failure {
    pub(crate) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(cause.into()))
    }

    /// In words, for the status and the log.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Unavailable(cause) | Self::Refused(cause) => cause.to_string(),
        }
    }
}

impl From<lapin::Error> for Failure {
    fn from(error: lapin::Error) -> Self {
        let refused = matches!(error.kind(), ErrorKind::ProtocolError(answer) if matches!(
            answer.kind(),
            AMQPErrorKind::Soft(
                AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED | AMQPSoftError::RESOURCELOCKED
            )
        ));
        let cause = Arc::new(AmqpError(error));
        if refused {
            Self::Refused(cause)
        } else {
            Self::Unavailable(cause)
        }
    }
}

/// Whether the broker says that what was named does not exist.
pub(crate) fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(answer)
        if matches!(answer.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)))
}

impl From<Failure> for BrokerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(cause) => Self::Unavailable(Box::new(cause)),
            Failure::Refused(cause) => Self::Refused(Box::new(cause)),
        }
    }
}

impl From<Failure> for PublishError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(cause) | Failure::Refused(cause) => Self::Unconfirmed(cause),
        }
    }
}

/// Awaits the broker's answer for at most `bound`.
pub(crate) async fn answer<T>(
    bound: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(bound, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::unavailable("no answer from the broker in time")),
    }
}
