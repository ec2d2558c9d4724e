//! Tracks, as the surface and as the propagator name them.

use hmac_propagation::peer_store::Track;
use mesh_api::track;

/// The track that a request names; `http` unless it names one.
pub fn named(track: Option<track::Track>) -> Track {
    match track.unwrap_or_default() {
        track::Track::Http => Track::Http,
        track::Track::Message => Track::Message,
    }
}

/// The track as an answer shows it.
pub fn shown(track: Track) -> track::Track {
    match track {
        Track::Http => track::Track::Http,
        Track::Message => track::Track::Message,
    }
}
