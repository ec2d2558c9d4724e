//! What one of the broker's deliveries asks for (propagation wire 2.3, steps 1 to 4).

use std::collections::HashSet;
use std::sync::Arc;

use auth_base::secret::Secret;

use crate::acknowledgements::ReceivedAck;
use crate::broker::Delivery;
use crate::context::Context;
use crate::counters::add;
use crate::event::{self, DecodeError, Event, MAX_EVENT_BYTES};
use crate::peer_store::Apply;
use crate::queue::PeerName;

/// A log shows so much of a text that anybody may have sent.
const MAX_SHOWN_BYTES: usize = 128;

/// An event to apply or to refuse, and whom to answer.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) event_id: String,
    pub(super) sender: String,
    /// Whether a peer of this project sent it.
    pub(super) is_ours: bool,
    /// `Err`: why it is refused.
    pub(super) outcome: Result<Apply, String>,
    /// How many times the store has refused it.
    pub(super) refusals: u32,
}

/// What a delivery asks for.
pub(super) enum Work {
    Apply(Received),
    Ack(ReceivedAck),
}

/// Tells events from acknowledgements, and both from what is to be dropped.
pub(super) struct Classifier {
    pub(super) context: Arc<Context>,
    /// Whoever writes to this peer knows it.
    pub(super) own_secret: Secret,
    pub(super) unsigned_ack_targets: HashSet<PeerName>,
}

impl Classifier {
    /// Steps 1 to 4: what a delivery asks for; `None` after a warning when it is to be dropped.
    pub(super) fn classify(&self, delivery: &Delivery) -> Option<Work> {
        let decoded = match delivery.bytes {
            bytes if bytes > MAX_EVENT_BYTES => Err(DecodeError::TooLarge(bytes)),
            _ => event::decode(&delivery.body),
        };
        let event = match decoded {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, bytes = delivery.bytes, "message dropped");
                return None;
            }
        };
        let (sender, event_id) = (shown(&event.sender), shown(&event.event_id));
        if event.is_ack() {
            return self.classify_ack(&event).map(Work::Ack);
        }
        if !self.is_signed(&event) {
            tracing::warn!(
                sender,
                event_id,
                "message with another propagation secret dropped"
            );
            return None;
        }
        if !event.is_apply() {
            tracing::warn!(
                sender,
                event_id,
                op = shown(&event.op),
                "message with an unknown op dropped"
            );
            return None;
        }
        let context = &self.context;
        let max_ahead = i64::try_from(context.settings.max_ahead.as_millis()).unwrap_or(i64::MAX);
        let outcome = event.apply(context.now_ms(), max_ahead, context.store.tracks());
        if let Err(reason) = &outcome {
            tracing::warn!(sender, event_id, reason, "event refused");
            add(&context.counters.events_refused, 1);
        }
        Some(Work::Apply(Received {
            is_ours: event.is_ours(),
            event_id: event.event_id,
            sender: event.sender,
            outcome,
            refusals: 0,
        }))
    }

    /// Checks the sender, the secret and the fields of an acknowledgement.
    fn classify_ack(&self, event: &Event) -> Option<ReceivedAck> {
        let (sender, event_id) = (shown(&event.sender), shown(&event.event_id));
        let Some(name) = event.sender_name() else {
            tracing::warn!(
                sender,
                event_id,
                "acknowledgement from an invalid sender dropped"
            );
            return None;
        };
        let is_unsigned =
            event.propagation_secret.is_empty() && self.unsigned_ack_targets.contains(&name);
        if !is_unsigned && !self.is_signed(event) {
            tracing::warn!(
                sender,
                event_id,
                "acknowledgement with another propagation secret dropped"
            );
            return None;
        }
        match event.ack() {
            Ok(ack) => Some(ReceivedAck { ack, sender: name }),
            Err(error) => {
                tracing::warn!(sender, event_id, %error, "acknowledgement dropped");
                None
            }
        }
    }

    fn is_signed(&self, event: &Event) -> bool {
        event.propagation_secret.matches(self.own_secret.expose())
    }
}

/// As much of a stranger's text as a log needs.
pub(super) fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_SHOWN_BYTES)]
}
