//! What the last check for drift found, as `/metrics` tells it.

use hmac_propagation::drift::DriftReport;
use metrics::gauge;

/// Sets the gauges of each peer that is looked at. What is not known is no number.
pub(super) fn record(reports: &[DriftReport]) {
    for report in reports {
        let gauge = |name: &'static str| gauge!(name, "target" => report.peer.to_string());
        gauge("propagation_drift_checked").set(f64::from(u8::from(report.not_checked.is_none())));
        let Some(at_ms) = report.checked_at_ms else {
            continue;
        };
        gauge("propagation_drift_last_check_timestamp_seconds").set(at_ms as f64 / 1_000.0);
        gauge("propagation_drift_rows").set(report.drifted as f64);
    }
}
