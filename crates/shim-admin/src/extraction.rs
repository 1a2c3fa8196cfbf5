//! Keys that seem to harvest a model.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use shim_gateway::{ExtractionStatus, KeyStanding, Shared};
use shim_policy::calendar::print_moment;
use shim_policy::extraction::{Level, Weighed};

use crate::Operators;
use crate::routes::refused;

/// The rule and the keys, those with the highest score first.
pub(crate) async fn list(State(operators): State<Operators>) -> Json<Value> {
    let status = operators.control.shared().extraction();
    let mut told = rule(&status);
    if let Some(members) = told.as_object_mut() {
        members.insert("keys".to_owned(), status.keys.iter().map(key).collect());
    }
    Json(told)
}

/// Takes what a key does as usual for it.
pub(crate) async fn lift(State(operators): State<Operators>, Path(name): Path<String>) -> Response {
    match operators.control.lift(&name) {
        Ok(known) => Json(json!({ "name": name, "known": known })).into_response(),
        Err(error) => refused(&error),
    }
}

/// The rule, how many keys stand how, and those worth a look.
pub(crate) fn status(shared: &Shared) -> Value {
    let status = shared.extraction();
    let mut told = rule(&status);
    let throttled = status.keys.iter().filter(|key| key.throttled).count();
    let loud = |standing: &&KeyStanding| standing.standing.level > Level::Quiet;
    if let Some(members) = told.as_object_mut() {
        members.insert("watched".to_owned(), status.keys.len().into());
        members.insert("noticed".to_owned(), status.count(Level::Noticed).into());
        members.insert("alarmed".to_owned(), status.count(Level::Alarmed).into());
        members.insert("throttled".to_owned(), throttled.into());
        members.insert("keys".to_owned(), status.keys.iter().filter(loud).take(SHOWN_MAX).map(key).collect());
    }
    told
}

/// Most keys in the status; `GET /v1/extraction` has all.
const SHOWN_MAX: usize = 20;

fn rule(status: &ExtractionStatus) -> Value {
    json!({
        "mode": status.rule.mode.name(),
        "threshold": status.rule.threshold.value(),
        "floor": status.rule.floor,
        "requests_per_minute": status.rule.requests_per_minute,
    })
}

/// How a key stands, as JSON: figures alone.
pub(crate) fn key(key: &KeyStanding) -> Value {
    let KeyStanding { standing, throttled } = key;
    let moment = |ms: u64| (ms > 0).then(|| print_moment(ms));
    json!({
        "name": standing.key.as_str(),
        "level": standing.level.name(),
        "score": standing.verdict.score.value(),
        "throttled": throttled,
        "young": standing.young,
        "questions": standing.questions,
        "since": moment(standing.since_ms),
        "last": moment(standing.last_ms),
        "reasons": standing.verdict.reasons.iter().map(reason).collect::<Vec<_>>(),
    })
}

fn reason(weighed: &Weighed) -> Value {
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    json!({
        "reason": weighed.reason.name(),
        "unit": weighed.reason.unit(),
        "value": weighed.value.round(),
        "baseline": weighed.baseline.round(),
        "from": weighed.from.round(),
        "full": weighed.full.round(),
        "share": rounded(weighed.share),
        "strength": rounded(weighed.strength),
        "weight": weighed.weight,
        "part": rounded(weighed.part()),
    })
}
