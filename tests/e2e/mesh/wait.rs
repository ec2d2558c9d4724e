//! Waiting for what must come, without sleeping for what might not.

use std::fmt;
use std::time::{Duration, Instant};

use auth_base::clock::{Clock, SystemClock};

/// Whatever must come has come by then, also on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Asks again and again; `Err` says what was seen instead.
///
/// Panics with the last of it when nothing else came before the deadline.
pub(crate) async fn until<T, E: fmt::Display>(
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match probe().await {
            Ok(found) => return found,
            Err(seen) if start.elapsed() > DEADLINE => {
                panic!(
                    "waited {} s for: {what}; last seen: {seen}",
                    DEADLINE.as_secs()
                )
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// The time in epoch milliseconds.
pub(crate) fn now_ms() -> i64 {
    SystemClock.now_ms()
}
