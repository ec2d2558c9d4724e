//! Sessions, accounts and the audit as JSON.

use std::sync::Arc;

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
use crate::sign_in::access::SignedIn;
use crate::sign_in::accounts::AccountsError;
use crate::sign_in::front_door::{FrontDoor, Shared, acting, problem, require, seen};
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
pub(super) async fn sessions(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
) -> Result<Response, Refusal> {
    let acting = acting(&person, &arrival);
    let listed = door.sessions.accounts.sessions(acting, &person.id).await;
    let listed = listed.map_err(problem)?;
    said(&json!({ "current": person.sid, "sessions": listed.sessions }))
}

/// DELETE `/api/v1/sessions/{sid}`.
pub(super) async fn end_session(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    Path(sid): Path<String>,
) -> Result<Response, Refusal> {
    let asked = EndSessions {
        user_id: person.id.clone(),
        sid: Some(sid),
        but: None,
    };
    end(&door, &person, &arrival, &asked).await
}

/// DELETE `/api/v1/sessions`: all but this one.
pub(super) async fn end_others(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
) -> Result<Response, Refusal> {
    let asked = EndSessions {
        user_id: person.id.clone(),
        sid: None,
        but: Some(person.sid.clone()),
    };
    end(&door, &person, &arrival, &asked).await
}

async fn end(
    door: &Arc<FrontDoor>,
    person: &SignedIn,
    arrival: &Arrival,
    asked: &EndSessions,
) -> Result<Response, Refusal> {
    let ended = door.sessions.end(acting(person, arrival), asked).await;
    said(&json!({ "ended": ended.map_err(problem)? }))
}

/// GET `/api/v1/audit`.
pub(super) async fn audit(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    require(&person, Permission::AccountsWrite)?;
    let Query(query) = query
        .map_err(|rejection| Refusal::from(Problem::invalid("query", rejection.body_text())))?;
    let acting = acting(&person, &arrival);
    let rows = door.sessions.accounts.audit(acting, &query).await;
    said(&rows.map_err(problem)?)
}

/// `/api/v1/user` and what is below it: the accounts service's `/v1/user`.
pub(super) async fn users(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    rest: Option<Path<String>>,
    method: Method,
    body: Bytes,
) -> Result<Response, Refusal> {
    require(&person, Permission::AccountsWrite)?;
    let target = arrival.target.strip_prefix("/api").unwrap_or_default();
    let changes = matches!(method, Method::PUT | Method::DELETE);
    let id = rest.filter(|_| changes).map(|Path(id)| id);
    let body = Zeroizing::new(body.to_vec());
    let acting = acting(&person, &arrival);
    let accounts = &door.sessions.accounts;
    let raw = accounts.raw(acting, scope::USERS, method.clone(), target, body);
    let raw = raw.await;
    let is_done = raw.as_ref().is_ok_and(|raw| raw.status.is_success());
    let may_be_done = matches!(raw, Err(AccountsError::Unavailable));
    if let Some(id) = id
        && (is_done || may_be_done)
    {
        // Its rights are asked for anew.
        door.sessions.live.end_all(&id, None);
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
