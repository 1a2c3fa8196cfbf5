//! `shim check`: what is wrong with a configuration, all of it at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use shim_config::{Config, Problems};
use shim_gateway::Snapshot;
use shim_ir::Generation;
use shim_telemetry::Metrics;

use crate::cli::Check;
use crate::console;
use crate::host::Host;
use crate::serve::{secret, tls};

/// Reads and validates a file.
pub(crate) fn load(path: &Path) -> Result<Result<Config, Problems>> {
    Ok(validate(path, &read(path)?))
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Validates the text of the file at `path`.
pub(crate) fn validate(path: &Path, text: &str) -> Result<Config, Problems> {
    let known: Vec<&str> = shim_catalog::providers().iter().map(|p| p.id.as_str()).collect();
    shim_config::parse(text, &path.display().to_string(), &known)
}

/// What a well-formed configuration needs and this machine does not have.
fn missing(config: &Config) -> Vec<String> {
    let mut problems = match shim_gateway::resolve(config, &BTreeMap::new(), &[], &Host) {
        Ok(setup) => Snapshot::build(Generation(0), &setup, &Metrics::new())
            .err()
            .map(|e| e.to_string())
            .into_iter()
            .collect(),
        Err(missing) => missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
    };
    let secret = config.server.operators_secret.as_ref().map(secret).transpose();
    problems.extend(secret.err().map(|e| format!("server.operators_secret: {e:#}")));
    problems.extend(tls(config).err().map(|e| format!("server.tls: {e:#}")));
    problems
}

pub(crate) fn check(args: &Check) -> Result<ExitCode> {
    let problems: Vec<String> = match load(&args.config)? {
        Err(problems) => problems.to_string().lines().map(str::to_owned).collect(),
        Ok(config) => missing(&config),
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
