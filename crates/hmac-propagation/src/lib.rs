//! Carries HMAC credentials from the peer where they are changed to every peer that verifies with them, and brings back the proof
//! that they arrived.
//!
//! One change, end to end:
//!
//! ```text
//!  source                                   broker                       target
//!  ------                                   ------                       ------
//!  ensure ──► management: accepted          │                            │
//!         └─► own store: applied            │                            │
//!  sync   ──► management: claimed           │                            │
//!         ├─► own store: booked (ledger)    │                            │
//!         ├─► publish ─────────────────────►│ queue hmac-<target>.queue ►│ validate whole
//!         └─► management: sent ◄── confirm ─┤                            ├─► own store: cursor + credential, one step
//!                                           │◄────────────── publish ack ┤
//!  ack    ◄─────────────────────────────────┤ queue hmac-<source>.queue  └─► settle
//!         ├─► management: success           │
//!         ├─► own store: completed          │
//!         └─► settle                        │
//! ```
//!
//! Every arrow may fail, repeat, or come late. Four rules make that harmless, and the modules keep them:
//!
//! 1. **Booked before published** ([`peer_store`]): an ack can overtake the confirm, never the booking.
//! 2. **Acks are bound to a generation** ([`management`]): an ack for a replaced change completes nothing newer.
//! 3. **`ts` rises strictly for each credential, and a retry stays older than any later change**: a target takes what is newer and
//!    answers the rest as applied ([`peer_store::Stamp`]).
//! 4. **Settled last**: whatever was not finished is delivered again, and doing it twice changes nothing.
//!
//! What was acknowledged and got lost all the same (a store flushed, restored, edited by hand) is found by looking: [`drift`].
//!
//! # A mesh in one process
//!
//! The seams' in-memory implementations are complete, so this is the real protocol; put RabbitMQ, Redis and MariaDB behind the
//! same four arguments and nothing else changes.
//!
//! ```
//! use std::sync::Arc;
//!
//! use hmac_auth::{ClientId, MemoryCredentialStore, Secret};
//! use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
//! use hmac_propagation::options::Ensure;
//! use hmac_propagation::propagator::Propagator;
//! use hmac_propagation::queue::PeerName;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bus = MemoryBus::new();
//! let (authority, orders) = (PeerName::parse("authority")?, PeerName::parse("orders")?);
//!
//! // A full-mode peer: it owns a management store, with the targets it may send to.
//! let management = Arc::new(MemoryManagement::new());
//! management.put_target(orders.clone(), Secret::new("entry-secret-of-orders"));
//! let here = MemoryCredentialStore::new();
//! let source = Propagator::builder(
//!     authority.clone(),
//!     Secret::new("entry-secret-of-authority"),
//!     Arc::new(MemoryBroker::connect(&bus)),
//!     Arc::new(MemoryPeerStore::new(here.clone(), MemoryCredentialStore::new())),
//! )
//! .management(management.clone())
//! .secret_token(Some(Secret::new("pepper-of-authority")))
//! .start();
//!
//! // A receive-only peer: it knows the authority's entry secret, so its acknowledgements count.
//! let there = MemoryCredentialStore::new();
//! let target = Propagator::builder(
//!     orders,
//!     Secret::new("entry-secret-of-orders"),
//!     Arc::new(MemoryBroker::connect(&bus)),
//!     Arc::new(MemoryPeerStore::new(there.clone(), MemoryCredentialStore::new())),
//! )
//! .sources([(authority, Secret::new("entry-secret-of-authority"))])
//! .start();
//!
//! source
//!     .ensure(Ensure::new("partner-a", Secret::new("correct horse battery staple")).targets(["orders"]))
//!     .await?;
//!
//! // The change is sent by itself; here we wait for the acknowledgement to be booked.
//! while source.counters().acks_booked == 0 {
//!     tokio::task::yield_now().await;
//! }
//! let client = ClientId::parse("partner-a")?;
//! let (ours, theirs) = (here.find_now(&client).unwrap(), there.find_now(&client).unwrap());
//! assert!(ours.credential.secret_hash.matches(&theirs.credential.secret_hash));
//! source.close().await;
//! target.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Who should depend on this crate
//!
//! Applications that are peers of a mesh, with one adapter for each seam: `hmac-propagation-amqp` ([`broker`]), `hmac-propagation-redis`
//! ([`peer_store`]) and, for peers that accept changes, `hmac-propagation-sqlx` ([`management`]). Authors of another adapter depend on this
//! crate and prove theirs with `hmac-testkit`. The crate opens no socket and names no broker and no database.

pub mod broker;
pub mod counters;
pub mod delivery;
pub mod drift;
pub mod error;
pub mod event;
pub mod management;
pub mod memory;
pub mod options;
pub mod peer_store;
pub mod progress;
pub mod propagator;
pub mod queue;

mod acks;
mod changes;
mod inbound;
mod outbound;
mod sent_marks;
mod shared;
mod sync_loop;
