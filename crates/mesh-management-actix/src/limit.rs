//! Bounds how long a request's answer takes to begin.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::middleware::Next;
use mesh_api::problem::{Problem, REQUEST_LIMIT};
use tokio::time::timeout;

use crate::answer::refuse;

/// A middleware, for `actix_web::middleware::from_fn`: 503 `TIMEOUT` after [`REQUEST_LIMIT`].
///
/// # Errors
/// That answer, and those of what comes after it.
pub async fn limit<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    timeout(REQUEST_LIMIT, next.call(request))
        .await
        .unwrap_or_else(|_| {
            let refused = refuse(Problem::timeout());
            Err(InternalError::from_response("no answer in time", refused).into())
        })
}

#[cfg(test)]
mod tests {
    use actix_web::dev::Service as _;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_begin_is_a_problem() {
        let hanging = web::get().to(std::future::pending::<HttpResponse>);
        let app = App::new().wrap(from_fn(limit)).route("/", hanging);
        let app = init_service(app).await;
        let error = app
            .call(TestRequest::get().uri("/").to_request())
            .await
            .err()
            .unwrap();
        let answer = error.error_response();
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers().get("content-type").unwrap()
            ),
            (503, &"application/json".parse().unwrap())
        );
        let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
        assert_eq!(body, Problem::timeout().body());
    }
}
