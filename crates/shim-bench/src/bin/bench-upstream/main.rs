//! A provider that answers from memory: it speaks the Chat Completions dialect, whole and streamed, always with the
//! same bytes, and checks that each prompt arrived as it was sent, also when it was sent in another dialect.
//!
//! It must cost far less than anything measured. A whole answer is one read and one write of bytes made at start; a
//! chunk of a stream is one write of about 250 bytes. A thread for each connection sleeps between chunks, so streams
//! do not tick together as they would on a shared timer.

mod credits;
mod serve;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;

use credits::Credits;
use serve::Connection;

/// A fast fake provider for `cargo xtask bench`. Prints its address as JSON, then serves until it is ended.
///
/// POST /v1/chat/completions answers whole, or as a stream when the body says "stream":true. The member `user` of the
/// body paces it: "bench prompt=1k chunks=20 gap_us=3000 lockstep=7". POST /bench/credit/7 allows the stream with that
/// lockstep number its next chunk.
#[derive(Parser)]
struct Options {
    /// Where to listen; loopback only. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Connections served at a time; more are closed at once.
    #[arg(long, default_value_t = 4096)]
    connections_max: usize,
    /// Ends by itself after so many seconds.
    #[arg(long, default_value_t = 3600)]
    lifetime_s: u64,
}

/// Enough for one connection's few small frames; a thousand of these are open in the memory measurement.
const STACK_BYTES: usize = 128 << 10;

fn main() -> io::Result<()> {
    let options = Options::parse();
    shim_bench::end_after(options.lifetime_s);
    let listener = shim_bench::listen(options.listen)?;
    writeln!(io::stdout(), "{}", serde_json::json!({ "listening": listener.local_addr()?.to_string() }))?;
    let credits = Arc::new(Credits::default());
    let open = Arc::new(AtomicUsize::new(0));
    for (number, stream) in listener.incoming().enumerate() {
        // A connection that was reset before it was accepted, or no free descriptor: neither ends the program.
        let Ok(stream) = stream else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        if open.load(Ordering::Relaxed) >= options.connections_max {
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (credits, open) = (Arc::clone(&credits), Arc::clone(&open));
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            // A client that leaves in mid-answer is nothing to report.
            drop(Connection::new(stream, number, &credits).and_then(Connection::serve));
            open.fetch_sub(1, Ordering::Relaxed);
        })?;
    }
    Ok(())
}
