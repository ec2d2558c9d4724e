//! Stories in a real browser: Chromium without a window, on four peers with real servers.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a story that cannot go on says so by panicking; its helpers are no test functions"
)]

mod dashboard;
mod documentation;
mod drive;
mod foreign;
mod look;
mod mesh;
mod session;
#[path = "../e2e/mesh/slot.rs"]
mod slot;
mod wait;
