//! Any bytes under any flags; values of any content there and back.
//! The body is `hotclub::testing::fuzz::codecs`, which every test run exercises a little.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hotclub::testing::fuzz::codecs(data));
