//! What is under test.

use std::net::SocketAddr;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jwt_auth::{AccessGuard, InternalGuard};

/// What stands before the routes.
#[derive(Clone)]
pub struct Guards {
    /// Before `/internal`: asks for the scope `user.request` and for one of the permissions `ADMIN` and `AUDITOR`.
    pub internal: InternalGuard,
    /// Before `/access`: asks for the scope `orders:read`.
    pub access: AccessGuard,
}

/// Starts a server with some guards, and tells its address.
type Serve = dyn Fn(Guards) -> BoxFuture<'static, SocketAddr> + Send + Sync;

/// Starts servers.
pub struct World {
    serve: Box<Serve>,
}

impl World {
    /// Starts servers with `serve`.
    pub fn new<F, S>(serve: F) -> Self
    where
        F: Fn(Guards) -> S + Send + Sync + 'static,
        S: Future<Output = SocketAddr> + Send + 'static,
    {
        let serve = Box::new(move |guards| serve(guards).boxed());
        Self { serve }
    }

    /// A server with these guards.
    pub(crate) async fn start(&self, guards: Guards) -> SocketAddr {
        (self.serve)(guards).await
    }
}
