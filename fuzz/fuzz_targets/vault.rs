#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shim_fuzz::run("vault", data));
