//! What goes wrong beside the calls: machines, connections, queues, clocks, and strangers.

use std::sync::Arc;
use std::time::Duration;

use hmac_propagation::event::decode;
use hmac_propagation::queue::PeerName;
use serde_json::json;
use tokio::time::timeout;

use crate::host::secret_of;
use crate::invariants::Invariant;
use crate::tampering;
use crate::world::{GHOST, World};

/// Lets one thing go wrong, if the plan has any.
pub fn strike(world: &Arc<World>) {
    let plan = &world.plan;
    let mut possible: Vec<fn(&Arc<World>)> = Vec::new();
    if plan.crashes {
        possible.extend([crash as fn(&Arc<World>), shut_down]);
    }
    if plan.broker {
        possible.extend([cut as fn(&Arc<World>), outage]);
    }
    if plan.deletions {
        possible.push(delete_queue);
    }
    if plan.clocks {
        possible.push(set_clock);
    }
    if plan.rubbish {
        possible.extend([plant as fn(&Arc<World>), plant, plant, vanish]);
    }
    if plan.disorder {
        possible.push(replay);
    }
    if plan.drift {
        possible.extend([tampering::strike as fn(&Arc<World>), tampering::strike]);
    }
    if let Some(strike) = world.dice.pick(&possible) {
        strike(world);
    }
}

fn crash(world: &Arc<World>) {
    if let Some((process, _)) = world.running(world.dice.index(world.machines.len())) {
        world.kill(&process);
    }
}

/// An orderly end: everything in hand is finished or given back, within the bound.
fn shut_down(world: &Arc<World>) {
    let Some((process, propagator)) = world.running(world.dice.index(world.machines.len())) else {
        return;
    };
    world
        .history
        .note(&process.label, "shuts down", String::new);
    let world = Arc::clone(world);
    tokio::spawn(async move {
        let bound = world.settings.shutdown_timeout
            + world.settings.broker_timeout
            + Duration::from_millis(50);
        tokio::select! {
            biased;
            () = process.died() => return,
            within = timeout(bound, propagator.close()) => {
                world.history.expect(within.is_ok(), Invariant::ShutdownHangs, || process.label.clone());
            }
        }
        world.kill(&process);
    });
}

fn cut(world: &Arc<World>) {
    if let Some((process, _)) = world.running(world.dice.index(world.machines.len())) {
        world
            .history
            .note(&process.label, "connection cut", String::new);
        let away = Duration::from_millis(world.dice.between(1, 1_000));
        world.bus.cut(process.id, Some(away));
    }
}

fn outage(world: &Arc<World>) {
    world.history.note("broker", "restarts", String::new);
    for machine in 0..world.machines.len() {
        if let Some((process, _)) = world.running(machine) {
            let away = Duration::from_millis(world.dice.between(200, 1_500));
            world.bus.cut(process.id, Some(away));
        }
    }
}

fn delete_queue(world: &Arc<World>) {
    let names: Vec<&PeerName> = world.hosts.keys().collect();
    if let Some(name) = world.dice.pick(&names) {
        world
            .history
            .note(name.as_str(), "queue deleted", String::new);
        world.bus.delete(name);
    }
}

/// By seconds, minutes, or most of an hour, in either direction.
fn set_clock(world: &Arc<World>) {
    let Some(machine) = world.machines.get(world.dice.index(world.machines.len())) else {
        return;
    };
    let most = [3_000, 300_000, 3_000_000][world.dice.index(3)];
    let by = i64::try_from(world.dice.between(1, most)).unwrap_or_default();
    let by = if world.dice.one_in(2) { by } else { -by };
    world
        .history
        .note(machine.name.as_str(), "clock set", || format!("by {by} ms"));
    machine.clock.step(by);
}

/// A target that rows are booked for is taken from the inventory.
fn vanish(world: &Arc<World>) {
    if let Ok(ghost) = PeerName::parse(GHOST) {
        world.history.note(GHOST, "vanishes", String::new);
        world
            .sources()
            .filter_map(|source| source.management.as_ref())
            .for_each(|it| it.remove_target(&ghost));
    }
}

/// A message that waits is sent once more, by whoever has seen it.
fn replay(world: &Arc<World>) {
    let names: Vec<&PeerName> = world.hosts.keys().collect();
    let Some(name) = world.dice.pick(&names) else {
        return;
    };
    if let Some(body) = world.bus.observe(name, 0) {
        world.history.note(name.as_str(), "replay", String::new);
        let (world, name, wait) = (Arc::clone(world), (*name).clone(), world.dice.below(4_000));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            if world.faults_on() {
                world.bus.plant(&name, body);
            }
        });
    }
}

/// A stranger's message.
fn plant(world: &Arc<World>) {
    let names: Vec<&PeerName> = world.hosts.keys().collect();
    let Some(name) = world.dice.pick(&names) else {
        return;
    };
    let (kind, body) = rubbish(world, name);
    world
        .history
        .note(name.as_str(), "planted", || kind.to_owned());
    world.bus.plant(name, body);
}

fn rubbish(world: &Arc<World>, to: &PeerName) -> (&'static str, Vec<u8>) {
    let secret = secret_of(to);
    let event = |change: fn(&mut serde_json::Value)| {
        let mut event = json!({
            "eventId": format!("planted-{}", world.dice.roll()), "ts": 1_700_000_000_000_i64,
            "propagationSecret": secret.expose(), "senderAmqpQueue": "source-1", "op": "credential.update",
            "track": "http", "clientId": "a-strangers-client",
            "payload": {"secretHash": "0".repeat(64), "allowedIps": [], "expiresAt": null},
        });
        change(&mut event);
        event.to_string().into_bytes()
    };
    match world.dice.below(10) {
        0 => ("no JSON", b"{\"eventId\": ".to_vec()),
        1 => (
            "forged",
            event(|event| event["propagationSecret"] = json!("another-peers-secret")),
        ),
        2 => ("too large", vec![b' '; 256 * 1024 + 1]),
        3 => (
            "unknown track",
            event(|event| event["track"] = json!("smoke-signals")),
        ),
        4 => (
            "far ahead",
            event(|event| event["ts"] = json!(1_900_000_000_000_i64)),
        ),
        5 => (
            "unknown op",
            event(|event| event["op"] = json!("credential.explode")),
        ),
        6 => ("wrong type", event(|event| event["payload"] = json!(5))),
        7 => (
            "sender without a name",
            event(|event| event["senderAmqpQueue"] = json!("no such queue!")),
        ),
        8 => (
            "bad hash",
            event(|event| event["payload"]["secretHash"] = json!("xyz")),
        ),
        _ => stolen_ack(world, to).unwrap_or_else(|| ("array", b"[]".to_vec())),
    }
}

/// An answer to a real event, signed with the source's secret, from a peer it was not sent to.
fn stolen_ack(world: &Arc<World>, source: &PeerName) -> Option<(&'static str, Vec<u8>)> {
    let mine = |name: &PeerName| {
        let event = decode(&world.bus.observe(name, 0)?).ok()?;
        (event.is_apply() && event.sender == source.as_str())
            .then_some((name.clone(), event.event_id))
    };
    let (target, event_id) = world.hosts.keys().find_map(mine)?;
    let thief = world
        .hosts
        .keys()
        .find(|name| **name != target && *name != source);
    let thief = thief.map_or(GHOST, PeerName::as_str);
    let ack = json!({
        "eventId": format!("stolen-{}", world.dice.roll()), "ts": 1_700_000_000_000_i64,
        "propagationSecret": secret_of(source).expose(), "senderAmqpQueue": thief, "op": "credential.ack",
        "ackEventId": event_id, "ackResult": "applied", "ackReason": null,
    });
    Some(("stolen answer", ack.to_string().into_bytes()))
}
