//! The seam to the message broker.
//!
//! # Implementing
//! A broker moves bytes and takes no decision: it does not parse an event, does not retry a publish, and settles only
//! what it is told to. Prove an implementation with `hmac_testkit::broker` from your crate's `tests/`;
//! [`crate::memory::MemoryBroker`] is the complete model to compare with.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use zeroize::Zeroize;

use crate::event::MAX_EVENT_BYTES;
use crate::queue::PeerName;

/// One message to publish: persistent, JSON, routed to the target's queue on the default exchange.
///
/// Its body is wiped on drop; what an implementation hands on to a library is out of reach.
#[derive(Clone)]
pub struct OutboundMessage {
    /// Whose queue it goes to.
    pub target: PeerName,
    /// The event id, sent as the `message_id` property; unique within the process.
    pub message_id: String,
    /// When the event was made, epoch milliseconds (sent as the `timestamp` property, in seconds).
    pub timestamp_ms: i64,
    /// UTF-8 JSON. Holds a propagation secret: it is never logged, and not shown by `Debug`.
    pub body: Vec<u8>,
}

impl fmt::Debug for OutboundMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundMessage")
            .field("target", &self.target)
            .field("message_id", &self.message_id)
            .field("timestamp_ms", &self.timestamp_ms)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Drop for OutboundMessage {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

/// What waits in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages ready to be delivered; those in a consumer's hand do not count.
    pub messages: u64,
    /// Consumers of the queue.
    pub consumers: u64,
}

/// Why a message was not confirmed. It may have reached its queue all the same.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// No queue of that name exists.
    #[error("returned by the broker: no such queue")]
    Unroutable,
    /// The broker refused to take it (nack: queue full, disk alarm).
    #[error("refused by the broker")]
    Refused,
    /// The connection was lost, or no confirm came within the broker's publish timeout.
    #[error("not confirmed")]
    Unconfirmed(#[source] Arc<dyn Error + Send + Sync>),
}

/// By kind; the causes are not compared.
impl PartialEq for PublishError {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl PublishError {
    /// Makes an [`Self::Unconfirmed`] of what went wrong.
    pub fn unconfirmed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unconfirmed(Arc::from(source.into()))
    }
}

/// The broker could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The broker cannot be reached or did not answer in time.
    #[error("broker unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The broker answered, and refused (access, a queue with other arguments).
    #[error("broker refused")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// [`Broker::close`] was called.
    #[error("the broker was closed")]
    Closed,
}

/// What is known of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerStatus {
    /// Whether messages can be published now.
    pub connected: bool,
    /// Whether every open subscription is consuming now.
    pub consuming: bool,
    /// Grows with every new connection: what was declared in an older one may have to be declared again.
    pub epoch: u64,
    /// Why not, when not.
    pub reason: Option<String>,
}

/// One message taken from a queue and not yet settled. Its body is wiped on drop.
#[derive(Clone)]
pub struct Delivery {
    /// Names the delivery when it is settled.
    pub tag: DeliveryTag,
    /// The bytes. They hold a propagation secret: never logged, and not shown by `Debug`. An implementation leaves them out
    /// at once where there are more than [`MAX_EVENT_BYTES`]: nobody reads them.
    pub body: Vec<u8>,
    /// How many bytes the message had.
    pub bytes: usize,
    /// Whether the broker says that it was delivered before.
    pub redelivered: bool,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("tag", &self.tag)
            .field("bytes", &self.bytes)
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}

/// What of a message is handed over: its bytes, or nothing where there are more than anybody reads.
pub fn readable(mut body: Vec<u8>) -> Vec<u8> {
    if body.len() > MAX_EVENT_BYTES {
        body = Vec::new();
    }
    body
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

/// Names a delivery within one subscription. A tag of a lost connection settles nothing, which is no error: the broker
/// delivers that message again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryTag {
    /// The channel the delivery came on.
    pub epoch: u64,
    /// The broker's own tag on that channel.
    pub tag: u64,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Done: the broker forgets it.
    Acknowledge,
    /// Given back: the broker delivers it again, to this or another consumer.
    Requeue,
}

/// Moves messages.
///
/// # Contract
/// - Every call returns within a bound, also when the broker stops answering without closing.
/// - `publish` sends the whole batch before it waits for confirms, and answers each message by itself, in order.
///   Only `Ok` means that the broker has it.
/// - `subscribe` succeeds even while the broker is away; the subscription resumes by itself after any loss (connection,
///   channel, queue deleted, consumer cancelled), declaring its queue again.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Makes sure of the peer's queue: where there is none, it is declared, durable and without arguments.
    async fn declare(&self, peer: &PeerName) -> Result<(), BrokerError>;

    /// Publishes a batch and learns each outcome.
    async fn publish(&self, messages: Vec<OutboundMessage>) -> Vec<Result<(), PublishError>>;

    /// Consumes the peer's queue with at most `prefetch` unsettled deliveries.
    async fn subscribe(
        &self,
        peer: &PeerName,
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BrokerError>;

    /// Looks at the peer's queue without touching it; `None` when there is none, or when this broker cannot tell.
    async fn queue_depth(&self, peer: &PeerName) -> Result<Option<QueueDepth>, BrokerError> {
        let _ = peer;
        Ok(None)
    }

    /// Watches the connection.
    fn status(&self) -> watch::Receiver<BrokerStatus>;

    /// Closes the connection; unsettled deliveries go back to their queues.
    async fn close(&self);
}

/// A consumer of one queue.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for a delivery, then returns it with whatever else is at hand, `max` at most, in the queue's order (about so
    /// while more than the first prefetch may be unsettled).
    /// Empty only when the broker was closed. Cancel-safe: a dropped call loses no delivery.
    async fn next(&mut self, max: usize) -> Vec<Delivery>;

    /// Lets so many deliveries be unsettled from now on; an implementation may round up to a multiple of the prefetch it was
    /// subscribed with. Returns at once, and takes effect soon; what is in hand stays there.
    fn set_prefetch(&mut self, prefetch: usize);

    /// Settles deliveries. Failing is not an error to act on: what could not be settled is delivered again.
    async fn settle(
        &mut self,
        settlements: &[(DeliveryTag, Settlement)],
    ) -> Result<(), BrokerError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_not_shown() {
        let body = br#"{"propagationSecret":"an entry secret"}"#.to_vec();
        let message = OutboundMessage {
            target: PeerName::parse("consumer").unwrap(),
            message_id: "id".to_owned(),
            timestamp_ms: 7,
            body: body.clone(),
        };
        let delivery = Delivery {
            tag: DeliveryTag { epoch: 1, tag: 2 },
            bytes: body.len(),
            body: body.clone(),
            redelivered: false,
        };
        let (sent, taken) = (format!("{message:?}"), format!("{delivery:?}"));
        let shown_bytes = format!("{body:?}");
        for shown in [sent, taken] {
            assert!(shown.contains("bytes: 39"), "{shown}");
            assert!(
                !shown.contains("entry") && !shown.contains(&shown_bytes),
                "{shown}"
            );
        }
    }
}
