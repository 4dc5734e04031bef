//! Any bytes as replies of memcached, in any pieces.
//! The body is `hotclub::testing::fuzz::memcached_replies`, which every test run exercises a little.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hotclub::testing::fuzz::memcached_replies(data));
