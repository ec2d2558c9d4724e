//! What the gateway itself answers: every code of it stands here.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use mesh_api::permission::Permission;
use mesh_api::problem::Problem;
use mesh_management::admission::Denied;
use mesh_management_axum::answer::refuse;

use crate::page::page;
use crate::pages::{self, Frame};

/// A request that is not handed on, as its caller reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Status, code and words; never a secret.
    pub problem: Problem,
    /// Headers of the answer besides those of every problem, such as a challenge or cookies.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// 400 `MALFORMED_REQUEST`: servers could read it in different ways.
    pub(super) fn malformed(message: &str) -> Self {
        Problem::new(400, "MALFORMED_REQUEST", message).into()
    }

    /// 414 `URI_TOO_LONG`: it would not fit into a token.
    pub(super) fn too_long(most: usize) -> Self {
        let message = format!("path and query have at most {most} bytes");
        Problem::new(414, "URI_TOO_LONG", message).into()
    }

    /// 421 `MISDIRECTED`: it was sent to another name.
    pub(super) fn misdirected() -> Self {
        Problem::new(421, "MISDIRECTED", "this is no name of this gateway").into()
    }

    /// 429 `TOO_MANY_ATTEMPTS`: from this address, which may ask again after `wait`.
    pub(super) fn too_many(wait: Duration) -> Self {
        let problem = Problem::new(
            429,
            "TOO_MANY_ATTEMPTS",
            "too many requests; try again later",
        );
        let seconds = wait.as_secs().saturating_add(1);
        let headers = vec![(header::RETRY_AFTER, HeaderValue::from(seconds))];
        Self { problem, headers }
    }

    /// 403 `FORBIDDEN`: the caller may not do this.
    pub(crate) fn forbidden(permission: Permission) -> Self {
        Denied::forbidden(permission).problem.into()
    }

    /// 503 `AUTH_UNAVAILABLE`: who calls cannot be known now, or no token can be made.
    pub fn auth_unavailable() -> Self {
        let message = "who calls cannot be checked now; try again later";
        Self::later(Problem::new(503, "AUTH_UNAVAILABLE", message))
    }

    /// 503 `UPSTREAM_UNAVAILABLE`: nothing was sent.
    pub(super) fn upstream_unavailable(peer: &str) -> Self {
        let message = format!("{peer} cannot be reached; nothing was sent");
        Self::later(Problem::new(503, "UPSTREAM_UNAVAILABLE", message))
    }

    /// 502 `UPSTREAM_FAILED`: it may have been done.
    pub(super) fn upstream_failed(peer: &str) -> Self {
        let message = format!("{peer} ended the connection without an answer");
        Problem::new(502, "UPSTREAM_FAILED", message).into()
    }

    /// 502 `UPSTREAM_REFUSED`: the peer does not take the gateway's token, whoever calls.
    pub(super) fn not_believed(peer: &str) -> Self {
        let message = format!("{peer} does not take tokens of this gateway; nothing was done");
        Problem::new(502, "UPSTREAM_REFUSED", message).into()
    }

    /// 401 `SESSION_EXPIRED`: it ended while the request was under way.
    pub(crate) fn session_over() -> Self {
        let message = "the session ended while this was under way; it may have been done";
        Problem::new(401, "SESSION_EXPIRED", message).into()
    }

    /// 403 `CROSS_SITE_REQUEST`: a page of one peer asks another one.
    pub(super) fn another_peer() -> Self {
        let message = "a page asks its own peer only";
        Problem::new(403, "CROSS_SITE_REQUEST", message).into()
    }

    /// 504 `UPSTREAM_TIMEOUT`: it may have been done.
    pub(super) fn upstream_timeout(peer: &str) -> Self {
        let message = format!("{peer} did not begin to answer in time");
        Problem::new(504, "UPSTREAM_TIMEOUT", message).into()
    }

    /// The same with the text that clients of the original read where ours read a code.
    pub(super) fn in_the_originals_words(mut self, text: &'static str) -> Self {
        self.problem.error = text.into();
        self
    }

    /// The same for whoever opens a page.
    pub(crate) fn into_page(self) -> Response {
        let (status, code) = (self.problem.status, &self.problem.error);
        let title = match status {
            403 => "Not for you",
            404 => "There is nothing here",
            429 => "Too many requests",
            502..=504 => "Not possible now",
            _ => "That was refused",
        };
        let kept = match status {
            503 => " You stay signed in.",
            _ => "",
        };
        let text = format!("{} ({code}).{kept}", self.problem.message);
        let html = pages::message(&Frame::default(), status, title, &text);
        let mut response = page(status, html);
        response.headers_mut().extend(self.headers);
        response
    }

    fn later(problem: Problem) -> Self {
        let headers = vec![(header::RETRY_AFTER, HeaderValue::from_static("1"))];
        Self { problem, headers }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            headers: Vec::new(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = refuse(self.problem);
        response.headers_mut().extend(self.headers);
        response
    }
}
