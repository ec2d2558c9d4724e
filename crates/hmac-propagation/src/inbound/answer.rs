//! Answering applied and refused events (propagation wire 2.3, step 6).

use std::collections::{BTreeSet, HashMap};

use auth_base::error_chain::chain;
use auth_base::secret::Secret;

use crate::broker::OutboundMessage;
use crate::counters::add;
use crate::event::AckEvent;
use crate::inbound::{Answers, Outcome, Received};
use crate::outbound;
use crate::queue::PeerName;
use crate::shared::Core;

/// Publishes the answers; a delivery whose answer is not confirmed is kept, unless its sender cannot be answered at all.
pub(super) async fn answer(core: &Core, answers: Answers) -> Outcome<Received> {
    let senders: BTreeSet<&str> = answers
        .iter()
        .map(|(_, received, _)| received.sender.as_str())
        .collect();
    let secrets = secrets(core, senders).await;
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
                messages.push(ack_message(
                    core,
                    name,
                    secret.as_ref(),
                    &received.event_id,
                    &result,
                ));
                pending.push((tag, received, secret.is_some()));
            }
        }
    }
    let outcomes = if messages.is_empty() {
        Vec::new()
    } else {
        outbound::publish(core, messages).await
    };
    let mut failure = None;
    for ((tag, received, known), outcome) in pending.into_iter().zip(outcomes) {
        match outcome {
            Ok(()) => {
                add(&core.counters.acks_published, 1);
                done.push(tag);
            }
            Err(reason) if known => {
                failure = Some(reason);
                kept.push((tag, received));
            }
            Err(reason) => {
                tracing::warn!(
                    sender = received.sender,
                    event_id = received.event_id,
                    reason,
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
    core.note_health("answers", failure);
    (done, kept)
}

type SenderSecret = Result<(PeerName, Option<Secret>), ()>;

/// The name and secret of each sender that can be answered; `Err` when the secret cannot be read now.
async fn secrets(core: &Core, senders: BTreeSet<&str>) -> HashMap<String, SenderSecret> {
    let mut secrets = HashMap::with_capacity(senders.len());
    for sender in senders {
        let Ok(name) = PeerName::parse(sender) else {
            continue;
        };
        let secret = core.source_secret(&name).await.map_err(|error| {
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

fn ack_message(
    core: &Core,
    source: &PeerName,
    secret: Option<&Secret>,
    event_id: &str,
    result: &Result<(), String>,
) -> OutboundMessage {
    let (ack_id, now_ms) = (core.event_id(), core.now_ms());
    let body = AckEvent {
        event_id: &ack_id,
        ts: now_ms,
        propagation_secret: secret,
        sender: &core.parts.name,
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
