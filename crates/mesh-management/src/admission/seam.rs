//! Who a request comes from, and who decides.

use async_trait::async_trait;
use mesh_api::permission::Permission;
use mesh_api::problem::Problem;

use crate::headers::HeaderText;

/// What of a request counts for who it comes from.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    /// The method, as it came.
    pub method: &'a str,
    /// The request target, as it was sent: path and query.
    pub target: &'a str,
    /// The headers.
    pub headers: &'a dyn HeaderText,
}

/// What kind of caller it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// A person.
    User,
    /// A machine client.
    Client,
    /// The gateway itself.
    System,
}

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name, as the issuer of its token has it.
    pub subject: String,
    /// What kind of caller it is.
    pub kind: CallerKind,
    /// The request's name in logs, where the gateway gave it one.
    pub request_id: Option<String>,
    /// Headers that the answer bears, in lower case.
    pub headers: Vec<(&'static str, String)>,
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What the caller reads.
    pub problem: Problem,
    /// Headers of the answer, in lower case: the challenge of a 401.
    pub headers: Vec<(&'static str, String)>,
}

impl Denied {
    /// 403: who it is is known, and may not.
    pub fn forbidden(permission: Permission) -> Self {
        let message = format!("the permission {permission} is missing");
        Self {
            problem: Problem::new(403, "FORBIDDEN", message),
            headers: Vec::new(),
        }
    }
}

/// Decides who a request comes from, and whether they may do it.
///
/// # Contract
/// Nobody is let in whose permission cannot be checked now: a store that is away is 503 `AUTH_UNAVAILABLE`. A refusal shows no
/// token.
#[async_trait]
pub trait Admission: Send + Sync + 'static {
    /// Lets a request in that may do what needs `permission`.
    async fn admit(&self, permission: Permission, sent: Sent<'_>) -> Result<Caller, Denied>;
}
