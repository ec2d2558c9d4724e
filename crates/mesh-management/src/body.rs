//! Reads a body up to the limit, whatever stream it comes from.

use std::time::Duration;

use mesh_api::problem::{BODY_LIMIT, Problem};

/// A body comes within this time.
pub const READ_LIMIT: Duration = Duration::from_secs(10);

/// A body that is too long is read on to this many bytes, so that its sender reads the answer instead of a reset.
const DRAIN_LIMIT: usize = 1024 * 1024;

/// The chunks of a body that came so far.
#[derive(Debug, Default)]
pub struct Chunks {
    kept: Vec<u8>,
    seen: usize,
}

impl Chunks {
    /// Begins a body whose `content-length` is `declared`.
    ///
    /// # Errors
    /// 413, when it is not worth reading.
    pub fn declared(declared: Option<&str>) -> Result<Self, Problem> {
        let declared: Option<usize> = declared.and_then(|length| length.parse().ok());
        match declared {
            Some(length) if length > DRAIN_LIMIT => Err(Problem::too_large()),
            _ => Ok(Self::default()),
        }
    }

    /// Takes the next chunk; tells whether to go on.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        self.seen = self.seen.saturating_add(chunk.len());
        if self.seen <= BODY_LIMIT {
            self.kept.extend_from_slice(chunk);
        }
        self.seen <= DRAIN_LIMIT
    }

    /// The whole body.
    ///
    /// # Errors
    /// 413, when it had more than [`BODY_LIMIT`] bytes.
    pub fn whole(self) -> Result<Vec<u8>, Problem> {
        if self.seen > BODY_LIMIT {
            Err(Problem::too_large())
        } else {
            Ok(self.kept)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_whole_up_to_the_limit_and_read_on_a_little() {
        assert_eq!(Chunks::declared(Some("1048577")).err().unwrap().status, 413);
        let mut chunks = Chunks::declared(Some("65536")).unwrap();
        assert!(chunks.push(&[1; BODY_LIMIT]));
        assert_eq!(chunks.whole().unwrap().len(), BODY_LIMIT);
        let mut chunks = Chunks::declared(None).unwrap();
        assert!(chunks.push(&[1; BODY_LIMIT + 1]));
        assert!(!chunks.push(&[1; DRAIN_LIMIT]));
        assert_eq!(chunks.whole().unwrap_err().status, 413);
    }
}
