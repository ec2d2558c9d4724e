//! What a request needs, where the gateway knows it. The peer asks again.

use axum::http::Method;
use mesh_api::permission::Permission;
use mesh_api::routes::{permission_of, route_of};

/// Where a peer has its management.
const PREFIXES: [&str; 2] = ["/api", "/admin"];

/// What shows the mesh besides it: pages and metrics.
const SHOWN: [&str; 4] = ["/", "/targets", "/health", "/metrics"];
const SHOWN_BELOW: [&str; 2] = ["/clients/", "/pkg/"];

/// The name of the operation that a request to `path` of a peer asks for, if it is one of its management.
pub(super) fn operation(method: &Method, path: &str) -> Option<&'static str> {
    let route = managed(path, |below| route_of(method.as_str(), below));
    route.map(|route| route.operation.as_str())
}

/// Asks about what of a path is below a peer's management.
fn managed<T>(path: &str, find: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut below = PREFIXES
        .iter()
        .filter_map(|prefix| path.strip_prefix(prefix));
    below.find_map(find)
}

/// The permission that a request to `path` of a peer needs; `None` where only the peer knows.
pub(super) fn needed(method: &Method, path: &str) -> Option<Permission> {
    if let Some(permission) = managed(path, |below| permission_of(method.as_str(), below)) {
        return Some(permission);
    }
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let shows = SHOWN.contains(&path) || SHOWN_BELOW.iter().any(|prefix| path.starts_with(prefix));
    (is_read && shows).then_some(Permission::MeshRead)
}

#[cfg(test)]
mod tests {
    use super::needed as needed_for;
    use super::*;

    #[test]
    fn routes_and_pages_are_known_and_the_rest_is_the_peers() {
        let needed = |method: &str, path| needed_for(&method.parse().unwrap(), path);
        assert_eq!(
            needed("POST", "/api/ensure"),
            Some(Permission::CredentialsWrite)
        );
        assert_eq!(
            needed("POST", "/admin/hash"),
            Some(Permission::CredentialsUse)
        );
        assert_eq!(
            needed("GET", "/api/mesh/events"),
            Some(Permission::MeshRead)
        );
        for page in ["/", "/targets", "/health", "/clients/http/a", "/metrics"] {
            assert_eq!(needed("GET", page), Some(Permission::MeshRead), "{page}");
        }
        for (method, path) in [
            ("GET", "/livez"),
            ("GET", "/docs"),
            ("POST", "/api/echo"),
            ("GET", "/apiary/state"),
            ("POST", "/targets"),
        ] {
            assert_eq!(needed(method, path), None, "{method} {path}");
        }
    }
}
