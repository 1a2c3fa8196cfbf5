//! `shim conform`: whether a configuration does in every client dialect what its upstreams say.

use std::process::ExitCode;

use anyhow::{Result, bail};
use shim_conform::{Scripts, Wish, matrix, prove};

use crate::check::load;
use crate::cli::Conform;
use crate::console;

/// Proves a configuration, and prints what came of it. Fails where a cell does.
pub(crate) fn conform(args: Conform) -> Result<ExitCode> {
    let config = match load(&args.config)? {
        Ok(config) => config,
        Err(problems) => bail!("the configuration has problems:\n{problems}"),
    };
    let wish = Wish { targets: args.target, dialects: args.dialect, cases: args.case };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(prove(config, &wish, &Scripts::shipped()))?;
    if args.json {
        console::say_json(&report.to_json())
    } else {
        console::say(&matrix(&report))
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
