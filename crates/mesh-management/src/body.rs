//! Reads a body up to the limit, whatever stream it comes from.

use std::time::Duration;

use mesh_api::problem::{BODY_LIMIT, Problem};

use crate::headers::HeaderText;

/// A body comes within this time.
pub const READ_LIMIT: Duration = Duration::from_secs(10);

/// A body that is too long is read on to this many bytes, so that its sender reads the answer instead of a reset.
const DRAIN_LIMIT: usize = 1024 * 1024;

/// The chunks of a body that came so far.
#[derive(Debug)]
pub struct Chunks {
    kept: Vec<u8>,
    seen: usize,
    end: usize,
}

impl Chunks {
    /// Begins a body as the head declares it. It ends where its stream ends, unless it stands before the bytes of another
    /// protocol, in a request that asks for an upgrade.
    ///
    /// # Errors
    /// 413, when it is not worth reading.
    pub fn declared(headers: &impl HeaderText) -> Result<Self, Problem> {
        let upgrades = headers.text("upgrade").is_some();
        let is_framed = headers.text("transfer-encoding").is_some();
        let end = match headers.text("content-length").map(str::parse) {
            Some(Ok(length)) if length > DRAIN_LIMIT => return Err(Problem::too_large()),
            Some(Ok(length)) if upgrades => length,
            None if upgrades && !is_framed => 0,
            _ => usize::MAX,
        };
        let (kept, seen) = (Vec::new(), 0);
        Ok(Self { kept, seen, end })
    }

    /// Tells whether to read on.
    pub fn is_open(&self) -> bool {
        self.seen < self.end && self.seen <= DRAIN_LIMIT
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        let chunk = &chunk[..chunk.len().min(self.end - self.seen)];
        self.seen += chunk.len();
        if self.seen <= BODY_LIMIT {
            self.kept.extend_from_slice(chunk);
        }
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

    struct Head<'a>(&'a [(&'static str, &'static str)]);

    impl HeaderText for Head<'_> {
        fn all<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
            let own = self.0.iter().filter(|(known, _)| *known == name);
            own.map(|(_, value)| value.as_bytes()).collect()
        }
    }

    fn of_length(length: &[(&'static str, &'static str)]) -> Chunks {
        Chunks::declared(&Head(length)).unwrap()
    }

    #[test]
    fn a_body_is_whole_up_to_the_limit_and_read_on_a_little() {
        let too_long = Chunks::declared(&Head(&[("content-length", "1048577")]));
        assert_eq!(too_long.unwrap_err().status, 413);
        let mut chunks = of_length(&[("content-length", "65536")]);
        chunks.push(&[1; BODY_LIMIT]);
        assert!(chunks.is_open());
        assert_eq!(chunks.whole().unwrap().len(), BODY_LIMIT);
        let mut chunks = of_length(&[]);
        chunks.push(&[1; BODY_LIMIT + 1]);
        assert!(chunks.is_open());
        chunks.push(&[1; DRAIN_LIMIT]);
        assert!(!chunks.is_open());
        assert_eq!(chunks.whole().unwrap_err().status, 413);
    }

    #[test]
    fn what_follows_the_head_of_an_upgrade_is_no_body() {
        let upgrade = ("upgrade", "websocket");
        assert!(!of_length(&[upgrade]).is_open());
        assert!(of_length(&[upgrade, ("transfer-encoding", "chunked")]).is_open());
        let mut chunks = of_length(&[upgrade, ("content-length", "2")]);
        chunks.push(b"{}and more");
        assert!(!chunks.is_open());
        assert_eq!(chunks.whole().unwrap(), b"{}");
    }
}
