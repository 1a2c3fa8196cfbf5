#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shim_fuzz::run("gemini_generate_stream", data));
