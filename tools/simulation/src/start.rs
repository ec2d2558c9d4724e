//! Starts a peer's processes, one after the other: a real propagator over the simulated seams.

use std::sync::Arc;
use std::time::Duration;

use hmac_propagation::propagator::Propagator;
use tokio::time::{Instant, sleep};

use crate::broker::SimBroker;
use crate::dice::SeededRandom;
use crate::host::secret_of;
use crate::management::SimManagement;
use crate::process::Process;
use crate::seam::Seam;
use crate::store::SimStore;
use crate::view;
use crate::world::World;

/// Keeps a process running on a machine, whatever happens to it.
pub async fn keep_running(world: Arc<World>, machine: usize) {
    if world.plan.crashes && world.dice.one_in(3) {
        down(&world, 3_000).await;
    }
    while let Some(process) = start(&world, machine) {
        process.died().await;
        world.clear(machine);
        down(&world, 1_500).await;
    }
}

/// A machine is down for a while, at the longest until the faults stop.
async fn down(world: &World, longest_ms: u64) {
    let until = Instant::now() + Duration::from_millis(world.dice.between(1, longest_ms));
    while world.faults_on() && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Starts a process on a machine; `None`: there is no such machine.
fn start(world: &Arc<World>, machine: usize) -> Option<Arc<Process>> {
    let process = world.new_process(machine)?;
    let seam = Seam {
        world: Arc::clone(world),
        process: Arc::clone(&process),
        host: Arc::clone(world.find_host(&process.name)?),
    };
    world.history.note(&process.label, "starts", String::new);
    let broker = Arc::new(SimBroker::new(seam.clone()));
    let store = Arc::new(SimStore::new(seam.clone()));
    let (name, secret) = (process.name.clone(), secret_of(&process.name));
    let mut builder = Propagator::builder(name, secret, broker, store)
        .settings(world.settings.clone())
        .clock(process.clock.clone())
        .random(Arc::new(SeededRandom::new(world.dice.fork())));
    if seam.host.management.is_some() {
        builder = builder
            .views(view::all(&seam))
            .management(Arc::new(SimManagement::new(seam)));
    } else {
        let known = world
            .sources()
            .map(|source| (source.name.clone(), secret_of(&source.name)));
        builder = builder.sources(known);
    }
    world.runs(machine, &process, builder.start());
    Some(process)
}
