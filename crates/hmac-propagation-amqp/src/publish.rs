//! Publishing with confirms.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use hmac_propagation::broker::{OutboundMessage, PublishError};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::channel;
use crate::failure::{Failure, answer};
use crate::options::AmqpOptions;

/// Delivery mode 2: the message outlives a restart of the broker.
const PERSISTENT: u8 = 2;

/// The confirm channels of one connection. Each serves one publish at a time, see the crate's notes.
pub(crate) struct Publishers {
    connection: Arc<Connection>,
    permits: Semaphore,
    idle: Mutex<Vec<Channel>>,
    window: usize,
    confirm_timeout: Duration,
    operation_timeout: Duration,
    app_id: String,
}

impl Publishers {
    pub(crate) fn new(options: &AmqpOptions, connection: Arc<Connection>) -> Self {
        Self {
            connection,
            permits: Semaphore::new(options.publish_channels.max(1)),
            idle: Mutex::new(Vec::new()),
            window: options.publish_window.max(1),
            confirm_timeout: options.confirm_timeout,
            operation_timeout: options.operation_timeout,
            app_id: options.name.clone(),
        }
    }

    /// Publishes a batch and learns each outcome, in order.
    ///
    /// Bound: the confirm timeout for each window of messages, and the same without any confirm.
    pub(crate) async fn publish(
        &self,
        messages: &[OutboundMessage],
    ) -> Vec<Result<(), PublishError>> {
        // The broker takes no messages at present (memory or disk alarm).
        if self.connection.status().blocked() {
            return vec![Err(PublishError::Refused); messages.len()];
        }
        let lease = match self.lease().await {
            Ok(lease) => lease,
            Err(failure) => return vec![Err(failure.into()); messages.len()],
        };
        let mut batch = Batch::new(messages.len());
        let whole = send(self, &lease.channel, messages, &mut batch).await;
        if whole {
            self.idle().push(lease.channel.clone());
        }
        drop(lease);
        batch.finish(messages)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an idle channel or opens one.
    async fn lease(&self) -> Result<Lease<'_>, Failure> {
        let waiting = tokio::time::timeout(self.confirm_timeout, self.permits.acquire());
        let permit = match waiting.await {
            Ok(permit) => permit.map_err(Failure::unavailable)?,
            Err(_) => {
                return Err(Failure::unavailable(
                    "earlier messages were not confirmed in time",
                ));
            }
        };
        let idle = self.idle().pop();
        let channel = match idle {
            Some(channel) if channel.status().connected() => channel,
            _ => {
                let channel = channel::open(&self.connection, self.operation_timeout).await?;
                answer(
                    self.operation_timeout,
                    channel.confirm_select(ConfirmSelectOptions::default()),
                )
                .await?;
                channel
            }
        };
        Ok(Lease {
            channel,
            _permit: permit,
        })
    }

    fn properties(&self, message: &OutboundMessage) -> BasicProperties {
        BasicProperties::default()
            .with_content_type("application/json".into())
            .with_headers(FieldTable::default())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(message.message_id.as_str().into())
            .with_app_id(self.app_id.as_str().into())
            .with_timestamp(u64::try_from(message.timestamp_ms / 1_000).unwrap_or_default())
    }
}

/// A channel for the time of one publish. Dropped without being given back, the channel is closed: it may still owe confirms.
struct Lease<'a> {
    channel: Channel,
    _permit: SemaphorePermit<'a>,
}

/// Sends with at most a window of messages unconfirmed. Answers whether the channel owes nothing in the end.
async fn send(
    publishers: &Publishers,
    channel: &Channel,
    messages: &[OutboundMessage],
    batch: &mut Batch,
) -> bool {
    let windows = u32::try_from(messages.len().div_ceil(publishers.window)).unwrap_or(u32::MAX);
    let end = Instant::now() + publishers.confirm_timeout.saturating_mul(windows);
    let mut unsent = messages.iter();
    let mut unconfirmed = FuturesOrdered::new();
    let mut healthy = true;
    loop {
        let room = publishers.window - unconfirmed.len();
        for message in unsent.by_ref().take(room) {
            unconfirmed.push_back(send_one(publishers, channel, message));
        }
        let next = end.min(Instant::now() + publishers.confirm_timeout);
        match timeout_at(next, unconfirmed.next()).await {
            Ok(Some(confirmed)) => {
                healthy &= confirmed.is_ok();
                batch.book(confirmed);
            }
            Ok(None) => return healthy,
            Err(_) => {
                batch.rest = "no confirm from the broker in time";
                return false;
            }
        }
    }
}

async fn send_one(
    publishers: &Publishers,
    channel: &Channel,
    message: &OutboundMessage,
) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let queue = message.target.queue().into();
    let properties = publishers.properties(message);
    channel
        .basic_publish("".into(), queue, options, &message.body, properties)
        .await?
        .await
}

/// The outcomes of one publish as they come in.
struct Batch {
    outcomes: Vec<Result<(), PublishError>>,
    /// Message ids that the broker returned. A return may come along with the confirm of another message.
    returned: HashSet<String>,
    /// What is said of the messages without an outcome.
    rest: &'static str,
}

impl Batch {
    fn new(messages: usize) -> Self {
        Self {
            outcomes: Vec::with_capacity(messages),
            returned: HashSet::new(),
            rest: "",
        }
    }

    fn book(&mut self, confirmed: lapin::Result<Confirmation>) {
        let (outcome, returned) = match confirmed {
            Ok(Confirmation::Ack(returned)) => (Ok(()), returned),
            Ok(Confirmation::Nack(returned)) => (Err(PublishError::Refused), returned),
            Ok(Confirmation::NotRequested) => {
                let cause = "the channel confirms nothing";
                (Err(PublishError::unconfirmed(cause)), None)
            }
            Err(error) => (Err(Failure::from(error).into()), None),
        };
        self.outcomes.push(outcome);
        let id = returned.and_then(|message| message.delivery.properties.message_id().clone());
        self.returned.extend(id.map(|id| id.to_string()));
    }

    fn finish(mut self, messages: &[OutboundMessage]) -> Vec<Result<(), PublishError>> {
        let rest = Err(PublishError::unconfirmed(self.rest));
        self.outcomes.resize(messages.len(), rest);
        if !self.returned.is_empty() {
            for (outcome, message) in self.outcomes.iter_mut().zip(messages) {
                if self.returned.contains(&message.message_id) {
                    *outcome = Err(PublishError::Unroutable);
                }
            }
        }
        self.outcomes
    }
}
