//! `shim ledger reprice`: costs reckoned anew, by the gateway that has the store open, else here.

use std::net::TcpStream;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use shim_config::Config;
use shim_gateway::PriceList;
use shim_policy::limits::usd;
use shim_store::ledger::{Reader, Resting};
use shim_store::{SqliteState, StoreError};
use shim_telemetry::clean;

use super::{LedgerArgs, Which};
use crate::check::{read, validate};
use crate::cli::{Ask, OPERATORS};
use crate::client::{ask, operators};
use crate::console::{error, say, say_json};

/// What is reckoned anew.
#[derive(Args, Debug)]
pub(super) struct RepriceArgs {
    /// Change the ledger. Without this, what would change is shown.
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    which: Which,
    /// The operators' address of the gateway, where one has the store open.
    #[arg(long, env = "SHIM_OPERATORS", default_value = OPERATORS, value_parser = operators)]
    operators: String,
    /// The operators' secret, where the gateway wants one.
    #[arg(long, env = "SHIM_OPERATORS_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

/// Reckons costs anew, and tells what came of it.
///
/// # Errors
/// When the configuration or the ledger cannot be read, or the gateway that has it open cannot be asked.
pub(super) fn reprice(args: &LedgerArgs, reprice: &RepriceArgs, store: &Path) -> Result<()> {
    let report = match SqliteState::open(store) {
        Ok(lock) => here(args, reprice, store, &lock)?,
        Err(StoreError::InUse(_)) => there(args, reprice, store)?,
        Err(error) => return Err(error.into()),
    };
    if args.json {
        say_json(&report);
    } else {
        tell(&report, reprice.write);
    }
    Ok(())
}

/// In a store that nobody has open, by the prices of the configuration and the catalogue.
fn here(args: &LedgerArgs, reprice: &RepriceArgs, store: &Path, lock: &SqliteState) -> Result<Value> {
    let config = if args.config.exists() {
        validate(&args.config, &read(&args.config)?).map_err(|problems| anyhow::anyhow!("{problems}"))?
    } else {
        error(&format!("there is no {}: only the catalogue's prices are known", args.config.display()));
        Config::default()
    };
    let mut prices = PriceList::of(&config);
    let resting = Resting::new(store, lock);
    let filter = reprice.which.filter()?;
    let report =
        Reader::new(store).reprice(&filter, &mut |priced| prices.price(priced), &mut |day, changes| {
            if reprice.write { resting.apply(day, changes) } else { Ok(0) }
        })?;
    Ok(report.to_json())
}

/// At the gateway that has the store open: one process writes it.
fn there(args: &LedgerArgs, reprice: &RepriceArgs, store: &Path) -> Result<Value> {
    let operators = &reprice.operators;
    if TcpStream::connect(operators).is_err() {
        bail!(
            "a gateway has the store {} open, and none answers at {operators}: name its operators' address with \
             --operators, or stop it",
            store.display()
        );
    }
    error(&format!(
        "a gateway has the store open: {operators} is asked, and goes by the prices it has in force"
    ));
    let which = &reprice.which;
    let body = json!({
        "write": reprice.write,
        "which": {
            "key": which.key, "team": which.team, "model": which.model, "target": which.target,
            "outcome": which.outcome, "since": which.since, "until": which.until,
        },
    });
    let at = Ask { operators: operators.clone(), secret: reprice.secret.clone(), json: args.json };
    ask(&at, "POST", "/v1/ledger/reprice", Some(&body)).context("the gateway did not do it")
}

/// A line for each target, and what they come to.
fn tell(report: &Value, write: bool) {
    let none = Vec::new();
    let targets = report["targets"].as_array().unwrap_or(&none);
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap_or(0);
    for of in targets {
        let counts = [
            ("changed", "changed"),
            ("became_known", "became known"),
            ("became_unknown", "became unknown"),
            ("stated", "stated by the provider, kept"),
            ("unlisted", "without a price now, kept"),
            ("untold", "of an older program, kept"),
        ];
        let told = counts.into_iter().filter(|(name, _)| number(of, name) > 0);
        let told: String = told.map(|(name, words)| format!(", {} {words}", number(of, name))).collect();
        say(&clean(&format!(
            "{:<40} {} → {}  {} exchanges{told}",
            of["target"].as_str().unwrap_or("?"),
            money(number(of, "before_pico_usd")),
            money(number(of, "after_pico_usd")),
            number(of, "rows"),
        )));
    }
    let sum = |name: &str| targets.iter().fold(0u64, |sum, of| sum.saturating_add(number(of, name)));
    let done = if write {
        format!("{} written", number(report, "written"))
    } else {
        "nothing was written; --write does".to_owned()
    };
    let (before, after) = (money(sum("before_pico_usd")), money(sum("after_pico_usd")));
    say(&format!("{before} → {after}, {} of {} exchanges change: {done}", sum("changed"), sum("rows")));
}

fn money(pico: u64) -> String {
    usd(shim_ir::PicoUsd(pico))
}
