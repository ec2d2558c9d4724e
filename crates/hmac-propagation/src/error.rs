//! What the helpers of a propagator answer when they cannot do what they were asked.

use std::fmt::Display;

use auth_base::store_error::StoreError;
use hmac_auth::credential::ClientId;

use crate::broker::BrokerError;
use crate::management::ManagementError;

/// Why a helper of [`crate::propagator::Propagator`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PropagationError {
    /// The peer is receive-only: it accepts no changes of its own.
    #[error("this peer has no management store: it only receives")]
    ManagementNotConfigured,
    /// There is no such client, or it is revoked.
    #[error("unknown client {0}")]
    UnknownClient(ClientId),
    /// The caller's options are wrong. Nothing was done.
    #[error("{field}: {message}")]
    InvalidOptions {
        /// Which field, by its name on the HTTP surface.
        field: &'static str,
        /// What is wrong with it, in words.
        message: String,
    },
    /// The change was accepted and will converge, but this peer's own store could not take it yet.
    #[error("the change is accepted; this peer's own store takes it when it is back")]
    NotYetApplied(#[source] StoreError),
    /// This peer's own store failed. Nothing was accepted.
    #[error("the peer's store failed")]
    Store(#[from] StoreError),
    /// The management store failed.
    #[error("the management store failed")]
    Management(#[source] ManagementError),
    /// The broker is away; what was accepted is sent when it is back.
    #[error("the broker is away")]
    Broker(#[from] BrokerError),
    /// A store or the broker did not answer in time.
    #[error("{0} did not answer in time")]
    Timeout(&'static str),
    /// The propagator was closed.
    #[error("the propagator is closed")]
    Closed,
}

impl PropagationError {
    pub(crate) fn invalid(field: &'static str, message: impl Display) -> Self {
        Self::InvalidOptions {
            field,
            message: message.to_string(),
        }
    }

    /// The stable code, as the original names it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ManagementNotConfigured => "MANAGEMENT_NOT_CONFIGURED",
            Self::UnknownClient(_) => "UNKNOWN_CLIENT",
            Self::InvalidOptions { .. } => "INVALID_OPTIONS",
            Self::NotYetApplied(_)
            | Self::Store(_)
            | Self::Management(_)
            | Self::Broker(_)
            | Self::Timeout(_)
            | Self::Closed => "INTERNAL_ERROR",
        }
    }

    /// The field that is wrong, for [`Self::InvalidOptions`].
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidOptions { field, .. } => Some(field),
            _ => None,
        }
    }

    /// Tells whether the same call may succeed later, when a store or the broker is back.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::NotYetApplied(_) | Self::Broker(_) | Self::Timeout(_) | Self::Closed => true,
            Self::Store(error) => !matches!(error, StoreError::Corrupt { .. }),
            Self::Management(error) => matches!(error, ManagementError::Unavailable(_)),
            Self::ManagementNotConfigured
            | Self::UnknownClient(_)
            | Self::InvalidOptions { .. } => false,
        }
    }
}

impl From<ManagementError> for PropagationError {
    fn from(error: ManagementError) -> Self {
        match error {
            ManagementError::UnknownClient { client_id } => Self::UnknownClient(client_id),
            ManagementError::UnknownTargets { .. } => Self::invalid("targets", error),
            other => Self::Management(other),
        }
    }
}
