//! The signal that ends every task of a propagator.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Set once, when the propagator closes. Whoever waits for it is woken in the order of waiting, so
/// that a shutdown can be repeated step by step (a watch channel wakes at random).
#[derive(Default)]
pub(crate) struct Closing {
    begun: AtomicBool,
    notify: Notify,
}

impl Closing {
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// Waits until the propagator closes.
    pub(crate) async fn wait(&self) {
        // Made before the check, so that a signal in between is not missed.
        let notified = self.notify.notified();
        if !self.has_begun() {
            notified.await;
        }
    }
}
