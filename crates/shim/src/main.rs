//! Shim makes language models interchangeable.

mod announce;
mod chat;
mod check;
mod cli;
mod client;
mod conform;
mod console;
mod found;
mod host;
mod keys;
mod ledger;
mod run;
mod serve;
mod status;
mod swap;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

/// Gives out last what was given back last, so that a request is served from memory that is still in the processor's
/// caches, and returns what is idle from a thread of its own. Its settings stand in `.cargo/config.toml`.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    small_pages();
    let cli = cli::Cli::parse();
    match cli::run(cli) {
        Ok(code) => code,
        Err(error) => {
            console::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Asks the kernel for small pages: the allocator's room would be backed by huge ones, of which an idle gateway uses
/// little and gives nothing back. Where that cannot be asked, it costs some memory and nothing else.
fn small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
