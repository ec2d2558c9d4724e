#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| auth_testkit::hostile::authorization(bytes));
