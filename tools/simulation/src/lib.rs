//! The propagator over simulated broker, stores, database and clock.
//!
//! One seed is one story: a small mesh of real [`hmac_propagation::propagator::Propagator`]s, random changes, and faults at the
//! seams, all on one thread whose time is simulated. The same seed is the same story to the last step. While it runs,
//! [`oracle`] holds every step against the promises of `docs/guarantees.md`; when the faults have stopped, [`verdict`] waits for the
//! mesh to become quiet and looks at what is left.
//!
//! ```
//! let story = simulation::run::story(7, simulation::history::Trace::Off);
//! assert_eq!(story.violation, None);
//! ```
//!
//! How to read a failure, and what is simulated: `docs/simulation.md`.

pub mod broker;
pub mod bus;
pub mod chaos;
pub mod cli;
pub mod clock;
pub mod content;
pub mod damage;
pub mod dice;
pub mod driver;
pub mod history;
pub mod host;
pub mod invariants;
pub mod ledger;
pub mod management;
pub mod oracle;
pub mod outage;
pub mod plan;
pub mod process;
pub mod resyncs;
pub mod run;
pub mod seam;
pub mod start;
pub mod store;
pub mod strike;
pub mod subscription;
pub mod tampering;
pub mod verdict;
pub mod view;
pub mod wire;
pub mod world;
