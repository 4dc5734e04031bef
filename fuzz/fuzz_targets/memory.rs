//! Any verbs over process memory and a plain map.
//! The body is `hotclub::testing::fuzz::memory`, which every test run exercises a little.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hotclub::testing::fuzz::memory(data));
