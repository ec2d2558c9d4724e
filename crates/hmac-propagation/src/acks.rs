//! Booking acknowledgements (propagation wire 2.5).
//!
//! Five steps, each harmless when repeated, in an order that survives a crash anywhere: look the event up, mark the row, complete
//! the event, mark the credential fully propagated, forget the event. The delivery is settled after the last; until then the
//! broker keeps the acknowledgement.

use auth_base::error_chain::chain;

use crate::counters::add;
use crate::error::PropagationError;
use crate::event::Ack;
use crate::management::{AckMark, FullyPropagated, ManagementError};
use crate::peer_store::{AckResult, InFlight};
use crate::progress::Progress;
use crate::queue::PeerName;
use crate::shared::Core;

/// An acknowledgement and who sent it.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedAck {
    pub(crate) ack: Ack,
    pub(crate) sender: PeerName,
}

/// Books a batch.
///
/// # Errors
/// When a store failed: nothing may be settled; the same batch may be booked again.
pub(crate) async fn book(core: &Core, acks: &[ReceivedAck]) -> Result<(), PropagationError> {
    if acks.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = acks
        .iter()
        .map(|received| received.ack.event_id.clone())
        .collect();
    let known = core
        .store(core.parts.store.find(&ids))
        .await
        .map_err(PropagationError::Store)?;
    let mut events: Vec<(InFlight, AckResult)> = Vec::with_capacity(acks.len());
    let mut marks = Vec::with_capacity(acks.len());
    for (received, in_flight) in acks.iter().zip(known) {
        let Some(in_flight) = attribute(core, received, in_flight) else {
            continue;
        };
        marks.push(mark(core, received, &in_flight));
        events.push((in_flight, received.ack.result));
    }
    if events.is_empty() {
        return Ok(());
    }
    let management = core.management()?;
    core.managed(management.mark_targets_acknowledged(&marks))
        .await?;
    core.sent_marks
        .acknowledged(events.iter().map(|(in_flight, _)| &in_flight.event_id));
    add(&core.counters.acks_booked, marks.len());
    tell(core, &marks);
    let completed = core
        .store(core.parts.store.complete(&events))
        .await
        .map_err(PropagationError::Store)?;
    let mut fully = Vec::new();
    let mut finished = Vec::new();
    for ((in_flight, _), status) in events.into_iter().zip(completed) {
        if let Some(status) = status {
            fully.push(FullyPropagated {
                key: in_flight.key.clone(),
                status,
                at_ms: core.now_ms(),
            });
            finished.push(in_flight);
        }
    }
    if !finished.is_empty() {
        core.managed(management.mark_credentials_fully_propagated(&fully))
            .await?;
        core.store(core.parts.store.discard(&finished))
            .await
            .map_err(PropagationError::Store)?;
    }
    Ok(())
}

/// The event an acknowledgement is about, if it is known and was sent to that peer.
fn attribute(core: &Core, received: &ReceivedAck, in_flight: Option<InFlight>) -> Option<InFlight> {
    let (sender, event_id) = (&received.sender, &received.ack.event_id);
    let Some(in_flight) = in_flight else {
        tracing::info!(%sender, event_id, "acknowledgement for an unknown event dropped");
        add(&core.counters.acks_unknown, 1);
        return None;
    };
    if &in_flight.target != sender {
        tracing::warn!(%sender, event_id, target = %in_flight.target, "acknowledgement from another peer than the event's target dropped");
        add(&core.counters.messages_dropped, 1);
        return None;
    }
    Some(in_flight)
}

fn tell(core: &Core, marks: &[AckMark]) {
    for mark in marks {
        let progress = if mark.outcome.is_ok() {
            Progress::Acknowledged
        } else {
            Progress::Failed
        };
        core.progress
            .tell(progress, [(&mark.key, Some(mark.target.as_str()))]);
    }
}

fn mark(core: &Core, received: &ReceivedAck, in_flight: &InFlight) -> AckMark {
    let outcome = match received.ack.result {
        AckResult::Applied => Ok(()),
        AckResult::Error => Err(received
            .ack
            .reason
            .clone()
            .unwrap_or_else(|| "no reason given".to_owned())),
    };
    AckMark {
        key: in_flight.key.clone(),
        target: in_flight.target.clone(),
        generation: in_flight.generation,
        event_id: in_flight.event_id.clone(),
        sent_at: in_flight.sent_at,
        at_ms: core.now_ms(),
        outcome,
    }
}

/// Tells whether one row's failure, rather than the whole store's, may be what is wrong.
pub(crate) fn is_one_rows_fault(error: &PropagationError) -> bool {
    let one = matches!(
        error,
        PropagationError::Management(ManagementError::Failed(_))
            | PropagationError::Store(auth_base::store_error::StoreError::Corrupt { .. })
            | PropagationError::Store(auth_base::store_error::StoreError::Refused(_))
    );
    if one {
        tracing::warn!(
            error = chain(error),
            "booking a batch of acknowledgements failed; booking them one by one"
        );
    }
    one
}
