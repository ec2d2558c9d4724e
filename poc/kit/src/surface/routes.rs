//! The routes of every peer: one table, from which servers register them and the documentation is made.

/// What a route of the management surface does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// What it does, in words.
    pub summary: &'static str,
}

/// Below which a full-mode peer serves [`ROUTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `/admin`, as the authority has it: a POST is answered 201.
    Admin,
    /// `/api`, as the Leptos peers have it: a POST is answered 200.
    Api,
}

impl Prefix {
    /// Both: every full-mode peer serves both.
    pub const ALL: [Self; 2] = [Self::Admin, Self::Api];

    /// The path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "/admin",
            Self::Api => "/api",
        }
    }

    /// The status of a good answer.
    pub fn status(self, method: Method) -> u16 {
        match (self, method) {
            (Self::Admin, Post) => 201,
            _ => 200,
        }
    }
}

const fn route(method: Method, path: &'static str, operation: Operation, summary: &'static str) -> Route {
    Route { method, path, operation, summary }
}

use Method::{Delete, Get, Post};

/// The management surface of a full-mode peer.
pub const ROUTES: &[Route] = &[
    route(Post, "/ensure", Operation::Ensure, "Gives a client a secret, here and on the targets"),
    route(Post, "/rotate", Operation::Rotate, "Gives a known client a new secret, here and on its targets"),
    route(Post, "/revoke", Operation::Revoke, "Takes a credential away, here and on the targets"),
    route(Post, "/sync", Operation::Sync, "Sends what waits"),
    route(Post, "/resync", Operation::Resync, "Sends the current state of a target or a client again"),
    route(Get, "/state", Operation::State, "Shows credentials, targets and how far each change has come"),
    route(Post, "/targets", Operation::PutTarget, "Adds a target to the inventory, or changes it"),
    route(Delete, "/targets/{queue}", Operation::DeleteTarget, "Takes a target out of the inventory"),
    route(Post, "/call-target", Operation::CallTarget, "Calls a peer's echo, signed as a client"),
    route(Post, "/hash", Operation::Hash, "Hashes a secret with this peer's pepper"),
    route(Get, "/local-clients", Operation::LocalClients, "Lists the credentials in this peer's own store"),
];
