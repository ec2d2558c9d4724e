//! One peer's database is away for long, while others send it more than its prefetch.

use std::sync::Arc;
use std::time::Duration;

use auth_base::secret::Secret;
use hmac_auth::credential::ClientId;
use hmac_propagation::options::Ensure;
use hmac_propagation::peer_store::{CredentialKey, Track};
use hmac_propagation::queue::PeerName;
use tokio::time::sleep;

use crate::host::Host;
use crate::invariants::Invariant;
use crate::strike::Strike;
use crate::world::World;

/// How long what comes in may take, while the slowest consumer takes two at a time.
const APPLIED_WITHIN: Duration = Duration::from_secs(6);

/// Tells the outage of the first source's database, if the plan has one: its own store takes what comes all the same.
pub async fn tell(world: &Arc<World>) {
    let (away, others): (Vec<_>, Vec<_>) = world.sources().partition(|host| is_first(world, host));
    let (true, [host]) = (world.plan.away, away.as_slice()) else {
        return;
    };
    let strike = if world.dice.one_in(2) {
        Strike::FailBefore
    } else {
        Strike::HangBefore
    };
    world.history.note(host.name.as_str(), "database away", || {
        format!("{strike:?}")
    });
    host.set_database(Some(strike));
    let clients = world.dice.between(1, 40);
    let mut sent = Vec::new();
    for sender in others {
        sent.extend(flood(world, &sender.name, &host.name, clients).await);
    }
    sleep(APPLIED_WITHIN).await;
    sent.retain(|client_id| {
        let (track, client_id) = (Track::Http, client_id.clone());
        host.cursor(&CredentialKey { track, client_id }).is_none()
    });
    world
        .history
        .expect(sent.is_empty(), Invariant::HeldUp, || {
            format!("{} clients at {}", sent.len(), host.name)
        });
    host.set_database(None);
    world
        .history
        .note(host.name.as_str(), "database back", String::new);
}

fn is_first(world: &World, host: &Host) -> bool {
    world
        .sources()
        .next()
        .is_some_and(|first| first.name == host.name)
}

/// Makes many clients at one source for one peer; answers those that were accepted.
async fn flood(world: &World, from: &PeerName, to: &PeerName, clients: u64) -> Vec<ClientId> {
    let machine = world
        .machines
        .iter()
        .position(|machine| machine.name == *from);
    let Some((_, propagator)) = machine.and_then(|machine| world.running(machine)) else {
        return Vec::new();
    };
    let ensure = |i| {
        let secret = Secret::new(format!("secret-{i}-of-the-flood"));
        Ensure::new(format!("flood-{i}"), secret).targets([to.as_str()])
    };
    let ensured = propagator.ensure_batch((1..=clients).map(ensure).collect());
    let accepted = ensured.await.into_iter().flatten();
    accepted.map(|ensured| ensured.client_id).collect()
}
