//! Paths, and the methods that they take.

use actix_web::http::header::ALLOW;
use actix_web::{HttpResponse, Resource, Route, guard, web};
use mesh_api::problem::Problem;

use crate::answer::refuse;

/// What a path takes that is only read.
pub const READ: &str = "GET,HEAD";

/// A path that takes the methods of `allowed`; any other is answered 405, and told them.
pub fn resource(path: &str, allowed: impl Into<String>) -> Resource {
    let allowed = allowed.into();
    let refused = move || {
        let mut refused: HttpResponse = refuse(Problem::method_not_allowed());
        if let Ok(allowed) = allowed.parse() {
            refused.headers_mut().insert(ALLOW, allowed);
        }
        async { refused }
    };
    web::resource(path).default_service(web::to(refused))
}

/// GET, and HEAD, which is answered without a body.
pub fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}
