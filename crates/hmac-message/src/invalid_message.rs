//! Why a message cannot be signed.

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 128;

/// How many combining marks may follow each other in an object's key: as many as in Unicode's stream-safe text (UAX #15).
/// Collating a longer run takes time that grows with its square: 64 KiB of them keep a core busy for minutes.
pub const MAX_MARKS: usize = 30;

/// A message that is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// The text breaks the grammar of JSON.
    #[error("not JSON at byte {at}")]
    NotJson {
        /// Where.
        at: usize,
    },
    /// Arrays and objects nest deeper than [`MAX_DEPTH`].
    #[error("JSON nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_MARKS`] combining marks follow each other in an object's key.
    #[error("a key has more than {MAX_MARKS} combining marks in a row")]
    TooManyMarks,
}
