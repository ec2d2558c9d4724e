//! Who may do what: asked before every route of management, once for all frameworks.
//!
//! ```text
//!   request ─► Gate (the route's permission) ─► Admission ─► Caller, for the handler and the log
//!                                                        └─► Denied: 401 with a challenge, 403 with the permission's name
//! ```
//!
//! # Implementing
//! [`Admission`] is the seam to whatever knows who calls. [`TokenAdmission`] asks for tokens of the front door. Where there is
//! no admission, nobody is asked.

mod tokens;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mesh_api::permission::Permission;
use mesh_api::problem::Problem;

use crate::headers::HeaderText;

pub use self::tokens::TokenAdmission;

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

/// What stands before a route: its permission, and who is asked about it. Clones share that.
#[derive(Clone)]
pub struct Gate {
    permission: Permission,
    admission: Option<Arc<dyn Admission>>,
}

impl Gate {
    /// Asks `admission`; without one it is open.
    pub fn new(permission: Permission, admission: Option<Arc<dyn Admission>>) -> Self {
        Self {
            permission,
            admission,
        }
    }

    /// Lets a request in, and tells who it comes from; `None` where nobody is asked.
    ///
    /// # Errors
    /// What it is answered instead.
    pub async fn admit(&self, sent: Sent<'_>) -> Result<Option<Caller>, Denied> {
        let Some(admission) = &self.admission else {
            return Ok(None);
        };
        let (method, permission) = (sent.method, self.permission);
        let path = sent.target.split('?').next().unwrap_or_default();
        match admission.admit(permission, sent).await {
            Ok(caller) => {
                if !matches!(method, "GET" | "HEAD") {
                    let subject = caller.subject.as_str();
                    let request_id = caller.request_id.as_deref();
                    tracing::info!(subject, kind = ?caller.kind, request_id, method, path, "admitted");
                }
                Ok(Some(caller))
            }
            Err(denied) => {
                let reason = &denied.problem;
                tracing::info!(%permission, method, path, %reason, "not admitted");
                Err(denied)
            }
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("permission", &self.permission)
            .field("asks", &self.admission.is_some())
            .finish()
    }
}
