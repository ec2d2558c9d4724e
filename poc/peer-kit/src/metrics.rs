//! Metrics of one peer, as Prometheus text. Each peer has its own registry: several may live in one process.

mod drift;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use hmac_auth::verify::BadSignatureHook;
use hmac_propagation::propagator::{Mode, Propagator};
use mesh_management::administration::Administration;
use metrics::{SharedString, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::health::Readiness;
use crate::metrics::rows::{Rows, RowsCounter};
use crate::shutdown::Stop;

/// Upper bounds of the buckets of request durations, in seconds.
const BUCKETS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The content type of Prometheus text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What that text may load in a browser: nothing.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The registry of one peer.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    rows: RowsCounter,
}

impl Metrics {
    /// Makes a registry whose every line bears the peer's name.
    pub fn new(peer: &str) -> Self {
        let plain = || PrometheusBuilder::new().add_global_label("peer", peer);
        // Only an empty list of buckets is refused.
        let recorder = plain()
            .set_buckets(&BUCKETS)
            .unwrap_or_else(|_| plain())
            .build_recorder();
        let handle = recorder.handle();
        // A counter that is there from the start: who watches its increase sees the first one.
        with_local_recorder(&recorder, || {
            counter!("hmac_bad_signatures_total").increment(0);
        });
        Self {
            recorder,
            handle,
            rows: RowsCounter::default(),
        }
    }

    /// Counts one HTTP request. `route` is the route's pattern, never the path: labels must stay few.
    pub fn request(
        &self,
        route: impl Into<SharedString>,
        method: &str,
        status: u16,
        took: Duration,
    ) {
        let (route, method) = (route.into(), method_name(method));
        with_local_recorder(&self.recorder, || {
            let status = status_text(status);
            counter!("http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
                .increment(1);
            histogram!("http_request_duration_seconds", "route" => route)
                .record(took.as_secs_f64());
        });
    }

    fn bad_signature(&self) {
        with_local_recorder(&self.recorder, || {
            counter!("hmac_bad_signatures_total").increment(1);
        });
    }

    /// What a verifier tells of bad signatures: they are counted and logged.
    pub fn bad_signatures(self: &Arc<Self>) -> BadSignatureHook {
        let metrics = Arc::clone(self);
        Arc::new(move |report| {
            metrics.bad_signature();
            tracing::warn!(
                client_id = %report.client_id,
                method = report.method,
                path = report.path,
                address = report.client_address.map(tracing::field::display),
                "bad signature"
            );
        })
    }

    /// The text of `/metrics`, with the figures of this moment: the propagator's, the process's, and where there is a management
    /// store, its rows that are not done.
    pub async fn render(
        &self,
        propagator: &Propagator,
        readiness: &Readiness,
        store: Option<&dyn Administration>,
    ) -> String {
        let rows = match store {
            Some(store) => self.rows.count(store).await,
            None => Rows::None,
        };
        with_local_recorder(&self.recorder, || {
            propagation(propagator);
            drift::record(&propagator.drift());
            rows::record(rows, SystemClock.now_ms());
            gauge!("ready").set(f64::from(u8::from(readiness.is_ready())));
            for name in &readiness.checked {
                let up = !readiness
                    .missing
                    .iter()
                    .any(|missing| missing.name == *name);
                gauge!("dependency_up", "dependency" => *name).set(f64::from(u8::from(up)));
            }
            if let Some(bytes) = resident_bytes() {
                gauge!("process_resident_memory_bytes").set(bytes as f64);
            }
        });
        self.handle.render()
    }

    /// Folds what was recorded into the buckets every few seconds, so that memory stays bounded when nobody scrapes.
    pub async fn upkeep(&self, stop: &Stop) {
        let pause = Duration::from_secs(5);
        while tokio::time::timeout(pause, stop.asked()).await.is_err() {
            self.handle.run_upkeep();
        }
    }
}

fn propagation(propagator: &Propagator) {
    let totals = propagator.counters();
    for (name, total) in [
        (
            "propagation_changes_accepted_total",
            totals.changes_accepted,
        ),
        (
            "propagation_events_published_total",
            totals.events_published,
        ),
        ("propagation_events_retrying_total", totals.events_retrying),
        ("propagation_events_applied_total", totals.events_applied),
        ("propagation_events_stale_total", totals.events_stale),
        ("propagation_events_refused_total", totals.events_refused),
        (
            "propagation_messages_dropped_total",
            totals.messages_dropped,
        ),
        ("propagation_acks_booked_total", totals.acks_booked),
        ("propagation_acks_unknown_total", totals.acks_unknown),
        ("propagation_acks_published_total", totals.acks_published),
        (
            "propagation_deliveries_delayed_total",
            totals.deliveries_delayed,
        ),
        ("propagation_drift_healed_total", totals.drift_healed),
    ] {
        counter!(name).absolute(total);
    }
    let status = propagator.status();
    gauge!("broker_connected").set(f64::from(u8::from(status.broker.connected)));
    gauge!("broker_consuming").set(f64::from(u8::from(status.broker.consuming)));
    gauge!("full_mode").set(f64::from(u8::from(status.mode == Mode::Full)));
    if let Some(at_ms) = status.last_sync_at_ms {
        gauge!("propagation_last_sync_timestamp_seconds").set(at_ms as f64 / 1_000.0);
    }
}

/// Methods that no route has must stay few labels.
fn method_name(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        _ => "other",
    }
}

fn status_text(status: u16) -> SharedString {
    match status {
        200 => "200".into(),
        201 => "201".into(),
        401 => "401".into(),
        other => other.to_string().into(),
    }
}

/// The resident memory of this process, where the system tells it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_peers_in_one_process_count_apart() {
        let (a, b) = (Metrics::new("a"), Metrics::new("b"));
        a.request("/livez", "GET", 200, Duration::from_millis(1));
        let text = a.handle.render();
        assert!(
            text.contains(
                r#"http_requests_total{peer="a",route="/livez",method="GET",status="200"} 1"#
            ),
            "{text}"
        );
        assert!(text.contains("http_request_duration_seconds_bucket"));
        assert!(!b.handle.render().contains("http_requests_total"));
    }
}
