//! lapin's errors in this crate's words, without secrets.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use hmac_propagation::broker::BrokerError;
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

/// Why something asked of the broker failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection, or no answer in time.
    Unavailable(String),
    /// The broker answered and refused.
    Refused(String),
}

impl Failure {
    pub(crate) fn unavailable(reason: impl Display) -> Self {
        Self::Unavailable(reason.to_string())
    }

    pub(crate) fn into_reason(self) -> String {
        match self {
            Self::Unavailable(reason) | Self::Refused(reason) => reason,
        }
    }
}

impl From<lapin::Error> for Failure {
    fn from(error: lapin::Error) -> Self {
        let refused = matches!(error.kind(), ErrorKind::ProtocolError(told) if matches!(
            told.kind(),
            AMQPErrorKind::Soft(
                AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED | AMQPSoftError::RESOURCELOCKED
            )
        ));
        let reason = error.to_string();
        if refused {
            Self::Refused(reason)
        } else {
            Self::Unavailable(reason)
        }
    }
}

/// Whether the broker says that what was named does not exist.
pub(crate) fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(told)
        if matches!(told.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)))
}

impl From<Failure> for BrokerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(reason) => Self::Unavailable(reason),
            Failure::Refused(reason) => Self::Refused(reason),
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
