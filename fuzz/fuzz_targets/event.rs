#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hmac_testkit::hostile::event(bytes));
