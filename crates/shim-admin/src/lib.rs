//! The operators' API. It has no state of the gateway's but through [`Control`] and what that shares.
//!
//! | route | what |
//! |---|---|
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 while it takes requests, 503 while it drains |
//! | `GET /metrics` | Prometheus' text format |
//! | `GET /v1/status` | generation, aliases, divergence from the file |
//! | `GET /v1/models` | every name clients can ask for |
//! | `GET /v1/swaps` | the steps of all swaps |
//! | `POST /v1/swaps` | `{"alias","to","now":true,"force"}` or `{"alias","back":true}` |
//! | `GET /v1/keys` | keys, and how limits stand: settled, reserved, available |
//! | `POST /v1/keys` | `{"name","grant":{…}}`, the grant as in `[keys.NAME]`: makes a key, shows its secret once |
//! | `POST /v1/keys/{name}/rotate` | `{"grace_ms"}`: another secret; the old one is good for so long |
//! | `DELETE /v1/keys/{name}` | revokes a key |
//! | `POST /v1/keys/{name}/lift` | takes what a key does as usual for it: an alarm of extraction is over |
//! | `GET /v1/extraction` | keys that are watched, with their score and its reasons |
//! | `GET /v1/exchanges` | recent exchanges; with `key`, `team`, `model`, `target`, `outcome`, `since`, `until`, `before` or `limit`, those of the ledger |
//! | `GET /v1/exchanges/{id}` | one exchange |

mod extraction;
mod guard;
mod keys;
mod ledger;
mod routes;

use std::sync::Arc;

use axum::Router;
use shim_gateway::Control;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use keys::{account_json, key_json};

/// What the operators' listener presents and checks.
#[derive(Clone)]
pub struct Operators {
    /// What is in force, and changes it.
    pub control: Arc<Control>,
    /// The bearer token operators present; none where the listener is on loopback and none is configured.
    pub secret: Option<String>,
    /// The program's version.
    pub version: &'static str,
}

/// Serves the operators' API until `stop` says so.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    operators: Operators,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let stopped = async move {
        // An error means that whoever could say stop is gone, which says the same.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, router(operators)).with_graceful_shutdown(stopped).await
}

/// The routes, with their guard.
pub fn router(operators: Operators) -> Router {
    routes::router(operators)
}
