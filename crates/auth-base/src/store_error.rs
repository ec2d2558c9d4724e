//! What a store may fail with, whatever it stores.

/// A store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached or did not answer in time. Trying again later may help; nothing may be accepted.
    #[error("store unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored for this client, key or token cannot be read (wire contract 1.4: corrupt). Trying again does not help.
    #[error("corrupt record of {owner}: {reason}")]
    Corrupt {
        /// Whose record it is: a client's id, a key's.
        owner: String,
        /// What is wrong with it; never its content.
        reason: &'static str,
    },
    /// The store answered, and refused (wrong type of a key, out of memory, read-only). Trying again may help after
    /// an operator has been there.
    #[error("store refused the operation")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}
