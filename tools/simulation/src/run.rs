//! One seed, one story.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use crate::chaos;
use crate::driver;
use crate::history::Trace;
use crate::invariants::Violation;
use crate::outage;
use crate::start::keep_running;
use crate::tampering;
use crate::verdict;
use crate::world::World;

/// How a story ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The first broken promise.
    pub violation: Option<Violation>,
    /// Stands for every step in its order.
    pub hash: u64,
    /// How many steps there were.
    pub steps: u64,
    /// The steps in words, if they were asked for.
    pub lines: Vec<String>,
}

/// Tells the story of a seed.
///
/// # Panics
/// When the operating system gives no runtime.
pub fn story(seed: u64, trace: Trace) -> Story {
    let runtime = runtime();
    let (story, world) = runtime.block_on(async {
        // On a tick of the timer, so that how long the runtime took to start leaves no trace.
        sleep(Duration::from_millis(1)).await;
        let world = World::new(seed, trace);
        world
            .history
            .note("world", "begins", || format!("{:?}", world.plan));
        tokio::select! {
            biased;
            () = world.history.violated() => {}
            () = tell(&world) => {}
        }
        let history = &world.history;
        let story = Story {
            violation: history.violation(),
            hash: history.hash(),
            steps: history.steps(),
            lines: history.take_lines(),
        };
        world.end();
        (story, Arc::downgrade(&world))
    });
    drop(runtime);
    // A night of stories would fill the memory.
    debug_assert!(
        world.upgrade().is_none(),
        "something of the story of seed {seed} outlives it"
    );
    story
}

async fn tell(world: &Arc<World>) {
    for machine in 0..world.machines.len() {
        tokio::spawn(keep_running(Arc::clone(world), machine));
    }
    let mut calls = Vec::new();
    for number in 0..world.plan.operations {
        sleep(Duration::from_millis(world.dice.below(world.plan.pause_ms))).await;
        calls.extend(driver::operate(world, number));
        for _ in 0..world.dice.below(3) {
            sleep(Duration::from_millis(world.dice.below(world.plan.pause_ms))).await;
            chaos::strike(world);
        }
    }
    sleep(Duration::from_millis(world.dice.below(2_000))).await;
    if world.plan.drift {
        // By now most rows say success, which is what a store can drift from.
        for number in 0..usize::try_from(world.dice.between(1, 4)).unwrap_or_default() {
            tampering::strike(world);
            sleep(Duration::from_millis(world.dice.below(2_000))).await;
            // A change may meet its healing.
            calls.extend(driver::operate(world, world.plan.operations + number));
            sleep(Duration::from_millis(world.dice.below(1_000))).await;
        }
    }
    outage::tell(world).await;
    world.stop_faults();
    verdict::reach(world, calls).await;
}

#[expect(clippy::expect_used, reason = "without a runtime there is no story")]
fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O")
}
