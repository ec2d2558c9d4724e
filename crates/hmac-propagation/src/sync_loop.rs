//! Syncs by itself: right after each change, when the broker comes back, and on a timer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use auth_base::error_chain::chain;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::broker::BrokerStatus;
use crate::outbound;
use crate::shared::Core;

/// Runs until the propagator closes.
pub(crate) async fn run(core: Arc<Core>) {
    let settings = &core.parts.settings;
    let mut broker = core.parts.broker.status();
    let mut timer = interval(settings.sync_interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures = 0;
    loop {
        tokio::select! {
            biased;
            () = core.closing.wait() => return,
            // Before the changes, which may never pause.
            _ = timer.tick() => core.recover.store(true, Ordering::SeqCst),
            () = connected(&mut broker) => {}
            () = core.wake.notified() => {}
        }
        match outbound::sync_by_itself(&core).await {
            Ok(summary) => {
                failures = 0;
                core.note_health("sync", None);
                if summary.targets_published > 0 || summary.targets_retrying > 0 {
                    tracing::debug!(peer = %core.parts.name, ?summary, "synced");
                }
            }
            Err(error) => {
                let text = chain(&error);
                if failures == 0 {
                    tracing::warn!(peer = %core.parts.name, error = text, "sync failed; trying again");
                }
                core.note_health("sync", Some(text));
                let _ = timeout(core.backoff(failures), core.closing.wait()).await;
                failures = failures.saturating_add(1);
                // What this sync was woken for still waits; the next reason to sync is the timer, a change, or the broker.
            }
        }
    }
}

/// Waits until the broker's state changes to connected.
async fn connected(broker: &mut watch::Receiver<BrokerStatus>) {
    loop {
        if broker.changed().await.is_err() {
            return std::future::pending().await;
        }
        if broker.borrow_and_update().connected {
            return;
        }
    }
}
