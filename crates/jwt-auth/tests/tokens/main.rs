//! What `jwt-auth` promises, seen from outside.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

mod algorithms;
mod assertions;
mod cached;
mod doors;
mod internal;
mod keys;
mod made_elsewhere;
mod oracle;
mod proofs;
mod support;
