//! The surface on axum answers as the suite says.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be asked must fail; the helpers are no test functions"
)]

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use mesh_management::Surface;
use mesh_management::testkit::{Answered, Asked, Mounted};
use tower::ServiceExt;

struct OnAxum(Router);

#[async_trait::async_trait(?Send)]
impl Mounted for OnAxum {
    fn mount(surface: Surface) -> Self {
        Self(Router::new().nest("/surface", mesh_management_axum::router(surface)))
    }

    async fn ask(&self, asked: Asked) -> Answered {
        let request = Request::builder().method(asked.method).uri(&asked.path);
        let request = asked
            .headers
            .iter()
            .fold(request, |request, (name, value)| {
                request.header(*name, value)
            });
        let request = request.body(Body::from(asked.body)).unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Answered {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: String::from_utf8(
                response
                    .into_body()
                    .collect()
                    .await
                    .unwrap()
                    .to_bytes()
                    .to_vec(),
            )
            .unwrap(),
        }
    }
}

mesh_management::surface_cases!(axum_router, OnAxum);
