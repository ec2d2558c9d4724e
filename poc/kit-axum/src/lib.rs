//! axum in front of a peer: routes, bodies and answers are translated here, nothing is decided.
//!
//! A peer on axum is `Application::build(&config, wire, Server, pages)`.

mod connections;
mod pages;
mod routes;
mod unread;

use std::sync::Arc;

use kit::application::{Serve, Serving};
use kit::parts::Context;
use tokio::net::TcpListener;

/// The state of every route.
type Shared = Arc<Context>;

/// Serves a peer on axum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server;

impl Serve for Server {
    fn serve(self: Box<Self>, listener: TcpListener, context: Shared) -> Serving {
        let stop = context.stop.clone();
        let router = routes::router(context);
        Box::pin(connections::serve(listener, router, stop))
    }
}
