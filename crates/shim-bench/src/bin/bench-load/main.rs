//! Sends requests, compares every byte of every answer, and prints what it counted as JSON. In the Messages dialect,
//! where a gateway writes the bytes, what they say is compared, and every later byte with those that were right.
//!
//! Four ways to send, for four questions:
//! - `closed`: each connection sends its next request when the last was answered. Finds how much work the subject gets
//!   done; its latencies say nothing about a loaded service.
//! - `open`: requests fall due at a constant rate whether or not the subject keeps up, and latency counts from the
//!   time they were due. The one way to measure a p99.
//! - `streams`: every connection takes one stream at the same time, to its end. For the cost of a chunk, and for memory.
//! - `lockstep`: the upstream sends a chunk only when the last one has been received here. A subject that waits for
//!   more bytes before it passes some on cannot hide: nothing more will come.

mod connection;
mod modes;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use shim_bench::ask::{Ask, CHUNKS_MAX, Dialect, Stream};
use shim_bench::prompt::Prompt;

use modes::Run;

/// The load generator of `cargo xtask bench`: verifies every byte, prints JSON.
#[derive(Parser)]
struct Options {
    /// The subject; loopback only.
    #[arg(long)]
    target: SocketAddr,
    /// How to send.
    #[arg(long, value_enum, default_value = "closed")]
    mode: Mode,
    /// Connections, each with a thread of its own.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,
    /// How the client speaks: as the upstream does, or Anthropic's Messages.
    #[arg(long, value_enum, default_value = "chat")]
    dialect: Dialect,
    /// Size of the prompt.
    #[arg(long, value_enum, default_value = "1k")]
    prompt: Prompt,
    /// Ask for a stream of so many chunks of content; without it, for a whole answer.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(CHUNKS_MAX)))]
    chunks: Option<u32>,
    /// Pause of the upstream after each chunk.
    #[arg(long, default_value_t = 0)]
    gap_us: u64,
    /// How long `closed` and `open` go on sending; at most ten minutes.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    duration_ms: u64,
    /// Requests a second of `open`.
    #[arg(long, default_value_t = 1000)]
    rate: u32,
    /// Where `lockstep` reports what it has received: the upstream itself; loopback only.
    #[arg(long)]
    upstream: Option<SocketAddr>,
    /// The model asked for.
    #[arg(long, default_value = "chat")]
    model: String,
    /// The variable that holds the credential sent.
    #[arg(long, default_value = "SHIM_BENCH_KEY")]
    key_env: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Closed,
    Open,
    Streams,
    Lockstep,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let target = shim_bench::loopback_only(options.target)?;
    let lockstep = matches!(options.mode, Mode::Lockstep).then(std::process::id);
    let stream = options.chunks.map(|chunks| Stream { chunks, gap_us: options.gap_us, lockstep });
    let ask = Ask { prompt: options.prompt, stream };
    let key = std::env::var(&options.key_env).unwrap_or_else(|_| "none".to_owned());
    let run = Run::new(target, ask, options.dialect, &options.model, &key);
    let duration = Duration::from_millis(options.duration_ms);
    let report = match options.mode {
        Mode::Closed => run.closed(options.connections, duration),
        Mode::Open => run.open(options.connections, options.rate, duration),
        Mode::Streams => run.streams(options.connections),
        Mode::Lockstep => run.lockstep(shim_bench::loopback_only(options.upstream.unwrap_or(target))?)?,
    };
    writeln!(io::stdout(), "{report}")
}
