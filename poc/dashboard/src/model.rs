//! What the pages show: the JSON of the peer's HTTP surface, as types. Times are epoch milliseconds.
//!
//! Reading is lenient: what a newer peer adds is passed over, what an older one leaves out is absent.

mod client;
mod health;
mod outcome;
mod page;
mod timeline;

pub use client::{Cell, CellState, Client, Mesh, PeerSummary, Status, Summary};
pub use health::{Health, Missing, PeerHealth, PeerState, Queue};
pub use outcome::{Outcome, Problem};
pub use page::{Page, PageData, Query, Target};
pub use timeline::{Entry, Pivot, Timeline};
