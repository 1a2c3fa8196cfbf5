//! Exchanges: the latest from memory, all others from the ledger.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shim_gateway::Shared;
use shim_ir::ExchangeId;
use shim_store::StoreError;
use shim_store::ledger::{Cursor, Filter, Reader, time};

use crate::Operators;
use crate::routes::{bad, refused};

/// Exchanges listed at once.
const LISTED_MAX: usize = 100;

/// How the ledger is.
pub(crate) fn status(shared: &Shared) -> Value {
    shared.ledger().map_or(Value::Null, |ledger| {
        let metrics = &shared.metrics.ledger;
        json!({
            "alarms": ledger.alarms(), "rows": metrics.rows.get(), "bodies_shed": metrics.bodies_shed.get(),
            "rows_shed": metrics.rows_shed.get(), "crashed": metrics.crashed.get(),
            "set_aside": metrics.set_aside.get(), "strict": ledger.is_strict(),
        })
    })
}

/// What is asked of the ledger.
#[derive(Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    key: Option<String>,
    team: Option<String>,
    model: Option<String>,
    target: Option<String>,
    outcome: Option<String>,
    since: Option<String>,
    until: Option<String>,
    /// The `before` of an earlier answer.
    before: Option<String>,
    limit: Option<usize>,
}

/// `GET /v1/exchanges`.
pub(crate) async fn exchanges(State(operators): State<Operators>, Query(asked): Query<Asked>) -> Response {
    let shared = operators.control.shared();
    let Some(ledger) = shared.ledger().filter(|_| asked != Asked::default()) else {
        let latest = shared.latest(LISTED_MAX);
        return Json(json!({ "exchanges": latest.iter().map(|s| s.to_json()).collect::<Vec<_>>() }))
            .into_response();
    };
    let reader = ledger.reader();
    let now_ms = shared.now_ms();
    // Disks are slow, and the other routes do not wait for them.
    let listed = tokio::task::spawn_blocking(move || list(&reader, asked, now_ms)).await;
    listed.unwrap_or_else(|_| bad(StatusCode::INTERNAL_SERVER_ERROR, "the ledger could not be read"))
}

fn list(reader: &Reader, asked: Asked, now_ms: u64) -> Response {
    let limit = asked.limit.unwrap_or(LISTED_MAX).min(LISTED_MAX);
    let (filter, before) = match filter(asked, now_ms) {
        Ok(filter) => filter,
        Err(why) => return bad(StatusCode::BAD_REQUEST, &why),
    };
    match reader.list(&filter, before, limit) {
        Ok(rows) => {
            let next = rows.last().filter(|_| rows.len() == limit).map(|(cursor, _)| cursor.to_string());
            let rows: Vec<Value> = rows.iter().map(|(_, row)| row.to_json()).collect();
            Json(json!({ "exchanges": rows, "before": next })).into_response()
        }
        Err(error) => unreadable(&error),
    }
}

fn filter(asked: Asked, now_ms: u64) -> Result<(Filter, Option<Cursor>), String> {
    let at = |text: Option<String>| text.map(|text| time(&text, now_ms)).transpose();
    let filter = Filter {
        key: asked.key,
        team: asked.team,
        model: asked.model,
        target: asked.target,
        outcome: asked.outcome,
        since_ms: at(asked.since).map_err(|e| e.to_string())?,
        until_ms: at(asked.until).map_err(|e| e.to_string())?,
    };
    let before = asked.before.map(|before| before.parse::<Cursor>()).transpose();
    Ok((filter, before.map_err(|_| "\"before\" is what an earlier answer gave".to_owned())?))
}

/// `GET /v1/exchanges/{id}`.
pub(crate) async fn exchange(State(operators): State<Operators>, Path(id): Path<String>) -> Response {
    let shared = operators.control.shared();
    if let Some(settled) = shared.recent(&id) {
        return Json(settled.to_json()).into_response();
    }
    let (Ok(id), Some(ledger)) = (id.parse::<ExchangeId>(), shared.ledger()) else {
        return bad(StatusCode::NOT_FOUND, "there is no such exchange");
    };
    let reader = ledger.reader();
    let shown = tokio::task::spawn_blocking(move || reader.show(id)).await;
    match shown {
        Ok(Ok(Some(shown))) => Json(shown.row.to_json()).into_response(),
        Ok(Ok(None)) => bad(StatusCode::NOT_FOUND, "there is no such exchange in the ledger"),
        Ok(Err(error)) => unreadable(&error),
        Err(_) => bad(StatusCode::INTERNAL_SERVER_ERROR, "the ledger could not be read"),
    }
}

/// The body of `POST /v1/ledger/reprice`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reprice {
    #[serde(default)]
    which: Asked,
    /// Whether what comes of it is written.
    #[serde(default)]
    write: bool,
}

/// `POST /v1/ledger/reprice`.
pub(crate) async fn reprice(State(operators): State<Operators>, Json(asked): Json<Reprice>) -> Response {
    let done = tokio::task::spawn_blocking(move || repriced(&operators, asked)).await;
    done.unwrap_or_else(|_| bad(StatusCode::INTERNAL_SERVER_ERROR, "the costs could not be reckoned anew"))
}

fn repriced(operators: &Operators, asked: Reprice) -> Response {
    if asked.which.limit.is_some() || asked.which.before.is_some() {
        return bad(
            StatusCode::BAD_REQUEST,
            "costs are not reckoned anew by pages: give neither limit nor before",
        );
    }
    let control = &operators.control;
    match filter(asked.which, control.shared().now_ms()) {
        Err(why) => bad(StatusCode::BAD_REQUEST, &why),
        Ok((filter, _)) => match control.reprice(&filter, asked.write) {
            Ok(report) => Json(report.to_json()).into_response(),
            Err(error) => refused(&error),
        },
    }
}

fn unreadable(error: &StoreError) -> Response {
    bad(StatusCode::INTERNAL_SERVER_ERROR, &format!("the ledger could not be read: {error}"))
}
