//! What a request needs, where the gateway knows it. The peer asks again.

use axum::http::Method;
use mesh_api::permission::Permission;
use mesh_api::routes::permission_of;

/// Where a peer has its management.
const PREFIXES: [&str; 2] = ["/api", "/admin"];

/// What shows the mesh besides it: pages and metrics.
const SHOWN: [&str; 4] = ["/", "/targets", "/health", "/metrics"];
const SHOWN_BELOW: [&str; 2] = ["/clients/", "/pkg/"];

/// The permission that a request to `path` of a peer needs; `None` where only the peer knows.
pub(super) fn needed(method: &Method, path: &str) -> Option<Permission> {
    let below = |prefix: &str| path.strip_prefix(prefix);
    if let Some(permission) = PREFIXES
        .iter()
        .find_map(|prefix| permission_of(method.as_str(), below(prefix)?))
    {
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
