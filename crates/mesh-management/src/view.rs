//! The seam to the view of the whole mesh: what every peer's store really holds.

use std::pin::Pin;

use async_trait::async_trait;
use futures_util::Stream;
use hmac_propagation::peer_store::CredentialKey;
use mesh_api::health::{MeshHealth, PeerControlled};
use mesh_api::mesh::{MeshClient, MeshPage, MeshQuery};
use mesh_api::problem::Problem;

/// Server-sent events: each item is a whole event or comment with the empty line that ends it.
pub type Events = Pin<Box<dyn Stream<Item = String> + Send>>;

/// Sees the stores of all peers.
#[async_trait]
pub trait MeshView: Send + Sync + 'static {
    /// One page of the matrix. `Err` is a query that cannot be answered, such as a cursor of somebody else.
    async fn page(&self, query: MeshQuery) -> Result<MeshPage, Problem>;

    /// One row; `None` for a client that nobody knows.
    async fn client(&self, key: &CredentialKey) -> Option<MeshClient>;

    /// How every peer is.
    async fn health(&self) -> MeshHealth;

    /// Starts (`run`) or stops a peer of this process. `Err` where that cannot be done from here, or when it failed.
    async fn control(&self, peer: &str, run: bool) -> Result<PeerControlled, Problem>;

    /// Takes note that a target was added or deleted: each has a column.
    fn inventory_changed(&self);

    /// Changes as they happen, until the peer is asked to stop.
    fn events(&self) -> Events;
}
