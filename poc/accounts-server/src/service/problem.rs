//! Why a call is not done. Texts and codes are those of the private API; the status of each stands in one place, here.

use accounts::private_api::{code, text};
use accounts::strength::WeakPassword;
use accounts::{Refusal, TooManyFailures};
use accounts_sqlx::SqlError;
use auth_base::store_error::StoreError;
use jwt_auth::InternalRejection;

/// Why a call is not done.
///
/// To blame are the caller, or this side: [`Self::Busy`] and whatever follows it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Something that the call needs is not there, or is of another type.
    #[error("{0}")]
    Missing(&'static str),
    /// A value is none.
    #[error("{text}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong with it; never what it was.
        text: String,
    },
    /// The password may not be chosen.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// No such person, or another password: nobody is told which.
    #[error("Email or password incorrect.")]
    InvalidCredentials,
    /// The link was used, is too old, or never was one.
    #[error("The link was used, is too old, or never was one.")]
    InvalidLink,
    /// Too many attempts failed.
    #[error("Too many attempts, please try again later.")]
    TooManyAttempts {
        /// When the next is looked at.
        retry_after_ms: i64,
    },
    /// A refresh token was refused, or its person may not go on.
    #[error("{}", refusal_text(*.0))]
    Refused(Refusal),
    /// The account was written since it was read.
    #[error("The account was changed meanwhile.")]
    Changed,
    /// The family is dead, or another's.
    #[error("The session has ended.")]
    FamilyDead,
    /// Another account has this e-mail address.
    #[error("Another account has this e-mail address.")]
    EmailTaken,
    /// Nobody would be left who gives rights.
    #[error("The last admin who can sign in stays one.")]
    LastAdmin,
    /// There is none.
    #[error("Not found")]
    NotFound,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] InternalRejection),
    /// Too many passwords are checked just now.
    #[error("too many passwords are checked just now")]
    Busy,
    /// The account was written, but its sessions could not be ended. The same call again finishes it.
    #[error("the account was changed, and its sessions live until the call is made again")]
    Unfinished(#[source] StoreError),
    /// Something of this program failed: there was no memory for a hash.
    #[error("the call could not be done")]
    Internal,
    /// It took too long. It may have been done all the same.
    #[error("the call was not done in time")]
    TimedOut,
    /// The store is broken.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl Problem {
    /// A value that is none.
    pub fn invalid(field: &'static str, why: &(impl ToString + ?Sized)) -> Self {
        let text = why.to_string();
        Self::Invalid { field, text }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Missing(_) | Self::Invalid { .. } | Self::WeakPassword(_) => 400,
            Self::InvalidCredentials | Self::InvalidLink | Self::Refused(_) => 401,
            Self::NotFound => 404,
            Self::Changed | Self::FamilyDead | Self::EmailTaken | Self::LastAdmin => 409,
            Self::TooManyAttempts { .. } => 429,
            Self::Internal => 500,
            Self::Busy | Self::Unfinished(_) => 503,
            Self::Denied(rejection) => rejection.status(),
            Self::TimedOut => 504,
            Self::Store(error) => database(error).0,
        }
    }

    /// The code, where there is one beside the text.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Missing(_) | Self::Refused(_) | Self::NotFound => None,
            Self::Invalid { .. } => Some(code::INVALID),
            Self::WeakPassword(_) => Some(code::WEAK_PASSWORD),
            Self::InvalidCredentials => Some(code::INVALID_CREDENTIALS),
            Self::InvalidLink => Some(code::INVALID_LINK),
            Self::TooManyAttempts { .. } => Some(code::TOO_MANY_ATTEMPTS),
            Self::Changed => Some(code::CHANGED),
            Self::FamilyDead => Some(code::FAMILY_DEAD),
            Self::EmailTaken => Some(code::EMAIL_TAKEN),
            Self::LastAdmin => Some(code::LAST_ADMIN),
            Self::Denied(rejection) => Some(rejection.code()),
            Self::Busy => Some("BUSY"),
            Self::Internal => Some("INTERNAL_ERROR"),
            Self::TimedOut => Some("TIMEOUT"),
            Self::Unfinished(_) => Some("DB_UNAVAILABLE"),
            Self::Store(error) => Some(database(error).1),
        }
    }

    /// The field that is wrong.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            Self::WeakPassword(_) => Some("password"),
            _ => None,
        }
    }
}

impl From<TooManyFailures> for Problem {
    fn from(failures: TooManyFailures) -> Self {
        Self::TooManyAttempts {
            retry_after_ms: failures.retry_after_ms,
        }
    }
}

/// What is said of a database that failed: status and code, as far as its store tells.
fn database(error: &StoreError) -> (u16, &'static str) {
    let (is_away, source) = match error {
        StoreError::Unavailable(source) => (true, source),
        StoreError::Refused(source) => (false, source),
        _ => return (500, "DB_ERROR"),
    };
    match (is_away, source.downcast_ref::<SqlError>()) {
        (true, Some(SqlError::Timeout(_))) => (504, "DB_TIMEOUT"),
        (true, _) => (503, "DB_UNAVAILABLE"),
        (false, Some(error)) if error.is_duplicate() => (409, "DB_UNIQUE_CONSTRAINT"),
        (false, _) => (500, "DB_ERROR"),
    }
}

/// The texts that the original's gateway knows.
fn refusal_text(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound | Refusal::Expired => "Refresh token not found",
        Refusal::FamilyRevoked => "Refresh chain family-revoked",
        Refusal::SubjectInactive => "User no longer active",
        Refusal::Reused => text::REUSED,
    }
}
