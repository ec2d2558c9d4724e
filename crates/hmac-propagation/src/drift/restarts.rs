//! Noticing that the server behind a peer's store was started again, or is another one.
//!
//! What such a server had confirmed last may be gone: a Redis that is killed forgets up to two
//! seconds of it under `appendfsync everysec`, and a replica that takes over has never heard of what
//! had not reached it. Deliveries are acknowledged all the same, so the check does not wait for its
//! interval. A delivery that is acknowledged only after that check is compared by the next one.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::drift::view::{TOGETHER, View};
use crate::peer_store::PeerStore;
use crate::queue::PeerName;

/// Stores are asked at least so often which run of their server they are: one round trip each.
const ASKED_EVERY: Duration = Duration::from_secs(10);

/// And at least so many times within an interval, where that is short.
const TIMES: u32 = 4;

/// The time from one question to the next.
pub(super) fn asked_every(drift_interval: Duration) -> Duration {
    (drift_interval / TIMES).min(ASKED_EVERY)
}

/// The run of each store's server that was last compared, or first seen.
#[derive(Default)]
pub(super) struct Restarts(BTreeMap<PeerName, String>);

impl Restarts {
    /// Remembers the runs of stores that are new here, and answers those to be compared: another run
    /// answers for them, or the last check could not read them.
    pub(super) fn suspects(
        &mut self,
        runs: Vec<(PeerName, String)>,
        was_missed: impl Fn(&PeerName) -> bool,
    ) -> BTreeMap<PeerName, String> {
        let mut suspects = BTreeMap::new();
        for (peer, run_id) in runs {
            let is_known = match self.0.get(&peer) {
                Some(known) => *known == run_id,
                None => !was_missed(&peer),
            };
            if is_known {
                self.0.insert(peer, run_id);
            } else {
                suspects.insert(peer, run_id);
            }
        }
        suspects
    }

    /// Books that a store was compared in this run.
    pub(super) fn compared(&mut self, peer: PeerName, run_id: String) {
        tracing::info!(%peer, "a peer's store was started again, or came back; checked for drift");
        self.0.insert(peer, run_id);
    }
}

/// The run of each store's server, of those that answer; one that is away, or does not say, is left
/// out.
pub(super) async fn run_ids(views: &BTreeMap<PeerName, View>) -> Vec<(PeerName, String)> {
    let views: Vec<_> = views.iter().collect();
    let mut runs = Vec::new();
    for some in views.chunks(TOGETHER) {
        let asked = some.iter().map(|(_, view)| view.cursors.run_id());
        let answers = some.iter().zip(join_all(asked).await);
        runs.extend(
            answers.filter_map(|((peer, _), answer)| Some(((*peer).clone(), answer.ok()??))),
        );
    }
    runs
}
