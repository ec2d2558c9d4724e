//! Noticing that the server behind a peer's store was started again, or is another one.
//!
//! What such a server had confirmed last may be gone: a Redis that is killed forgets up to two seconds of it under
//! `appendfsync everysec`, and a replica that takes over has never heard of what had not reached it. Rows say `success`
//! all the same, so the check does not wait for its interval. A row that is acknowledged only after that check is
//! compared by the next one.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::drift::{TOGETHER, check_those};
use crate::queue::PeerName;
use crate::shared::Core;

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
    /// Asks every store once, and compares those that another run answers for, or that the last check could not read. One
    /// that cannot be compared now is compared at a later call.
    pub(super) async fn check(&mut self, core: &Core) {
        let mut others = BTreeMap::new();
        for (peer, run_id) in run_ids(core).await {
            let is_known = match self.0.get(&peer) {
                Some(known) => *known == run_id,
                None => !core.drift.was_missed(&peer),
            };
            let runs = if is_known { &mut self.0 } else { &mut others };
            runs.insert(peer, run_id);
        }
        if others.is_empty()
            || check_those(core, |peer| others.contains_key(peer))
                .await
                .is_err()
        {
            return;
        }
        for (peer, run_id) in others
            .into_iter()
            .filter(|(peer, _)| !core.drift.was_missed(peer))
        {
            tracing::info!(%peer, "a peer's store was started again, or came back; checked for drift");
            self.0.insert(peer, run_id);
        }
    }
}

/// Of those that tell; one that is away, or does not say, is left out.
async fn run_ids(core: &Core) -> Vec<(PeerName, String)> {
    let views: Vec<_> = core.parts.views.iter().collect();
    let mut told = Vec::new();
    for some in views.chunks(TOGETHER) {
        let asked = some
            .iter()
            .map(|(_, view)| core.store(view.cursors.run_id()));
        let answers = some.iter().zip(join_all(asked).await);
        told.extend(
            answers.filter_map(|((peer, _), answer)| Some(((*peer).clone(), answer.ok()??))),
        );
    }
    told
}
