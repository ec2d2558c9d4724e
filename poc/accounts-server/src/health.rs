//! Alive is another thing than ready: who is alive answers, who is ready has a database that does.
//!
//! `/readyz` has the shape of the peers': `status`, everything that was `checked`, and what is `missing`, with its reason.
//! `/v1/health` and `/v1/health/db` are the original's.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::service::Accounts;

/// The database is asked at most so often, whoever asks us.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// One that takes longer counts as away.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

const DATABASE: &str = "database";

struct Health {
    accounts: Accounts,
    known: Mutex<Option<(Instant, Result<(), &'static str>)>>,
}

/// The routes that are open to everybody.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(accounts: Accounts) -> Router<S> {
    let health = Health {
        accounts,
        known: Mutex::default(),
    };
    let alive = || async { Json(json!({ "status": "alive" })) };
    let healthy = || async { Json(json!({ "health": "ok", "service": "accounts" })) };
    Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/v1/health", get(healthy))
        .route("/v1/health/db", get(database))
        .with_state(Arc::new(health))
}

impl Health {
    /// One asks the database for all.
    async fn database(&self) -> Result<(), &'static str> {
        let mut known = self.known.lock().await;
        if let Some((asked, outcome)) = known.as_ref()
            && asked.elapsed() < KEPT_FOR
        {
            return *outcome;
        }
        let outcome = match timeout(CHECK_LIMIT, self.accounts.probe()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("failed"),
            Err(_) => Err("did not answer in time"),
        };
        let was_well = known.as_ref().is_none_or(|(_, before)| before.is_ok());
        match outcome {
            Err(reason) if was_well => tracing::warn!(reason, "the database is not ready"),
            Ok(()) if !was_well => tracing::info!("the database is ready again"),
            _ => {}
        }
        *known = Some((Instant::now(), outcome));
        outcome
    }
}

async fn ready(State(health): State<Arc<Health>>) -> (StatusCode, Json<Value>) {
    let missing = match health.database().await {
        Ok(()) => {
            return (
                StatusCode::OK,
                Json(json!({ "status": "ready", "checked": [DATABASE], "missing": [] })),
            );
        }
        Err(reason) => json!([{ "name": DATABASE, "reason": reason }]),
    };
    let body = json!({ "status": "unavailable", "checked": [DATABASE], "missing": missing });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body))
}

async fn database(State(health): State<Arc<Health>>) -> (StatusCode, Json<Value>) {
    match health.database().await {
        Ok(()) => (
            StatusCode::OK,
            Json(json!({ "health": "ok", "service": DATABASE })),
        ),
        Err(reason) => {
            let body = json!({ "error": "Service Unavailable", "message": reason, "code": "DB_UNAVAILABLE" });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}
