//! How a client is told that a limit has no room.

use http::{HeaderMap, HeaderName, HeaderValue};
use shim_dialect::{Codec, Standing};
use shim_ir::{Blame, Fault, FaultKind, Retry};
use shim_policy::calendar::print_moment;
use shim_policy::limits::{Allowance, Limit, Refusal, usd};

use crate::attempt::Failed;

/// The fault of a refusal, with the headers in which the client's dialect tells of limits.
pub(super) fn failed(refusal: &Refusal, codec: &dyn Codec, now_ms: u64) -> Failed {
    let allowance = |allowance: Allowance| shim_dialect::Allowance {
        limit: allowance.limit,
        remaining: allowance.remaining,
        reset_ms: allowance.reset_ms,
        // Rounded up: at that moment it is so.
        reset_at: print_moment(now_ms.saturating_add(allowance.reset_ms).saturating_add(999)),
    };
    let standing = Standing {
        requests: refusal.standing.requests.map(allowance),
        tokens: refusal.standing.tokens.map(allowance),
    };
    let fault = fault(refusal);
    let mut headers = HeaderMap::new();
    for (name, value) in codec.limit_headers(&standing) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    if fault.retry == Retry::Never {
        // The SDKs of OpenAI and Anthropic try a 429 again unless they are told not to.
        // <https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py> (`_should_retry`), read 2026-11-26.
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    Failed::with(fault, headers)
}

/// `1 request`, `2 requests`.
fn so_many(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn fault(refusal: &Refusal) -> Fault {
    let who = &refusal.subject;
    let (kind, message) = match refusal.limit {
        Limit::Requests(limit) => {
            (FaultKind::RateLimited, format!("the {who} may make {} a minute", so_many(limit, "request")))
        }
        Limit::Tokens(limit) => {
            (FaultKind::RateLimited, format!("the {who} may use {} a minute", so_many(limit, "token")))
        }
        Limit::Concurrent(limit) => {
            let requests = so_many(limit, "request");
            (FaultKind::RateLimited, format!("the {who} may have {requests} under way at once"))
        }
        Limit::Leases => (
            FaultKind::Unavailable,
            "the gateway has more exchanges under way than it keeps account of".into(),
        ),
        Limit::Unpriced => {
            let message = format!(
                "the {who} has a budget, and the price of this model is not known; unpriced = \"allow\" in its limits lets \
                 it pass"
            );
            (FaultKind::Forbidden, message)
        }
        Limit::Budget { budget, available, wanted, held } => {
            let budget_of =
                format!("the budget of the {who} ({}, {})", usd(budget.amount), budget.window.name());
            let left = format!("this may cost up to {}, and {} is left", usd(wanted), usd(available));
            if held {
                (FaultKind::RateLimited, format!("{budget_of} is held by requests under way: {left}"))
            } else {
                (FaultKind::QuotaExceeded, format!("{budget_of} does not reach: {left}"))
            }
        }
    };
    let mut fault = Fault::new(kind, message);
    fault.retry_after_ms = refusal.retry_after_ms;
    fault.blame = if kind == FaultKind::Unavailable { Blame::Gateway } else { Blame::Client };
    // Hours are longer than an SDK should wait by itself.
    let soon = refusal.retry_after_ms.is_some() && kind != FaultKind::QuotaExceeded;
    fault.retry = if soon { Retry::SameTarget } else { Retry::Never };
    fault
}
