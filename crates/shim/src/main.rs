//! Shim makes language models interchangeable.

mod chat;
mod check;
mod cli;
mod client;
mod console;
mod found;
mod host;
mod run;
mod serve;
mod status;
mod swap;

use std::process::ExitCode;

use clap::Parser as _;

/// Chosen for throughput under many small buffers; `cargo xtask bench` measures the binary as it ships.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli::run(cli) {
        Ok(code) => code,
        Err(error) => {
            console::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
