//! actix-web in front of a peer: routes, bodies and answers are translated here, nothing is decided.
//!
//! A peer on actix-web is `Application::build(&config, wire, Server, pages)`.

mod pages;
mod routes;

use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};
use kit::application::{Serve, Serving};
use kit::parts::Context;
use kit::shutdown::HTTP_LIMIT;
use tokio::net::TcpListener;

/// The state of every route: `Data<Context>`.
type Shared = Arc<Context>;

/// Threads that serve; a peer is small.
const WORKERS: usize = 2;

/// Serves a peer on actix-web.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server;

impl Serve for Server {
    fn serve(self: Box<Self>, listener: TcpListener, context: Shared) -> Serving {
        let stop = context.stop.clone();
        let app = move || {
            let configure = |config: &mut ServiceConfig| routes::configure(config, &context);
            App::new()
                .wrap(from_fn(routes::observe))
                .configure(configure)
        };
        Box::pin(async move {
            let server = HttpServer::new(app)
                .workers(WORKERS)
                .tcp_nodelay(true)
                .disable_signals()
                .shutdown_timeout(HTTP_LIMIT.as_secs())
                .listen(listener.into_std()?)?
                .run();
            let handle = server.handle();
            tokio::spawn(async move {
                stop.asked().await;
                handle.stop(true).await;
            });
            server.await
        })
    }
}
