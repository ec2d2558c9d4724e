//! Handlers: they read a request, ask the service, and write what it says.

use accounts::private_api::{
    AuditQuery, ChangeUser, EndSessions, LookAtLink, MakeLink, NewUser, RecordToken, RedeemLink,
    RevokeFamily, RotateToken, Validate,
};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use jwt_auth_axum::Internal;
use serde::{Deserialize, Serialize};

use crate::answer::Refusal;
use crate::operation::Operation;
use crate::service::users::PageAsked;
use crate::service::{Accounts, Caller, Problem};

type Shared = State<Accounts>;
type Body = Result<Bytes, BytesRejection>;
type Id = Result<Path<String>, PathRejection>;
type Asked<T> = Result<Query<T>, QueryRejection>;

/// What does an operation.
pub(crate) fn handler(operation: Operation) -> MethodRouter<Accounts> {
    match operation {
        Operation::Validate => post(validate),
        Operation::MakeLink => post(make_link),
        Operation::LookAtLink => post(look_at_link),
        Operation::RedeemLink => post(redeem_link),
        Operation::RecordToken => post(record_token),
        Operation::RotateToken => post(rotate_token),
        Operation::RevokeFamily => post(revoke_family),
        Operation::Sessions => get(sessions),
        Operation::EndSessions => post(end_sessions),
        Operation::Users | Operation::AllUsers => get(users),
        Operation::CreateUser => post(create_user),
        Operation::User => get(user),
        Operation::ChangeUser => put(change_user),
        Operation::DisableUser => delete(disable_user),
        Operation::AppendAudit => post(append_audit),
        Operation::Audit => get(audit),
    }
}

async fn validate(
    State(accounts): Shared,
    Internal(context): Internal,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Validate = read(body, "Missing credentials")?;
    let caller = Caller::new(context);
    let done = to_its_end(async move { accounts.validate(&caller, &asked).await }).await;
    ok(done)
}

async fn make_link(
    State(accounts): Shared,
    Internal(context): Internal,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: MakeLink = read(body, "Missing userId or kind")?;
    let caller = Caller::new(context);
    let done = to_its_end(async move { accounts.make_link(&caller, &asked).await }).await;
    created(done)
}

async fn look_at_link(State(accounts): Shared, body: Body) -> Result<Response, Refusal> {
    let asked: LookAtLink = read(body, "Missing token")?;
    ok(accounts.look_at_link(&asked).await)
}

async fn redeem_link(
    State(accounts): Shared,
    Internal(context): Internal,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: RedeemLink = read(body, "Missing token")?;
    let caller = Caller::new(context);
    ok(to_its_end(async move { accounts.redeem_link(&caller, &asked).await }).await)
}

async fn record_token(
    State(accounts): Shared,
    Internal(context): Internal,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: RecordToken = read(body, "Missing userId, familyId or jti")?;
    let caller = Caller::new(context);
    let done = to_its_end(async move { accounts.record_token(&caller, &asked).await }).await;
    created(done)
}

async fn rotate_token(
    State(accounts): Shared,
    Internal(context): Internal,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: RotateToken = read(body, "Missing jti")?;
    let caller = Caller::new(context);
    let done = to_its_end(async move { accounts.rotate_token(&caller, &asked).await }).await;
    ok(done)
}

async fn revoke_family(
    State(accounts): Shared,
    Internal(context): Internal,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: RevokeFamily = read(body, "Missing jti or familyId")?;
    let caller = Caller::new(context);
    let done = to_its_end(async move { accounts.revoke_family(&caller, &asked).await }).await;
    ok(done)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WhoseSessions {
    user_id: String,
}

async fn sessions(
    State(accounts): Shared,
    Internal(context): Internal,
    asked: Asked<WhoseSessions>,
) -> Result<Response, Refusal> {
    let Query(WhoseSessions { user_id }) = asked.map_err(|_| Problem::Missing("Missing userId"))?;
    ok(accounts.sessions(&Caller::new(context), &user_id).await)
}

async fn end_sessions(
    State(accounts): Shared,
    Internal(context): Internal,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: EndSessions = read(body, "Missing userId")?;
    let caller = Caller::new(context);
    let done = to_its_end(async move { accounts.end_sessions(&caller, &asked).await }).await;
    ok(done)
}

#[derive(Default, Deserialize)]
struct WhichPage {
    page: Option<String>,
    limit: Option<String>,
}

async fn users(State(accounts): Shared, asked: Asked<WhichPage>) -> Result<Response, Refusal> {
    let Query(WhichPage { page, limit }) = asked.unwrap_or_default();
    let asked = PageAsked::new(page.as_deref(), limit.as_deref());
    ok(accounts.users(asked).await)
}

async fn create_user(
    State(accounts): Shared,
    Internal(context): Internal,
    body: Body,
) -> Result<Response, Refusal> {
    let members = "email, name and roles are needed, and no other is known but password";
    let asked: NewUser = read(body, members)?;
    let caller = Caller::new(context);
    let done = to_its_end(async move { accounts.create_user(&caller, &asked).await }).await;
    created(done)
}

async fn user(State(accounts): Shared, id: Id) -> Result<Response, Refusal> {
    ok(accounts.user(&text(id)?).await)
}

async fn change_user(
    State(accounts): Shared,
    Internal(context): Internal,
    id: Id,
    body: Body,
) -> Result<Response, Refusal> {
    let id = text(id)?;
    let asked: ChangeUser = read(body, "name, roles, disabled and version are known")?;
    let caller = Caller::new(context);
    ok(to_its_end(async move { accounts.change_user(&caller, &id, &asked).await }).await)
}

async fn disable_user(
    State(accounts): Shared,
    Internal(context): Internal,
    id: Id,
) -> Result<Response, Refusal> {
    let (caller, id) = (Caller::new(context), text(id)?);
    ok(to_its_end(async move { accounts.disable_user(&caller, &id).await }).await)
}

async fn append_audit(
    State(accounts): Shared,
    Internal(context): Internal,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let asked = read(body, "Missing rows")?;
    accounts.append_audit(&Caller::new(context), &asked).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn audit(State(accounts): Shared, asked: Asked<AuditQuery>) -> Result<Response, Refusal> {
    let Query(asked) =
        asked.map_err(|_| Problem::invalid("query", "a parameter is unknown, or is none"))?;
    ok(accounts.audit(&asked).await)
}

/// Goes on when the caller hangs up: an account that was written still loses its sessions, and what was decided is written down.
async fn to_its_end<T: Send + 'static>(
    call: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::spawn(call).await;
    done.unwrap_or(Err(Problem::Internal))
}

fn ok(done: Result<impl Serialize, Problem>) -> Result<Response, Refusal> {
    Ok(Json(done?).into_response())
}

fn created(done: Result<impl Serialize, Problem>) -> Result<Response, Refusal> {
    Ok((StatusCode::CREATED, Json(done?)).into_response())
}

/// What is no text names nothing.
fn text(id: Id) -> Result<String, Problem> {
    id.map(|Path(id)| id).map_err(|_| Problem::NotFound)
}

/// Reads a body: a JSON object, or nothing, which is an empty one. `missing` is told when a member is not there, or is none.
fn read<T: for<'de> Deserialize<'de>>(body: Body, missing: &'static str) -> Result<T, Refusal> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::Request(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large")
        }
        _ => Refusal::Request(StatusCode::BAD_REQUEST, "Invalid JSON"),
    })?;
    let body = match body.trim_ascii() {
        b"" => b"{}",
        body => body,
    };
    // A list would be read as an object whose members have no names.
    let read = match body.starts_with(b"{") {
        true => serde_json::from_slice(body).map_err(|error| error.is_data()),
        false => Err(false),
    };
    read.map_err(|is_data| match is_data {
        true => Problem::Missing(missing).into(),
        false => Refusal::Request(StatusCode::BAD_REQUEST, "Invalid JSON"),
    })
}
