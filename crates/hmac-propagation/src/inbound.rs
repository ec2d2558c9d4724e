//! Receiving (propagation wire 2.3), an idempotent consumer: classify, apply, answer, settle, in this
//! order and never otherwise.
//!
//! The broker's deliveries wait in two lanes, apply events in one and acknowledgements in the other, so
//! that a database that is away holds up no credential and a Redis that is away no more than it must.
//! A lane that fails waits, doubling up to the longest wait, with its deliveries unsettled; nothing is
//! settled that was not done.

mod ack_publisher;
mod classify;
mod lane;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use auth_base::error_chain::chain;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use tokio::time::{Instant, sleep_until};

use crate::acknowledgements::{Acknowledgements, ReceivedAck, is_one_rows_fault};
use crate::broker::{Delivery, DeliveryTag, Settlement, Subscription};
use crate::context::Context;
use crate::counters::add;
use crate::inbound::ack_publisher::{AckPublisher, Answers};
use crate::inbound::classify::{Classifier, Received, Work};
use crate::inbound::lane::{Lane, Outcome};
use crate::peer_store::{Applied, Apply};
use crate::publisher::Publisher;
use crate::queue::PeerName;

/// How often a change that the store refuses (an answer, not silence) is tried before the sender is
/// told. The sender tries again when it is overdue; until then its delivery shows the reason.
const REFUSALS: u32 = 8;

/// Acknowledgements from this many on are booked in two halves.
const HALVED: usize = 64;

/// Consumes this peer's queue.
pub(crate) struct Inbound {
    context: Arc<Context>,
    classifier: Classifier,
    acknowledgements: Acknowledgements,
    ack_publisher: AckPublisher,
}

/// What a receiver knows of its peers.
pub(crate) struct Trust {
    /// This peer's own propagation secret.
    pub(crate) own_secret: Secret,
    /// Those of the peers whose events this one acknowledges.
    pub(crate) sources: HashMap<PeerName, Secret>,
    /// Targets whose unsigned acknowledgements count.
    pub(crate) unsigned_ack_targets: HashSet<PeerName>,
}

/// What waits.
struct Lanes {
    applies: Lane<Received>,
    acks: Lane<ReceivedAck>,
}

impl Inbound {
    pub(crate) fn new(
        context: Arc<Context>,
        publisher: Arc<Publisher>,
        acknowledgements: Acknowledgements,
        trust: Trust,
    ) -> Self {
        let mut secrets = trust.sources;
        secrets.insert(context.name.clone(), trust.own_secret.clone());
        Self {
            classifier: Classifier {
                context: Arc::clone(&context),
                own_secret: trust.own_secret,
                unsigned_ack_targets: trust.unsigned_ack_targets,
            },
            ack_publisher: AckPublisher::new(Arc::clone(&context), publisher, secrets),
            acknowledgements,
            context,
        }
    }

    /// Subscribes, as often as it takes, and consumes until the propagator or the broker is closed.
    pub(crate) async fn run(&self) {
        let context = &self.context;
        let mut failures = 0;
        while !context.closing.has_begun() {
            let prefetch = context.settings.prefetch;
            match context.broker.subscribe(&context.name, prefetch).await {
                Ok(subscription) => return self.consume(subscription).await,
                Err(error) => {
                    tracing::warn!(peer = %context.name, error = chain(&error), "cannot subscribe; trying again");
                    context.pause(failures).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    async fn consume(&self, mut subscription: Box<dyn Subscription>) {
        let (closing, settings) = (&self.context.closing, &self.context.settings);
        let mut lanes = Lanes {
            applies: Lane::new(),
            acks: Lane::new(),
        };
        while !closing.has_begun() {
            let free = usize::from(settings.prefetch).saturating_sub(lanes.len());
            let (due, retry_at) = (lanes.are_due(), lanes.retry_at());
            tokio::select! {
                biased;
                () = closing.wait() => break,
                deliveries = subscription.next(settings.batch.min(free)), if free > 0 && !due => {
                    if deliveries.is_empty() {
                        break;
                    }
                    let dropped = self.sort(deliveries, &mut lanes);
                    settle(&mut *subscription, dropped).await;
                }
                () = until(retry_at), if !due => {}
                () = std::future::ready(()), if due => {}
            }
            let done = self.work(&mut lanes).await;
            settle(&mut *subscription, done).await;
        }
        self.requeue(&mut *subscription, &lanes).await;
    }

    /// Gives back what is still waiting.
    async fn requeue(&self, subscription: &mut dyn Subscription, lanes: &Lanes) {
        let back: Vec<_> = lanes.tags().map(|tag| (tag, Settlement::Requeue)).collect();
        if !back.is_empty() {
            tracing::info!(peer = %self.context.name, deliveries = back.len(), "deliveries given back at shutdown");
            let _ = subscription.settle(&back).await;
        }
    }

    /// Puts deliveries into their lanes; answers the tags of those that are dropped.
    fn sort(&self, deliveries: Vec<Delivery>, lanes: &mut Lanes) -> Vec<DeliveryTag> {
        let mut dropped = Vec::new();
        for delivery in deliveries {
            match self.classifier.classify(&delivery) {
                Some(Work::Apply(event)) => lanes.applies.waiting.push_back((delivery.tag, event)),
                Some(Work::Ack(ack)) => lanes.acks.waiting.push_back((delivery.tag, ack)),
                None => dropped.push(delivery.tag),
            }
        }
        add(&self.context.counters.messages_dropped, dropped.len());
        dropped
    }

    /// Works on both lanes at once; answers the tags of what is done.
    async fn work(&self, lanes: &mut Lanes) -> Vec<DeliveryTag> {
        let batch = self.context.settings.batch;
        let (events, acks) = (lanes.applies.take(batch), lanes.acks.take(batch));
        let (had_events, had_acks) = (!events.is_empty(), !acks.is_empty());
        let ((mut done, kept_events), (booked, kept_acks)) =
            tokio::join!(self.apply_and_answer(events), self.book(acks));
        if had_events {
            lanes.applies.put_back(&self.context, kept_events);
        }
        if had_acks {
            lanes.acks.put_back(&self.context, kept_acks);
        }
        done.extend(booked);
        done
    }

    /// Books acknowledgements: together, and one by one where one of them may be what fails.
    async fn book(&self, acks: Vec<(DeliveryTag, ReceivedAck)>) -> Outcome<ReceivedAck> {
        if acks.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let all: Vec<_> = acks.iter().map(|(_, ack)| ack.clone()).collect();
        // Two halves at once: while one waits for its commit, the other works.
        let (first, second) = all.split_at(if all.len() < HALVED {
            all.len()
        } else {
            all.len() / 2
        });
        let booking = &self.acknowledgements;
        let (first, second) = tokio::join!(booking.book(first), booking.book(second));
        let health = &self.context.health;
        let error = match first.and(second) {
            Ok(()) => {
                health.note("acknowledgements", None);
                return (acks.into_iter().map(|(tag, _)| tag).collect(), Vec::new());
            }
            Err(error) => error,
        };
        health.note("acknowledgements", Some(chain(&error)));
        if !is_one_rows_fault(&error) {
            tracing::warn!(
                error = chain(&error),
                deliveries = acks.len(),
                "acknowledgements wait"
            );
            return (Vec::new(), acks);
        }
        let (mut done, mut kept) = (Vec::new(), Vec::new());
        for (tag, ack) in acks {
            match booking.book(std::slice::from_ref(&ack)).await {
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
    async fn apply_and_answer(&self, events: Vec<(DeliveryTag, Received)>) -> Outcome<Received> {
        if events.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let (answered, mut kept) = self.apply(events).await;
        let (done, unanswered) = self.ack_publisher.publish(answered).await;
        kept.extend(unanswered);
        kept.sort_by_key(|(tag, _)| *tag);
        (done, kept)
    }

    /// Applies a batch: what is to be answered, and what could not be applied.
    async fn apply(
        &self,
        events: Vec<(DeliveryTag, Received)>,
    ) -> (Answers, Vec<(DeliveryTag, Received)>) {
        let batch: Vec<Apply> = events
            .iter()
            .filter_map(|(_, received)| received.outcome.clone().ok())
            .collect();
        let mut results = self.context.store.apply(&batch).await.into_iter();
        let (mut answers, mut kept, mut failure) =
            (Vec::with_capacity(events.len()), Vec::new(), None);
        for (tag, mut received) in events {
            let result = match &received.outcome {
                Err(reason) => Err(reason.clone()),
                Ok(_) => match results.next() {
                    Some(Ok(applied)) => {
                        self.count(&applied);
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
        self.context.health.note("peer store", failure);
        (answers, kept)
    }

    fn count(&self, applied: &Applied) {
        let counters = &self.context.counters;
        match applied {
            Applied::Written => add(&counters.events_applied, 1),
            Applied::Stale { .. } => add(&counters.events_stale, 1),
        }
    }
}

impl Lanes {
    fn len(&self) -> usize {
        self.applies.waiting.len() + self.acks.waiting.len()
    }

    fn are_due(&self) -> bool {
        self.applies.is_due() || self.acks.is_due()
    }

    fn retry_at(&self) -> Option<Instant> {
        let moments = [self.applies.retry_at, self.acks.retry_at];
        moments.into_iter().flatten().min()
    }

    fn tags(&self) -> impl Iterator<Item = DeliveryTag> {
        let applies = self.applies.waiting.iter().map(|(tag, _)| *tag);
        applies.chain(self.acks.waiting.iter().map(|(tag, _)| *tag))
    }
}

/// Waits for the moment of a retry; for ever when there is none.
async fn until(retry_at: Option<Instant>) {
    match retry_at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
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
    if let Err(error) = subscription.settle(&settlements).await {
        tracing::debug!(error = chain(&error), "not settled; delivered again");
    }
}
