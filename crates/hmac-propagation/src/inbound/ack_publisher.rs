//! Acknowledging applied and refused events to their senders (propagation wire 2.3, step 6).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::error_chain::chain;
use auth_base::secret::Secret;
use tokio::time::{Instant, timeout};

use crate::bounded::NoAnswer;
use crate::broker::{DeliveryTag, OutboundMessage};
use crate::context::Context;
use crate::counters::add;
use crate::event::AckEvent;
use crate::inbound::classify::shown;
use crate::inbound::lane::{Outcome, Work};
use crate::lock::lock;
use crate::management::{Management, ManagementError};
use crate::publisher::{NotPublished, Publisher};
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

    /// Sorts answers by what became of them; of those that failed, `is_kept` tells which are tried again.
    fn sort(
        &self,
        published: impl Iterator<Item = ((DeliveryTag, Answer), Result<(), NotPublished>)>,
        is_kept: impl Fn(&NotPublished) -> bool,
        into: &mut Outcome<Answer>,
    ) {
        for ((tag, answer), outcome) in published {
            match outcome {
                Ok(()) => {
                    add(&self.context.counters.acks_published, 1);
                    into.done.push(tag);
                }
                Err(error) if is_kept(&error) => {
                    into.failure = Some(chain(&error));
                    into.kept.push((tag, answer));
                }
                Err(error) => {
                    let (sender, reason) = (shown(&answer.sender), chain(&error));
                    tracing::warn!(sender, reason, "unknown sender could not be answered");
                    into.done.push(tag);
                }
            }
        }
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

/// Answers on their way, with the message of each.
#[derive(Default)]
struct Outgoing {
    answers: Vec<(DeliveryTag, Answer)>,
    messages: Vec<OutboundMessage>,
}

impl Work<Answer> for AckPublisher {
    /// A delivery whose answer is not confirmed is kept, unless its sender cannot be answered at all. No queue is declared for
    /// a sender whose secret this peer does not have, since whoever knows this peer's may name any number: of those answers
    /// only one that may have been lost on its way is kept.
    async fn work(&self, answers: Vec<(DeliveryTag, Answer)>) -> Outcome<Answer> {
        let (named, nameless) = by_name(answers);
        let senders = named.iter().map(|(_, _, sender)| sender.clone());
        self.read_secrets(&senders.collect()).await;
        let (mut known, mut strangers) = (Outgoing::default(), Outgoing::default());
        let mut outcome = Outcome {
            done: nameless,
            kept: Vec::new(),
            failure: None,
        };
        for (tag, answer, sender) in named {
            let Some(secret) = self.secret_of(&sender) else {
                outcome.failure = Some(format!("the secret of {sender} cannot be read"));
                outcome.kept.push((tag, answer));
                continue;
            };
            let group = match secret {
                Some(_) => &mut known,
                None => &mut strangers,
            };
            let message = self.message(sender, secret.as_ref(), &answer);
            group.messages.push(message);
            group.answers.push((tag, answer));
        }
        let published = self.publisher.publish(&known.messages).await;
        let known = known.answers.into_iter().zip(published);
        let published = self.publisher.publish_undeclared(strangers.messages).await;
        let strangers = strangers.answers.into_iter().zip(published);
        self.sort(known, |_| true, &mut outcome);
        self.sort(strangers, NotPublished::may_be_on_its_way, &mut outcome);
        outcome
    }
}

/// Reads the names of the senders; whose name is invalid cannot be answered.
fn by_name(
    answers: Vec<(DeliveryTag, Answer)>,
) -> (Vec<(DeliveryTag, Answer, PeerName)>, Vec<DeliveryTag>) {
    let (mut named, mut nameless) = (Vec::with_capacity(answers.len()), Vec::new());
    for (tag, answer) in answers {
        if let Ok(sender) = PeerName::parse(&answer.sender) {
            named.push((tag, answer, sender));
            continue;
        }
        tracing::warn!(
            sender = shown(&answer.sender),
            event_id = shown(&answer.event_id),
            "no answer: the sender's name is invalid"
        );
        nameless.push(tag);
    }
    (named, nameless)
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
