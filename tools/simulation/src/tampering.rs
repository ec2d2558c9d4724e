//! What happens to stores past the propagation: flushed, set back to an old dump, edited by hand.

use std::sync::Arc;

use auth_base::secret::Secret;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::Credential;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_propagation::peer_store::CredentialKey;

use crate::content::in_words;
use crate::host::{Dump, Host};
use crate::world::World;

/// Does something to the store of one peer.
pub fn strike(world: &Arc<World>) {
    let hosts: Vec<&Arc<Host>> = world.hosts.values().collect();
    let Some(host) = world.dice.pick(&hosts) else {
        return;
    };
    match world.dice.below(8) {
        0 => flush(world, host),
        1 | 2 => dump_or_restore(world, host),
        3 | 4 => edit(world, host),
        5 => delete(world, host),
        _ => plant(world, host),
    }
}

/// Everything is gone: credentials, cursors, ledger.
fn flush(world: &World, host: &Host) {
    world
        .history
        .note(host.name.as_str(), "store flushed", String::new);
    restore(world, host, &Dump::default());
}

/// The first time a dump is made; later it may be put back.
fn dump_or_restore(world: &World, host: &Host) {
    let old = world.find_dump(&host.name).filter(|_| world.dice.one_in(2));
    if let Some(dump) = old {
        world
            .history
            .note(host.name.as_str(), "old dump restored", String::new);
        restore(world, host, &dump);
    } else {
        world
            .history
            .note(host.name.as_str(), "dump made", String::new);
        let dump = host.dump(&world.oracle.keys(), &world.oracle.live_events(&host.name));
        world.keep_dump(&host.name, dump);
    }
}

fn restore(world: &World, host: &Host, dump: &Dump) {
    host.restore(dump, world.dice.one_in(2));
    let kept = dump
        .in_flight
        .iter()
        .map(|event| event.event_id.clone())
        .collect();
    world.oracle.ledger_struck(&host.name, &kept);
    world.damage.ledger_struck();
    world
        .oracle
        .keys()
        .iter()
        .for_each(|key| struck(world, host, key));
}

/// A record gets another hash, other rules, or another expiry.
fn edit(world: &World, host: &Host) {
    let Some((key, mut record)) = some_record(world, host) else {
        return;
    };
    match world.dice.below(3) {
        0 => record.secret_hash = strange_hash(world),
        1 => record.allowed_ips = AllowedIps::parse(["203.0.113.0/24"]).unwrap_or_default(),
        _ => record.expires_at = Some(1_900_000_000_000),
    }
    by_hand(world, host, &key, "edited by hand");
    host.stores().plant(&key, &record);
    struck(world, host, &key);
}

fn delete(world: &World, host: &Host) {
    let Some((key, _)) = some_record(world, host) else {
        return;
    };
    by_hand(world, host, &key, "deleted by hand");
    host.stores()
        .credentials(key.track)
        .delete_now(&key.client_id);
    struck(world, host, &key);
}

/// A client that should not be there is written again; its cursor stays as it is.
fn plant(world: &World, host: &Host) {
    let revoked =
        |key: &CredentialKey| world.oracle.is_booked(&host.name, key) && host.record(key).is_none();
    let keys: Vec<CredentialKey> = world.oracle.keys().into_iter().filter(revoked).collect();
    let Some(key) = world.dice.pick(&keys) else {
        return;
    };
    by_hand(world, host, key, "planted by hand");
    let record = Credential {
        secret_hash: strange_hash(world),
        created_at: 1,
        updated_at: 1,
        expires_at: None,
        allowed_ips: AllowedIps::default(),
    };
    host.stores().plant(key, &record);
    struck(world, host, key);
}

fn by_hand(world: &World, host: &Host, key: &CredentialKey, what: &str) {
    world
        .history
        .note(host.name.as_str(), what, || in_words(key));
}

fn some_record(world: &World, host: &Host) -> Option<(CredentialKey, Credential)> {
    let dump = host.dump(&world.oracle.keys(), &[]);
    let records = dump
        .credentials
        .into_iter()
        .filter_map(|(key, _, record)| Some((key, record?)));
    let records: Vec<_> = records.collect();
    world.dice.pick(&records).cloned()
}

fn strange_hash(world: &World) -> SecretHash {
    let secret = Secret::new(format!("by-the-hand-of-a-stranger-{}", world.dice.roll()));
    hash_client_secret(&secret, None)
}

fn struck(world: &World, host: &Host, key: &CredentialKey) {
    let (slot, now_ms) = ((host.name.clone(), key.clone()), world.history.now_ms());
    world.damage.struck(slot.clone(), now_ms);
    world
        .oracle
        .struck(slot, (host.cursor(key), host.record(key)), now_ms);
}
