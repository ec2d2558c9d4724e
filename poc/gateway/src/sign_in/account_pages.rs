//! stub
use crate::pages;
use crate::sign_in::front_door::FrontDoor;
use axum::Router;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
pub(super) fn router() -> Router<Arc<FrontDoor>> {
    Router::new()
}
pub(super) async fn style() -> Response {
    ([("content-type", "text/css; charset=utf-8")], pages::STYLE).into_response()
}
