//! Waiting for what must come, without sleeping for what might not.

use std::fmt;
use std::time::{Duration, Instant};

/// Whatever must come, and needs no compiler, has come by then, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks again and again until [`DEADLINE`]; `Err` says what was seen instead.
///
/// # Panics
/// With the last of it when nothing else came in time.
pub async fn until<T, E: fmt::Display>(what: &str, probe: impl AsyncFnMut() -> Result<T, E>) -> T {
    until_within(DEADLINE, what, probe).await
}

/// As [`until`], with a bound of its own.
///
/// # Panics
/// As [`until`].
#[expect(clippy::panic, reason = "a test stops where an expectation fails")]
pub async fn until_within<T, E: fmt::Display>(
    bound: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match probe().await {
            Ok(found) => return found,
            Err(seen) if start.elapsed() > bound => {
                panic!(
                    "waited {} s for: {what}; last seen: {seen}",
                    bound.as_secs()
                )
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
