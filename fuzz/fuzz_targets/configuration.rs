#![no_main]

// The one property of a configuration; the tests of `peer-kit` hold it too.
#[path = "../../poc/peer-kit/tests/hostile/configuration.rs"]
mod configuration;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| configuration::configuration(bytes));
