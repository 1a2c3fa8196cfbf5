//! What an exchange cost, as its record says.

use super::entry::Exchange;

/// What it cost, in pico-dollars; `None` where that is not known.
pub(super) fn cost(_exchange: &Exchange) -> Option<u64> {
    None
}

/// Whether something was asked of an upstream, at a cost nobody knows.
pub(super) fn unknown(exchange: &Exchange) -> bool {
    cost(exchange).is_none() && exchange.settled.attempts > 0
}

/// What the cost rests on.
pub(super) fn basis(_exchange: &Exchange) -> &'static str {
    "none"
}

/// The attempts before the last, as JSON; none where there were none.
pub(super) fn failed(_exchange: &Exchange) -> Option<String> {
    None
}
