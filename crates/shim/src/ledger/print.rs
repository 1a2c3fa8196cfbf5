//! The ledger on a terminal.

use anyhow::Result;
use serde_json::Value;
use shim_ir::ExchangeId;
use shim_store::ledger::{Reader, Row, Searched, Shown, Verified};
use shim_telemetry::clean;

use crate::console::{error, say};

/// Bytes of a body shown on a terminal.
const SHOWN_BYTES_MAX: usize = 16 << 10;

/// A line for an exchange.
pub(super) fn row(row: &Row) {
    let json = row.to_json();
    let at = json["at"].as_str().unwrap_or("?");
    let tokens = row.usage.map_or_else(String::new, |usage| {
        let sum = |of: &[u64]| of.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
        format!(
            " in={} out={}",
            sum(usage.get(..5).unwrap_or_default()),
            sum(usage.get(5..).unwrap_or_default())
        )
    });
    let cost = row.cost.map_or_else(String::new, |cost| format!(" ${:.6}", cost as f64 / 1e12));
    let key = row.key.as_ref().map_or_else(String::new, |key| format!(" key={key}"));
    let why =
        [&row.fault, &row.reason].into_iter().flatten().map(|why| format!(" {why}")).collect::<String>();
    let asked = if row.model.is_empty() { format!("({})", row.operation) } else { row.model.to_string() };
    let line = format!(
        "{at} {} {asked} → {}{key}{tokens}{cost} {}{why} {}",
        row.status,
        row.target.as_deref().unwrap_or("-"),
        row.outcome,
        row.id
    );
    say(&clean(&line));
}

/// An exchange with all that is kept of it.
pub(super) fn shown(shown: &Shown) {
    row(&shown.row);
    if let Value::Object(members) = shown.row.to_json() {
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            say(&clean(&format!("{name:<16} {plain}")));
        }
    }
    for feedback in &shown.feedback {
        say(&clean(&format!("feedback         {feedback}")));
    }
    if let Some(why) = shown.gone {
        say(&format!("its bodies are gone: {why}"));
    }
    let (request_cut, answer_cut) = shown.row.cut;
    for (name, body, cut) in [("request", &shown.request, request_cut), ("answer", &shown.answer, answer_cut)]
    {
        let Some(body) = body else { continue };
        say(&format!("\n── {name}{}", if cut { " (its beginning)" } else { "" }));
        let part = body.get(..SHOWN_BYTES_MAX).unwrap_or(body);
        say(&String::from_utf8_lossy(part));
        if part.len() < body.len() {
            say(&format!("… {} bytes more: --json shows them", body.len() - part.len()));
        }
    }
}

/// The same as JSON.
pub(super) fn shown_json(shown: &Shown) -> Value {
    let text = |body: &Option<Vec<u8>>| body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
    let mut json = shown.row.to_json();
    if let Some(members) = json.as_object_mut() {
        let (request_cut, answer_cut) = shown.row.cut;
        members.insert("request".to_owned(), text(&shown.request).into());
        members.insert("answer".to_owned(), text(&shown.answer).into());
        members.insert("request_cut".to_owned(), request_cut.into());
        members.insert("answer_cut".to_owned(), answer_cut.into());
        members.insert("bodies_gone".to_owned(), shown.gone.into());
        members.insert("feedback".to_owned(), shown.feedback.clone().into());
    }
    json
}

/// Says what a search has not looked at, beside what it found: nothing is left out in silence.
pub(super) fn not_looked_at(searched: &Searched, limit: usize) {
    if searched.unindexed > 0 {
        error(&format!(
            "{} exchanges are not indexed yet and were not looked at; a gateway that runs indexes them, and so does --whole",
            searched.unindexed
        ));
    }
    if let Some(next) = searched.next.filter(|_| searched.found.len() < limit) {
        let day = next.day;
        error(&format!(
            "the time was up: looked back into {day} and no further; --whole looks at everything"
        ));
    }
}

/// A row with its bodies, as JSON.
pub(super) fn whole(reader: &Reader, row: &Row) -> Result<Value> {
    let id: ExchangeId = row.id.parse()?;
    // Its day may have gone since the row was read.
    Ok(reader.show(id)?.map_or_else(|| row.to_json(), |shown| shown_json(&shown)))
}

/// What a look at the whole ledger came to.
pub(super) fn verified(verified: &Verified) {
    for file in &verified.files {
        let lost =
            if file.lost > 0 { format!(", {} lost with a damaged file", file.lost) } else { String::new() };
        say(&format!(
            "{}  {} admitted = {} settled + {} abandoned + {} open{lost}",
            file.day, file.admitted, file.settled, file.abandoned, file.open
        ));
        file.problems.iter().for_each(|problem| say(&format!("    {problem}")));
    }
    for name in &verified.set_aside {
        say(&format!("set aside, damaged: {name}"));
    }
    say(if verified.holds() {
        "every admitted exchange is accounted once"
    } else {
        "the ledger does NOT hold"
    });
}
