//! The gateway's pages: sessions, people, the audit. All of them work without scripts.

mod audit;
mod people;
mod sessions;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use mesh_api::permission::Permission;

use crate::pages::{self, Frame, Notice};
use crate::sign_in::access::SignedIn;
use crate::sign_in::accounts::AccountsError;
use crate::sign_in::front_door::{FrontDoor, page};

/// Pages for whoever has signed in.
pub(super) fn router() -> Router<Arc<FrontDoor>> {
    Router::new()
        .route("/account/sessions", get(sessions::show))
        .route("/account/sessions/end", post(sessions::end))
        .route("/account/people", get(people::show).post(people::invite))
        .route("/account/people/{id}/roles", post(people::roles))
        .route("/account/people/{id}/disable", post(people::disable))
        .route("/account/people/{id}/enable", post(people::enable))
        .route("/account/people/{id}/link", post(people::link))
        .route("/account/audit", get(audit::show))
        .route("/account/audit.csv", get(audit::csv))
        .route("/account/audit.json", get(audit::json))
}

/// GET `/account/style.css`.
pub(super) async fn style() -> Response {
    lasting(pages::STYLE, "text/css; charset=utf-8")
}

/// GET `/account/icon.svg`.
pub(super) async fn icon() -> Response {
    lasting(pages::ICON, "image/svg+xml")
}

fn lasting(content: &'static str, kind: &'static str) -> Response {
    let mut response = content.into_response();
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "max-age=300"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// What stands around a page.
fn frame<'a>(person: &'a SignedIn, notice: Option<Notice<'a>>) -> Frame<'a> {
    Frame {
        signed_in_as: Some(&person.email),
        may: &person.permissions,
        notice,
    }
}

/// A page instead of one that the person may not see.
fn forbidden(person: &SignedIn) -> Response {
    let text = format!(
        "Only people with {} may see this page.",
        Permission::AccountsWrite
    );
    let html = pages::message(&frame(person, None), 403, "Not for you", &text);
    page(403, html)
}

fn may_see(person: &SignedIn) -> bool {
    person.permissions.contains(&Permission::AccountsWrite)
}

/// A page instead of one that cannot be made.
fn failed(person: &SignedIn, error: &AccountsError) -> Response {
    let frame = frame(person, None);
    match error {
        AccountsError::Unavailable => {
            let text = "The accounts service does not answer. You stay signed in: try again.";
            page(503, pages::message(&frame, 503, "Not possible now", text))
        }
        AccountsError::Refused {
            status, message, ..
        } => page(
            *status,
            pages::message(&frame, *status, "That was refused", message),
        ),
    }
}
