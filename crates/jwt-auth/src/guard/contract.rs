//! What a guard is.

use crate::guard::head::Head;
use crate::guard::refusal::Refusal;

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
