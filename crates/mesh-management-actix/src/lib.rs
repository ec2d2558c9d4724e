//! The management surface as routes of an actix-web scope: at a path of your own, behind a guard of your own.
//!
//! ```
//! use actix_web::{Scope, guard, web};
//! use mesh_management::Surface;
//!
//! /// `HttpServer` makes an app for each worker, so the surface is made once and cloned.
//! fn admin(surface: &Surface) -> Scope {
//!     web::scope("/admin")
//!         .guard(guard::Header("x-operator", "yes"))
//!         .configure(mesh_management_actix::routes(surface.clone()))
//! }
//! ```
//!
//! What is decided is decided in `mesh-management`; the surface on axum answers the same, byte for byte.

pub mod admit;
pub mod answer;
pub mod edge;
pub mod limit;
pub mod resource;

mod body;
mod input;
mod routes;

pub use routes::routes;
