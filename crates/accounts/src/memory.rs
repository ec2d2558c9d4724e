//! Everything in memory: for tests, for one process, and as the model of every other store.

mod accounts;
mod audit;
mod failures;
mod refresh;
mod tables;

pub use tables::MemoryAccounts;
