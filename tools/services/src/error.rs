//! Why a server is not there.

/// A server could not be brought up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither an address, nor a binary, nor a container engine was found.
    #[error("{server} is missing: {hint}")]
    Missing {
        /// Which server.
        server: &'static str,
        /// What to install.
        hint: &'static str,
    },
    /// It was started and did not become ready.
    #[error("{server} did not become ready within {seconds} s; its log ends with: {log}")]
    NotReady {
        /// Which server.
        server: &'static str,
        /// How long was waited.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// Starting it failed.
    #[error("{what}")]
    Io {
        /// What was done.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The container engine refused.
    #[error("{what}")]
    Engine {
        /// What was done.
        what: String,
        /// Why it refused.
        #[source]
        source: std::io::Error,
    },
    /// It answered, but not as expected.
    #[error("{0}")]
    Unexpected(String),
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn engine(what: String, source: std::io::Error) -> Self {
        Self::Engine { what, source }
    }
}
