//! Waiting for what must come, without sleeping for what might not.

use std::fmt;
use std::time::{Duration, Instant};

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
    loop {
        match probe().await {
            Ok(found) => return found,
            Err(seen) if start.elapsed() > DEADLINE => {
                panic!(
                    "waited {} s for: {what}; last seen: {seen}",
                    DEADLINE.as_secs()
                )
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
}
