#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| signbell_engine::fuzzing::request_head(input));
