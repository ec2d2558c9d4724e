//! What the states are called on a page, and in the style sheet.

use mesh_api::health::PeerState;
use mesh_api::mesh::CellState;
use mesh_api::state::DeliveryStatus;

/// The word in a cell.
pub(crate) fn of_cell(state: CellState) -> &'static str {
    match state {
        CellState::InSync => "in sync",
        CellState::Behind => "behind",
        CellState::Missing => "missing",
        CellState::Unexpected => "unexpected",
        CellState::None => "none",
        CellState::Unknown => "unknown",
    }
}

/// The class of a cell.
pub(crate) fn class(state: CellState) -> &'static str {
    match state {
        CellState::InSync => "in-sync",
        other => of_cell(other),
    }
}

/// The word for how far a change came on a target.
pub(crate) fn of_status(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Sent => "sent",
        DeliveryStatus::Success => "acknowledged",
        DeliveryStatus::Error => "failed",
    }
}

/// The word for how a peer is.
pub(crate) fn of_peer(state: PeerState) -> &'static str {
    match state {
        PeerState::Ready => "ready",
        PeerState::Unavailable => "unavailable",
        PeerState::Stopped => "stopped",
        PeerState::Unreachable => "unreachable",
    }
}
