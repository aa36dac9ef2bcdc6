//! Hands the bytes of libFuzzer to the target of the same name; knows nothing of them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rejoinder_tests::template::run(data));
