//! Keys, and how limits stand.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shim_gateway::{Control, ControlError, KeyError, KeyStatus, Secret};
use shim_ir::KeyId;
use shim_policy::access::Grant;
use shim_policy::calendar::print_moment;
use shim_policy::extraction::Mode;
use shim_policy::limits::{Account, Allowance, Limits, usd};
use shim_policy::record::Record;

use crate::Operators;
use crate::extraction;
use crate::routes::{bad, refused};

/// A key as JSON: everything but its secret, which nobody has.
#[must_use]
pub fn key_json(key: &KeyStatus) -> Value {
    let Grant { allow, providers, deny_providers, regions, dialects, owner, team, .. } = &key.grant;
    let names = |ids: &[shim_ir::ProviderId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "name": key.id.as_str(),
        "state": key.state,
        "kind": if key.made.is_some() { "made" } else { "file" },
        "shown": key.made.as_ref().map(|(shown, _)| shown),
        "made": key.made.as_ref().map(|(_, made_ms)| print_moment(*made_ms)),
        "owner": owner,
        "team": team.as_ref().map(|team| team.as_str()),
        "expires": key.grant.expires_ms.map(print_moment),
        "record": key.grant.record.map(Record::name),
        "extraction": key.grant.extraction.map(Mode::name),
        "allow": allow,
        "providers": names(providers),
        "deny_providers": names(deny_providers),
        "regions": regions,
        "dialects": dialects.iter().map(|dialect| dialect.name()).collect::<Vec<_>>(),
        "limits": limits_json(&key.grant.limits),
    })
}

fn limits_json(limits: &Limits) -> Value {
    json!({
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrent": limits.concurrent,
        "budget": limits.budget.map(|budget| usd(budget.amount)),
        "budget_window": limits.budget.map(|budget| budget.window.name()),
        "unpriced": limits.budget.map(|budget| budget.unpriced.name()),
        "output_tokens_max": limits.output_tokens_max,
    })
}

/// An account as JSON. Money is in pico-dollars, and beside it as people write it.
#[must_use]
pub fn account_json(account: &Account) -> Value {
    let allowance = |allowance: Option<Allowance>| {
        allowance.map(|a| json!({ "limit": a.limit, "remaining": a.remaining, "reset_ms": a.reset_ms }))
    };
    json!({
        "kind": account.subject.kind(),
        "name": account.subject.name(),
        "open": account.open,
        "requests": allowance(account.standing.requests),
        "tokens": allowance(account.standing.tokens),
        "settled": usd(account.settled),
        "reserved": usd(account.reserved),
        "available": account.available.map(usd),
        "settled_pico_usd": account.settled.0,
        "reserved_pico_usd": account.reserved.0,
        "available_pico_usd": account.available.map(|amount| amount.0),
        "overrun_pico_usd": account.overrun.0,
        "unpriced": account.unpriced,
        "expired_leases": account.expired,
        "window_start": account.period.map(|period| print_moment(period.start_ms)),
        "window_end": account.period.and_then(|period| period.end_ms).map(print_moment),
    })
}

pub(crate) async fn list(State(operators): State<Operators>) -> Json<Value> {
    let keys: Vec<_> = operators.control.keys().iter().map(key_json).collect();
    let accounts: Vec<_> = operators.control.accounts().iter().map(account_json).collect();
    let standings: Vec<_> =
        operators.control.shared().extraction().keys.iter().map(extraction::key).collect();
    Json(json!({ "keys": keys, "accounts": accounts, "extraction": standings }))
}

/// The body of `POST /v1/keys`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    name: String,
    #[serde(default)]
    grant: toml::Table,
}

pub(crate) async fn create(State(operators): State<Operators>, Json(create): Json<Create>) -> Response {
    changed(move || made(&operators.control, &create)).await
}

fn made(control: &Control, create: &Create) -> Response {
    let id = match KeyId::new(&create.name) {
        Ok(id) => id,
        Err(why) => return bad(StatusCode::BAD_REQUEST, &format!("\"{}\": {why}", create.name)),
    };
    // A made key of the name would be another matter: it can be given another secret.
    if control.keys().iter().any(|key| key.id == id && key.made.is_none()) {
        return refused(&KeyError::InFile(id).into());
    }
    let text = toml::to_string(&create.grant).map_err(|why| why.to_string());
    match text.and_then(|text| control.read_grant(&text)) {
        Ok(grant) => told(control.create_key(id, grant)),
        Err(why) => bad(StatusCode::BAD_REQUEST, &why),
    }
}

/// The body of `POST /v1/keys/{name}/rotate`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotate {
    #[serde(default)]
    grace_ms: u64,
}

pub(crate) async fn rotate(
    State(operators): State<Operators>,
    Path(name): Path<String>,
    Json(rotate): Json<Rotate>,
) -> Response {
    changed(move || told(operators.control.rotate_key(&name, Duration::from_millis(rotate.grace_ms)))).await
}

pub(crate) async fn revoke(State(operators): State<Operators>, Path(name): Path<String>) -> Response {
    changed(move || match operators.control.revoke_key(&name) {
        Ok(key) => Json(key_json(&key)).into_response(),
        Err(error) => refused(&error),
    })
    .await
}

/// A key with its secret: the only answer that ever holds one.
fn told(made: Result<(KeyStatus, Secret), ControlError>) -> Response {
    let (key, secret) = match made {
        Ok(made) => made,
        Err(error) => return refused(&error),
    };
    let mut told = key_json(&key);
    if let Some(members) = told.as_object_mut() {
        members.insert("secret".to_owned(), secret.expose().into());
    }
    Json(told).into_response()
}

/// Makes a change on a thread that may wait for the disk; the other routes do not wait for the store.
async fn changed(change: impl FnOnce() -> Response + Send + 'static) -> Response {
    let done = tokio::task::spawn_blocking(change).await;
    done.unwrap_or_else(|_| bad(StatusCode::INTERNAL_SERVER_ERROR, "the change failed"))
}
