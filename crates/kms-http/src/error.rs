//! What a provider over HTTP complains about.

use std::fmt;
use std::sync::Arc;

use kms::KmsError;
use kms::error::Source;

/// A complaint of the provider `id`. It is the source of a [`KmsError`], whose kind says what it means.
#[derive(Debug)]
pub struct HttpKmsError {
    id: Arc<str>,
    problem: String,
    source: Option<Source>,
}

impl fmt::Display for HttpKmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpKmsAdapter[{}]: {}", self.id, self.problem)
    }
}

impl std::error::Error for HttpKmsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref();
        source.map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// The provider that complains.
#[derive(Clone, Debug)]
pub(crate) struct Complainant(Arc<str>);

impl Complainant {
    pub(crate) fn new(id: &str) -> Self {
        Self(id.into())
    }

    pub(crate) fn of(&self, problem: impl Into<String>) -> Source {
        Box::new(HttpKmsError {
            id: Arc::clone(&self.0),
            problem: problem.into(),
            source: None,
        })
    }

    fn because(&self, problem: &str, source: impl Into<Source>) -> Source {
        Box::new(HttpKmsError {
            id: Arc::clone(&self.0),
            problem: problem.to_owned(),
            source: Some(source.into()),
        })
    }

    /// The remote service cannot be reached or used now.
    pub(crate) fn unavailable(&self, problem: &str, source: impl Into<Source>) -> KmsError {
        KmsError::Unavailable(self.because(problem, source))
    }

    /// Nobody gives us credentials.
    pub(crate) fn denied(&self, problem: &str, source: impl Into<Source>) -> KmsError {
        KmsError::Denied(self.because(problem, source))
    }

    /// The answer cannot be read.
    pub(crate) fn unreadable(&self, problem: &str) -> KmsError {
        KmsError::Answer(self.of(problem))
    }

    /// What cannot work as it is configured.
    pub(crate) fn misconfigured(&self, problem: &str, source: impl Into<Source>) -> KmsError {
        KmsError::Refused(self.because(problem, source))
    }
}
