//! A queue of the broker's deliveries that wait for their turn.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::broker::DeliveryTag;
use crate::context::Context;
use crate::counters::add;

/// Which of the broker's deliveries are done and may be settled, and which wait on.
pub(super) type Outcome<T> = (Vec<DeliveryTag>, Vec<(DeliveryTag, T)>);

/// Deliveries of one kind that wait for their turn, in the queue's order.
pub(super) struct Lane<T> {
    pub(super) waiting: VecDeque<(DeliveryTag, T)>,
    pub(super) retry_at: Option<Instant>,
    failures: u32,
}

impl<T> Lane<T> {
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            retry_at: None,
            failures: 0,
        }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.waiting.is_empty() && self.retry_at.is_none_or(|at| at <= Instant::now())
    }

    /// Takes up to `batch` deliveries in order.
    pub(super) fn take(&mut self, batch: usize) -> Vec<(DeliveryTag, T)> {
        let n = if self.is_due() {
            batch.min(self.waiting.len())
        } else {
            0
        };
        self.waiting.drain(..n).collect()
    }

    /// Puts back what could not be done and sets when to try again.
    pub(super) fn put_back(&mut self, context: &Context, kept: Vec<(DeliveryTag, T)>) {
        if kept.is_empty() {
            (self.failures, self.retry_at) = (0, None);
            return;
        }
        add(&context.counters.deliveries_delayed, kept.len());
        self.retry_at = Some(Instant::now() + context.backoff(self.failures));
        self.failures = self.failures.saturating_add(1);
        for item in kept.into_iter().rev() {
            self.waiting.push_front(item);
        }
    }
}
