#![doc = include_str!("../README.md")]
// A view is one type, as deep as the page.
#![recursion_limit = "512"]

#[cfg(feature = "hydrate")]
mod hydrate;
pub mod page;
#[cfg(feature = "ssr")]
mod render;

mod app;
mod caller;
mod client;
mod drive;
mod health;
mod matrix;
mod notice;
mod signed_call;
mod targets;
mod timeline;

mod entry;
mod field;
mod form;
mod icon;
mod state;
mod time;
mod words;

mod address;
mod browser;
mod history;
mod moment;
mod name;

#[cfg(feature = "hydrate")]
pub use hydrate::hydrate;
#[cfg(feature = "ssr")]
pub use render::{Assets, render};

/// The style sheet of all pages.
pub const STYLE: &str = include_str!("../style/dashboard.css");
