//! Booking the acknowledgements of targets (propagation wire 2.5).
//!
//! Five steps, each idempotent, in an order that survives a crash anywhere: find the event, mark the
//! delivery, complete the event, mark the credential fully propagated, forget the event. The broker's
//! delivery is settled after the last; until then the broker keeps the acknowledgement.

use std::sync::Arc;

use crate::context::Context;
use crate::counters::add;
use crate::error::PropagationError;
use crate::event::Ack;
use crate::management::{AckMark, FullyPropagated};
use crate::peer_store::{AckResult, InFlight};
use crate::progress::Progress;
use crate::queue::PeerName;
use crate::sent_marks::SentMarks;

/// An acknowledgement and who sent it.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedAck {
    pub(crate) ack: Ack,
    pub(crate) sender: PeerName,
}

/// Books acknowledgements.
pub(crate) struct Acknowledgements {
    pub(crate) context: Arc<Context>,
    pub(crate) sent_marks: Arc<SentMarks>,
}

impl Acknowledgements {
    /// Books a batch.
    ///
    /// # Errors
    /// When a store failed: nothing may be settled; the same batch may be booked again.
    pub(crate) async fn book(&self, acks: &[ReceivedAck]) -> Result<(), PropagationError> {
        if acks.is_empty() {
            return Ok(());
        }
        let (store, counters) = (&self.context.store, &self.context.counters);
        let ids: Vec<String> = acks
            .iter()
            .map(|received| received.ack.event_id.clone())
            .collect();
        let known = store.find(&ids).await?;
        let mut events: Vec<(InFlight, AckResult)> = Vec::with_capacity(acks.len());
        let mut marks = Vec::with_capacity(acks.len());
        for (received, in_flight) in acks.iter().zip(known) {
            let Some(in_flight) = self.attribute(received, in_flight) else {
                continue;
            };
            marks.push(self.mark(received, &in_flight));
            events.push((in_flight, received.ack.result));
        }
        if events.is_empty() {
            return Ok(());
        }
        let management = self.context.management()?;
        management.mark_targets_acknowledged(&marks).await?;
        let event_ids = marks.iter().map(|mark| &mark.event_id);
        self.sent_marks.drop_acknowledged(event_ids);
        add(&counters.acks_booked, marks.len());
        self.report(&marks);
        let completed = store.complete(&events).await?;
        let mut fully = Vec::new();
        let mut finished = Vec::new();
        for ((in_flight, _), status) in events.into_iter().zip(completed) {
            if let Some(status) = status {
                fully.push(FullyPropagated {
                    key: in_flight.key.clone(),
                    status,
                    at_ms: self.context.now_ms(),
                });
                finished.push(in_flight);
            }
        }
        if !finished.is_empty() {
            management.mark_credentials_fully_propagated(&fully).await?;
            store.discard(&finished).await?;
        }
        Ok(())
    }

    /// The event an acknowledgement is about, if it is known and was sent to that peer.
    fn attribute(&self, received: &ReceivedAck, in_flight: Option<InFlight>) -> Option<InFlight> {
        let (sender, event_id) = (&received.sender, &received.ack.event_id);
        let Some(in_flight) = in_flight else {
            tracing::info!(%sender, event_id, "acknowledgement for an unknown event dropped");
            add(&self.context.counters.acks_unknown, 1);
            return None;
        };
        if &in_flight.target != sender {
            tracing::warn!(%sender, event_id, target = %in_flight.target, "acknowledgement from another peer than the event's target dropped");
            add(&self.context.counters.messages_dropped, 1);
            return None;
        }
        Some(in_flight)
    }

    fn report(&self, marks: &[AckMark]) {
        for mark in marks {
            let progress = match mark.outcome {
                Ok(()) => Progress::Acknowledged,
                Err(_) => Progress::Failed,
            };
            let about = [(&mark.key, Some(mark.target.as_str()))];
            self.context.progress.send(progress, about);
        }
    }

    fn mark(&self, received: &ReceivedAck, in_flight: &InFlight) -> AckMark {
        let reason = || received.ack.reason.clone();
        let outcome = match received.ack.result {
            AckResult::Applied => Ok(()),
            AckResult::Error => Err(reason().unwrap_or_else(|| "no reason given".to_owned())),
        };
        AckMark {
            key: in_flight.key.clone(),
            target: in_flight.target.clone(),
            generation: in_flight.generation,
            event_id: in_flight.event_id.clone(),
            sent_at: in_flight.sent_at,
            at_ms: self.context.now_ms(),
            outcome,
        }
    }
}
