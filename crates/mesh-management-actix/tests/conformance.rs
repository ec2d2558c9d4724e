//! The surface on actix-web answers as the suite says.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be asked must fail; the helpers are no test functions"
)]

use actix_web::App;
use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{self, Data};
use mesh_management::Surface;
use mesh_management::edge::Hosts;
use mesh_management::testkit::{Answered, Asked, Mounted};
use mesh_management_actix::edge::edge;

struct OnActix(Surface);

#[async_trait::async_trait(?Send)]
impl Mounted for OnActix {
    fn mount(surface: Surface) -> Self {
        Self(surface)
    }

    async fn ask(&self, asked: Asked) -> Answered {
        let routes = mesh_management_actix::routes(self.0.clone());
        let app = App::new()
            .service(web::scope("/surface").configure(routes))
            .app_data(Data::new(Hosts::any()))
            .wrap(from_fn(edge));
        let app = init_service(app).await;
        let method = Method::from_bytes(asked.method.as_bytes()).unwrap();
        let request = TestRequest::with_uri(&asked.path).method(method);
        let request = asked
            .headers
            .into_iter()
            .fold(request.set_payload(asked.body), |request, header| {
                request.insert_header(header)
            });
        let response = call_service(&app, request.to_request()).await;
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Answered {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: String::from_utf8(to_bytes(response.into_body()).await.unwrap().to_vec())
                .unwrap(),
        }
    }
}

mesh_management::surface_cases!(actix_scope, OnActix);
