//! What users do: changes, syncs, resyncs, at random moments, several at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use auth_base::secret::Secret;
use hmac_propagation::options::{Ensure, Newer, Resync, Revoke, Rotate};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, Track};
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::invariants::Invariant;
use crate::process::Process;
use crate::world::{GHOST, World};

/// Starts one operation on a random full-mode process, and sometimes at the same moment another one on the same client at
/// each of the others; they run beside whatever comes next.
pub fn operate(world: &Arc<World>, number: usize) -> Vec<JoinHandle<()>> {
    let full: Vec<usize> = (0..world.machines.len())
        .filter(|i| {
            world
                .find_host(&world.machines[*i].name)
                .is_some_and(|host| host.management.is_some())
        })
        .collect();
    let dice = &world.dice;
    let client = format!("client-{}", dice.between(1, world.plan.clients as u64));
    let track = match dice.one_in(6) {
        true => Track::Message,
        false => Track::Http,
    };
    let machines = match dice.one_in(4) {
        true => full,
        false => dice.pick(&full).copied().into_iter().collect(),
    };
    let calls = machines
        .into_iter()
        .enumerate()
        .filter_map(|(nth, machine)| {
            let operation = (number * 10 + nth, client.clone(), track);
            begin(world, machine, operation)
        });
    calls.collect()
}

fn begin(
    world: &Arc<World>,
    machine: usize,
    (number, client, track): (usize, String, Track),
) -> Option<JoinHandle<()>> {
    let (process, propagator) = world.running(machine)?;
    let own = &world.machines[machine].name;
    let operation = Operation::draw(world, own, number, client, track);
    world
        .history
        .note(&process.label, operation.name(), || operation.words());
    let world = Arc::clone(world);
    Some(tokio::spawn(async move {
        let (bound, name) = (operation.bound(&world), operation.name());
        if returns(&world, &process, bound, name, operation.run(&propagator)).await {
            world
                .history
                .note(&process.label, "returned", || name.to_owned());
        }
    }))
}

/// Rotates a credential on a process of a peer.
pub fn rotate(world: &Arc<World>, peer: &PeerName, key: &CredentialKey) {
    let machine = world
        .machines
        .iter()
        .position(|machine| machine.name == *peer);
    let Some((process, propagator)) = machine.and_then(|machine| world.running(machine)) else {
        return;
    };
    let secret = Secret::new(format!("secret-{}-of-a-client", world.dice.roll()));
    let rotate = Rotate::new(key.client_id.to_string(), secret).track(key.track);
    world
        .history
        .note(&process.label, "rotate", || key.client_id.to_string());
    let world = Arc::clone(world);
    tokio::spawn(async move {
        let operation = Operation::Rotate(rotate);
        let bound = operation.bound(&world);
        returns(
            &world,
            &process,
            bound,
            operation.name(),
            operation.run(&propagator),
        )
        .await;
    });
}

/// Tells whether a call returned; `false` when its process died, or when it took longer than `bound`, which breaks a promise.
async fn returns(
    world: &World,
    process: &Process,
    bound: Duration,
    name: &str,
    call: impl Future<Output = ()>,
) -> bool {
    tokio::select! {
        biased;
        () = process.died() => false,
        within = timeout(bound, call) => {
            world.history.expect(within.is_ok(), Invariant::CallHangs, || name.to_owned());
            within.is_ok()
        }
    }
}

enum Operation {
    Ensure(Vec<Ensure>),
    Rotate(Rotate),
    Revoke(Revoke),
    Resync(Resync),
    Sync,
    Depth(PeerName),
}

impl Operation {
    fn draw(world: &World, own: &PeerName, number: usize, client: String, track: Track) -> Self {
        let dice = &world.dice;
        let mut others: Vec<String> = world
            .hosts
            .keys()
            .filter(|name| *name != own)
            .map(ToString::to_string)
            .collect();
        if world.plan.rubbish && dice.one_in(4) {
            others.push(GHOST.to_owned());
        }
        let secret = |part: &str| Secret::new(format!("secret-{number}-{part}-of-a-client"));
        match dice.below(12) {
            0..=3 => {
                let mut batch =
                    vec![ensure(world, client, secret("a"), dice.some(&others)).track(track)];
                if dice.one_in(4) {
                    let other = format!("client-{}", world.plan.clients + 1);
                    batch.push(ensure(world, other, secret("b"), dice.some(&others)).track(track));
                }
                Self::Ensure(batch)
            }
            4..=6 => Self::Rotate(Rotate::new(client, secret("r")).track(track)),
            7 | 8 => Self::Revoke(Revoke::new(client).targets(dice.some(&others)).track(track)),
            9 => {
                let again = match dice.one_in(2) {
                    true => Resync::target(dice.pick(&others).cloned().unwrap_or_default()),
                    false => Resync::client(client, track),
                };
                // Nobody else can have changed anything.
                let alone = world.sources().count() == 1;
                let newer = if alone { Newer::Overwrite } else { Newer::Keep };
                Self::Resync(again.newer(newer))
            }
            10 => Self::Sync,
            _ => Self::Depth(own.clone()),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Ensure(_) => "ensure",
            Self::Rotate(_) => "rotate",
            Self::Revoke(_) => "revoke",
            Self::Resync(_) => "resync",
            Self::Sync => "sync",
            Self::Depth(_) => "queue depth",
        }
    }

    /// Never a secret.
    fn words(&self) -> String {
        match self {
            Self::Ensure(batch) => {
                let one = |ensure: &Ensure| {
                    format!("{} for {}", ensure.client_id, ensure.targets.join(", "))
                };
                batch.iter().map(one).collect::<Vec<_>>().join("; ")
            }
            Self::Rotate(rotate) => rotate.client_id.clone(),
            Self::Revoke(revoke) => {
                format!("{} for {}", revoke.client_id, revoke.targets.join(", "))
            }
            Self::Resync(resync) => format!("{resync:?}"),
            Self::Sync | Self::Depth(_) => String::new(),
        }
    }

    /// The sum of the timeouts on its way, and some room for what the calls take by themselves.
    fn bound(&self, world: &World) -> Duration {
        let settings = &world.settings;
        let room = Duration::from_millis(200);
        match self {
            Self::Ensure(_) | Self::Rotate(_) | Self::Revoke(_) => {
                settings.store_timeout * 2 + settings.management_timeout + room
            }
            Self::Depth(_) => settings.broker_timeout + room,
            // Page after page, and the sync before it.
            Self::Resync(_) | Self::Sync => Duration::from_secs(60),
        }
    }

    /// How it ends is no matter here: what was accepted, the database's side has noted.
    async fn run(&self, propagator: &Propagator) {
        match self {
            Self::Ensure(batch) => drop(propagator.ensure_batch(batch.clone()).await),
            Self::Rotate(rotate) => drop(propagator.rotate(rotate.clone()).await),
            Self::Revoke(revoke) => drop(propagator.revoke(revoke.clone()).await),
            Self::Resync(resync) => drop(propagator.resync(resync.clone()).await),
            Self::Sync => drop(propagator.sync(&Origin::default()).await),
            Self::Depth(peer) => drop(propagator.queue_depth(peer).await),
        }
    }
}

fn ensure(world: &World, client: String, secret: Secret, targets: Vec<String>) -> Ensure {
    let dice = &world.dice;
    let mut ensure = Ensure::new(client, secret).targets(targets);
    if dice.one_in(3) {
        let rules = [
            vec![],
            vec!["10.0.0.0/8"],
            vec!["192.0.2.1", "2001:db8::/32"],
        ];
        ensure = ensure.allowed_ips(dice.pick(&rules).cloned().unwrap_or_default());
    }
    if dice.one_in(3) {
        let at = dice
            .one_in(2)
            .then(|| 2_000_000_000_000 + i64::try_from(dice.below(1_000)).unwrap_or_default());
        ensure = ensure.expires_at(at);
    }
    ensure
}
