#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| auth_testkit::hostile::sign_in(bytes));
