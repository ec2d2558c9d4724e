//! The routes of the gateway's own.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse as _;
use axum::routing::{any, get, post};
use mesh_api::problem::{BODY_LIMIT, Problem};

use crate::pages;
use crate::proxy::Refusal;
use crate::sign_in::front_door::{FrontDoor, counted, guarded, signed_in};
use crate::sign_in::{account_pages, forms, native, session_api};

/// Whether a path is the gateway's. No peer has any below these; the management of peers is not answered here.
pub(super) fn covers(path: &str) -> bool {
    let is_below = |prefix: &str| {
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ["/login", "/logout", "/account"].into_iter().any(is_below)
        || (is_below("/api/v1") && !is_below("/api/v1/peers"))
}

/// All of them.
pub(super) fn router(door: Arc<FrontDoor>) -> Router {
    let people = Router::new()
        .route("/api/v1/health/secure", get(native::secure_health))
        .route(
            "/api/v1/sessions",
            get(session_api::sessions).delete(session_api::end_others),
        )
        .route(
            "/api/v1/sessions/{sid}",
            axum::routing::delete(session_api::end_session),
        )
        .route("/api/v1/audit", get(session_api::audit))
        .route("/api/v1/user", any(session_api::users))
        .route("/api/v1/user/{*rest}", any(session_api::users))
        .merge(account_pages::router(&door))
        .route_layer(from_fn_with_state(Arc::clone(&door), signed_in));
    let attempts = Router::new()
        .route("/login", post(forms::login))
        .route("/login/link", post(forms::use_link))
        .route("/api/v1/auth/login", post(native::login))
        .route_layer(from_fn_with_state(Arc::clone(&door), counted));
    Router::new()
        .route("/login", get(forms::show_login))
        .route("/login/link", get(forms::show_link))
        .route("/logout", post(forms::logout))
        .route("/api/v1/auth/logout", post(native::logout))
        .route("/api/v1/health", get(native::health))
        .route("/api/v1/session", get(session_api::session))
        .route(pages::STYLE_PATH, get(account_pages::style))
        .route(pages::ICON_PATH, get(account_pages::icon))
        .merge(attempts)
        .merge(people)
        .fallback(async || Refusal::from(Problem::no_route()).into_response())
        .method_not_allowed_fallback(async || {
            Refusal::from(Problem::method_not_allowed()).into_response()
        })
        .layer(from_fn(guarded))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(door)
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn paths_of_peers_are_no_paths_of_the_gateway() {
        for path in [
            "/login",
            "/login/link",
            "/account/audit",
            "/api/v1/session",
            "/api/v1",
        ] {
            assert!(covers(path), "{path}");
        }
        for path in [
            "/",
            "/loginx",
            "/api/state",
            "/api/v1/peers/a/state",
            "/api/v1x",
            "/clients/a/b",
            "/logout2",
            "/accounts",
        ] {
            assert!(!covers(path), "{path}");
        }
    }
}
