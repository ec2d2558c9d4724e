//! The routes of the surface: one table, from which servers register them and the documentation is made.

use serde::{Deserialize, Serialize};

use crate::permission::Permission;

/// What a route of the management surface does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Gives a client a secret.
    Ensure,
    /// Gives a known client a new secret.
    Rotate,
    /// Takes a credential away.
    Revoke,
    /// Sends what waits.
    Sync,
    /// Sends the current state again.
    Resync,
    /// Shows the management store.
    State,
    /// Adds or changes a target.
    PutTarget,
    /// Takes a target out.
    DeleteTarget,
    /// Calls a peer's echo, signed.
    CallTarget,
    /// Hashes a secret with the peer's pepper.
    Hash,
    /// Lists the peer's own credentials.
    LocalClients,
    /// Shows what every peer's store holds.
    Mesh,
    /// Shows how every peer is.
    MeshHealth,
    /// Shows one client's way through the mesh.
    Timeline,
    /// Stops a peer of this process.
    StopPeer,
    /// Starts a peer of this process.
    StartPeer,
}

impl Operation {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ensure => "ensure",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
            Self::Sync => "sync",
            Self::Resync => "resync",
            Self::State => "state",
            Self::PutTarget => "putTarget",
            Self::DeleteTarget => "deleteTarget",
            Self::CallTarget => "callTarget",
            Self::Hash => "hash",
            Self::LocalClients => "localClients",
            Self::Mesh => "mesh",
            Self::MeshHealth => "meshHealth",
            Self::Timeline => "timeline",
            Self::StopPeer => "stopPeer",
            Self::StartPeer => "startPeer",
        }
    }
}

impl Operation {
    /// The path of its route.
    pub fn path(self) -> &'static str {
        self.route().map_or("", |route| route.path)
    }

    /// What its caller must be allowed to do; `None` where [`ROUTES`] does not have it.
    pub fn permission(self) -> Option<Permission> {
        self.route().map(|route| route.permission)
    }

    fn route(self) -> Option<&'static Route> {
        ROUTES.iter().find(|route| route.operation == self)
    }
}

/// The method of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// DELETE
    Delete,
}

/// One route of the management surface.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path below the prefix; `{queue}` names something.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
    /// What its caller must be allowed to do.
    pub permission: Permission,
    /// What it does, in words.
    pub summary: &'static str,
}

const fn route(
    method: Method,
    path: &'static str,
    operation: Operation,
    permission: Permission,
    summary: &'static str,
) -> Route {
    Route {
        method,
        path,
        operation,
        permission,
        summary,
    }
}

use Method::{Delete, Get, Post};
use Permission::{CredentialsUse, CredentialsWrite, MeshControl, MeshRead, TargetsWrite};

/// All routes.
pub const ROUTES: &[Route] = &[
    route(
        Post,
        "/ensure",
        Operation::Ensure,
        CredentialsWrite,
        "Gives a client a secret, here and on the targets",
    ),
    route(
        Post,
        "/rotate",
        Operation::Rotate,
        CredentialsWrite,
        "Gives a known client a new secret, here and on its targets",
    ),
    route(
        Post,
        "/revoke",
        Operation::Revoke,
        CredentialsWrite,
        "Takes a credential away, here and on the targets",
    ),
    route(
        Post,
        "/sync",
        Operation::Sync,
        CredentialsWrite,
        "Sends what waits",
    ),
    route(
        Post,
        "/resync",
        Operation::Resync,
        CredentialsWrite,
        "Sends the current state of a target or a client again",
    ),
    route(
        Get,
        "/state",
        Operation::State,
        MeshRead,
        "Shows credentials, targets and how far each change has come",
    ),
    route(
        Post,
        "/targets",
        Operation::PutTarget,
        TargetsWrite,
        "Adds a target to the inventory, or changes it",
    ),
    route(
        Delete,
        "/targets/{queue}",
        Operation::DeleteTarget,
        TargetsWrite,
        "Takes a target out of the inventory",
    ),
    route(
        Post,
        "/call-target",
        Operation::CallTarget,
        CredentialsUse,
        "Calls a peer's echo, signed as a client",
    ),
    route(
        Post,
        "/hash",
        Operation::Hash,
        CredentialsUse,
        "Hashes a secret with this peer's pepper",
    ),
    route(
        Get,
        "/local-clients",
        Operation::LocalClients,
        MeshRead,
        "Lists the credentials in this peer's own store",
    ),
    route(
        Get,
        "/mesh",
        Operation::Mesh,
        MeshRead,
        "Shows what every peer's store holds, beside what it should",
    ),
    route(
        Get,
        "/mesh/health",
        Operation::MeshHealth,
        MeshRead,
        "Shows how every peer is, and what to do next",
    ),
    route(
        Post,
        "/mesh/peers/{queue}/stop",
        Operation::StopPeer,
        MeshControl,
        "Stops a peer of this process (demo)",
    ),
    route(
        Post,
        "/mesh/peers/{queue}/start",
        Operation::StartPeer,
        MeshControl,
        "Starts a peer of this process (demo)",
    ),
    route(
        Get,
        "/timeline",
        Operation::Timeline,
        MeshRead,
        "Shows one client's way through the mesh",
    ),
];

/// The permission that a request asks for, by its method and its path below the prefix as they were sent; `None` for what is
/// no route of this table. HEAD asks as GET does.
pub fn permission_of(method: &str, path: &str) -> Option<Permission> {
    if matches!(method, "GET" | "HEAD") && path == EVENTS {
        return Some(MeshRead);
    }
    route_of(method, path).map(|route| route.permission)
}

/// The route that a request is for, by its method and its path below the prefix as they were sent.
pub fn route_of(method: &str, path: &str) -> Option<&'static Route> {
    let method = match method {
        "GET" | "HEAD" => Get,
        "POST" => Post,
        "DELETE" => Delete,
        _ => return None,
    };
    let mut routes = ROUTES.iter().chain([&DELETE_TARGET_FORM]);
    routes.find(|route| route.method == method && matches(route.path, path))
}

/// Compares segment by segment: a name in braces stands for any segment but an empty one.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut sent) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), sent.next()) {
            (None, None) => return true,
            (Some(name), Some(segment)) if name.starts_with('{') && !segment.is_empty() => {}
            (Some(name), Some(segment)) if name == segment => {}
            _ => return false,
        }
    }
}

/// Where changes are pushed as they happen: no operation with one answer, but a stream of events. It asks for
/// [`Permission::MeshRead`].
pub const EVENTS: &str = "/mesh/events";

/// What only forms need, where they are taken: a form knows no DELETE, so it posts, and says `_method=DELETE`.
pub const DELETE_TARGET_FORM: Route = route(
    Post,
    "/targets/{queue}",
    Operation::DeleteTarget,
    TargetsWrite,
    "Takes a target out of the inventory",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_asks_for_the_permission_of_its_route() {
        for route in ROUTES {
            let method = match route.method {
                Get => "GET",
                Post => "POST",
                Delete => "DELETE",
            };
            let path = route.path.replace("{queue}", "a%20peer");
            assert_eq!(permission_of(method, &path), Some(route.permission));
            assert_eq!(route.operation.permission(), Some(route.permission));
            assert_eq!(permission_of("PATCH", &path), None);
        }
        assert_eq!(permission_of("HEAD", "/state"), Some(MeshRead));
        assert_eq!(permission_of("GET", EVENTS), Some(MeshRead));
        assert_eq!(permission_of("POST", "/targets/a"), Some(TargetsWrite));
        for (method, path) in [
            ("GET", "/nowhere"),
            ("GET", ""),
            ("POST", "/state"),
            ("DELETE", "/targets/"),
            ("DELETE", "/targets/a/b"),
            ("GET", "/state/"),
        ] {
            assert_eq!(permission_of(method, path), None, "{method} {path}");
        }
    }
}
