//! What a delivery asks for (propagation wire 2.3, steps 1 to 4).

use crate::acks::ReceivedAck;
use crate::broker::Delivery;
use crate::counters::add;
use crate::event::{self, Event};
use crate::inbound::{Received, Work};
use crate::shared::Core;

/// Steps 1 to 4: what a delivery asks for; `None` after a warning when it is to be dropped.
pub(super) fn classify(core: &Core, delivery: &Delivery) -> Option<Work> {
    let event = match event::decode(&delivery.body) {
        Ok(event) => event,
        Err(error) => {
            tracing::warn!(%error, bytes = delivery.body.len(), "message dropped");
            return None;
        }
    };
    let (sender, event_id) = (&event.sender, &event.event_id);
    if event.is_ack() {
        return classify_ack(core, &event).map(Work::Ack);
    }
    if !event
        .propagation_secret
        .matches(core.parts.own_secret.expose())
    {
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
            op = event.op,
            "message with an unknown op dropped"
        );
        return None;
    }
    let max_ahead = i64::try_from(core.parts.settings.max_ahead.as_millis()).unwrap_or(i64::MAX);
    let outcome = event.apply(core.now_ms(), max_ahead, core.parts.store.tracks());
    if let Err(reason) = &outcome {
        tracing::warn!(sender, event_id, reason, "event refused");
        add(&core.counters.events_refused, 1);
    }
    Some(Work::Apply(Received {
        event_id: event.event_id,
        sender: event.sender,
        outcome,
        refusals: 0,
    }))
}

/// Checks the sender, the secret and the fields of an acknowledgement.
fn classify_ack(core: &Core, event: &Event) -> Option<ReceivedAck> {
    let (sender, event_id) = (&event.sender, &event.event_id);
    let Some(name) = event.sender_name() else {
        tracing::warn!(
            sender,
            event_id,
            "acknowledgement from an invalid sender dropped"
        );
        return None;
    };
    let unsigned =
        event.propagation_secret.is_empty() && core.parts.unsigned_ack_targets.contains(&name);
    if !unsigned
        && !event
            .propagation_secret
            .matches(core.parts.own_secret.expose())
    {
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
