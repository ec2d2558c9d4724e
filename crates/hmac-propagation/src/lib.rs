//! Carries HMAC credentials from the peer where they are changed to every peer that verifies with them,
//! and brings back the proof that they arrived: a transactional outbox, at-least-once delivery, and
//! idempotent consumers that keep a last-writer-wins register for each credential.
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
//! Every arrow may fail, repeat, or come late. Four rules make that harmless:
//!
//! 1. **Booked before published** ([`peer_store`]): an ack can overtake the confirm, never the booking.
//! 2. **Acks are bound to a generation** ([`management`]): an ack for a replaced change completes
//!    nothing newer.
//! 3. **`ts` rises strictly for each credential, and a retry is no newer than its change**: a target
//!    takes what is newer and answers the rest as applied ([`peer_store::Stamp`]); within one
//!    millisecond the ids order ([`event_id`]).
//! 4. **Settled last**: whatever was not finished is delivered again, and doing it twice changes
//!    nothing.
//!
//! What was acknowledged and got lost all the same (a store flushed, restored, edited by hand) is found
//! by reconciliation: [`drift`].
//!
//! # A mesh in one process
//!
//! The seams' in-memory implementations are complete, so this is the real protocol; put RabbitMQ, Redis
//! and MariaDB behind the same four arguments and nothing else changes.
//!
//! ```
//! use std::sync::Arc;
//!
//! use hmac_auth::{ClientId, MemoryCredentialStore, Secret};
//! use hmac_propagation::{
//!     Ensure, MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore, PeerName, Propagator,
//! };
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
//! # What it does not do
//!
//! It opens no socket and names no broker and no database. It does not order changes of *different*
//! credentials, and does not merge two changes of one credential: the later one wins whole. It does
//! not deliver exactly once; a target may see an event twice and answers both alike.
//!
//! # Implementing
//!
//! Applications that are peers of a mesh depend on this crate, with one adapter for each seam:
//! `hmac-propagation-amqp` ([`broker`]), `hmac-propagation-redis` ([`peer_store`]) and, for peers that
//! accept changes, `hmac-propagation-sqlx` ([`management`]). Another adapter implements the trait and
//! proves itself with the suite of `hmac-testkit`, one test a case. A broker that loses everything:
//!
//! ```
//! use hmac_propagation::broker::{
//!     Broker, BrokerError, BrokerStatus, OutboundMessage, PublishError, Subscription,
//! };
//! use hmac_propagation::PeerName;
//! use tokio::sync::watch;
//!
//! struct Nowhere(watch::Sender<BrokerStatus>);
//!
//! #[async_trait::async_trait]
//! impl Broker for Nowhere {
//!     async fn declare(&self, _: &PeerName) -> Result<(), BrokerError> {
//!         Err(BrokerError::Unavailable("there is nothing here".into()))
//!     }
//!
//!     async fn publish(&self, messages: Vec<OutboundMessage>) -> Vec<Result<(), PublishError>> {
//!         messages.iter().map(|_| Err(PublishError::Unroutable)).collect()
//!     }
//!
//!     async fn subscribe(&self, _: &PeerName, _: u16) -> Result<Box<dyn Subscription>, BrokerError> {
//!         Err(BrokerError::Unavailable("there is nothing here".into()))
//!     }
//!
//!     fn status(&self) -> watch::Receiver<BrokerStatus> {
//!         self.0.subscribe()
//!     }
//!
//!     async fn close(&self) {}
//! }
//! ```
//!
//! An implementation need not bound its calls for the propagator's sake: every call runs within the
//! timeouts of [`Settings`].

pub mod broker;
pub mod counters;
pub mod delivery;
pub mod drift;
pub mod error;
pub mod event;
pub mod event_id;
pub mod management;
pub mod memory;
pub mod options;
pub mod origin;
pub mod peer_store;
pub mod progress;
pub mod propagator;
pub mod queue;

mod acknowledgements;
mod bounded;
mod changes;
mod closing;
mod context;
mod dispatch;
mod health;
mod inbound;
mod lock;
mod outbound;
mod overtaken;
mod own_store;
mod publisher;
mod resync;
mod sent_marks;

pub use crate::broker::Broker;
pub use crate::error::PropagationError;
pub use crate::management::Management;
pub use crate::memory::{MemoryBroker, MemoryBus, MemoryManagement, MemoryPeerStore};
pub use crate::options::{Ensure, Resync, Revoke, Rotate, Settings};
pub use crate::origin::Origin;
pub use crate::peer_store::PeerStore;
pub use crate::propagator::Propagator;
pub use crate::propagator::builder::PropagatorBuilder;
pub use crate::queue::PeerName;
