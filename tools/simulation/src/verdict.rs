//! The end of a story: when the faults have stopped, the mesh becomes quiet, and what is left is as promised.

use std::sync::Arc;
use std::time::Duration;

use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::event_id::event_id;
use hmac_propagation::memory::management::DeliveryView;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::content::{Content, in_words};
use crate::damage::is_forgotten;
use crate::host::Host;
use crate::invariants::Invariant;
use crate::management::describe;
use crate::oracle::RowName;
use crate::world::{GHOST, World};

/// How long after the last fault everything must be quiet: a lease, and several times the wait before a row is sent again.
const QUIET_WITHIN: Duration = Duration::from_secs(15);

/// A call that hangs when the faults stop is given up within this time; what it held up comes only then.
const HANGS: Duration = Duration::from_millis(2_100);

/// How long the quiet is watched.
const WATCHED: Duration = Duration::from_secs(2);

/// Calls of all processes while nothing is to be done, for each process and second.
const IDLE_CALLS: u64 = 40;

/// Calls of a process that looks for drift, more, for each second.
const LOOKING_CALLS: u64 = 160;

/// Checks for drift within which all of it is healed: what one source heals, another may have to heal again.
const CHECKS: u32 = 5;

/// Waits for the quiet, and for the calls that are still under way, and says what is wrong.
pub async fn reach(world: &Arc<World>, under_way: Vec<JoinHandle<()>>) {
    sleep(HANGS).await;
    let deadline = Instant::now() + QUIET_WITHIN + world.settings.drift_interval * CHECKS;
    while let Some((invariant, detail)) = unfinished(world) {
        if Instant::now() >= deadline {
            return world.history.violate(invariant, detail);
        }
        sleep(Duration::from_millis(50)).await;
    }
    world.history.note("world", "quiet", String::new);
    let before = world.history.steps();
    sleep(WATCHED).await;
    let calls = world.history.steps() - before;
    let looking = if world.plan.drift { LOOKING_CALLS } else { 0 };
    let allowed = (IDLE_CALLS + looking) * WATCHED.as_secs() * world.machines.len() as u64;
    world
        .history
        .expect(calls <= allowed, Invariant::HotLoop, || {
            format!("{calls} calls in the quiet")
        });
    if let Some((invariant, detail)) = unfinished(world) {
        world.history.violate(invariant, detail);
    }
    settled(world);
    for call in under_way {
        // It has a bound of its own.
        drop(call.await);
    }
    shut_down(world).await;
}

/// The first thing that is still under way.
fn unfinished(world: &World) -> Option<(Invariant, String)> {
    for source in world.sources() {
        for delivery in deliveries(source) {
            if delivery.target.as_str() != GHOST && delivery.status != DeliveryStatus::Success {
                let name = row_name(source, &delivery);
                return Some((
                    Invariant::RowStuck,
                    format!("{}: {:?}", describe(&name), delivery.status),
                ));
            }
        }
    }
    let waiting = world.hosts.keys().find(|name| world.bus.depth(name) > 0);
    if let Some(name) = waiting {
        return Some((
            Invariant::QueueStuck,
            format!("{} of {name}", world.bus.depth(name)),
        ));
    }
    for ((source, key), accepted) in world.oracle.credentials() {
        let host = world.find_host(&source)?;
        let cursor = host.cursor(&key);
        let place = format!("{} at {source}", in_words(&key));
        let behind = cursor
            .as_ref()
            .is_none_or(|cursor| cursor.ts < accepted.change_ts);
        if behind && !is_struck(world, &source, &key) {
            return Some((Invariant::OwnStoreBehind, place));
        }
    }
    drifted(world)
}

/// The first store that was damaged and is not healed.
fn drifted(world: &World) -> Option<(Invariant, String)> {
    for (peer, key) in world.damage.slots() {
        let host = world.find_host(&peer)?;
        let Some((owner, newest)) = newest(world, &peer, &key) else {
            continue;
        };
        // Who has seen another source's change does not repeat its own; that other may have no row for this peer.
        let left_alone = owner != peer && world.oracle.is_overtaken(&owner, &key, u64::MAX);
        let differs =
            host.record(&key) != newest || newest.is_none() && forgot(world, &peer, &key, owner);
        if !left_alone && differs {
            return Some((
                Invariant::DriftStays,
                format!("{} at {peer}", in_words(&key)),
            ));
        }
    }
    None
}

/// Tells whether a peer has no cursor any more that keeps its owner's deletion.
fn forgot(world: &World, peer: &PeerName, key: &CredentialKey, owner: PeerName) -> bool {
    let change_ts = match owner == *peer {
        true => world
            .oracle
            .credential(peer, key)
            .map(|accepted| accepted.change_ts),
        false => world
            .oracle
            .row(&(owner, key.clone(), peer.clone()))
            .and_then(|row| row.change_ts),
    };
    let cursor = world.find_host(peer).and_then(|host| host.cursor(key));
    is_forgotten(cursor.as_ref(), change_ts)
}

fn is_struck(world: &World, peer: &PeerName, key: &CredentialKey) -> bool {
    world
        .damage
        .struck_at(&(peer.clone(), key.clone()))
        .is_some()
}

/// What must hold once everything has arrived.
fn settled(world: &World) {
    let history = &world.history;
    for ((peer, key), (cursor, content)) in world.oracle.held() {
        let Some(host) = world.find_host(&peer) else {
            continue;
        };
        let same = host.cursor(&key) == cursor && host.record(&key) == content;
        history.expect(same, Invariant::CursorApartFromCredential, || {
            format!("{} at {peer}", in_words(&key))
        });
    }
    for (name, row) in world.oracle.rows() {
        if name.2.as_str() == GHOST || is_struck(world, &name.2, &name.1) {
            continue;
        }
        let Some(host) = world.find_host(&name.2) else {
            continue;
        };
        let newest = newest(world, &name.2, &name.1).and_then(|(_, content)| content);
        let held = host.record(&name.1);
        history.expect(held == newest, Invariant::ChangeLost, || {
            format!("{}, change {}", describe(&name), row.generation)
        });
    }
    for ((source, key), accepted) in world.oracle.credentials() {
        let Some(host) = world.find_host(&source) else {
            continue;
        };
        let others = world
            .oracle
            .rows()
            .into_iter()
            .any(|(name, _)| name.2 == source && name.1 == key);
        let holds =
            others || is_struck(world, &source, &key) || host.record(&key) == accepted.content;
        history.expect(holds, Invariant::OwnStoreBehind, || {
            format!("{} at {source}", in_words(&key))
        });
    }
    for source in world.sources() {
        for delivery in deliveries(source)
            .iter()
            .filter(|delivery| delivery.target.as_str() == GHOST)
        {
            let name = row_name(source, delivery);
            let gone = delivery.status == DeliveryStatus::Success;
            history.expect(!gone, Invariant::SuccessWithoutTheChange, || {
                describe(&name)
            });
        }
    }
}

/// What a peer should hold for a credential, and by whose change: of all that was accepted for it, anywhere, the latest.
fn newest(world: &World, peer: &PeerName, key: &CredentialKey) -> Option<(PeerName, Content)> {
    let rows = world
        .oracle
        .rows()
        .into_iter()
        .filter(|(other, _)| other.1 == *key && other.2 == *peer);
    let rows = rows.filter_map(|(name, row)| Some((row.sent_ts()?, name.0, row.content)));
    let own = world.oracle.credential(peer, key);
    let own = own.map(|accepted| (accepted.change_ts, peer.clone(), accepted.content));
    // Of two sources in one millisecond the same one wins everywhere.
    let order = |ts: i64, source: &PeerName| (ts, event_id(source, ts, [0; 16]));
    let latest = rows
        .chain(own)
        .max_by_key(|(ts, source, _)| order(*ts, source));
    latest.map(|(_, source, content)| (source, content))
}

async fn shut_down(world: &Arc<World>) {
    for machine in 0..world.machines.len() {
        let Some((process, propagator)) = world.running(machine) else {
            continue;
        };
        let bound = world.settings.shutdown_timeout + Duration::from_millis(100);
        let within = timeout(bound, propagator.close()).await;
        world
            .history
            .expect(within.is_ok(), Invariant::ShutdownHangs, || {
                process.label.clone()
            });
    }
}

fn deliveries(host: &Host) -> Vec<DeliveryView> {
    host.management
        .as_ref()
        .map(|management| management.deliveries())
        .unwrap_or_default()
}

fn row_name(source: &Host, delivery: &DeliveryView) -> RowName {
    let target: PeerName = delivery.target.clone();
    (source.name.clone(), delivery.key.clone(), target)
}
