//! The sources of `hmac-propagation`, with every mutation of `list/` compiled in and switched off.
//!
//! One build holds them all: `build.rs` copies the sources and puts the replacements in. [`mutation`] switches one on, for one thread.

include!(concat!(env!("OUT_DIR"), "/propagation/lib.rs"));

pub mod mutation;
