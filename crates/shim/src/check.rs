//! `shim check`: what is wrong with a configuration, all of it at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use shim_config::{Config, Problems};

use crate::cli::Check;
use crate::console;
use crate::host::Host;

/// Reads and validates a file.
pub(crate) fn load(path: &Path) -> Result<Result<Config, Problems>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let known: Vec<&str> = shim_catalog::providers().iter().map(|p| p.id.as_str()).collect();
    Ok(shim_config::parse(&text, &path.display().to_string(), &known))
}

pub(crate) fn check(args: &Check) -> Result<ExitCode> {
    let problems: Vec<String> = match load(&args.config)? {
        Err(problems) => problems.to_string().lines().map(str::to_owned).collect(),
        Ok(config) => match shim_gateway::resolve(&config, &BTreeMap::new(), &Host) {
            Ok(_) => Vec::new(),
            Err(missing) => missing.iter().map(ToString::to_string).collect(),
        },
    };
    if args.json {
        console::say(&serde_json::json!({ "ok": problems.is_empty(), "problems": problems }).to_string());
    } else if problems.is_empty() {
        console::say(&format!("{} is fine", args.config.display()));
    } else {
        problems.iter().for_each(|problem| console::say(problem));
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
