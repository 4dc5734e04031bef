//! Full keys of any prefix, version and key.
//! The body is `hotclub::testing::fuzz::keys`, which every test run exercises a little.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hotclub::testing::fuzz::keys(data));
