//! The messages themselves, held against what they claim: at the moment they are published, and when they are settled.

use hmac_propagation::event::{Event, decode};
use hmac_propagation::peer_store::{AckResult, Apply, Track};
use hmac_propagation::queue::PeerName;

use crate::host::secret_of;
use crate::invariants::Invariant;
use crate::world::World;

const TRACKS: &[Track] = &[Track::Http, Track::Message];

/// A message reached its queue.
pub fn published(world: &World, body: &[u8]) {
    let Ok(event) = decode(body) else { return };
    if event.is_apply() {
        if let Some((booked, times)) = world.oracle.published(&event.event_id) {
            let place = || event.event_id.clone();
            world
                .history
                .expect(booked, Invariant::PublishedUnbooked, place);
            world
                .history
                .expect(times == 1, Invariant::PublishedTwice, place);
        }
    } else if let (true, Some(sender), Ok(ack)) = (event.is_ack(), event.sender_name(), event.ack())
        && ack.result == AckResult::Applied
        && let (Some(answered), Some(host)) =
            (world.oracle.event(&ack.event_id), world.find_host(&sender))
        && answered.row.2 == sender
    {
        let has_it = host
            .cursor(&answered.row.1)
            .is_some_and(|cursor| cursor >= answered.stamp)
            || world
                .damage
                .lost_again(&sender, &answered.row.1, &ack.event_id);
        world
            .history
            .expect(has_it, Invariant::AnsweredUnapplied, || {
                format!("{} by {sender}", ack.event_id)
            });
    }
}

/// The broker confirmed a message to whoever published it.
pub fn confirmed(world: &World, body: &[u8]) {
    let Ok(event) = decode(body) else { return };
    if event.is_apply() {
        world.oracle.confirm(&event.event_id);
    } else if let (Some(sender), Ok(ack)) = (event.sender_name(), event.ack()) {
        world
            .oracle
            .answer(&sender, &ack.event_id, ack.result == AckResult::Error);
    }
}

/// A peer told the broker that a message is done with.
pub fn settled(world: &World, peer: &PeerName, body: &[u8]) {
    let Ok(event) = decode(body) else { return };
    if !event.propagation_secret.matches(secret_of(peer).expose()) {
        return;
    }
    if event.is_ack() {
        settled_ack(world, peer, &event);
    } else if event.is_apply() {
        // Whether it is too far ahead is for the clock of the moment to say; then it was refused.
        let apply = event.apply(i64::MAX, 0, TRACKS);
        settled_apply(world, peer, &event, apply.ok());
    }
}

fn settled_ack(world: &World, peer: &PeerName, event: &Event) {
    let (Some(sender), Ok(ack)) = (event.sender_name(), event.ack()) else {
        return;
    };
    let known = world
        .find_host(peer)
        .and_then(|host| host.in_flight(&ack.event_id));
    let unfinished = known.is_some_and(|in_flight| in_flight.target == sender)
        && !world.oracle.was_brought_back(&ack.event_id);
    world.history.expect(!unfinished, Invariant::AckLost, || {
        format!("{} by {sender}", ack.event_id)
    });
}

fn settled_apply(world: &World, peer: &PeerName, event: &Event, apply: Option<Apply>) {
    let Some(sender) = event
        .sender_name()
        .filter(|sender| world.find_host(sender).is_some())
    else {
        return;
    };
    let place = || format!("{} of {sender} by {peer}", event.event_id);
    let answer = world.oracle.answer_of(peer, &event.event_id);
    world
        .history
        .expect(answer.is_some(), Invariant::SettledUnanswered, place);
    if let Some(apply) = apply.filter(|_| answer != Some(true)) {
        let cursor = world
            .find_host(peer)
            .and_then(|host| host.cursor(&apply.key));
        let applied = cursor.is_some_and(|cursor| cursor >= apply.stamp)
            || world.damage.lost_again(peer, &apply.key, &event.event_id);
        world
            .history
            .expect(applied, Invariant::SettledUnapplied, place);
    }
}
