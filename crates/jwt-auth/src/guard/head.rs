//! What of a request counts.

use auth_base::request::Headers;

/// The header of internal tokens, in lower case.
pub const INTERNAL_AUTH: &str = "x-internal-auth";

/// What of a request counts for a guard: the method and target as they were sent, and the values of the headers that bear
/// tokens.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) authorization: Vec<&'a [u8]>,
    pub(super) proofs: Vec<&'a [u8]>,
    pub(super) internal: Vec<&'a [u8]>,
}

impl<'a> Head<'a> {
    /// Takes the method as it came, the request target as it was sent ([`crate::guard::sent_target`]), and the
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
