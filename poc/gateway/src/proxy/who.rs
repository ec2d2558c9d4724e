//! The seam to whatever knows who calls.
//!
//! # Implementing
//! A session store reads the cookies of a request and answers with [`Profile::Browser`]; a verifier of access tokens reads
//! `Authorization` and answers with [`Profile::Machine`]. Neither forwards anything, and neither needs to take its headers
//! away: no peer sees `Authorization`, `DPoP` or the gateway's cookies.

use std::net::IpAddr;

use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use jwt_auth::SubjectKind;
use mesh_api::permission::Permission;
use tokio_util::sync::CancellationToken;

use crate::proxy::mint::Speaker;
use crate::proxy::refusal::Refusal;

/// What of a request tells who it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query, as they came.
    pub target: &'a str,
    /// The headers, without those of one connection and without what nobody may claim (`X-Internal-Auth`, `X-Forwarded-…`).
    pub headers: &'a HeaderMap,
    /// Where it came from, proxies considered.
    pub address: IpAddr,
    /// Its name in logs.
    pub request_id: &'a str,
    /// The peer that it is for.
    pub audience: &'a str,
    /// Whether another proxy has handed it on: it then comes from somewhere else than its connection.
    pub is_forwarded: bool,
}

/// Whether a page could have sent a request in its caller's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What proves who calls is added by a browser, or by the place that it comes from: whose page sent it is asked.
    Browser,
    /// The caller added the proof itself.
    Machine,
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is: an account's id, or a client's.
    pub subject: String,
    /// What people call the caller, where that is something else: it is in the peers' logs and on their pages.
    pub name: Option<String>,
    /// What kind of caller that is.
    pub kind: SubjectKind,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// The session, where there is one.
    pub session: Option<String>,
    /// How it proved who it is.
    pub profile: Profile,
    /// Cancelled when nothing of it may go on, such as at the end of its session: open answers and WebSockets end then.
    pub ended: CancellationToken,
    /// When what lets it in ends, in epoch milliseconds: open answers and WebSockets end then at the latest. `None` where that
    /// has no end.
    pub until_ms: Option<i64>,
    /// Headers of its answer, such as cookies that were renewed.
    pub answer: Vec<(HeaderName, HeaderValue)>,
}

impl Caller {
    /// Whom tokens of its requests speak for.
    pub(super) fn speaker(&self) -> Speaker<'_> {
        Speaker {
            subject: &self.subject,
            kind: self.kind,
            name: self.name.as_deref(),
            permissions: &self.permissions,
            session: self.session.as_deref(),
        }
    }
}

/// Finds out who calls.
///
/// # Contract
/// Nobody is let in who cannot be checked now: that is [`Refusal::auth_unavailable`]. A refusal shows no secret. An answer
/// that takes more than the limit for it counts as that too.
#[async_trait]
pub trait Who: Send + Sync + 'static {
    /// Tells who a request comes from.
    async fn identify(&self, request: Request<'_>) -> Result<Caller, Refusal>;
}
