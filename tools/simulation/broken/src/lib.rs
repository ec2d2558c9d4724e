//! The simulation's own files, compiled over the mutants in place of the propagation.

// The files name the propagation; here that is the broken one.
extern crate mutants as hmac_propagation;

#[path = "../../src/broker.rs"]
pub mod broker;
#[path = "../../src/chaos.rs"]
pub mod chaos;
#[path = "../../src/cli.rs"]
pub mod cli;
#[path = "../../src/clock.rs"]
pub mod clock;
#[path = "../../src/content.rs"]
pub mod content;
#[path = "../../src/damage.rs"]
pub mod damage;
#[path = "../../src/dice.rs"]
pub mod dice;
#[path = "../../src/driver.rs"]
pub mod driver;
#[path = "../../src/history.rs"]
pub mod history;
#[path = "../../src/host.rs"]
pub mod host;
#[path = "../../src/invariants.rs"]
pub mod invariants;
#[path = "../../src/ledger.rs"]
pub mod ledger;
#[path = "../../src/management.rs"]
pub mod management;
#[path = "../../src/oracle.rs"]
pub mod oracle;
#[path = "../../src/plan.rs"]
pub mod plan;
#[path = "../../src/process.rs"]
pub mod process;
#[path = "../../src/run.rs"]
pub mod run;
#[path = "../../src/seam.rs"]
pub mod seam;
#[path = "../../src/store.rs"]
pub mod store;
#[path = "../../src/subscription.rs"]
pub mod subscription;
#[path = "../../src/tampering.rs"]
pub mod tampering;
#[path = "../../src/verdict.rs"]
pub mod verdict;
#[path = "../../src/view.rs"]
pub mod view;
#[path = "../../src/wire.rs"]
pub mod wire;
#[path = "../../src/world.rs"]
pub mod world;
