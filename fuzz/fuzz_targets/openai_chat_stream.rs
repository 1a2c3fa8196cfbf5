#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shim_fuzz::run("openai_chat_stream", data));
