//! Acknowledging applied and refused events to their senders (propagation wire 2.3, step 6).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::error_chain::chain;
use auth_base::secret::Secret;
use tokio::time::Instant;

use crate::broker::{DeliveryTag, OutboundMessage};
use crate::context::Context;
use crate::counters::add;
use crate::event::AckEvent;
use crate::inbound::classify::Received;
use crate::inbound::lane::Outcome;
use crate::lock::lock;
use crate::management::ManagementError;
use crate::publisher::Publisher;
use crate::queue::PeerName;

/// How long a source's secret, once read, is used without reading it again.
const SOURCE_SECRET_TTL: Duration = Duration::from_secs(1);

/// Events with what is answered to each; `Err` is the reason of a refusal.
pub(super) type Answers = Vec<(DeliveryTag, Received, Result<(), String>)>;

/// Publishes acknowledgements.
pub(super) struct AckPublisher {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    /// Secrets that are known from the start, this peer's own among them.
    secrets: HashMap<PeerName, Secret>,
    /// Those that the management store was asked for.
    cached: Mutex<HashMap<PeerName, (Instant, Option<Secret>)>>,
}

type SenderSecret = Result<(PeerName, Option<Secret>), ()>;

impl AckPublisher {
    pub(super) fn new(
        context: Arc<Context>,
        publisher: Arc<Publisher>,
        secrets: HashMap<PeerName, Secret>,
    ) -> Self {
        Self {
            context,
            publisher,
            secrets,
            cached: Mutex::default(),
        }
    }

    /// Publishes the answers; a delivery whose answer is not confirmed is kept, unless its sender
    /// cannot be answered at all.
    pub(super) async fn publish(&self, answers: Answers) -> Outcome<Received> {
        let senders: BTreeSet<&str> = answers
            .iter()
            .map(|(_, received, _)| received.sender.as_str())
            .collect();
        let secrets = self.secrets_of(senders).await;
        let (mut done, mut kept) = (Vec::new(), Vec::new());
        let mut pending = Vec::new();
        let mut messages = Vec::new();
        for (tag, received, result) in answers {
            match secrets.get(&received.sender) {
                None => {
                    tracing::warn!(
                        sender = received.sender,
                        event_id = received.event_id,
                        "no answer: the sender's name is invalid"
                    );
                    done.push(tag);
                }
                Some(Err(())) => kept.push((tag, received)),
                Some(Ok((name, secret))) => {
                    let event_id = &received.event_id;
                    messages.push(self.message(name, secret.as_ref(), event_id, &result));
                    pending.push((tag, received, secret.is_some()));
                }
            }
        }
        let outcomes = self.publisher.publish(&messages).await;
        let mut failure = None;
        for ((tag, received, known), outcome) in pending.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    add(&self.context.counters.acks_published, 1);
                    done.push(tag);
                }
                Err(error) if known => {
                    failure = Some(chain(&error));
                    kept.push((tag, received));
                }
                Err(error) => {
                    tracing::warn!(
                        sender = received.sender,
                        event_id = received.event_id,
                        reason = chain(&error),
                        "unknown sender could not be answered"
                    );
                    done.push(tag);
                }
            }
        }
        if let Some(reason) = &failure {
            tracing::warn!(
                reason,
                deliveries = kept.len(),
                "answers wait for the broker"
            );
        }
        self.context.health.note("answers", failure);
        (done, kept)
    }

    /// The name and secret of each sender that can be answered; `Err` when the secret cannot be read
    /// now.
    async fn secrets_of(&self, senders: BTreeSet<&str>) -> HashMap<String, SenderSecret> {
        let mut secrets = HashMap::with_capacity(senders.len());
        for sender in senders {
            let Ok(name) = PeerName::parse(sender) else {
                continue;
            };
            let secret = self.secret_of(&name).await.map_err(|error| {
                tracing::warn!(
                    sender,
                    error = chain(&error),
                    "the sender's secret cannot be read; its events wait"
                );
            });
            secrets.insert(sender.to_owned(), secret.map(|secret| (name, secret)));
        }
        secrets
    }

    /// The propagation secret that acknowledgements to a peer are signed with; `None` when this peer
    /// does not know it.
    async fn secret_of(&self, source: &PeerName) -> Result<Option<Secret>, ManagementError> {
        if let Some(secret) = self.secrets.get(source) {
            return Ok(Some(secret.clone()));
        }
        let Some(management) = &self.context.management else {
            return Ok(None);
        };
        let known = lock(&self.cached).get(source).cloned();
        if let Some((since, secret)) = known
            && since.elapsed() < SOURCE_SECRET_TTL
        {
            return Ok(secret);
        }
        let secret = management.fetch_source_propagation_secret(source).await?;
        let mut cached = lock(&self.cached);
        cached.retain(|_, (since, _)| since.elapsed() < SOURCE_SECRET_TTL);
        cached.insert(source.clone(), (Instant::now(), secret.clone()));
        Ok(secret)
    }

    fn message(
        &self,
        source: &PeerName,
        secret: Option<&Secret>,
        event_id: &str,
        result: &Result<(), String>,
    ) -> OutboundMessage {
        let (ack_id, now_ms) = (self.context.uuid(), self.context.now_ms());
        let body = AckEvent {
            event_id: &ack_id,
            ts: now_ms,
            propagation_secret: secret,
            sender: &self.context.name,
            ack_event_id: event_id,
            outcome: result.as_ref().copied().map_err(String::as_str),
        }
        .encode();
        OutboundMessage {
            target: source.clone(),
            message_id: ack_id,
            timestamp_ms: now_ms,
            body,
        }
    }
}
