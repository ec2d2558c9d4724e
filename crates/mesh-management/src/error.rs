//! Why a request was not done, and what its caller reads.

use std::error::Error;

use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;
use hmac_propagation::error::PropagationError;
use mesh_api::problem::Problem;

use crate::administration::AdministrationError;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request is wrong, or this peer has not what it asks for.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// The propagator refused or failed.
    #[error(transparent)]
    Propagation(#[from] PropagationError),
    /// The inventory refused or failed.
    #[error(transparent)]
    Administration(#[from] AdministrationError),
    /// The peer's own store failed.
    #[error("the peer's store failed")]
    Store(#[from] StoreError),
}

/// What the caller reads. A failure that is not the caller's is logged with its sources.
impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused(problem) => problem,
            RequestError::Propagation(error) => of_propagation(&error),
            RequestError::Administration(error) => error.into(),
            RequestError::Store(error) => of_store(&error),
        }
    }
}

fn of_propagation(error: &PropagationError) -> Problem {
    let (status, code) = match error {
        PropagationError::InvalidOptions { field, message } => {
            return Problem::invalid(*field, message.clone());
        }
        PropagationError::UnknownClient(client_id) => {
            return Problem::unknown_client(client_id.as_str());
        }
        PropagationError::ManagementNotConfigured => (409, error.code()),
        unavailable if unavailable.is_unavailable() => (503, error.code()),
        _ => (500, error.code()),
    };
    if status >= 500 {
        log_failure("a change or sync failed", error);
    }
    Problem::new(status, code, error.to_string())
}

fn of_store(error: &StoreError) -> Problem {
    log_failure("the peer's store failed", error);
    match error {
        StoreError::Corrupt { .. } => Problem::new(500, "INTERNAL_ERROR", error.to_string()),
        _ => Problem::unavailable("the peer's store is away"),
    }
}

impl From<AdministrationError> for Problem {
    fn from(error: AdministrationError) -> Self {
        let message = error.to_string();
        match &error {
            AdministrationError::UnknownTarget { .. } => Self::new(404, "UNKNOWN_TARGET", message),
            AdministrationError::SelfTarget { .. } => Self {
                error: "SELF_TARGET".into(),
                ..Self::invalid("targetAmqpQueue", message)
            },
            AdministrationError::TargetInUse { .. } => Self::new(409, "TARGET_IN_USE", message),
            AdministrationError::InvalidCursor => Self::invalid("cursor", message),
            AdministrationError::Unavailable(_) => {
                log_failure("the management store is away", &error);
                Self::unavailable(message)
            }
            AdministrationError::Failed(_) => {
                log_failure("the management store failed", &error);
                Self::internal()
            }
        }
    }
}

/// Writes an error and its sources to the log.
pub fn log_failure(what: &str, error: &dyn Error) {
    tracing::warn!(error = %chain(error), "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_propagation_error_keeps_its_code_and_field() {
        let problem = |error: PropagationError| Problem::from(RequestError::from(error));
        let invalid = problem(PropagationError::InvalidOptions {
            field: "targets",
            message: "unknown targets: x".to_owned(),
        });
        assert_eq!((invalid.status, &*invalid.error), (400, "INVALID_OPTIONS"));
        assert_eq!(invalid.field.as_deref(), Some("targets"));
        assert_eq!(problem(PropagationError::Timeout("sql")).status, 503);
        assert_eq!(
            problem(PropagationError::ManagementNotConfigured).status,
            409
        );
    }
}
