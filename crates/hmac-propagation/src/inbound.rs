//! Receiving (propagation wire 2.3), an idempotent consumer: classify, apply, answer, settle, in this
//! order and never otherwise.
//!
//! The broker's deliveries wait in three lanes: events to apply, events to answer, and acknowledgements
//! to book. Each is worked on by itself, so that a database that is away holds up no credential and a
//! Redis that is away no more than it must. What fails waits, doubling up to the longest wait, with its
//! deliveries unsettled, and stands before nobody; nothing is settled that was not done.

mod ack_publisher;
mod applying;
mod booking;
mod classify;
mod lane;

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use auth_base::error_chain::chain;
use auth_base::secret::Secret;
use tokio::sync::mpsc;

use crate::acknowledgements::{Acknowledgements, ReceivedAck};
use crate::broker::{Delivery, DeliveryTag, Settlement, Subscription};
use crate::context::Context;
use crate::counters::add;
use crate::inbound::ack_publisher::{AckPublisher, Answer};
use crate::inbound::applying::Applying;
use crate::inbound::booking::Booking;
use crate::inbound::classify::{Classifier, Received, Work};
use crate::inbound::lane::{Lane, SLOW};
use crate::publisher::Publisher;
use crate::queue::PeerName;

/// Deliveries in hand at most, those included that wait for what is away. They are decoded then, and most of them short.
const MOST_IN_HAND: usize = 65_536;

/// Consumes this peer's queue.
pub(crate) struct Inbound {
    context: Arc<Context>,
    classifier: Classifier,
    applying: Applying,
    ack_publisher: AckPublisher,
    booking: Booking,
    lanes: Lanes,
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

/// What is in hand.
struct Lanes {
    applies: Lane<Received>,
    answers: Arc<Lane<Answer>>,
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
        let shared = || Arc::clone(&context);
        let lanes = Lanes {
            applies: Lane::new("peer store"),
            answers: Arc::new(Lane::new("answers")),
            acks: Lane::new("acknowledgements"),
        };
        Self {
            classifier: Classifier {
                context: shared(),
                own_secret: trust.own_secret,
                unsigned_ack_targets: trust.unsigned_ack_targets,
            },
            applying: Applying {
                context: shared(),
                answers: Arc::clone(&lanes.answers),
            },
            ack_publisher: AckPublisher::new(shared(), publisher, secrets),
            booking: Booking(acknowledgements),
            lanes,
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

    /// Takes deliveries, lets the lanes work, and settles what they are done with.
    async fn consume(&self, mut subscription: Box<dyn Subscription>) {
        let (context, lanes) = (&*self.context, &self.lanes);
        let (done, mut settled) = mpsc::unbounded_channel();
        let mut most = usize::from(context.settings.prefetch);
        let mut work = pin!(async {
            tokio::join!(
                lanes.applies.run(context, &done, &self.applying),
                lanes.answers.run(context, &done, &self.ack_publisher),
                lanes.acks.run(context, &done, &self.booking),
            )
        });
        loop {
            let room = self.room(&mut *subscription, &mut most);
            let is_full = room == 0;
            tokio::select! {
                biased;
                _ = &mut work => break,
                Some(tags) = settled.recv() => settle(&mut *subscription, tags).await,
                deliveries = subscription.next(room), if !is_full && !context.closing.has_begun() => {
                    if deliveries.is_empty() {
                        break;
                    }
                    let dropped = self.sort(deliveries);
                    settle(&mut *subscription, dropped).await;
                }
                () = tokio::time::sleep(SLOW), if is_full => {}
            }
        }
        while let Ok(tags) = settled.try_recv() {
            settle(&mut *subscription, tags).await;
        }
        self.requeue(&mut *subscription).await;
    }

    /// How many deliveries may be taken now, where `most` may be in hand. Those that wait for what is away take no room from
    /// the others: `most` grows by them, and is small again only when nearly all of it is worked off.
    fn room(&self, subscription: &mut dyn Subscription, most: &mut usize) -> usize {
        let (lanes, prefetch) = (&self.lanes, usize::from(self.context.settings.prefetch));
        let held_up = lanes.answers.held_up() + lanes.acks.held_up();
        let in_hand = lanes.len();
        if held_up > 0 {
            *most = MOST_IN_HAND.min(prefetch + held_up).max(*most);
        } else if in_hand <= prefetch / 2 {
            *most = prefetch;
        }
        subscription.set_prefetch(*most);
        most.saturating_sub(in_hand)
            .min(self.context.settings.batch)
    }

    /// Gives back what is still waiting.
    async fn requeue(&self, subscription: &mut dyn Subscription) {
        let waiting = self.lanes.tags();
        if waiting.is_empty() {
            return;
        }
        tracing::info!(peer = %self.context.name, deliveries = waiting.len(), "deliveries given back at shutdown");
        let back = waiting.into_iter().map(|tag| (tag, Settlement::Requeue));
        let _ = subscription.settle(&back.collect::<Vec<_>>()).await;
    }

    /// Puts deliveries into their lanes; answers the tags of those that are dropped.
    fn sort(&self, deliveries: Vec<Delivery>) -> Vec<DeliveryTag> {
        let (lanes, mut dropped) = (&self.lanes, Vec::new());
        if let Some(last) = deliveries.last() {
            lanes.keep_epoch(last.tag.epoch);
        }
        for delivery in deliveries {
            match self.classifier.classify(&delivery) {
                Some(Work::Apply(event)) => lanes.applies.push(delivery.tag, event),
                Some(Work::Ack(ack)) => lanes.acks.push(delivery.tag, ack),
                None => dropped.push(delivery.tag),
            }
        }
        add(&self.context.counters.messages_dropped, dropped.len());
        dropped
    }
}

impl Lanes {
    fn len(&self) -> usize {
        self.applies.len() + self.answers.len() + self.acks.len()
    }

    fn keep_epoch(&self, epoch: u64) {
        self.applies.keep_epoch(epoch);
        self.answers.keep_epoch(epoch);
        self.acks.keep_epoch(epoch);
    }

    fn tags(&self) -> Vec<DeliveryTag> {
        [self.applies.tags(), self.answers.tags(), self.acks.tags()].concat()
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
