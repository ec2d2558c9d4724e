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
mod internal;
mod refusal;

pub use auth_base::request::{Headers, sent_target};

pub use self::access::AccessGuard;
pub use self::internal::InternalGuard;
pub use self::refusal::Refusal;

/// The header of internal tokens, in lower case.
pub const INTERNAL_AUTH: &str = "x-internal-auth";

/// What of a request counts for a guard: the method and target as they were sent, and the values of the headers that bear
/// tokens.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    method: &'a str,
    target: &'a str,
    authorization: Vec<&'a [u8]>,
    proofs: Vec<&'a [u8]>,
    internal: Vec<&'a [u8]>,
}

impl<'a> Head<'a> {
    /// Takes the method as it came, the request target as it was sent ([`sent_target`]), and the
    /// headers.
    pub fn new(method: &'a str, target: &'a str, headers: &'a impl Headers) -> Self {
        Self {
            method,
            target,
            authorization: headers.values("authorization").collect(),
            proofs: headers.values("dpop").collect(),
            internal: headers.values(INTERNAL_AUTH).collect(),
        }
    }

    /// Tells whether there is a header `Authorization`.
    pub fn has_authorization(&self) -> bool {
        !self.authorization.is_empty()
    }
}

/// A request that was let in.
#[derive(Clone, Debug)]
pub struct Passed<C> {
    /// Who it comes from.
    pub context: C,
    /// The headers that its answer bears, in lower case.
    pub headers: Vec<(&'static str, String)>,
}

/// Lets requests in that bear a token of one kind.
pub trait Guard: Clone + Send + Sync + 'static {
    /// What a handler learns.
    type Context: Clone + Send + Sync + 'static;

    /// Verifies the token of a request and asks for what it must allow.
    fn admit(
        &self,
        head: Head<'_>,
    ) -> impl Future<Output = Result<Passed<Self::Context>, Refusal>> + Send;
}
