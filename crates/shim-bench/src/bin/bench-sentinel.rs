//! What the cache sentinel costs a prompt: nanoseconds per KiB of an agent's request, by its size.
//!
//! `cargo run --release -p shim-bench --bin bench-sentinel`

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shim_ir::{Tokens, Usage};
use shim_policy::sentinel::{Outline, Turn, Watch, WatchLimits, judge, predecessor};
use shim_wire::scan::{Limits, ScanError};
use shim_wire::{Layout, LayoutAsked};

/// What is said, with the escapes real prompts have.
const TEXT: &str = r#"fn main() {\n\tlet path = \"C:\\\\data\\\\in.csv\";\n\tprintln!(\"{}\", path);\n}\nThe minutes follow. "#;

/// How long each figure is measured.
const MEASURED: Duration = Duration::from_millis(400);

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for kib in [4, 48, 400, 4096] {
        let body = body(kib << 10);
        let layout = layout(&body);
        let outline = measured(|| drop(black_box(Outline::of(black_box(body.as_bytes()), &layout))));
        let settled = settled(&body);
        let size = body.len() as f64 / 1024.0;
        writeln!(
            out,
            "{size:>7.0} KiB: outline {:>6.1} ns/KiB ({:.2} GB/s, {:.1} us), compared and held {:.1} us",
            outline / size,
            body.len() as f64 / outline,
            outline / 1000.0,
            settled / 1000.0,
        )?;
    }
    Ok(())
}

/// A request of `bytes` bytes: tools, instructions, and a conversation of messages of 2 KiB.
fn body(bytes: usize) -> String {
    let text = TEXT.repeat(2048 / TEXT.len());
    let tool = format!(r#"{{"name":"t","description":"{text}"}}"#);
    let message = format!(r#"{{"role":"user","content":[{{"type":"text","text":"{text}"}}]}}"#);
    let count = bytes.saturating_sub(3 * text.len()) / message.len();
    let messages = vec![message; count.max(1)].join(",");
    format!(r#"{{"model":"m","tools":[{tool}],"system":"{text}","messages":[{messages}]}}"#)
}

/// Where its members stand: what the gateway finds while it checks the body.
fn layout(body: &str) -> Layout {
    let asked = LayoutAsked { words: None, elements: true };
    Layout::read(body, Limits::default(), asked, |_| Ok::<_, ScanError>(())).unwrap_or_default()
}

/// Nanoseconds a run takes, on average.
fn measured(mut run: impl FnMut()) -> f64 {
    let (start, mut runs) = (Instant::now(), 0_u32);
    while start.elapsed() < MEASURED {
        run();
        runs += 1;
    }
    start.elapsed().as_nanos() as f64 / f64::from(runs)
}

/// Nanoseconds to find the turn before, compare, and hold the new one.
fn settled(body: &str) -> f64 {
    let usage = Usage { cache_write: Tokens(10_000), ..Usage::default() };
    let turn = Turn {
        outline: Outline::of(body.as_bytes(), &layout(body)),
        target: "lab/one".into(),
        at_ms: 0,
        usage,
    };
    let turn = Arc::new(turn);
    let mut watch = Watch::new(WatchLimits { turns_max: 1024, outline_bytes_max: 2 << 20 });
    measured(|| {
        if let Some(before) = predecessor(&turn.outline, 1, |name| watch.find(name).to_vec()) {
            black_box(judge(&before, &turn, None, None));
        }
        if let Some(name) = turn.outline.exact_names(1).first() {
            watch.put(*name, turn.clone());
        }
    })
}
