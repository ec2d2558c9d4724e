//! How much a page may hold.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// A whole number of 1 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Limit<const MAX: usize>(usize);

impl<const MAX: usize> Limit<MAX> {
    /// The number.
    pub fn count(self) -> usize {
        self.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Limit<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || D::Error::custom(format_args!("must be a whole number of 1 to {MAX}"));
        let number = u64::deserialize(deserializer).map_err(|_| wrong())?;
        match usize::try_from(number) {
            Ok(count) if (1..=MAX).contains(&count) => Ok(Self(count)),
            _ => Err(wrong()),
        }
    }
}
