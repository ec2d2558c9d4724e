//! Figures of one gateway, as Prometheus text.

use metrics::{counter, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// The registry of one gateway: several may live in one process.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        Self { recorder, handle }
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, status: u16) {
        with_local_recorder(&self.recorder, || {
            counter!("gateway_requests_total", "status" => status.to_string()).increment(1);
        });
    }

    /// Counts a sign-in, by how it ended.
    pub(crate) fn sign_in(&self, outcome: &'static str) {
        with_local_recorder(&self.recorder, || {
            counter!("gateway_sign_ins_total", "outcome" => outcome).increment(1);
        });
    }

    /// Counts an exchange of a refresh token, by how it ended.
    pub(crate) fn refresh(&self, outcome: &'static str) {
        with_local_recorder(&self.recorder, || {
            counter!("gateway_refreshes_total", "outcome" => outcome).increment(1);
        });
    }

    /// Sets how many sessions are live here.
    pub(crate) fn sessions(&self, count: usize) {
        with_local_recorder(&self.recorder, || {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            gauge!("gateway_live_sessions").set(f64::from(count));
        });
    }

    /// The text of `/metrics`.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }
}
