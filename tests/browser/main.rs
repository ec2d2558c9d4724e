//! Stories in a real browser: Chromium without a window, on four peers with real servers.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a story that cannot go on says so by panicking; its helpers are no test functions"
)]

mod behind;
mod dashboard;
mod documentation;
mod drive;
mod foreign;
mod inventory;
mod look;
mod looks;
mod mesh;
mod mistakes;
mod people;
mod screenshots;
mod secrets;
mod session;
#[path = "../e2e/mesh/slot.rs"]
mod slot;
