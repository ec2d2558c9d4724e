//! A broker in this process: queues that survive their consumers, with redelivery.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use crate::broker::{
    Broker, BrokerError, BrokerStatus, Delivery, DeliveryTag, OutboundMessage, PublishError,
    QueueDepth, Settlement, Subscription, readable,
};
use crate::lock::lock;
use crate::queue::PeerName;

/// Messages a queue holds at most; further ones are refused.
const QUEUE_LIMIT: usize = 1_000_000;

/// The queues of a mesh in one process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct MemoryBus {
    queues: Arc<Mutex<HashMap<PeerName, Queue>>>,
    /// How many subscriptions each queue has; they outlive a deleted queue.
    consumers: Arc<Mutex<HashMap<PeerName, u64>>>,
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<(Vec<u8>, bool)>,
    arrived: Arc<Notify>,
}

impl MemoryBus {
    /// Makes a bus without queues.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages wait in a peer's queue; `None` when it was never declared.
    pub fn depth(&self, peer: &PeerName) -> Option<usize> {
        lock(&self.queues).get(peer).map(|queue| queue.ready.len())
    }

    /// Deletes a peer's queue and what waits in it; tells whether there was one.
    pub fn delete(&self, peer: &PeerName) -> bool {
        lock(&self.queues).remove(peer).is_some()
    }

    fn consumers(&self, peer: &PeerName) -> u64 {
        lock(&self.consumers).get(peer).copied().unwrap_or_default()
    }

    fn declare(&self, peer: &PeerName) {
        lock(&self.queues).entry(peer.clone()).or_default();
    }

    fn push(&self, peer: &PeerName, body: Vec<u8>) -> Result<(), PublishError> {
        let mut queues = lock(&self.queues);
        let queue = queues.get_mut(peer).ok_or(PublishError::Unroutable)?;
        if queue.ready.len() >= QUEUE_LIMIT {
            return Err(PublishError::Refused);
        }
        queue.ready.push_back((body, false));
        queue.arrived.notify_one();
        Ok(())
    }

    /// Puts messages back at the head of their queue, in order.
    fn put_back(&self, peer: &PeerName, bodies: impl DoubleEndedIterator<Item = Vec<u8>>) {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(peer.clone()).or_default();
        for body in bodies.rev() {
            queue.ready.push_front((body, true));
            queue.arrived.notify_one();
        }
    }

    /// Takes up to `max` messages, and the signal that says when to look again.
    fn take(&self, peer: &PeerName, max: usize) -> (Vec<(Vec<u8>, bool)>, Arc<Notify>) {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(peer.clone()).or_default();
        let n = max.min(queue.ready.len());
        let taken = queue.ready.drain(..n).collect();
        if !queue.ready.is_empty() {
            queue.arrived.notify_one();
        }
        (taken, Arc::clone(&queue.arrived))
    }
}

/// One peer's connection to a [`MemoryBus`].
#[derive(Debug)]
pub struct MemoryBroker {
    bus: MemoryBus,
    status: watch::Sender<BrokerStatus>,
}

impl MemoryBroker {
    /// Connects to `bus`.
    pub fn connect(bus: &MemoryBus) -> Self {
        let status = BrokerStatus {
            connected: true,
            consuming: true,
            epoch: 1,
            reason: None,
        };
        Self {
            bus: bus.clone(),
            status: watch::Sender::new(status),
        }
    }

    fn check_open(&self) -> Result<(), BrokerError> {
        if self.status.borrow().connected {
            Ok(())
        } else {
            Err(BrokerError::Closed)
        }
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn declare(&self, peer: &PeerName) -> Result<(), BrokerError> {
        self.check_open()?;
        self.bus.declare(peer);
        Ok(())
    }

    async fn publish(&self, messages: Vec<OutboundMessage>) -> Vec<Result<(), PublishError>> {
        let open = self.check_open().is_ok();
        let publish = |mut message: OutboundMessage| match open {
            true => self
                .bus
                .push(&message.target, std::mem::take(&mut message.body)),
            false => Err(PublishError::unconfirmed("the broker was closed")),
        };
        messages.into_iter().map(publish).collect()
    }

    async fn subscribe(
        &self,
        peer: &PeerName,
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        self.check_open()?;
        self.bus.declare(peer);
        *lock(&self.bus.consumers).entry(peer.clone()).or_default() += 1;
        Ok(Box::new(MemorySubscription {
            bus: self.bus.clone(),
            peer: peer.clone(),
            prefetch: usize::from(prefetch.max(1)),
            next_tag: 1,
            unsettled: BTreeMap::new(),
            status: self.status.subscribe(),
        }))
    }

    async fn queue_depth(&self, peer: &PeerName) -> Result<Option<QueueDepth>, BrokerError> {
        self.check_open()?;
        let depth = self.bus.depth(peer);
        Ok(depth.map(|messages| QueueDepth {
            messages: messages as u64,
            consumers: self.bus.consumers(peer),
        }))
    }

    fn status(&self) -> watch::Receiver<BrokerStatus> {
        self.status.subscribe()
    }

    async fn close(&self) {
        let reason = Some("closed".to_owned());
        self.status.send_modify(|status| {
            *status = BrokerStatus {
                connected: false,
                consuming: false,
                reason,
                ..*status
            }
        });
    }
}

struct MemorySubscription {
    bus: MemoryBus,
    peer: PeerName,
    prefetch: usize,
    next_tag: u64,
    unsettled: BTreeMap<u64, Vec<u8>>,
    status: watch::Receiver<BrokerStatus>,
}

impl MemorySubscription {
    fn deliver(&mut self, taken: Vec<(Vec<u8>, bool)>) -> Vec<Delivery> {
        let deliver = |(body, redelivered): (Vec<u8>, bool)| {
            let tag = self.next_tag;
            self.next_tag += 1;
            self.unsettled.insert(tag, body.clone());
            Delivery {
                tag: DeliveryTag { epoch: 1, tag },
                bytes: body.len(),
                body: readable(body),
                redelivered,
            }
        };
        taken.into_iter().map(deliver).collect()
    }
}

#[async_trait]
impl Subscription for MemorySubscription {
    async fn next(&mut self, max: usize) -> Vec<Delivery> {
        loop {
            if !self.status.borrow().connected {
                let unsettled = std::mem::take(&mut self.unsettled);
                self.bus.put_back(&self.peer, unsettled.into_values());
                return Vec::new();
            }
            let free = self.prefetch.saturating_sub(self.unsettled.len());
            let (taken, arrived) = self.bus.take(&self.peer, max.min(free));
            if !taken.is_empty() {
                return self.deliver(taken);
            }
            tokio::select! {
                biased;
                () = arrived.notified(), if free > 0 => {}
                _ = self.status.changed() => {}
            }
        }
    }

    fn set_prefetch(&mut self, prefetch: usize) {
        self.prefetch = prefetch.max(1);
    }

    async fn settle(
        &mut self,
        settlements: &[(DeliveryTag, Settlement)],
    ) -> Result<(), BrokerError> {
        let mut back = BTreeMap::new();
        for (tag, settlement) in settlements {
            if let Some(body) = self.unsettled.remove(&tag.tag)
                && *settlement == Settlement::Requeue
            {
                back.insert(tag.tag, body);
            }
        }
        self.bus.put_back(&self.peer, back.into_values());
        Ok(())
    }
}

impl Drop for MemorySubscription {
    fn drop(&mut self) {
        if let Some(consumers) = lock(&self.bus.consumers).get_mut(&self.peer) {
            *consumers = consumers.saturating_sub(1);
        }
        let unsettled = std::mem::take(&mut self.unsettled);
        self.bus.put_back(&self.peer, unsettled.into_values());
    }
}
