//! Receiving (propagation wire 2.3): classify, apply, answer, settle, in this order and never otherwise.
//!
//! Deliveries wait in two lanes, apply events in one and acknowledgements in the other, so that a database that is away holds up
//! no credential and a Redis that is away no more than it must. A lane that fails waits, doubling up to the longest wait,
//! with its deliveries unsettled; nothing is settled that was not done.

mod answer;
mod classify;

use std::collections::VecDeque;
use std::time::Duration;

use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;
use tokio::time::{Instant, sleep_until, timeout};

use crate::acks::{self, ReceivedAck};
use crate::broker::{Delivery, DeliveryTag, Settlement, Subscription};
use crate::counters::add;
use crate::inbound::answer::answer;
use crate::inbound::classify::classify;
use crate::peer_store::{Applied, Apply};
use crate::shared::Core;

/// Settling is bounded by this; what is not settled is delivered again.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a change that the store refuses (an answer, not silence) is tried before the sender is told. The sender tries again
/// when it is overdue; until then its row shows the reason.
const REFUSALS: u32 = 8;

/// Acknowledgements from this many on are booked in two halves.
const HALVED: usize = 64;

/// An event to apply or to refuse, and whom to answer.
#[derive(Clone, Debug)]
struct Received {
    event_id: String,
    sender: String,
    outcome: Result<Apply, String>,
    refusals: u32,
}

/// What a delivery asks for.
enum Work {
    Apply(Received),
    Ack(ReceivedAck),
}

/// Deliveries of one kind that wait for their turn, in the queue's order.
struct Lane<T> {
    waiting: VecDeque<(DeliveryTag, T)>,
    failures: u32,
    retry_at: Option<Instant>,
}

impl<T> Lane<T> {
    fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            failures: 0,
            retry_at: None,
        }
    }

    fn is_due(&self) -> bool {
        !self.waiting.is_empty() && self.retry_at.is_none_or(|at| at <= Instant::now())
    }

    /// Takes up to `batch` deliveries in order.
    fn take(&mut self, batch: usize) -> Vec<(DeliveryTag, T)> {
        let n = if self.is_due() {
            batch.min(self.waiting.len())
        } else {
            0
        };
        self.waiting.drain(..n).collect()
    }

    /// Puts back what could not be done and sets when to try again.
    fn put_back(&mut self, core: &Core, kept: Vec<(DeliveryTag, T)>) {
        if kept.is_empty() {
            (self.failures, self.retry_at) = (0, None);
            return;
        }
        add(&core.counters.deliveries_delayed, kept.len());
        self.retry_at = Some(Instant::now() + core.backoff(self.failures));
        self.failures = self.failures.saturating_add(1);
        for item in kept.into_iter().rev() {
            self.waiting.push_front(item);
        }
    }
}

/// Consumes until the propagator or the broker is closed.
pub(crate) async fn consume(core: &Core, mut subscription: Box<dyn Subscription>) {
    let settings = &core.parts.settings;
    let mut applies = Lane::new();
    let mut acks = Lane::new();
    while !core.is_closing() {
        let free = usize::from(settings.prefetch)
            .saturating_sub(applies.waiting.len() + acks.waiting.len());
        let retry_at = [applies.retry_at, acks.retry_at]
            .into_iter()
            .flatten()
            .min();
        let due = applies.is_due() || acks.is_due();
        tokio::select! {
            biased;
            () = core.closing.wait() => break,
            deliveries = subscription.next(settings.batch.min(free)), if free > 0 && !due => {
                if deliveries.is_empty() {
                    break;
                }
                let dropped = sort(core, deliveries, &mut applies, &mut acks);
                settle(&mut *subscription, dropped).await;
            }
            () = until(retry_at), if !due => {}
            () = std::future::ready(()), if due => {}
        }
        let done = work(core, &mut applies, &mut acks).await;
        settle(&mut *subscription, done).await;
    }
    finish(core, &mut *subscription, applies, acks).await;
}

/// Waits for the moment of a retry; for ever when there is none.
async fn until(retry_at: Option<Instant>) {
    match retry_at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Gives back what is still waiting.
async fn finish(
    core: &Core,
    subscription: &mut dyn Subscription,
    applies: Lane<Received>,
    acks: Lane<ReceivedAck>,
) {
    let tags = applies
        .waiting
        .iter()
        .map(|(tag, _)| *tag)
        .chain(acks.waiting.iter().map(|(tag, _)| *tag));
    let back: Vec<_> = tags.map(|tag| (tag, Settlement::Requeue)).collect();
    if !back.is_empty() {
        tracing::info!(peer = %core.parts.name, deliveries = back.len(), "deliveries given back at shutdown");
        let _ = timeout(SETTLE_TIMEOUT, subscription.settle(&back)).await;
    }
}

async fn settle(subscription: &mut dyn Subscription, tags: Vec<DeliveryTag>) {
    if tags.is_empty() {
        return;
    }
    let settlements: Vec<_> = tags
        .into_iter()
        .map(|tag| (tag, Settlement::Acknowledge))
        .collect();
    match timeout(SETTLE_TIMEOUT, subscription.settle(&settlements)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = chain(&error), "not settled; delivered again"),
        Err(_) => tracing::debug!("not settled in time; delivered again"),
    }
}

/// Puts deliveries into their lanes; answers the tags of those that are dropped.
fn sort(
    core: &Core,
    deliveries: Vec<Delivery>,
    applies: &mut Lane<Received>,
    acks: &mut Lane<ReceivedAck>,
) -> Vec<DeliveryTag> {
    let mut dropped = Vec::new();
    for delivery in deliveries {
        match classify(core, &delivery) {
            Some(Work::Apply(received)) => applies.waiting.push_back((delivery.tag, received)),
            Some(Work::Ack(ack)) => acks.waiting.push_back((delivery.tag, ack)),
            None => dropped.push(delivery.tag),
        }
    }
    add(&core.counters.messages_dropped, dropped.len());
    dropped
}

/// Works on both lanes at once; answers the tags of what is done.
async fn work(
    core: &Core,
    applies: &mut Lane<Received>,
    acks: &mut Lane<ReceivedAck>,
) -> Vec<DeliveryTag> {
    let batch = core.parts.settings.batch;
    let (events, answers) = (applies.take(batch), acks.take(batch));
    let (had_events, had_answers) = (!events.is_empty(), !answers.is_empty());
    let ((mut done, kept_events), (booked, kept_answers)) =
        tokio::join!(apply_and_answer(core, events), book(core, answers));
    if had_events {
        applies.put_back(core, kept_events);
    }
    if had_answers {
        acks.put_back(core, kept_answers);
    }
    done.extend(booked);
    done
}

type Outcome<T> = (Vec<DeliveryTag>, Vec<(DeliveryTag, T)>);

/// Books acknowledgements: together, and one by one where one of them may be what fails.
async fn book(core: &Core, answers: Vec<(DeliveryTag, ReceivedAck)>) -> Outcome<ReceivedAck> {
    if answers.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let all: Vec<_> = answers.iter().map(|(_, ack)| ack.clone()).collect();
    // Two halves at once: while one waits for its commit, the other works.
    let (first, second) = all.split_at(if all.len() < HALVED {
        all.len()
    } else {
        all.len() / 2
    });
    let (first, second) = tokio::join!(acks::book(core, first), acks::book(core, second));
    let error = match first.and(second) {
        Ok(()) => {
            core.note_health("acknowledgements", None);
            return (
                answers.into_iter().map(|(tag, _)| tag).collect(),
                Vec::new(),
            );
        }
        Err(error) => error,
    };
    core.note_health("acknowledgements", Some(chain(&error)));
    if !acks::is_one_rows_fault(&error) {
        tracing::warn!(
            error = chain(&error),
            deliveries = answers.len(),
            "acknowledgements wait"
        );
        return (Vec::new(), answers);
    }
    let (mut done, mut kept) = (Vec::new(), Vec::new());
    for (tag, ack) in answers {
        match acks::book(core, std::slice::from_ref(&ack)).await {
            Ok(()) => done.push(tag),
            Err(error) => {
                tracing::warn!(sender = %ack.sender, event_id = ack.ack.event_id, error = chain(&error), "acknowledgement waits");
                kept.push((tag, ack));
            }
        }
    }
    (done, kept)
}

/// Steps 4 to 6: applies a batch, answers it, and says which deliveries may be settled.
async fn apply_and_answer(core: &Core, events: Vec<(DeliveryTag, Received)>) -> Outcome<Received> {
    if events.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let (answered, mut kept) = apply(core, events).await;
    let (done, unanswered) = answer(core, answered).await;
    kept.extend(unanswered);
    kept.sort_by_key(|(tag, _)| *tag);
    (done, kept)
}

/// What is to be answered (`Err`: the reason), and what could not be applied.
type Answers = Vec<(DeliveryTag, Received, Result<(), String>)>;

async fn apply(
    core: &Core,
    events: Vec<(DeliveryTag, Received)>,
) -> (Answers, Vec<(DeliveryTag, Received)>) {
    let batch: Vec<Apply> = events
        .iter()
        .filter_map(|(_, received)| received.outcome.clone().ok())
        .collect();
    let mut results = core
        .store_batch(batch.len(), core.parts.store.apply(&batch))
        .await
        .into_iter();
    let (mut answers, mut kept, mut failure) = (Vec::with_capacity(events.len()), Vec::new(), None);
    for (tag, mut received) in events {
        let result = match &received.outcome {
            Err(reason) => Err(reason.clone()),
            Ok(_) => match results.next() {
                Some(Ok(applied)) => {
                    count(core, &applied);
                    Ok(())
                }
                Some(Err(StoreError::Corrupt { reason, .. })) => {
                    Err(format!("corrupt record at the target: {reason}"))
                }
                Some(Err(StoreError::Refused(_))) if received.refusals + 1 >= REFUSALS => {
                    Err("the target's store refused the change".to_owned())
                }
                Some(Err(error)) => {
                    failure = Some(chain(&error));
                    received.refusals += u32::from(matches!(error, StoreError::Refused(_)));
                    kept.push((tag, received));
                    continue;
                }
                None => {
                    kept.push((tag, received));
                    continue;
                }
            },
        };
        answers.push((tag, received, result));
    }
    if let Some(error) = &failure {
        tracing::warn!(
            error,
            deliveries = kept.len(),
            "events wait for the peer's store"
        );
    }
    core.note_health("peer store", failure);
    (answers, kept)
}

fn count(core: &Core, applied: &Applied) {
    match applied {
        Applied::Written => add(&core.counters.events_applied, 1),
        Applied::Stale { .. } => add(&core.counters.events_stale, 1),
    }
}
