//! What it costs to watch a key for extraction: microseconds an exchange, by the size of its request.
//!
//! `cargo run --release -p shim-bench --bin bench-extraction`

use std::hint::black_box;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use shim_dialect::speaker;
use shim_ir::{Dialect, KeyId, Request};
use shim_policy::extraction::{Asked, Mode, Question, Rule, Salt, Watch};

/// What is said, with the escapes real prompts have.
const TEXT: &str = r#"fn main() {\n\tlet path = \"C:\\\\data\\\\in.csv\";\n\tprintln!(\"{}\", path);\n}\nThe minutes follow. "#;

/// How long each figure is measured.
const MEASURED: Duration = Duration::from_millis(400);

/// Another moment for each exchange: a thousand a second.
const START_MS: u64 = 1_795_651_200_000;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for bytes in [200, 4 << 10, 48 << 10, 400 << 10] {
        let body = body(bytes);
        let request = decoded(&body).ok_or_else(|| io::Error::other("the request cannot be read"))?;
        let decoding = measured(|| drop(black_box(decoded(black_box(&body)))));
        let question = measured(|| drop(black_box(Question::of(black_box(&request), Salt(1)))));
        let counted = counted(&request)?;
        writeln!(
            out,
            "{:>7.1} KiB: read {:>7.2} us, question {question:>6.2} us, counted and judged {counted:.2} us",
            body.len() as f64 / 1024.0,
            decoding,
        )?;
    }
    Ok(())
}

/// A request of about `bytes` bytes in Chat Completions: instructions, and a conversation of messages of up to 2 KiB.
fn body(bytes: usize) -> String {
    let text = TEXT.repeat(bytes.min(2048).div_ceil(TEXT.len()));
    let message =
        format!(r#"{{"role":"user","content":"{text}"}},{{"role":"assistant","content":"{text}"}},"#);
    let turns = message.repeat(bytes / message.len());
    format!(
        r#"{{"model":"m","messages":[{{"role":"system","content":"Be brief."}},{turns}{{"role":"user","content":"{text}"}}]}}"#
    )
}

fn decoded(body: &str) -> Option<Request> {
    let codec = speaker(Dialect::OpenaiChat);
    let route = codec.route("POST", "/v1/chat/completions", None)?;
    codec.decode_request(&route, body).ok()
}

/// Microseconds a run takes, on average.
fn measured(mut run: impl FnMut()) -> f64 {
    let (start, mut runs) = (Instant::now(), 0_u32);
    while start.elapsed() < MEASURED {
        run();
        runs += 1;
    }
    start.elapsed().as_nanos() as f64 / 1000.0 / f64::from(runs)
}

/// Microseconds to count an exchange, judging the key every so often.
fn counted(request: &Request) -> io::Result<f64> {
    let key = KeyId::new("app").map_err(io::Error::other)?;
    let (mut watch, mut now_ms) = (Watch::new(16), START_MS);
    let rule = Rule { mode: Mode::Watch, ..Rule::default() };
    let asked = Asked { question: Question::of(request, Salt(1)), output_tokens: Some(300) };
    Ok(measured(|| {
        now_ms += 1;
        black_box(watch.takes(&key, now_ms, &asked, &rule));
    }))
}
