//! Alive is another thing than ready: who is alive answers, who is ready has a provider that is well.
//!
//! `/readyz` has the shape of the peers': `status`, everything that was `checked`, and what is `missing`, with its reason.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use kms::{CheckedKeyManagement, KeyManagement as _};
use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// The provider is asked for its health at most so often, whoever asks us.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// A provider that takes longer to say how it is counts as not well.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

struct Health {
    provider: String,
    keys: CheckedKeyManagement,
    known: Mutex<Option<(Instant, Result<(), String>)>>,
}

#[derive(Serialize)]
struct Readiness<'a> {
    status: &'static str,
    checked: [&'a str; 1],
    missing: Vec<Missing<'a>>,
}

#[derive(Serialize)]
struct Missing<'a> {
    name: &'a str,
    reason: String,
}

/// The routes that are open to everybody: they show whether the provider is well, and nothing of a key.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(
    provider: &str,
    keys: CheckedKeyManagement,
) -> Router<S> {
    let health = Health {
        provider: provider.to_owned(),
        keys,
        known: Mutex::default(),
    };
    Router::new()
        .route(
            "/livez",
            get(async || fresh(StatusCode::OK, &json!({ "status": "alive" }))),
        )
        .route("/readyz", get(ready))
        .route("/health", get(well))
        .with_state(Arc::new(health))
}

impl Health {
    /// One asks the provider for all. The reason names no secret: it is the provider's error without what lies below it.
    async fn provider(&self) -> Result<(), String> {
        let mut known = self.known.lock().await;
        if let Some((asked, outcome)) = known.as_ref()
            && asked.elapsed() < KEPT_FOR
        {
            return outcome.clone();
        }
        let outcome = match timeout(CHECK_LIMIT, self.keys.health()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("did not answer in time".to_owned()),
        };
        let was_well = known.as_ref().is_none_or(|(_, before)| before.is_ok());
        match &outcome {
            Err(reason) if was_well => {
                tracing::warn!(provider = self.provider, reason, "not ready");
            }
            Ok(()) if !was_well => tracing::info!(provider = self.provider, "ready again"),
            _ => {}
        }
        *known = Some((Instant::now(), outcome.clone()));
        outcome
    }
}

/// Names the provider that is not well.
async fn ready(State(health): State<Arc<Health>>) -> Response {
    let outcome = health.provider().await;
    let (code, status) = match outcome {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let missing = outcome.err().map(|reason| Missing {
        name: &health.provider,
        reason,
    });
    let readiness = Readiness {
        status,
        checked: [&health.provider],
        missing: missing.into_iter().collect(),
    };
    fresh(code, &readiness)
}

/// Of the contract: it says no more than yes or no.
async fn well(State(health): State<Arc<Health>>) -> Response {
    let is_well = health.provider().await.is_ok();
    let code = match is_well {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    fresh(code, &json!({ "ok": is_well }))
}

fn fresh(code: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (code, Json(body)).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}
