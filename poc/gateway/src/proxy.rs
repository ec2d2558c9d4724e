//! The reverse proxy in front of the peers: whoever passes comes to a peer with an internal token for that one request.
//!
//! ```text
//!   request ─► head ─► flood ─► routing ─► who ─► site, permission ─► mint ─► forward ─► peer
//!              │ 400   429      404        401     403                503     │ 502 503 504
//!              │ 421                                                          ▼
//!   answer  ◄──┴───────────────────── without our cookies ◄───────────── relay, tunnel
//! ```
//!
//! [`Who`] is the seam to whatever knows who calls. Everything else is independent of it: [`LocalOperator`] lets in whoever
//! reaches the port, as `kubectl proxy` does, and therefore listens on this machine alone.

mod arrival;
mod change;
pub(crate) mod cookies;
mod cors;
mod flood;
mod forward;
mod head;
mod hop_by_hop;
mod local_operator;
mod mint;
mod permission;
mod pipeline;
mod probes;
mod refusal;
mod relay;
mod request_line;
mod routing;
mod server;
mod tunnel;
mod who;

pub(crate) use self::arrival::{Arrival, OwnRoutes};
pub(crate) use self::change::ChangeLog;
pub(crate) use self::flood::Flood;
pub use self::forward::Limits;
pub(crate) use self::forward::client;
pub use self::head::{InvalidOrigin, Origin};
pub use self::local_operator::{LocalOperator, NotLoopback};
pub(crate) use self::mint::{Mint, Speaker, Wanted};
pub use self::refusal::Refusal;
pub use self::routing::{InvalidUpstream, Upstream, Upstreams};
pub(crate) use self::server::Entrance;
pub use self::server::{Proxy, ProxyError, Settings};
pub use self::who::{Caller, Profile, Request, Who};
