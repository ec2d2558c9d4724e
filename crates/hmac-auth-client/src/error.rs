//! Why a signed request brought no answer, sorted by who is to blame.

/// Why a signed request brought no answer. No variant holds a secret, a signature or the query of a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL cannot be parsed.
    #[error("the URL is not valid")]
    InvalidUrl(#[source] url::ParseError),
    /// The URL is none that a signed request can be sent to.
    #[error("the URL cannot be signed: {reason}")]
    UnsignableUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The body is a stream: what is not held whole cannot be hashed before it is sent.
    #[error("a streaming body cannot be signed")]
    StreamingBody,
    /// The header is one of the four this client writes itself.
    #[error("header {name} is written by the signing client")]
    ReservedHeader {
        /// Its name.
        name: String,
    },
    /// A header's name or value is not valid.
    #[error("a header is not valid")]
    InvalidHeader(#[source] http::Error),
    /// The value given as JSON body cannot be serialised.
    #[error("the body cannot be serialised")]
    Json(#[source] serde_json::Error),
    /// The HTTP client could not be built, or could not make a request of what it was given.
    #[error("the request could not be built")]
    Build(#[source] reqwest::Error),
    /// The given HTTP client followed a redirect and carried a signature to where it was not made for.
    #[error(
        "the HTTP client followed a redirect with a stale signature: build it with `SignedClient::build`"
    )]
    RedirectFollowed,

    /// No connection could be made. Nothing was sent.
    #[error("no connection after {attempts} attempts")]
    Connect {
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        #[source]
        source: reqwest::Error,
    },
    /// The time is up. Whether the peer acted on the request is not known.
    #[error("no answer in time after {attempts} attempts")]
    Timeout {
        /// How many requests were sent or begun.
        attempts: u32,
    },
    /// The connection broke. Whether the peer acted on the request is not known.
    #[error("the connection broke")]
    Transport(#[source] reqwest::Error),

    /// The peer answered, and its answer is no success (only from [`SignedRequest::send_accepted`]).
    ///
    /// [`SignedRequest::send_accepted`]: crate::request::SignedRequest::send_accepted
    #[error("the peer refused with {status} {}", .code.as_deref().unwrap_or("without a code"))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The `error` of the answer's body (wire contract 1.3), when it has one.
        code: Option<String>,
        /// The `message` of the answer's body, when it has one: the peer's words, not to be trusted.
        message: Option<String>,
    },
}

/// Who is to blame for a [`ClientError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The program that calls this crate: trying again does not help.
    Caller,
    /// The network or a peer that is away: trying again later may help.
    Network,
    /// The peer, which answered.
    Peer,
}

impl ClientError {
    /// Tells who is to blame.
    pub fn blame(&self) -> Blame {
        match self {
            Self::InvalidUrl(_)
            | Self::UnsignableUrl { .. }
            | Self::StreamingBody
            | Self::ReservedHeader { .. }
            | Self::InvalidHeader(_)
            | Self::Json(_)
            | Self::Build(_)
            | Self::RedirectFollowed => Blame::Caller,
            Self::Connect { .. } | Self::Timeout { .. } | Self::Transport(_) => Blame::Network,
            Self::Refused { .. } => Blame::Peer,
        }
    }
}

/// Sorts an error of the HTTP library, which came at the `attempts`th request.
pub(crate) fn classify(error: reqwest::Error, attempts: u32) -> ClientError {
    if error.is_connect() {
        ClientError::Connect {
            attempts,
            source: error,
        }
    } else if error.is_timeout() {
        ClientError::Timeout { attempts }
    } else if error.is_redirect() {
        ClientError::RedirectFollowed
    } else if error.is_builder() {
        ClientError::Build(error)
    } else {
        ClientError::Transport(error)
    }
}
