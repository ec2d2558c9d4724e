//! Bounds how long a request's answer takes to begin.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use mesh_api::problem::{Problem, REQUEST_LIMIT};
use tokio::time::timeout;

use crate::answer::refuse;

/// A middleware, for `axum::middleware::from_fn`: 503 `TIMEOUT` after [`REQUEST_LIMIT`].
pub async fn limit(request: Request, next: Next) -> Response {
    timeout(REQUEST_LIMIT, next.run(request))
        .await
        .unwrap_or_else(|_| refuse(Problem::timeout()))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_begin_is_a_problem() {
        let hanging = get(std::future::pending::<Response>);
        let router = Router::<()>::new()
            .route("/", hanging)
            .layer(from_fn(limit));
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (503, &"application/json".parse().unwrap())
        );
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, Problem::timeout().body());
    }
}
