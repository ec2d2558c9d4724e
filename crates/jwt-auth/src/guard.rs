//! What every HTTP layer decides about tokens, so that no adapter decides it: which headers count, what a token must allow,
//! and what an answer and a refusal look like on the wire.
//!
//! ```text
//!                 Head                Guard                      the adapter
//!   request ───► headers, method ───► InternalGuard ─► Passed ─► the handler, with the context; its headers on the answer
//!                target, as sent      AccessGuard   ─► Refusal ► the answer
//! ```
//!
//! An adapter (`jwt-auth-axum`, `jwt-auth-actix`) translates its framework's request into a [`Head`], and what a guard says
//! into its framework's response. Two adapters that differ in anything else have a bug.

mod access;
mod contract;
mod head;
mod internal;
mod refusal;

pub use auth_base::request::{Headers, sent_target};

pub use self::access::AccessGuard;
pub use self::contract::{Guard, Passed};
pub use self::head::{Head, INTERNAL_AUTH};
pub use self::internal::InternalGuard;
pub use self::refusal::{INTERNAL_CHALLENGE, Refusal};
