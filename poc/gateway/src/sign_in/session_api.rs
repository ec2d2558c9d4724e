//! Sessions, accounts and the audit as JSON.

use accounts::private_api::{AuditQuery, EndSessions, scope};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use mesh_api::permission::Permission;
use mesh_api::problem::Problem;
use mesh_management_axum::answer::json as answer;
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::proxy::{Arrival, Refusal};
use crate::sign_in::accounts::AccountsError;
use crate::sign_in::front_door::{Shared, Visitor, problem, seen};
use crate::sign_in::who;

/// GET `/api/v1/session`: who is signed in, and until when. It renews nothing.
pub(super) async fn session(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let seen = seen(&headers, &arrival);
    let looked = door.sessions.look(seen).await;
    let person = looked.map_err(|stranger| {
        // Whoever asks this is no person who opens a page.
        who::refuse(stranger, &Method::HEAD, &arrival.target, &seen)
    })?;
    said(&json!({
        "subject": person.id,
        "name": person.email,
        "kind": "user",
        "permissions": person.permissions,
        "sid": person.sid,
        "expiresAt": person.until_seconds.saturating_mul(1000),
        "familyUntil": person.family_until_ms,
    }))
}

/// GET `/api/v1/sessions`.
pub(super) async fn sessions(visitor: Visitor) -> Result<Response, Refusal> {
    let (acting, person) = (visitor.acting(), &visitor.person);
    let listed = visitor.accounts().sessions(acting, &person.id).await;
    let listed = listed.map_err(problem)?;
    said(&json!({ "current": person.sid, "sessions": listed.sessions }))
}

/// DELETE `/api/v1/sessions/{sid}`.
pub(super) async fn end_session(
    visitor: Visitor,
    Path(sid): Path<String>,
) -> Result<Response, Refusal> {
    end(&visitor, Some(sid), None).await
}

/// DELETE `/api/v1/sessions`: all but this one.
pub(super) async fn end_others(visitor: Visitor) -> Result<Response, Refusal> {
    end(&visitor, None, Some(visitor.person.sid.clone())).await
}

async fn end(
    visitor: &Visitor,
    sid: Option<String>,
    but: Option<String>,
) -> Result<Response, Refusal> {
    let asked = EndSessions {
        user_id: visitor.person.id.clone(),
        sid,
        but,
    };
    let sessions = &visitor.door.sessions;
    let ended = sessions.end(visitor.acting(), &asked).await;
    said(&json!({ "ended": ended.map_err(problem)? }))
}

fn require_admin(visitor: &Visitor) -> Result<(), Refusal> {
    match visitor.is_admin() {
        true => Ok(()),
        false => Err(Refusal::forbidden(Permission::AccountsWrite)),
    }
}

/// GET `/api/v1/audit`.
pub(super) async fn audit(
    visitor: Visitor,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    require_admin(&visitor)?;
    let Query(query) = query
        .map_err(|rejection| Refusal::from(Problem::invalid("query", rejection.body_text())))?;
    let rows = visitor.accounts().audit(visitor.acting(), &query).await;
    said(&rows.map_err(problem)?)
}

/// `/api/v1/user` and what is below it: the accounts service's `/v1/user`.
pub(super) async fn users(
    visitor: Visitor,
    rest: Option<Path<String>>,
    method: Method,
    body: Bytes,
) -> Result<Response, Refusal> {
    require_admin(&visitor)?;
    let target = visitor
        .arrival
        .target
        .strip_prefix("/api")
        .unwrap_or_default();
    let changes = matches!(method, Method::PUT | Method::DELETE);
    let id = rest.filter(|_| changes).map(|Path(id)| id);
    let body = Zeroizing::new(body.to_vec());
    let (acting, accounts) = (visitor.acting(), visitor.accounts());
    let raw = accounts.raw(acting, scope::USERS, method.clone(), target, body);
    let raw = raw.await;
    let is_done = raw.as_ref().is_ok_and(|raw| raw.status.is_success());
    let may_be_done = matches!(raw, Err(AccountsError::Unavailable));
    if let Some(id) = id
        && (is_done || may_be_done)
    {
        // Its rights are asked for anew.
        visitor.door.sessions.live.end_all(&id, None);
    }
    let raw = raw.map_err(problem)?;
    let mut response = answer(raw.status.as_u16(), raw.body);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

fn said(body: &impl Serialize) -> Result<Response, Refusal> {
    let body = serde_json::to_vec(body);
    let body = body.map_err(|_| problem(AccountsError::Unavailable))?;
    Ok(answer(200, body).into_response())
}
