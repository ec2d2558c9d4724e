//! The broker's deliveries of one kind, and the work on them.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use crate::broker::DeliveryTag;
use crate::context::Context;
use crate::counters::add;
use crate::lock::lock;

/// From this long on, work that has not ended is held to wait for something that is away.
pub(super) const SLOW: Duration = Duration::from_millis(500);

/// So often the pause before a first try doubles; that before a further one goes on to the longest wait.
const MOST_PAUSES: u32 = 4;

/// How work on a batch ended.
pub(super) struct Outcome<T> {
    /// Deliveries that are done and may be settled.
    pub(super) done: Vec<DeliveryTag>,
    /// Those that wait on.
    pub(super) kept: Vec<(DeliveryTag, T)>,
    /// Why, of one of them.
    pub(super) failure: Option<String>,
}

/// Where lanes say which deliveries may be settled.
pub(super) type Done = mpsc::UnboundedSender<Vec<DeliveryTag>>;

/// What is done with deliveries of one kind.
pub(super) trait Work<T> {
    /// Works on a batch; what can neither be done nor be refused is kept.
    fn work(&self, batch: Vec<(DeliveryTag, T)>) -> impl Future<Output = Outcome<T>> + Send;
}

/// Deliveries of one kind. One that could not be done stands before nobody: it waits with its like, which are tried again
/// beside what comes, in batches that halve until one goes through, so that a single bad one is found.
pub(super) struct Lane<T> {
    /// What its failures are reported as.
    part: &'static str,
    /// What waits for its time, in the order of these.
    later: Queue<(Instant, T)>,
    first: Queue<T>,
    again: Queue<T>,
}

/// What waits, and what is being worked on.
struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Notify,
}

struct State<T> {
    waiting: VecDeque<(DeliveryTag, T)>,
    in_work: usize,
    since: Instant,
}

impl<T: Send> Lane<T> {
    pub(super) fn new(part: &'static str) -> Self {
        Self {
            part,
            later: Queue::new(),
            first: Queue::new(),
            again: Queue::new(),
        }
    }

    /// Lets a delivery wait for its first try.
    pub(super) fn push(&self, tag: DeliveryTag, item: T) {
        self.first.push([(tag, item)]);
    }

    /// Lets a delivery wait for its first try until it is due, no earlier than those before it. It takes room meanwhile.
    pub(super) fn push_later(&self, tag: DeliveryTag, item: T, due: Instant) {
        self.later.push([(tag, (due, item))]);
    }

    /// How many are in hand.
    pub(super) fn len(&self) -> usize {
        self.later.len() + self.first.len() + self.again.len()
    }

    /// How many wait for something that is away: all, where the work stands still or some have failed.
    pub(super) fn held_up(&self) -> usize {
        if self.again.len() > 0 || self.first.stands_still() {
            self.len()
        } else {
            0
        }
    }

    /// Forgets what came on another channel than that of `epoch`: the broker delivers it again.
    pub(super) fn keep_epoch(&self, epoch: u64) {
        self.later.keep_epoch(epoch);
        self.first.keep_epoch(epoch);
        self.again.keep_epoch(epoch);
    }

    /// What waits.
    pub(super) fn tags(&self) -> Vec<DeliveryTag> {
        [self.later.tags(), self.first.tags(), self.again.tags()].concat()
    }

    /// Works until the propagator closes; a batch begun is ended.
    pub(super) async fn run(&self, context: &Context, done: &Done, work: &impl Work<T>) {
        tokio::join!(
            self.due(context),
            self.first_tries(context, done, work),
            self.further_tries(context, done, work)
        );
    }

    /// Moves what is due to the others; all of it when the propagator closes, to be given back with them.
    async fn due(&self, context: &Context) {
        while let Some(batch) = self.later.take(context, 1).await {
            for (tag, (due, item)) in batch {
                tokio::select! {
                    biased;
                    () = context.closing.wait() => {}
                    () = sleep_until(due) => {}
                }
                self.first.push([(tag, item)]);
            }
            self.later.end();
        }
    }

    async fn first_tries(&self, context: &Context, done: &Done, work: &impl Work<T>) {
        let mut failures = 0;
        while let Some(batch) = self.first.take(context, context.settings.batch).await {
            let went_through = self.attempt(&self.first, batch, context, done, work).await;
            failures = if went_through { 0 } else { failures + 1 };
            if failures > 0 {
                // What comes next may be of another kind than what failed, and should not wait for long.
                context.pause(failures.min(MOST_PAUSES) - 1).await;
            }
        }
    }

    async fn further_tries(&self, context: &Context, done: &Done, work: &impl Work<T>) {
        let (mut failures, mut size) = (0, context.settings.batch);
        while self.again.is_wanted(context).await {
            context.pause(failures).await;
            let Some(batch) = self.again.take(context, size).await else {
                return;
            };
            let went_through = self.attempt(&self.again, batch, context, done, work).await;
            (failures, size) = if went_through {
                (0, context.settings.batch.min(size * 2))
            } else {
                (failures + 1, 1.max(size / 2))
            };
        }
    }

    /// Tries a batch from `queue`; tells whether at least one delivery went through.
    async fn attempt(
        &self,
        queue: &Queue<T>,
        batch: Vec<(DeliveryTag, T)>,
        context: &Context,
        done: &Done,
        work: &impl Work<T>,
    ) -> bool {
        let size = batch.len();
        let outcome = work.work(batch).await;
        let kept = outcome.kept.len();
        let is_news = std::ptr::eq(queue, &raw const self.again) || self.again.len() == 0;
        self.again.push(outcome.kept);
        queue.end();
        // Nobody listens once the subscription has ended: the broker delivers again.
        let _ = done.send(outcome.done);
        if kept > 0 {
            let reason = outcome.failure.unwrap_or_default();
            if is_news {
                tracing::warn!(
                    part = self.part,
                    reason,
                    deliveries = kept,
                    "deliveries wait"
                );
            }
            add(&context.counters.deliveries_delayed, kept);
            context.health.note(self.part, Some(reason));
        } else if self.again.len() == 0 {
            context.health.note(self.part, None);
        }
        kept < size
    }
}

impl<T> Queue<T> {
    fn new() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            in_work: 0,
            since: Instant::now(),
        };
        Self {
            state: Mutex::new(state),
            arrived: Notify::new(),
        }
    }

    fn push(&self, items: impl IntoIterator<Item = (DeliveryTag, T)>) {
        lock(&self.state).waiting.extend(items);
        self.arrived.notify_one();
    }

    fn len(&self) -> usize {
        let state = lock(&self.state);
        state.waiting.len() + state.in_work
    }

    fn keep_epoch(&self, epoch: u64) {
        let waiting = &mut lock(&self.state).waiting;
        waiting.retain(|(tag, _)| tag.epoch >= epoch);
    }

    fn tags(&self) -> Vec<DeliveryTag> {
        let state = lock(&self.state);
        state.waiting.iter().map(|(tag, _)| *tag).collect()
    }

    fn stands_still(&self) -> bool {
        let state = lock(&self.state);
        state.in_work > 0 && state.since.elapsed() >= SLOW
    }

    /// Waits until something waits; tells whether the propagator still runs.
    async fn is_wanted(&self, context: &Context) -> bool {
        while lock(&self.state).waiting.is_empty() && !context.closing.has_begun() {
            tokio::select! {
                biased;
                () = context.closing.wait() => {}
                () = self.arrived.notified() => {}
            }
        }
        !context.closing.has_begun()
    }

    /// Takes up to `size` deliveries in order, as soon as there are some; `None` when the propagator closes.
    async fn take(&self, context: &Context, size: usize) -> Option<Vec<(DeliveryTag, T)>> {
        while self.is_wanted(context).await {
            let mut state = lock(&self.state);
            let n = size.min(state.waiting.len());
            let batch: Vec<_> = state.waiting.drain(..n).collect();
            (state.in_work, state.since) = (n, Instant::now());
            if n > 0 {
                return Some(batch);
            }
        }
        None
    }

    fn end(&self) {
        lock(&self.state).in_work = 0;
    }
}
