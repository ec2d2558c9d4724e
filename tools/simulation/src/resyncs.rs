//! What a resync may not undo: a newer change of another source, in the peer's own store or in the target's.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hmac_propagation::management::ResyncRow;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;

use crate::content::{in_words, overtakes};
use crate::dice::lock;
use crate::invariants::Invariant;
use crate::world::World;

/// How long one resync may need for its page, in milliseconds.
const RESYNCS_BESIDE_MS: u64 = 1_000;

/// A row as a resync reads it: credential, target, change, and the largest `ts` used.
type Seen = (CredentialKey, String, u64, i64);

/// When one process's resyncs began to read each row, and the stores that held a newer change of another source then.
#[derive(Default)]
pub struct Resyncs(Mutex<BTreeMap<Seen, (u64, Vec<PeerName>)>>);

impl Resyncs {
    /// A resync of `source` reads these rows.
    pub fn read(&self, world: &World, source: &PeerName, rows: &[ResyncRow]) {
        let (mut before, now_ms) = (lock(&self.0), world.history.now_ms());
        for row in rows {
            // Of two that run beside each other, what the first could not see is no reproach to it.
            let beside = before
                .get(&seen(row))
                .is_some_and(|(at, _)| now_ms - at <= RESYNCS_BESIDE_MS);
            if !beside {
                before.insert(seen(row), (now_ms, newer_at(world, source, row)));
            }
        }
    }

    /// It makes these pending again: none of them had been overtaken where it looked, unless that store lost it meanwhile.
    pub fn rebooked(&self, world: &World, source: &PeerName, rows: &[ResyncRow]) {
        for row in rows {
            let newer = lock(&self.0).get(&seen(row)).is_some_and(|(at, stores)| {
                stores.iter().any(|store| {
                    let struck_at = world.damage.struck_at(&(store.clone(), row.key.clone()));
                    struck_at.is_none_or(|struck| struck < *at)
                })
            });
            let place = || format!("{} of {source} for {}", in_words(&row.key), row.target);
            world
                .history
                .expect(!newer, Invariant::ResyncOverwritesNewer, place);
        }
    }
}

fn seen(row: &ResyncRow) -> Seen {
    let (key, target) = (row.key.clone(), row.target.clone());
    (key, target, row.generation, row.last_ts)
}

/// Which stores that a resync looks at hold a newer change of another source.
fn newer_at(world: &World, source: &PeerName, row: &ResyncRow) -> Vec<PeerName> {
    let target = PeerName::parse(&row.target).ok();
    let hosts = [Some(source.clone()), target].into_iter().flatten();
    let is_newer = |name: &PeerName| {
        let cursor = world.find_host(name).and_then(|host| host.cursor(&row.key));
        cursor.is_some_and(|cursor| overtakes(&cursor, source, row.last_ts))
    };
    hosts.filter(is_newer).collect()
}
