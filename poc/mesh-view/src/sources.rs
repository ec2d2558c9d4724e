//! What the view is made of.

use std::sync::Arc;

use auth_base::clock::Clock;
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use mesh_management::administration::Administration;
use peer_kit::health::Health;
use peer_kit::shutdown::Stop;
use url::Url;

use crate::control::PeerControl;
use crate::probe::PeerProbe;
use crate::stores::PeerStoreView;

/// What the view is made of. Nothing of it is read before the first question.
pub struct Sources {
    /// Whose view it is.
    pub peer: PeerName,
    /// The stores of all peers that can be read, this peer's own among them.
    pub stores: Vec<PeerStoreView>,
    /// Where the peers are whose health is asked for.
    pub peer_urls: Vec<(PeerName, Url)>,
    /// What this peer wants on every peer.
    pub administration: Arc<dyn Administration>,
    /// Tells this peer's changes, and how deep the queues are.
    pub propagator: Propagator,
    /// This peer's own health.
    pub health: Arc<Health>,
    /// Asks other peers how they are.
    pub probe: Arc<dyn PeerProbe>,
    /// Stops and starts peers, where the process can.
    pub control: Option<Arc<dyn PeerControl>>,
    /// The time of what is told.
    pub clock: Arc<dyn Clock>,
    /// When it is asked for, everything that is followed and told ends.
    pub stop: Stop,
}
