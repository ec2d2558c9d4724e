//! Consuming and settling.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::backoff::Backoff;
use auth_base::random::SystemRandom;
use futures_util::future::try_join_all;
use futures_util::stream::SelectAll;
use futures_util::{FutureExt, StreamExt};
use hmac_propagation::broker::{
    BrokerError, Delivery, DeliveryTag, Settlement, Subscription, readable,
};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::channel;
use crate::connection::LiveConnection;
use crate::failure::{Failure, answer};
use crate::options::AmqpOptions;
use crate::reconnect::Link;
use crate::status::StatusTracker;

/// Consumers beside the first at most.
const MOST_EXTRA: usize = 127;

/// What a subscription's task needs to consume for ever.
pub(crate) struct Consuming {
    pub(crate) options: Arc<AmqpOptions>,
    pub(crate) status: Arc<StatusTracker>,
    pub(crate) link: watch::Receiver<Link>,
    pub(crate) queue: String,
    pub(crate) prefetch: u16,
}

/// A consumer of one queue, kept alive by a task until it is dropped or the broker is closed.
pub(crate) struct AmqpSubscription {
    shared: Arc<Shared>,
    /// The prefetch of one consumer.
    prefetch: usize,
    operation_timeout: Duration,
    _stop: DropGuard,
}

impl AmqpSubscription {
    /// Starts consuming; `stop` is cancelled when the broker closes.
    pub(crate) fn start(consuming: Consuming, stop: CancellationToken) -> Self {
        let shared = Arc::new(Shared::default());
        let operation_timeout = consuming.options.operation_timeout;
        let prefetch = usize::from(consuming.prefetch);
        let subscription = consuming.status.subscribed();
        tokio::spawn(consuming.keep(subscription, Arc::clone(&shared), stop.clone()));
        Self {
            shared,
            prefetch,
            operation_timeout,
            _stop: stop.drop_guard(),
        }
    }
}

#[async_trait]
impl Subscription for AmqpSubscription {
    async fn next(&mut self, max: usize) -> Vec<Delivery> {
        loop {
            let arrived = self.shared.arrived.notified();
            {
                let mut state = self.shared.lock();
                if state.closed {
                    return Vec::new();
                }
                if !state.buffer.is_empty() {
                    let taken = state.buffer.len().min(max.max(1));
                    return state.buffer.drain(..taken).collect();
                }
            }
            arrived.await;
        }
    }

    fn set_prefetch(&mut self, prefetch: usize) {
        let extra = prefetch
            .div_ceil(self.prefetch)
            .saturating_sub(1)
            .min(MOST_EXTRA);
        if self.shared.extra.swap(extra, Ordering::Relaxed) != extra {
            self.shared.resized.notify_one();
        }
    }

    async fn settle(
        &mut self,
        settlements: &[(DeliveryTag, Settlement)],
    ) -> Result<(), BrokerError> {
        let (channel, frames) = {
            let mut state = self.shared.lock();
            let Some(channel) = state.channel.clone() else {
                return Ok(());
            };
            (channel, state.settle(settlements))
        };
        if self.shared.extra.load(Ordering::Relaxed) > 0 {
            self.shared.resized.notify_one();
        }
        let sending = try_join_all(frames.into_iter().map(|frame| frame.send(&channel)));
        answer(self.operation_timeout, sending).await?;
        Ok(())
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    /// How many consumers are wanted beside the first.
    extra: AtomicUsize,
    resized: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in deliveries. Never more than the consumers' prefetch: the broker sends no more until some are settled.
    fn arrive(&self, deliveries: Vec<lapin::message::Delivery>) {
        let mut state = self.lock();
        let epoch = state.epoch;
        for delivery in deliveries {
            state.arrived(delivery.delivery_tag);
            state.buffer.push_back(Delivery {
                tag: DeliveryTag {
                    epoch,
                    tag: delivery.delivery_tag,
                },
                bytes: delivery.data.len(),
                body: readable(delivery.data),
                redelivered: delivery.redelivered,
            });
        }
        drop(state);
        self.arrived.notify_one();
    }

    fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }
}

#[derive(Default)]
struct State {
    /// Counts the channels: a tag of an earlier one means nothing to the broker.
    epoch: u64,
    channel: Option<Channel>,
    /// Arrived and not yet asked for.
    buffer: VecDeque<Delivery>,
    /// Arrived on this channel and not settled.
    unsettled: BTreeSet<u64>,
    /// All tags of this channel below this have arrived. Consumers take turns, so one may be ahead of another.
    next: u64,
    early: BTreeSet<u64>,
    closed: bool,
}

impl State {
    fn begin(&mut self, channel: Channel) {
        self.epoch += 1;
        self.next = 1;
        self.channel = Some(channel);
    }

    /// Forgets the channel and what came on it: the broker delivers that again.
    fn lose(&mut self) -> Option<Channel> {
        self.buffer.clear();
        self.unsettled.clear();
        self.early.clear();
        self.channel.take()
    }

    fn arrived(&mut self, tag: u64) {
        self.unsettled.insert(tag);
        self.early.insert(tag);
        while self.early.remove(&self.next) {
            self.next += 1;
        }
    }

    /// Turns settlements into as few frames as possible. Tags of lost channels and tags settled before are left out.
    fn settle(&mut self, settlements: &[(DeliveryTag, Settlement)]) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut done = BTreeSet::new();
        for (tag, settlement) in settlements {
            if tag.epoch != self.epoch || !self.unsettled.contains(&tag.tag) {
                continue;
            }
            match settlement {
                Settlement::Acknowledge => {
                    done.insert(tag.tag);
                }
                Settlement::Requeue => {
                    self.unsettled.remove(&tag.tag);
                    done.remove(&tag.tag);
                    frames.push(Frame::Requeue(tag.tag));
                }
            }
        }
        let run = self
            .unsettled
            .iter()
            .zip(&done)
            .take_while(|(lowest, done)| lowest == done && **lowest < self.next)
            .count();
        if let Some(&last) = run.checked_sub(1).and_then(|end| done.iter().nth(end)) {
            frames.push(Frame::Acknowledge {
                tag: last,
                multiple: run > 1,
            });
        }
        let single = |tag: &u64| Frame::Acknowledge {
            tag: *tag,
            multiple: false,
        };
        frames.extend(done.iter().skip(run).map(single));
        self.unsettled.retain(|tag| !done.contains(tag));
        frames
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Acknowledge { tag: u64, multiple: bool },
    Requeue(u64),
}

impl Frame {
    async fn send(self, channel: &Channel) -> lapin::Result<()> {
        match self {
            Self::Acknowledge { tag, multiple } => {
                channel.basic_ack(tag, BasicAckOptions { multiple }).await
            }
            Self::Requeue(tag) => {
                channel
                    .basic_nack(
                        tag,
                        BasicNackOptions {
                            multiple: false,
                            requeue: true,
                        },
                    )
                    .await
            }
        }
    }
}

impl Consuming {
    /// Consumes until `stop`, beginning anew after every loss.
    async fn keep(mut self, subscription: u64, shared: Arc<Shared>, stop: CancellationToken) {
        let backoff = Backoff::new(self.options.backoff_min, self.options.backoff_max);
        let mut failures = 0_u32;
        loop {
            let since = Instant::now();
            let reason = tokio::select! {
                reason = self.consume(&shared, subscription) => reason,
                () = stop.cancelled() => break,
            };
            let channel = shared.lock().lose();
            let Some(reason) = reason else { break };
            drop(channel);
            tracing::warn!(queue = %self.queue, %reason, "not consuming");
            self.status.consuming(subscription, Some(reason));
            if since.elapsed() > backoff.longest {
                failures = 0;
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.jittered(failures, &SystemRandom)) => {}
                () = stop.cancelled() => break,
            }
            failures = failures.saturating_add(1);
        }
        shared.close();
        self.status.unsubscribed(subscription);
        let channel = shared.lock().lose();
        if let Some(channel) = channel {
            let _ = answer(
                self.options.operation_timeout,
                channel.close(200, "unsubscribed".into()),
            )
            .await;
        }
    }

    /// Consumes on one channel until that is lost and returns the reason; `None` when the broker was closed.
    async fn consume(&mut self, shared: &Shared, subscription: u64) -> Option<String> {
        let live = match self
            .link
            .wait_for(|link| matches!(link, Link::Up(_) | Link::Closed))
            .await
            .as_deref()
        {
            Ok(Link::Up(live)) => Arc::clone(live),
            _ => return None,
        };
        let (channel, mut consumers) = match self.open(&live).await {
            Ok((channel, first)) => (channel, SelectAll::from_iter([first])),
            Err(failure) => return Some(failure.reason()),
        };
        shared.lock().begin(channel.clone());
        let mut extra = Vec::new();
        shared.resized.notify_one();
        tracing::info!(queue = %self.queue, epoch = live.epoch, "consuming");
        self.status.consuming(subscription, None);
        loop {
            tokio::select! {
                first = consumers.next() => {
                    if let Some(reason) = take_in(first, &mut consumers, shared) {
                        return Some(reason);
                    }
                }
                () = shared.resized.notified() => {
                    let wanted = shared.extra.load(Ordering::Relaxed);
                    match self.resize(shared, &channel, wanted, &mut extra).await {
                        Ok(more) => consumers.extend(more),
                        Err(failure) => return Some(failure.reason()),
                    }
                }
                changed = self.link.changed() => {
                    let same = matches!(&*self.link.borrow(), Link::Up(now) if now.epoch == live.epoch);
                    if changed.is_err() || !same {
                        return Some("connection lost".to_owned());
                    }
                }
            }
        }
    }

    async fn open(&self, live: &LiveConnection) -> Result<(Channel, Consumer), Failure> {
        let bound = self.options.operation_timeout;
        let channel = live.channel().await?;
        answer(
            bound,
            channel.basic_qos(self.prefetch, BasicQosOptions::default()),
        )
        .await?;
        channel::declare(&channel, &self.queue, bound).await?;
        let consumer = self.consumer(&channel, FieldTable::default()).await?;
        Ok((channel, consumer))
    }

    /// Starts another consumer on the channel, with a prefetch of its own.
    async fn consumer(
        &self,
        channel: &Channel,
        arguments: FieldTable,
    ) -> Result<Consumer, Failure> {
        let consuming = channel.basic_consume(
            self.queue.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            arguments,
        );
        answer(self.options.operation_timeout, consuming).await
    }

    /// The broker takes a prefetch for consumers to come only: a larger one is more consumers, a smaller one fewer. What a
    /// cancelled one was sent before stays in hand, so another is not started before there is room for what it may bring. The
    /// broker serves others of the queue first, which may be those of another replica.
    async fn resize(
        &self,
        shared: &Shared,
        channel: &Channel,
        wanted: usize,
        extra: &mut Vec<ShortString>,
    ) -> Result<Vec<Consumer>, Failure> {
        while extra.len() > wanted
            && let Some(tag) = extra.pop()
        {
            let cancelling = channel.basic_cancel(tag, BasicCancelOptions::default());
            answer(self.options.operation_timeout, cancelling).await?;
        }
        let mut more = Vec::new();
        let prefetch = usize::from(self.prefetch);
        let mut last = FieldTable::default();
        last.insert("x-priority".into(), AMQPValue::LongInt(-1));
        while extra.len() < wanted && shared.lock().unsettled.len() <= wanted * prefetch {
            let consumer = self.consumer(channel, last.clone()).await?;
            extra.push(consumer.tag());
            more.push(consumer);
        }
        Ok(more)
    }
}

/// Hands over what just came and whatever else is at hand. Returns the reason when the last consumer ended.
fn take_in(
    first: Option<lapin::Result<lapin::message::Delivery>>,
    consumers: &mut SelectAll<Consumer>,
    shared: &Shared,
) -> Option<String> {
    let mut deliveries = Vec::new();
    let mut item = Some(first);
    while let Some(Some(Ok(delivery))) = item {
        deliveries.push(delivery);
        item = consumers.next().now_or_never();
    }
    if !deliveries.is_empty() {
        shared.arrive(deliveries);
    }
    match item? {
        Some(Err(error)) => Some(error.to_string()),
        _ => Some("the broker cancelled the consumer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(unsettled: impl IntoIterator<Item = u64>) -> State {
        State {
            epoch: 7,
            unsettled: unsettled.into_iter().collect(),
            next: 10,
            ..State::default()
        }
    }

    fn tags(
        tags: impl IntoIterator<Item = u64>,
        settlement: Settlement,
    ) -> impl Iterator<Item = (DeliveryTag, Settlement)> {
        tags.into_iter()
            .map(move |tag| (DeliveryTag { epoch: 7, tag }, settlement))
    }

    #[test]
    fn acknowledges_a_run_from_the_lowest_in_one_frame() {
        let mut state = state(1..=9);
        let settlements: Vec<_> = tags([3, 1, 2, 7, 9], Settlement::Acknowledge).collect();
        let single = |tag| Frame::Acknowledge {
            tag,
            multiple: false,
        };
        assert_eq!(
            state.settle(&settlements),
            [
                Frame::Acknowledge {
                    tag: 3,
                    multiple: true
                },
                single(7),
                single(9)
            ]
        );
        assert_eq!(state.unsettled, BTreeSet::from([4, 5, 6, 8]));
    }

    #[test]
    fn acknowledges_no_other_delivery_along() {
        let mut state = state([4, 5, 6]);
        let settlements: Vec<_> = tags([5, 6], Settlement::Acknowledge).collect();
        let frames = state.settle(&settlements);
        assert!(frames.iter().all(|frame| matches!(
            frame,
            Frame::Acknowledge {
                multiple: false,
                ..
            }
        )));
    }

    #[test]
    fn runs_over_what_is_requeued_in_the_same_call() {
        let mut state = state(1..=3);
        let mut settlements: Vec<_> = tags([1, 3], Settlement::Acknowledge).collect();
        settlements.extend(tags([2], Settlement::Requeue));
        assert_eq!(
            state.settle(&settlements),
            [
                Frame::Requeue(2),
                Frame::Acknowledge {
                    tag: 3,
                    multiple: true
                }
            ]
        );
        assert!(state.unsettled.is_empty());
    }

    /// The tag between them is still on its way through another consumer.
    #[test]
    fn acknowledges_nothing_along_that_has_not_arrived() {
        let mut state = State {
            epoch: 7,
            next: 1,
            ..State::default()
        };
        [1, 3].into_iter().for_each(|tag| state.arrived(tag));
        let settlements: Vec<_> = tags([1, 3], Settlement::Acknowledge).collect();
        let single = |tag| Frame::Acknowledge {
            tag,
            multiple: false,
        };
        assert_eq!(state.settle(&settlements), [single(1), single(3)]);
        [4, 2].into_iter().for_each(|tag| state.arrived(tag));
        let settlements: Vec<_> = tags([2, 4], Settlement::Acknowledge).collect();
        let both = Frame::Acknowledge {
            tag: 4,
            multiple: true,
        };
        assert_eq!(state.settle(&settlements), [both]);
    }

    #[test]
    fn leaves_out_stale_and_settled_tags() {
        let mut state = state([1]);
        let stale = (DeliveryTag { epoch: 6, tag: 1 }, Settlement::Acknowledge);
        assert_eq!(state.settle(&[stale]), []);
        let twice: Vec<_> = tags([1, 1, 2], Settlement::Acknowledge).collect();
        assert_eq!(
            state.settle(&twice),
            [Frame::Acknowledge {
                tag: 1,
                multiple: false
            }]
        );
        assert_eq!(state.settle(&twice), []);
    }
}
