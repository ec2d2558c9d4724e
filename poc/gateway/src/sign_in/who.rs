//! Whoever has signed in, as the proxy asks for it.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Method};
use jwt_auth::SubjectKind;
use mesh_api::problem::Problem;

use crate::page::accepts_html;
use crate::proxy::{Caller, Profile, Refusal, Request, Who};
use crate::sign_in::accounts::query;

use crate::sign_in::sessions::{AnswerHeaders, Seen, Sessions, Stranger};

/// Open answers go on for so much longer than the access token, in milliseconds: clocks differ.
const GRACE_MS: i64 = 5_000;

/// People with sessions.
pub(super) struct People(pub(super) Arc<Sessions>);

#[async_trait]
impl Who for People {
    async fn identify(&self, request: Request<'_>) -> Result<Caller, Refusal> {
        let seen = Seen {
            headers: request.headers,
            address: request.address,
            request_id: request.request_id,
        };
        let identified = self.0.identify(seen).await;
        let identified = identified
            .map_err(|stranger| refuse(stranger, request.method, request.target, &seen))?;
        let person = identified.person;
        Ok(Caller {
            subject: person.id,
            name: Some(person.email),
            kind: SubjectKind::User,
            permissions: person.permissions,
            session: Some(person.sid),
            profile: Profile::Browser,
            ended: identified.ended,
            until_ms: Some(person.until_seconds.saturating_mul(1000) + GRACE_MS),
            answer: identified.answer,
        })
    }
}

/// What a stranger is answered: a browser that opens a page is led to where people sign in.
pub(super) fn refuse(
    stranger: Stranger,
    method: &Method,
    target: &str,
    seen: &Seen<'_>,
) -> Refusal {
    let is_over = matches!(stranger, Stranger::Refused(_));
    let (message, cleared) = match stranger {
        Stranger::Unavailable => return Refusal::auth_unavailable(),
        Stranger::NoSession if seen.is_machine() => {
            let message = "machines cannot sign in at this gateway yet";
            (message, AnswerHeaders::new())
        }
        Stranger::NoSession => ("sign in first", AnswerHeaders::new()),
        Stranger::Refused(cleared) => ("the session has ended; sign in again", cleared),
    };
    let is_native = seen.bare_token().is_some() || target.starts_with("/api/v1/health/");
    let code = match (is_native, is_over) {
        // As clients of the original read it.
        (true, false) => "Access denied: no refresh token",
        (true, true) => "Refresh rejected",
        (false, false) => "UNAUTHENTICATED",
        (false, true) => "SESSION_EXPIRED",
    };
    let opens_page = *method == Method::GET && accepts_html(seen.headers);
    let mut refusal = Refusal::from(match opens_page {
        true => Problem::new(303, code, message),
        false => Problem::new(401, code, message),
    });
    refusal.headers = cleared;
    if opens_page {
        let to = format!("/login?{}", query(&[("next", target)]));
        let location = HeaderValue::try_from(to);
        refusal
            .headers
            .extend(location.ok().map(|location| (LOCATION, location)));
    }
    refusal
}
