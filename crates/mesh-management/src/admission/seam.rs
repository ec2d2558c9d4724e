//! Who a request comes from, and who decides.

use std::time::Duration;

use async_trait::async_trait;
use hmac_propagation::origin::Origin;
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
    /// What people call the caller, where the gateway says it.
    pub name: Option<String>,
    /// What kind of caller it is.
    pub kind: CallerKind,
    /// All that the caller may do here: what a page offers.
    pub permissions: Vec<Permission>,
    /// The session that the request is part of, where a person has signed in.
    pub session: Option<String>,
    /// The request's name in logs, where the gateway gave it one.
    pub request_id: Option<String>,
    /// When what lets it in ends, in epoch milliseconds: an answer that goes on for longer ends with it.
    pub until_ms: Option<i64>,
    /// Headers that the answer bears, in lower case.
    pub headers: Vec<(&'static str, String)>,
}

impl Caller {
    /// What the caller is called in the audit: as people call it, or as its token has it.
    pub fn actor(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.subject)
    }

    /// Who asks for what a request does, for the audit: nobody, where nobody was asked who they are.
    pub fn origin(caller: Option<&Self>) -> Origin {
        caller.map_or_else(Origin::default, |caller| {
            Origin::of(caller.actor()).in_request(caller.request_id.as_deref())
        })
    }

    /// For how long an answer to this caller may go on from `now_ms` on: five seconds more than what lets it in. `None` where
    /// that has no end.
    pub fn left(&self, now_ms: i64) -> Option<Duration> {
        let left = self
            .until_ms?
            .saturating_add(GRACE_MS)
            .saturating_sub(now_ms);
        Some(Duration::from_millis(
            u64::try_from(left).unwrap_or_default(),
        ))
    }
}

/// What goes on, goes on for so much longer than the token, in milliseconds: clocks differ.
const GRACE_MS: i64 = 5_000;

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What the caller reads.
    pub problem: Problem,
    /// Headers of the answer, in lower case: the challenge of a 401.
    pub headers: Vec<(&'static str, String)>,
    /// Whether the caller showed something, a token, that was then no good.
    pub came_with_one: bool,
}

impl Denied {
    /// 403: who it is is known, and may not.
    pub fn forbidden(permission: Permission) -> Self {
        let message = format!("the permission {permission} is missing");
        Self {
            problem: Problem::new(403, "FORBIDDEN", message),
            headers: Vec::new(),
            came_with_one: true,
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
