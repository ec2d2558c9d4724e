//! The shapes that a document names.

use hmac_propagation::propagator::Mode;
use utoipa::openapi::Components;
use utoipa::openapi::schema::ComponentsBuilder;

use crate::health::{Missing, Readiness};
use crate::mesh::model::{
    CellState, MeshCell, MeshClient, MeshHealth, MeshPage, MeshSummary, MissingPart,
    PeerControlled, PeerHealth, PeerState, PeerSummary, QueueState, Timeline,
};
use crate::openapi::schema as body;
use crate::problem::Problem;
use crate::surface::administration::{
    CredentialState, HistoryEntry, PivotState, StatePage, TargetState,
};
use crate::surface::signed_call::SentRequest;

macro_rules! all {
    ($components:expr; $($schema:ty),* $(,)?) => { $components$(.schema_from::<$schema>())* };
}

/// Those of a peer of this mode.
pub(super) fn of(mode: Mode) -> Components {
    let everybodys =
        all!(ComponentsBuilder::new(); Problem, Missing, Readiness, body::Alive, body::Echo);
    match mode {
        Mode::ReceiveOnly => everybodys.build(),
        Mode::Full => of_the_view(of_management(everybodys)).build(),
    }
}

fn of_management(components: ComponentsBuilder) -> ComponentsBuilder {
    all!(
        components;
        CredentialState,
        PivotState,
        StatePage,
        TargetState,
        HistoryEntry,
        SentRequest,
        body::Call,
        body::CallAnswer,
        body::Client,
        body::Ensure,
        body::EnsureAnswer,
        body::Hash,
        body::HashAnswer,
        body::LocalClient,
        body::Resync,
        body::Revoke,
        body::Rotate,
        body::Summary,
        body::Target,
        body::TargetAnswer,
    )
}

fn of_the_view(components: ComponentsBuilder) -> ComponentsBuilder {
    all!(
        components;
        MeshPage,
        MeshSummary,
        PeerSummary,
        MeshClient,
        MeshCell,
        CellState,
        MeshHealth,
        PeerHealth,
        PeerState,
        MissingPart,
        QueueState,
        Timeline,
        PeerControlled,
    )
}
