//! A plain secret on its way.

use std::fmt;
use std::mem;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A plain secret: redacted in `Debug`, wiped on drop, never compared. It is serialized as it is, for whoever sends it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps `plain`.
    pub fn new(plain: impl Into<String>) -> Self {
        Self(Zeroizing::new(plain.into()))
    }

    /// Gives the plain text away. Every call of this is a place to look at in a review.
    pub fn into_plain(mut self) -> String {
        mem::take(&mut *self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
