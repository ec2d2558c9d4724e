//! The shared behaviour suite over actix-web.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::net::{SocketAddr, TcpListener};

use actix_web::web::{Bytes, Form, Json, ServiceConfig, get, post, resource, route, scope};
use actix_web::{App, HttpResponse, HttpServer};
use hmac_auth::verify::Verified;
use hmac_auth_actix::{HmacAuth, RestrictTo, VerifiedClient};
use hmac_testkit::http_layer::{Setup, echo_headers};

hmac_testkit::http_layer_cases!(actix_middleware, serve);

async fn echo(VerifiedClient(verified): VerifiedClient, body: Bytes) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    for header in echo_headers(&verified) {
        response.insert_header(header);
    }
    response.body(body)
}

fn length(verified: &Verified, text: &str) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    for header in echo_headers(verified) {
        response.insert_header(header);
    }
    response.body(text.len().to_string())
}

async fn text(VerifiedClient(verified): VerifiedClient, text: String) -> HttpResponse {
    length(&verified, &text)
}

async fn json(VerifiedClient(verified): VerifiedClient, text: Json<String>) -> HttpResponse {
    length(&verified, &text)
}

async fn form(
    VerifiedClient(verified): VerifiedClient,
    fields: Form<Vec<(String, String)>>,
) -> HttpResponse {
    length(&verified, &fields[0].1)
}

async fn open() -> &'static str {
    "open"
}

fn routes(config: &mut ServiceConfig, auth: &HmacAuth, restriction: &RestrictTo) {
    config
        .service(resource("/forgotten").route(get().to(echo)))
        .service(
            resource("/only-forgotten")
                .wrap(restriction.clone())
                .route(get().to(open)),
        )
        .service(
            scope("/nested")
                .wrap(auth.clone())
                .service(resource("/echo").route(route().to(echo))),
        )
        .service(
            scope("")
                .wrap(auth.clone())
                .service(
                    resource("/only")
                        .wrap(restriction.clone())
                        .route(route().to(echo)),
                )
                .service(resource(["/echo", "/echo/{rest:.*}"]).route(route().to(echo)))
                .service(resource("/text").route(post().to(text)))
                .service(resource("/json").route(post().to(json)))
                .service(resource("/form").route(post().to(form))),
        );
}

async fn serve(setup: Setup) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let auth = HmacAuth::new(setup.verifier)
        .body_limit(setup.body_limit)
        .body_timeout(setup.body_timeout);
    let restriction = RestrictTo::new(setup.only);
    let server = HttpServer::new(move || {
        let (auth, restriction) = (auth.clone(), restriction.clone());
        App::new().configure(move |config| routes(config, &auth, &restriction))
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
