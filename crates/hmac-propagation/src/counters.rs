//! What a propagator counts.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals since the start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters { $($(#[$doc])* pub $name: u64,)* }

        #[derive(Debug, Default)]
        pub(crate) struct LiveCounters { $(pub(crate) $name: AtomicU64,)* }

        impl LiveCounters {
            pub(crate) fn snapshot(&self) -> Counters {
                Counters { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Changes accepted by this peer (ensure, rotate, revoke).
    changes_accepted,
    /// Events the broker confirmed.
    events_published,
    /// Rows that could not be sent and stay for the next sync.
    events_retrying,
    /// Events applied to this peer's store.
    events_applied,
    /// Events older than what this peer holds; answered as applied.
    events_stale,
    /// Events refused with a reason.
    events_refused,
    /// Messages dropped with a warning: malformed, forged, unknown.
    messages_dropped,
    /// Acknowledgements whose row was marked; counted again where a failure makes the booking be repeated.
    acks_booked,
    /// Acknowledgements for events this peer does not know (any more).
    acks_unknown,
    /// Acknowledgements this peer published.
    acks_published,
    /// Credentials found to be otherwise than they should (on a target, or here) and sent or written again.
    drift_healed,
    /// Deliveries that wait for a store or the broker to come back (each wait counts).
    deliveries_delayed,
}

pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}
