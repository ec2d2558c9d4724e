//! The broker's side in this story: durable queues, connections that are cut, and disorder.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac_propagation::broker::{
    BrokerError, BrokerStatus, Delivery, DeliveryTag, PublishError, Settlement, readable,
};
use hmac_propagation::queue::PeerName;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::dice::{Dice, lock};

/// The broker's side: what outlives every connection.
#[derive(Default)]
pub struct Bus {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<PeerName, VecDeque<Message>>,
    /// What is in a process's hand: by process, in the order of delivery.
    unsettled: BTreeMap<(u64, u64), (PeerName, Message)>,
    links: BTreeMap<u64, Arc<Link>>,
    tags: u64,
}

#[derive(Clone)]
struct Message {
    body: Arc<[u8]>,
    visible_at: Instant,
    redelivered: bool,
}

/// One process's connection.
pub(crate) struct Link {
    pub(crate) status: watch::Sender<BrokerStatus>,
    /// Something happened at the broker.
    pub(crate) changed: Notify,
}

impl Link {
    pub(crate) fn is_up(&self) -> bool {
        self.status.borrow().connected
    }

    fn set(&self, up: bool, reason: Option<&str>) {
        self.status.send_modify(|status| {
            let epoch = status.epoch + u64::from(up);
            *status = BrokerStatus {
                connected: up,
                consuming: up,
                epoch,
                reason: reason.map(str::to_owned),
            };
        });
    }
}

impl Bus {
    /// How many messages wait or are in hand, of a peer's queue.
    pub fn depth(&self, peer: &PeerName) -> usize {
        let state = lock(&self.state);
        let in_hand = state
            .unsettled
            .values()
            .filter(|(queue, _)| queue == peer)
            .count();
        state.queues.get(peer).map_or(0, VecDeque::len) + in_hand
    }

    /// Makes a queue, unless it is there.
    pub(crate) fn declare(&self, peer: &PeerName) {
        lock(&self.state).queues.entry(peer.clone()).or_default();
    }

    /// How many messages wait in a peer's queue, if there is one.
    pub(crate) fn waiting(&self, peer: &PeerName) -> Option<usize> {
        lock(&self.state).queues.get(peer).map(VecDeque::len)
    }

    /// Deletes a queue with what waits in it.
    pub fn delete(&self, peer: &PeerName) {
        lock(&self.state).queues.remove(peer);
        self.wake_all();
    }

    /// Puts a message into a queue, as a stranger may.
    pub fn plant(&self, peer: &PeerName, body: Vec<u8>) {
        let message = Message {
            body: body.into(),
            visible_at: Instant::now(),
            redelivered: false,
        };
        lock(&self.state)
            .queues
            .entry(peer.clone())
            .or_default()
            .push_back(message);
        self.wake_all();
    }

    /// One of the messages that wait, to be copied by an observer.
    pub fn observe(&self, peer: &PeerName, which: usize) -> Option<Vec<u8>> {
        let state = lock(&self.state);
        state
            .queues
            .get(peer)?
            .get(which)
            .map(|message| message.body.to_vec())
    }

    /// Ends a process's connection; what it had in hand goes back. It comes back after `away`, or never.
    pub fn cut(self: &Arc<Self>, process: u64, away: Option<Duration>) {
        let Some(link) = lock(&self.state).links.get(&process).cloned() else {
            return;
        };
        if link.is_up() {
            link.set(false, Some("the connection was cut"));
            self.take_back(process);
            if let Some(away) = away {
                let (bus, link) = (Arc::clone(self), Arc::clone(&link));
                tokio::spawn(async move {
                    sleep(away).await;
                    // A process that died meanwhile has no connection any more.
                    if bus.knows(process) {
                        link.set(true, None);
                        bus.wake_all();
                    }
                });
            }
        }
        if away.is_none() {
            lock(&self.state).links.remove(&process);
            link.changed.notify_one();
        }
    }

    fn take_back(&self, process: u64) {
        let mut state = lock(&self.state);
        let mine: Vec<_> = state
            .unsettled
            .range((process, 0)..=(process, u64::MAX))
            .map(|(tag, _)| *tag)
            .collect();
        for tag in mine.into_iter().rev() {
            if let Some((queue, message)) = state.unsettled.remove(&tag) {
                state.queues.entry(queue).or_default().push_front(Message {
                    redelivered: true,
                    ..message
                });
            }
        }
        drop(state);
        self.wake_all();
    }

    pub(crate) fn connect(&self, process: u64) -> Arc<Link> {
        let status = BrokerStatus {
            connected: true,
            consuming: true,
            epoch: 1,
            reason: None,
        };
        let link = Arc::new(Link {
            status: watch::Sender::new(status),
            changed: Notify::new(),
        });
        lock(&self.state).links.insert(process, Arc::clone(&link));
        link
    }

    pub(crate) fn wake_all(&self) {
        // In the order of the processes: a watch channel would wake them at random.
        lock(&self.state)
            .links
            .values()
            .for_each(|link| link.changed.notify_one());
    }

    /// Enqueues; where there is `disorder`, perhaps late, twice, or out of order.
    ///
    /// # Errors
    /// [`PublishError::Unroutable`] where there is no such queue; then `reached` is not called.
    pub(crate) fn enqueue(
        &self,
        target: &PeerName,
        body: Vec<u8>,
        disorder: Option<&Dice>,
        reached: impl FnOnce(&[u8]),
    ) -> Result<(), PublishError> {
        let mut state = lock(&self.state);
        let queue = state
            .queues
            .get_mut(target)
            .ok_or(PublishError::Unroutable)?;
        let mut message = Message {
            body: body.into(),
            visible_at: Instant::now(),
            redelivered: false,
        };
        reached(&message.body);
        let strikes = |one_in: u64| disorder.filter(|dice| dice.one_in(one_in));
        if let Some(dice) = strikes(6) {
            message.visible_at += Duration::from_millis(dice.between(1, 700));
        }
        match strikes(6) {
            Some(dice) => queue.insert(dice.index(queue.len() + 1), message.clone()),
            None => queue.push_back(message.clone()),
        }
        if let Some(dice) = strikes(8) {
            message.visible_at += Duration::from_millis(dice.below(700));
            queue.push_back(message);
        }
        drop(state);
        self.wake_all();
        Ok(())
    }

    /// Takes what is visible, or says when to look again.
    pub(crate) fn take(
        &self,
        process: u64,
        epoch: u64,
        peer: &PeerName,
        max: usize,
    ) -> Result<Vec<Delivery>, Option<Instant>> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let State {
            queues,
            unsettled,
            tags,
            ..
        } = &mut *state;
        let queue = queues.entry(peer.clone()).or_default();
        let mut deliveries = Vec::new();
        let mut place = 0;
        while deliveries.len() < max && place < queue.len() {
            if queue[place].visible_at > now {
                place += 1;
            } else if let Some(message) = queue.remove(place) {
                *tags += 1;
                deliveries.push(Delivery {
                    tag: DeliveryTag { epoch, tag: *tags },
                    bytes: message.body.len(),
                    body: readable(message.body.to_vec()),
                    redelivered: message.redelivered,
                });
                unsettled.insert((process, *tags), (peer.clone(), message));
            }
        }
        match deliveries.is_empty() {
            true => Err(queue
                .iter()
                .map(|message| message.visible_at)
                .filter(|at| *at > now)
                .min()),
            false => Ok(deliveries),
        }
    }

    /// Tells whether a process has a connection, be it up or not.
    pub(crate) fn knows(&self, process: u64) -> bool {
        lock(&self.state).links.contains_key(&process)
    }

    pub(crate) fn in_hand(&self, process: u64) -> usize {
        lock(&self.state)
            .unsettled
            .range((process, 0)..=(process, u64::MAX))
            .count()
    }

    pub(crate) fn settle(
        &self,
        process: u64,
        tag: u64,
        settlement: Settlement,
    ) -> Option<Arc<[u8]>> {
        let mut state = lock(&self.state);
        let (queue, message) = state.unsettled.remove(&(process, tag))?;
        let body = Arc::clone(&message.body);
        if settlement == Settlement::Requeue {
            state.queues.entry(queue).or_default().push_front(Message {
                redelivered: true,
                ..message
            });
            drop(state);
            self.wake_all();
            return None;
        }
        Some(body)
    }
}

/// What a call over a connection that was cut comes to.
pub(crate) fn away() -> BrokerError {
    BrokerError::Unavailable("the connection is lost".into())
}
