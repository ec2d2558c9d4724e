//! The management surface as an axum router, to mount under a path of your own and behind a guard of your own:
//!
//! ```
//! use axum::Router;
//! use axum::extract::Request;
//! use axum::http::StatusCode;
//! use axum::middleware::{Next, from_fn};
//! use axum::response::Response;
//! use mesh_management::Management;
//!
//! async fn operators_only(request: Request, next: Next) -> Result<Response, StatusCode> {
//!     match request.headers().get("x-operator") {
//!         Some(_) => Ok(next.run(request).await),
//!         None => Err(StatusCode::FORBIDDEN),
//!     }
//! }
//!
//! fn app(management: Management) -> Router {
//!     let surface = mesh_management_axum::router(management).layer(from_fn(operators_only));
//!     Router::new().nest("/admin", surface)
//! }
//! ```
//!
//! What is decided is decided in `mesh-management`; the surface on actix-web answers the same, byte for byte.

pub mod admit;
pub mod answer;
pub mod edge;
pub mod limit;

mod body;
mod input;
mod router;

pub use router::router;
