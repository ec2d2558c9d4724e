//! What must hold for whatever comes from outside: one function for each parser, which takes any bytes.
//!
//! The property tests of this workspace and its fuzz targets call the same functions (`docs/fuzzing.md`), so what a fuzzer
//! finds becomes a file of the corpus, and with it a test for ever. Where a parser has a fast path, its function goes the
//! long way beside it, in other words, and compares.

mod canonical_json;
mod event;
mod headers;
mod path;
mod record;
mod rules;

pub use self::canonical_json::canonical_json;
pub use self::event::event;
pub use self::headers::headers;
pub use self::path::path;
pub use self::record::record;
pub use self::rules::rules;

/// Panics for bytes that break what must hold.
pub type Property = fn(&[u8]);

/// Every property, by the name of its fuzz target and of its folder in `fuzz/corpus`.
pub const PROPERTIES: &[(&str, Property)] = &[
    ("canonical_json", canonical_json),
    ("event", event),
    ("headers", headers),
    ("path", path),
    ("record", record),
    ("rules", rules),
];
