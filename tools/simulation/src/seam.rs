//! Where faults strike: every call over a seam goes through [`Seam::around`], which may delay it, fail it before or after its
//! effect, let it hang, or end the process that makes it.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::host::Host;
use crate::invariants::Invariant;
use crate::process::Process;
use crate::strike::{Kind, Strike};
use crate::world::World;

/// Calls of one process in one simulated second that no honest work needs.
const HOT: u32 = 1_500;

/// A call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("simulated failure")]
pub struct Away;

/// One process's side of all seams.
#[derive(Clone)]
pub struct Seam {
    /// The story.
    pub world: Arc<World>,
    /// Who calls.
    pub process: Arc<Process>,
    /// What outlives the process.
    pub host: Arc<Host>,
}

impl Seam {
    /// Makes a call, or not, or not quite.
    ///
    /// # Errors
    /// [`Away`] when a fault struck; the call may have had its effect.
    pub async fn around<T>(
        &self,
        kind: Kind,
        what: &'static str,
        call: impl Future<Output = T>,
    ) -> Result<T, Away> {
        let strike = self.enter(kind, what).await;
        match strike {
            Strike::FailBefore => return Err(Away),
            Strike::HangBefore => return pending().await,
            Strike::DieBefore => return self.die().await,
            _ => {}
        }
        let answer = call.await;
        self.pass().await;
        match strike {
            Strike::FailAfter => Err(Away),
            Strike::HangAfter => pending().await,
            Strike::DieAfter => self.die().await,
            _ => Ok(answer),
        }
    }

    /// How many of `items` come through; the others fail.
    pub fn part(&self, kind: Kind, items: usize) -> usize {
        let world = &self.world;
        if items > 1 && world.strikes(kind) && world.dice.one_in(world.plan.rate) {
            self.note("part of a batch");
            return world.dice.index(items);
        }
        items
    }

    /// Notes a step of the process.
    pub fn note(&self, what: &'static str) {
        self.world
            .history
            .note(&self.process.label, what, String::new);
    }

    async fn enter(&self, kind: Kind, what: &'static str) -> Strike {
        self.stay_dead().await;
        let (world, process) = (&self.world, &self.process);
        if process.count(world.history.now_ms() / 1_000) > HOT {
            world
                .history
                .violate(Invariant::HotLoop, format!("{}: {what}", process.label));
            return pending().await;
        }
        let away = self.host.database().filter(|_| kind == Kind::Management);
        let strike = away.unwrap_or_else(|| world.strike(kind));
        world.history.note(&process.label, what, || match strike {
            Strike::Nothing => String::new(),
            strike => format!("{strike:?}"),
        });
        self.pass().await;
        strike
    }

    /// Lets some time pass; a process that died meanwhile does not come back.
    async fn pass(&self) {
        let latency = self.world.latency_ms();
        if latency > 0 {
            sleep(Duration::from_millis(latency)).await;
        }
        self.stay_dead().await;
    }

    async fn stay_dead(&self) {
        if self.process.is_dead() {
            pending::<()>().await;
        }
    }

    async fn die<T>(&self) -> T {
        self.world.kill(&self.process);
        pending().await
    }
}
