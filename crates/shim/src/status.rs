//! `shim status` and `shim models`: what a running gateway serves.

use anyhow::Result;
use serde_json::Value;
use shim_telemetry::clean;

use crate::cli::Ask;
use crate::client::ask;
use crate::console::{say, say_json};

pub(crate) fn status(args: &Ask) -> Result<()> {
    let status = ask(args, "GET", "/v1/status", None)?;
    if args.json {
        say_json(&status);
        return Ok(());
    }
    in_force(&status);
    for alarm in status["ledger"]["alarms"].as_array().unwrap_or(&Vec::new()) {
        say(&format!("ALARM     {}", text(alarm)));
    }
    targets(&status);
    if let Some(line) = caches(&status["caches"]) {
        say(&line);
    }
    for key in status["extraction"]["keys"].as_array().unwrap_or(&Vec::new()) {
        say(&extraction_line(key));
    }
    Ok(())
}

/// Which configuration is in force, and what of its file is not.
fn in_force(status: &Value) {
    say(&format!(
        "shim {} · generation {} · {}",
        text(&status["version"]),
        status["generation"],
        text(&status["hash"])
    ));
    if let Some(why) = status["refused"].as_str() {
        say(&format!("the configuration file as it is now is NOT in force:\n{why}"));
    }
    let waiting: Vec<_> = status["restart"].as_array().into_iter().flatten().map(text).collect();
    if !waiting.is_empty() {
        say(&format!("of the file, these wait for a restart: {}", waiting.join(", ")));
    }
}

/// The providers, where the aliases lead, and the swaps that lead nowhere.
fn targets(status: &Value) {
    for provider in status["providers"].as_array().unwrap_or(&Vec::new()) {
        let dialects: Vec<_> = provider["dialects"].as_array().into_iter().flatten().map(text).collect();
        say(&format!("provider  {:<14} {}", text(&provider["id"]), dialects.join(", ")));
    }
    for alias in status["aliases"].as_array().unwrap_or(&Vec::new()) {
        let (declared, live) = (text(&alias["declared"]), text(&alias["live"]));
        let note = if alias["diverged"] == true {
            format!("   (the file declares {declared})")
        } else {
            String::new()
        };
        say(&format!("alias     {:<14} {live}{note}", text(&alias["alias"])));
    }
    for swap in status["dormant"].as_array().unwrap_or(&Vec::new()) {
        let (alias, target) = (text(&swap["alias"]), text(&swap["target"]));
        say(&format!("swap      {alias:<14} {target}   (not in force: the file has not both of them)"));
    }
}

fn text(value: &Value) -> String {
    clean(value.as_str().unwrap_or("?")).into_owned()
}

/// How a key stands that seems to harvest a model.
pub(crate) fn extraction_line(key: &Value) -> String {
    let reasons = key["reasons"].as_array().into_iter().flatten().map(|reason| {
        let name = reason["reason"].as_str().unwrap_or("?");
        let count = |name: &str| reason[name].as_f64().unwrap_or_default();
        format!("{name} {:.0} (usual {:.0})", count("value"), count("baseline"))
    });
    let throttled = if key["throttled"] == true { ", throttled" } else { "" };
    format!(
        "extraction {:<12} {}{throttled} · score {:.2} · {}",
        text(&key["name"]),
        key["level"].as_str().unwrap_or("?"),
        key["score"].as_f64().unwrap_or_default(),
        reasons.collect::<Vec<_>>().join(", "),
    )
}

/// What became of prompts in the providers' caches; nothing where all was read that was there.
fn caches(caches: &Value) -> Option<String> {
    let causes = caches["collapses"].as_object().filter(|causes| !causes.is_empty())?;
    let told: Vec<_> = causes.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
    let dollars = caches["extra_pico_usd"].as_u64().filter(|extra| *extra > 0);
    let dollars = dollars.map_or_else(String::new, |extra| format!(", ${:.2} more", extra as f64 / 1e12));
    let last = &caches["last"];
    let at = last["path"].as_str().map_or_else(String::new, |path| format!(" at {}", clean(path)));
    Some(format!(
        "caches    collapsed: {} · {} tokens not read{dollars} · last: {} ({}{at}), exchange {}",
        told.join(", "),
        caches["lost_tokens"],
        text(&last["model"]),
        last["cause"].as_str().unwrap_or("?"),
        last["exchange"].as_str().unwrap_or("?"),
    ))
}

pub(crate) fn models(args: &Ask) -> Result<()> {
    let models = ask(args, "GET", "/v1/models", None)?;
    if args.json {
        say_json(&models);
        return Ok(());
    }
    for model in models["models"].as_array().unwrap_or(&Vec::new()) {
        let limit = |name: &str| model[name].as_u64().map_or_else(|| "-".to_owned(), |n| n.to_string());
        let (id, name) = (text(&model["id"]), clean(model["name"].as_str().unwrap_or("")));
        say(&format!("{id:<56} context {:>8}  output {:>7}  {name}", limit("context"), limit("output")));
    }
    Ok(())
}
