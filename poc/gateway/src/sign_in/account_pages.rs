//! The gateway's pages: sessions, people, the audit. All of them work without scripts.

mod around;
mod audit;
mod people;
mod sessions;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::pages;
use crate::sign_in::front_door::FrontDoor;

/// Pages for whoever has signed in.
pub(super) fn router(door: &Arc<FrontDoor>) -> Router<Arc<FrontDoor>> {
    let of_admins = Router::new()
        .route("/account/people", get(people::show).post(people::invite))
        .route("/account/people/{id}/roles", post(people::roles))
        .route("/account/people/{id}/disable", post(people::disable))
        .route("/account/people/{id}/enable", post(people::enable))
        .route("/account/people/{id}/link", post(people::link))
        .route("/account/audit", get(audit::show))
        .route("/account/audit.csv", get(audit::csv))
        .route("/account/audit.json", get(audit::json))
        .route_layer(from_fn_with_state(Arc::clone(door), around::admins));
    Router::new()
        .route("/account/sessions", get(sessions::show))
        .route("/account/sessions/end", post(sessions::end))
        .merge(of_admins)
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
