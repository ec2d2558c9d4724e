//! Serves an axum router with the bounds that `axum::serve` does not have: a connection whose request does not come is closed
//! after a while, a lack of files pauses accepting, and a request that was not read to its end also ends its connection, in
//! so many words. A head that servers read in different ways is refused. Shutdown is graceful.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use axum::{Router, routing::get};
//!
//! let app = Router::new().route("/", get(async || "hello"));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let stop = async { drop(tokio::signal::ctrl_c().await) };
//! axum_serve::serve(listener, app, stop).await
//! # }
//! ```

mod connections;
mod lengths;
mod malformed;
mod unread;

pub use crate::connections::{KEEP_ALIVE, serve, serve_for, serve_within};
