//! The shared behaviour suite over actix-web.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::net::{SocketAddr, TcpListener};

use actix_web::web::{ServiceConfig, get, resource, route, scope};
use actix_web::{App, HttpServer};
use auth_testkit::http_guard::Guards;
use jwt_auth_actix::{Access, AccessTokenAuth, Internal, InternalTokenAuth, Refused};

auth_testkit::http_guard_cases!(actix_middleware, serve);

async fn internal(Internal(caller): Internal) -> String {
    caller.subject
}

async fn access(Access(caller): Access) -> String {
    caller.claims.client_id
}

async fn more(Access(caller): Access) -> Result<String, Refused> {
    caller.require_scope("orders:list")?;
    Ok(caller.claims.client_id)
}

fn routes(config: &mut ServiceConfig, guards: Guards) {
    let gateway = InternalTokenAuth::new(guards.internal);
    let tokens = AccessTokenAuth::new(guards.access);
    let internal_at = |path| {
        let resource = resource(path).wrap(gateway.clone());
        resource.route(route().to(internal))
    };
    let access_at = |path| {
        let resource = resource(path).wrap(tokens.clone());
        resource.route(route().to(access))
    };
    config
        .service(internal_at("/internal"))
        .service(access_at("/access"))
        .service(
            scope("/nested")
                .service(internal_at("/internal"))
                .service(access_at("/access")),
        )
        .service(resource("/more").wrap(tokens.clone()).route(get().to(more)))
        .service(
            scope("/forgotten")
                .service(resource("/internal").route(get().to(internal)))
                .service(resource("/access").route(get().to(access))),
        );
}

async fn serve(guards: Guards) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = HttpServer::new(move || {
        let guards = guards.clone();
        App::new().configure(move |config| routes(config, guards))
    });
    let server = server
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
    tokio::spawn(server);
    address
}
