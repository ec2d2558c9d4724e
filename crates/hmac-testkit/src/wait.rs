//! Waiting for what comes true by the passing of time.

use std::time::{Duration, Instant};

/// Asks until the answer is yes, for what comes true by the passing of time.
///
/// # Panics
/// When the answer is still no after 10 s; the message names `what`.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
