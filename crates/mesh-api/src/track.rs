//! What a credential signs.

use serde::{Deserialize, Serialize};

/// One of the two tracks of credentials.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Track {
    /// HTTP requests.
    #[default]
    Http,
    /// Messages.
    Message,
}

impl Track {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Message => "message",
        }
    }
}
