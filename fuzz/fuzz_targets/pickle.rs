//! Any bytes as a pickle; what reads, writes and reads equal.
//! The body is `hotclub::testing::fuzz::pickle`, which every test run exercises a little.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hotclub::testing::fuzz::pickle(data));
