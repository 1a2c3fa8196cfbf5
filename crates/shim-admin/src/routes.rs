//! The routes.

use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};
use shim_gateway::{AliasStatus, CacheStatus, ControlError, KeyError, SwapReport};
use shim_ir::{AliasName, TargetId};

use crate::guard::guard;
use crate::{Operators, extraction, keys};

pub(crate) fn router(operators: Operators) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/status", get(status))
        .route("/v1/models", get(models))
        .route("/v1/swaps", get(swaps).post(swap))
        .route("/v1/keys", get(keys::list).post(keys::create))
        .route("/v1/keys/{name}", delete(keys::revoke))
        .route("/v1/keys/{name}/rotate", post(keys::rotate))
        .route("/v1/keys/{name}/lift", post(extraction::lift))
        .route("/v1/extraction", get(extraction::list))
        .route("/v1/ledger/reprice", post(crate::ledger::reprice))
        .route("/v1/exchanges", get(crate::ledger::exchanges))
        .route("/v1/exchanges/{id}", get(crate::ledger::exchange))
        .layer(from_fn_with_state(operators.clone(), guard))
        .with_state(operators)
}

async fn index() -> &'static str {
    "shim: /healthz /readyz /metrics /v1/status /v1/models /v1/swaps /v1/keys /v1/extraction /v1/exchanges \
     /v1/ledger/reprice\n"
}

async fn ready(State(operators): State<Operators>) -> Response {
    if operators.control.shared().draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    "ready\n".into_response()
}

async fn metrics(State(operators): State<Operators>) -> Response {
    match operators.control.shared().metrics_text() {
        Ok(text) => ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn status(State(operators): State<Operators>) -> Json<Value> {
    let control = &operators.control;
    let snapshot = control.shared().snapshot();
    let providers = control
        .providers()
        .into_iter()
        .map(|(id, dialects, models)| json!({ "id": id, "dialects": dialects, "models": models }));
    Json(json!({
        "version": operators.version,
        "generation": snapshot.number().0,
        "hash": snapshot.hash(),
        "draining": control.shared().draining(),
        "refused": control.refused(),
        "restart": control.restart(),
        "dormant": control.dormant().iter().map(dormant).collect::<Vec<_>>(),
        "ledger": crate::ledger::status(control.shared()),
        "aliases": control.aliases().iter().map(alias).collect::<Vec<_>>(),
        "providers": providers.collect::<Vec<_>>(),
        "caches": caches(&control.shared().caches()),
        "extraction": extraction::status(control.shared()),
    }))
}

/// What became of prompts in the providers' caches.
fn caches(status: &CacheStatus) -> Value {
    let last = status.last.as_ref().map(|last| {
        json!({
            "exchange": last.exchange, "at_ms": last.at_ms, "model": last.model, "target": last.target,
            "cause": last.cause, "path": last.path, "bytes": last.bytes, "hash": last.hash,
            "expected_tokens": last.expected_tokens, "read_tokens": last.read_tokens,
            "extra_pico_usd": last.extra_pico_usd,
        })
    });
    json!({
        "collapses": status.collapses, "lost_tokens": status.lost_tokens,
        "extra_pico_usd": status.extra_pico_usd, "last": last,
    })
}

/// A swap that is not in force.
fn dormant((alias, target): &(AliasName, TargetId)) -> Value {
    json!({ "alias": alias.as_str(), "target": target.to_string() })
}

fn alias(status: &AliasStatus) -> Value {
    json!({
        "alias": status.alias.as_str(),
        "declared": status.declared.to_string(),
        "live": status.live.to_string(),
        "diverged": status.declared != status.live,
        "back": status.back,
        "fallback": status.fallback.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

async fn models(State(operators): State<Operators>) -> Json<Value> {
    let list = operators.control.models().into_iter().map(|m| {
        json!({
            "id": m.id, "name": m.display, "provider": m.owner,
            "context": m.context_max, "output": m.output_max,
        })
    });
    Json(json!({ "models": list.collect::<Vec<_>>() }))
}

async fn swaps(State(operators): State<Operators>) -> Response {
    match operators.control.steps() {
        Ok(steps) => {
            let rows = steps.iter().map(|s| {
                json!({
                    "at_ms": s.at_ms, "alias": s.alias.as_str(), "kind": s.kind.name(),
                    "from": s.from.to_string(), "to": s.to.to_string(),
                })
            });
            Json(json!({ "steps": rows.collect::<Vec<_>>() })).into_response()
        }
        Err(error) => refused(&error),
    }
}

/// The body of `POST /v1/swaps`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Swap {
    alias: String,
    to: Option<String>,
    #[serde(default)]
    back: bool,
    #[serde(default)]
    now: bool,
    #[serde(default)]
    force: bool,
}

async fn swap(State(operators): State<Operators>, Json(swap): Json<Swap>) -> Response {
    let control = operators.control.clone();
    // The store waits for the disk; the other routes do not wait for the store.
    let done = tokio::task::spawn_blocking(move || change(&control, &swap)).await;
    done.unwrap_or_else(|_| bad(StatusCode::INTERNAL_SERVER_ERROR, "the change failed"))
}

fn change(control: &shim_gateway::Control, swap: &Swap) -> Response {
    let report = match (&swap.to, swap.back, swap.now) {
        (None, true, _) => control.back(&swap.alias),
        (Some(to), false, true) => match TargetId::parse(to) {
            Ok(to) => control.swap(&swap.alias, to, swap.force),
            Err(why) => return bad(StatusCode::BAD_REQUEST, &format!("\"{to}\": {why}")),
        },
        (Some(_), false, false) => {
            return bad(
                StatusCode::BAD_REQUEST,
                "only swaps with \"now\": true can be made; gated swaps are not built yet",
            );
        }
        _ => return bad(StatusCode::BAD_REQUEST, "give either \"to\" or \"back\": true"),
    };
    match report {
        Ok(report) => Json(told(&report)).into_response(),
        Err(error) => refused(&error),
    }
}

fn told(report: &SwapReport) -> Value {
    json!({
        "alias": report.alias.as_str(),
        "from": report.from.to_string(),
        "to": report.to.to_string(),
        "generation": report.generation.0,
    })
}

pub(crate) fn refused(error: &ControlError) -> Response {
    let status = match error {
        ControlError::NoAlias(..) | ControlError::NoProvider(..) => StatusCode::NOT_FOUND,
        ControlError::UnlistedModel(..) | ControlError::Swap(_) => StatusCode::CONFLICT,
        ControlError::Key(KeyError::NoKey(..) | KeyError::NoTeam(_)) => StatusCode::NOT_FOUND,
        ControlError::Key(
            KeyError::Taken(_) | KeyError::Revoked(_) | KeyError::InFile(_) | KeyError::Many,
        ) => StatusCode::CONFLICT,
        ControlError::NoLedger => StatusCode::NOT_FOUND,
        ControlError::Repricing => StatusCode::CONFLICT,
        ControlError::Setup(_) | ControlError::Secrets(_) => StatusCode::UNPROCESSABLE_ENTITY,
        ControlError::Store(_)
        | ControlError::Reprice(_)
        | ControlError::Spent(_)
        | ControlError::Key(KeyError::Random) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    bad(status, &error.to_string())
}

pub(crate) fn bad(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
