//! `shim swap`: change the model under an alias, or take a change back.

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use shim_telemetry::{clean, timestamp};

use crate::cli::Swap;
use crate::client::ask;
use crate::console::{say, say_json};

pub(crate) fn swap(args: &Swap) -> Result<()> {
    if args.list {
        return list(args);
    }
    let alias = args.alias.as_deref().context("which alias?")?;
    let body = match (&args.to, args.back) {
        (Some(to), false) if args.now => {
            json!({ "alias": alias, "to": to, "now": true, "force": args.force })
        }
        (Some(_), false) => {
            bail!("only `--now` swaps can be made yet; add --now to commit at once and keep the way back")
        }
        (None, true) => json!({ "alias": alias, "back": true }),
        _ => bail!("say where to: `shim swap {alias} --to provider/model --now`, or `--back`"),
    };
    let done = ask(&args.ask, "POST", "/v1/swaps", Some(&body))?;
    if args.ask.json {
        say_json(&done);
    } else {
        let text = |name: &str| clean(done[name].as_str().unwrap_or("?")).into_owned();
        say(&format!(
            "{}: {} → {} (generation {})",
            text("alias"),
            text("from"),
            text("to"),
            done["generation"]
        ));
    }
    Ok(())
}

fn list(args: &Swap) -> Result<()> {
    let answer = ask(&args.ask, "GET", "/v1/swaps", None)?;
    if args.ask.json {
        say_json(&answer);
        return Ok(());
    }
    let steps = answer["steps"].as_array().cloned().unwrap_or_default();
    let steps = steps.iter().filter(|s| args.alias.as_deref().is_none_or(|alias| s["alias"] == alias));
    let mut none = true;
    for step in steps {
        none = false;
        let text = |name: &str| clean(step[name].as_str().unwrap_or("?")).into_owned();
        let at = step["at_ms"].as_u64().map_or_else(|| "?".to_owned(), timestamp);
        say(&format!("{at}  {:<12} {} {} → {}", text("kind"), text("alias"), text("from"), text("to")));
    }
    if none {
        say("no swap was made yet");
    }
    Ok(())
}
