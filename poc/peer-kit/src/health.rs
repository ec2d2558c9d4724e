//! Health: alive is another thing than ready, and who is not ready says what is missing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hmac_propagation::propagator::{Mode, Propagator};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use crate::shutdown::Stop;

/// A check that takes longer counts as failed.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// An outcome is used again for this long, so that probes cost the stores little.
const KEPT_FOR: Duration = Duration::from_millis(250);

/// Something a peer needs before it is ready.
#[async_trait]
pub trait Check: Send + Sync + 'static {
    /// What it is called: `broker`, `redis`, `sql`.
    fn name(&self) -> &'static str;

    /// `Err` says in words why it is missing; never with a secret.
    async fn check(&self) -> Result<(), String>;
}

/// Ready when the broker is connected and the peer's queue is consumed.
pub struct BrokerCheck(pub Propagator);

#[async_trait]
impl Check for BrokerCheck {
    fn name(&self) -> &'static str {
        "broker"
    }

    async fn check(&self) -> Result<(), String> {
        let status = self.0.status().broker;
        let reason = |otherwise: &str| {
            status
                .reason
                .clone()
                .unwrap_or_else(|| otherwise.to_owned())
        };
        match (status.connected, status.consuming) {
            (true, true) => Ok(()),
            (true, false) => Err(reason("the queue is not consumed")),
            (false, _) => Err(reason("not connected")),
        }
    }
}

/// What is missing, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Missing {
    /// What it is called.
    pub name: &'static str,
    /// Why it is missing.
    pub reason: String,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready` or `unavailable`.
    pub status: &'static str,
    /// The peer's name.
    pub peer: String,
    /// Everything that was checked.
    pub checked: Vec<&'static str>,
    /// What is missing; empty when ready.
    pub missing: Vec<Missing>,
    /// Whether it accepts no changes of its own, so that it never syncs.
    #[serde(rename = "receivesOnly")]
    pub receives_only: bool,
    /// When the last sync ended well, epoch milliseconds; absent before the first, and on a receive-only peer.
    #[serde(rename = "lastSyncAt", skip_serializing_if = "Option::is_none")]
    pub last_sync_at: Option<i64>,
}

impl Readiness {
    /// Tells whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.missing.is_empty()
    }

    /// 200 or 503.
    pub fn http_status(&self) -> u16 {
        if self.is_ready() { 200 } else { 503 }
    }

    /// The answer as JSON.
    pub fn body(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// The checks of one peer.
pub struct Health {
    peer: String,
    checks: Vec<Box<dyn Check>>,
    propagator: Option<Propagator>,
    stop: Stop,
    kept: Mutex<Option<(Instant, Readiness)>>,
}

impl Health {
    /// Collects the checks. A peer that was asked to stop is not ready any more.
    pub fn new(peer: impl Into<String>, checks: Vec<Box<dyn Check>>, stop: Stop) -> Arc<Self> {
        Arc::new(Self {
            peer: peer.into(),
            checks,
            propagator: None,
            stop,
            kept: Mutex::new(None),
        })
    }

    /// Collects the checks of a peer whose syncs are told too.
    pub fn of(
        propagator: Propagator,
        peer: &str,
        checks: Vec<Box<dyn Check>>,
        stop: Stop,
    ) -> Arc<Self> {
        let propagator = Some(propagator);
        Arc::new(Self {
            peer: peer.to_owned(),
            checks,
            propagator,
            stop,
            kept: Mutex::new(None),
        })
    }

    /// Runs the checks, one after the other, or answers what was found a moment ago.
    pub async fn readiness(&self) -> Readiness {
        let mut kept = self.kept.lock().await;
        if let Some((at, readiness)) = kept.as_ref()
            && at.elapsed() < KEPT_FOR
            && !self.stop.is_asked()
        {
            return readiness.clone();
        }
        let readiness = self.check().await;
        *kept = Some((Instant::now(), readiness.clone()));
        readiness
    }

    /// Logs every change of readiness until the peer is asked to stop.
    pub async fn watch(self: Arc<Self>) {
        let started = Instant::now();
        let mut before: Option<Vec<Missing>> = None;
        loop {
            let readiness = self.readiness().await;
            if before.as_ref() != Some(&readiness.missing) && !self.stop.is_asked() {
                let after_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                if readiness.is_ready() {
                    tracing::info!(peer = self.peer, after_ms, "ready");
                } else {
                    let missing = serde_json::json!(readiness.missing).to_string();
                    tracing::warn!(peer = self.peer, missing, "not ready");
                }
                before = Some(readiness.missing.clone());
            }
            let pause = if readiness.is_ready() { 2_000 } else { 300 };
            if timeout(Duration::from_millis(pause), self.stop.asked())
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    async fn check(&self) -> Readiness {
        let mut missing = Vec::new();
        for check in &self.checks {
            let outcome = timeout(CHECK_LIMIT, check.check())
                .await
                .unwrap_or_else(|_| Err("did not answer in time".to_owned()));
            if let Err(reason) = outcome {
                missing.push(Missing {
                    name: check.name(),
                    reason,
                });
            }
        }
        if self.stop.is_asked() {
            missing.push(Missing {
                name: "peer",
                reason: "is stopping".to_owned(),
            });
        }
        let status = self.propagator.as_ref().map(Propagator::status);
        Readiness {
            status: if missing.is_empty() {
                "ready"
            } else {
                "unavailable"
            },
            peer: self.peer.clone(),
            checked: self.checks.iter().map(|check| check.name()).collect(),
            missing,
            receives_only: status
                .as_ref()
                .is_some_and(|status| status.mode == Mode::ReceiveOnly),
            last_sync_at: status.and_then(|status| status.last_sync_at_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(&'static str, Result<(), String>);

    #[async_trait]
    impl Check for Fixed {
        fn name(&self) -> &'static str {
            self.0
        }

        async fn check(&self) -> Result<(), String> {
            self.1.clone()
        }
    }

    struct Hanging;

    #[async_trait]
    impl Check for Hanging {
        fn name(&self) -> &'static str {
            "sql"
        }

        async fn check(&self) -> Result<(), String> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn readiness_names_what_is_missing_and_bounds_its_checks() {
        let checks: Vec<Box<dyn Check>> = vec![
            Box::new(Fixed("redis", Ok(()))),
            Box::new(Fixed("broker", Err("refused".to_owned()))),
            Box::new(Hanging),
        ];
        let readiness = Health::new("a", checks, Stop::default()).readiness().await;
        assert_eq!(readiness.http_status(), 503);
        let names: Vec<_> = readiness
            .missing
            .iter()
            .map(|missing| missing.name)
            .collect();
        assert_eq!(names, ["broker", "sql"]);
    }

    #[tokio::test]
    async fn a_stopping_peer_is_not_ready() {
        let stop = Stop::default();
        let health = Health::new("a", vec![Box::new(Fixed("redis", Ok(())))], stop.clone());
        assert!(health.readiness().await.is_ready());
        stop.ask();
        assert!(!health.readiness().await.is_ready());
    }
}
