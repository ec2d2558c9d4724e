//! Acknowledging applied and refused events to their senders (propagation wire 2.3, step 6).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::error_chain::chain;
use auth_base::secret::Secret;
use tokio::time::{Instant, timeout};

use crate::bounded::NoAnswer;
use crate::broker::{DeliveryTag, OutboundMessage, PublishError};
use crate::context::Context;
use crate::counters::add;
use crate::event::AckEvent;
use crate::inbound::classify::shown;
use crate::inbound::lane::{Outcome, Work};
use crate::lock::lock;
use crate::management::{Management, ManagementError};
use crate::publisher::Publisher;
use crate::queue::PeerName;

/// How long a source's secret, once read, is used without reading it again.
const SECRET_TTL: Duration = Duration::from_secs(1);

/// How long answers wait for a read of secrets. The last known ones answer when it takes longer.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// What is answered to an event.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) event_id: String,
    /// Whom.
    pub(super) sender: String,
    /// `Err`: why it was refused.
    pub(super) outcome: Result<(), String>,
}

/// Publishes acknowledgements.
pub(super) struct AckPublisher {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    /// Secrets that are known from the start, this peer's own among them.
    secrets: HashMap<PeerName, Secret>,
    /// Those that the management store was asked for.
    known: Mutex<Known>,
}

/// What the management store said last. A sender without a secret is forgotten when that is old; the others are no more
/// than the inventory holds.
#[derive(Default)]
struct Known {
    secrets: HashMap<PeerName, (Instant, Option<Secret>)>,
    failures: u32,
    not_before: Option<Instant>,
}

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
            known: Mutex::default(),
        }
    }

    /// Reads what is not known, or was read too long ago, all in one read. One that fails is not repeated at once.
    async fn read_secrets(&self, senders: &BTreeSet<PeerName>) {
        let Some(management) = &self.context.management else {
            return;
        };
        let wanted = {
            let mut known = lock(&self.known);
            if known.not_before.is_some_and(|at| Instant::now() < at) {
                return;
            }
            let is_new = |(at, _): &(Instant, _)| at.elapsed() < SECRET_TTL;
            known
                .secrets
                .retain(|_, read| read.1.is_some() || is_new(read));
            let is_wanted = |sender: &&PeerName| {
                !self.secrets.contains_key(*sender)
                    && !known.secrets.get(*sender).is_some_and(is_new)
            };
            senders
                .iter()
                .filter(is_wanted)
                .cloned()
                .collect::<Vec<_>>()
        };
        if wanted.is_empty() {
            return;
        }
        let read = read(&**management, &wanted).await;
        let (mut known, now) = (lock(&self.known), Instant::now());
        match read {
            Ok(secrets) => {
                let read = secrets.into_iter().map(|secret| (now, secret));
                known.secrets.extend(wanted.into_iter().zip(read));
                (known.failures, known.not_before) = (0, None);
            }
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(
                    error,
                    senders = wanted.len(),
                    "secrets of senders cannot be read; the last known ones answer"
                );
                known.not_before = Some(now + self.context.backoff(known.failures));
                known.failures = known.failures.saturating_add(1);
            }
        }
    }

    /// The propagation secret that acknowledgements to a peer are signed with, `None` when this peer has none of it. The
    /// outer `None`: that cannot be told now.
    fn secret_of(&self, sender: &PeerName) -> Option<Option<Secret>> {
        if let Some(secret) = self.secrets.get(sender) {
            return Some(Some(secret.clone()));
        }
        if self.context.management.is_none() {
            return Some(None);
        }
        let known = lock(&self.known);
        known.secrets.get(sender).map(|(_, secret)| secret.clone())
    }

    /// Answers senders whose secret this peer does not have, where they have a queue: none is declared for them, since whoever
    /// knows this peer's secret may name any number. Only an answer that may have been lost on its way is kept.
    async fn answer_strangers(
        &self,
        strangers: Vec<(DeliveryTag, Answer, OutboundMessage)>,
    ) -> (Vec<DeliveryTag>, Vec<(DeliveryTag, Answer)>) {
        let (mut done, mut kept) = (Vec::new(), Vec::new());
        if strangers.is_empty() {
            return (done, kept);
        }
        let messages = strangers.iter().map(|(_, _, message)| message.clone());
        let outcomes = self.context.broker.publish(messages.collect()).await;
        for ((tag, answer, _), outcome) in strangers.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => add(&self.context.counters.acks_published, 1),
                Err(PublishError::Unconfirmed(_)) => {
                    kept.push((tag, answer));
                    continue;
                }
                Err(error) => {
                    let (sender, reason) = (shown(&answer.sender), chain(&error));
                    tracing::warn!(sender, reason, "unknown sender could not be answered");
                }
            }
            done.push(tag);
        }
        (done, kept)
    }

    fn message(
        &self,
        source: PeerName,
        secret: Option<&Secret>,
        answer: &Answer,
    ) -> OutboundMessage {
        let (ack_id, now_ms) = (self.context.uuid(), self.context.now_ms());
        let body = AckEvent {
            event_id: &ack_id,
            ts: now_ms,
            propagation_secret: secret,
            sender: &self.context.name,
            ack_event_id: &answer.event_id,
            outcome: answer.outcome.as_ref().copied().map_err(String::as_str),
        }
        .encode();
        OutboundMessage {
            target: source,
            message_id: ack_id,
            timestamp_ms: now_ms,
            body,
        }
    }
}

impl Work<Answer> for AckPublisher {
    /// A delivery whose answer is not confirmed is kept, unless its sender cannot be answered at all.
    async fn work(&self, answers: Vec<(DeliveryTag, Answer)>) -> Outcome<Answer> {
        let names = answers.iter().map(|(_, answer)| &answer.sender);
        let senders = names.filter_map(|sender| PeerName::parse(sender).ok());
        self.read_secrets(&senders.collect()).await;
        let (mut done, mut kept) = (Vec::new(), Vec::new());
        let (mut pending, mut messages, mut strangers) = (Vec::new(), Vec::new(), Vec::new());
        let mut failure = None;
        for (tag, answer) in answers {
            let Ok(sender) = PeerName::parse(&answer.sender) else {
                tracing::warn!(
                    sender = shown(&answer.sender),
                    event_id = shown(&answer.event_id),
                    "no answer: the sender's name is invalid"
                );
                done.push(tag);
                continue;
            };
            match self.secret_of(&sender) {
                None => {
                    failure = Some(format!("the secret of {sender} cannot be read"));
                    kept.push((tag, answer));
                }
                Some(None) => {
                    let message = self.message(sender, None, &answer);
                    strangers.push((tag, answer, message));
                }
                Some(Some(secret)) => {
                    messages.push(self.message(sender, Some(&secret), &answer));
                    pending.push((tag, answer));
                }
            }
        }
        let (answered, lost) = self.answer_strangers(strangers).await;
        if !lost.is_empty() {
            failure = Some("not confirmed".to_owned());
        }
        done.extend(answered);
        kept.extend(lost);
        let outcomes = self.publisher.publish(&messages).await;
        for ((tag, answer), outcome) in pending.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    add(&self.context.counters.acks_published, 1);
                    done.push(tag);
                }
                Err(error) => {
                    failure = Some(chain(&error));
                    kept.push((tag, answer));
                }
            }
        }
        Outcome {
            done,
            kept,
            failure,
        }
    }
}

/// Reads secrets, within a bound that answers can wait.
async fn read(
    management: &dyn Management,
    sources: &[PeerName],
) -> Result<Vec<Option<Secret>>, ManagementError> {
    timeout(
        READ_TIMEOUT,
        management.fetch_source_propagation_secrets(sources),
    )
    .await
    .unwrap_or_else(|_| Err(NoAnswer.into()))
}
