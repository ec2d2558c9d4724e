//! What is under test.

use std::net::SocketAddr;

use jwt_auth::{AccessGuard, InternalGuard};

/// What stands before the routes.
#[derive(Clone)]
pub struct Guards {
    /// Before `/internal`: asks for the scope `user.request` and for one of the permissions `ADMIN` and `AUDITOR`.
    pub internal: InternalGuard,
    /// Before `/access`: asks for the scope `orders:read`.
    pub access: AccessGuard,
}

/// Starts servers.
pub struct World<F> {
    serve: F,
}

impl<F, S> World<F>
where
    F: Fn(Guards) -> S,
    S: Future<Output = SocketAddr>,
{
    /// Starts servers with `serve`.
    pub fn new(serve: F) -> Self {
        Self { serve }
    }

    /// A server with these guards.
    pub(crate) async fn start(&self, guards: Guards) -> SocketAddr {
        (self.serve)(guards).await
    }
}
