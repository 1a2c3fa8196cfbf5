//! How a client's limits stand, as dialects tell it in headers.

/// The limits by the minute that a client has at this gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests.
    pub requests: Option<Allowance>,
    /// Tokens, input and output together.
    pub tokens: Option<Allowance>,
}

/// What is left of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// In how many milliseconds all of it is there again.
    pub reset_ms: u64,
    /// The moment of that, as RFC 3339 writes it.
    pub reset_at: String,
}

/// A header: name and value.
pub(crate) type Told = (String, String);

/// `x-ratelimit-limit-requests` and its kin. The reset is a duration (`1s`, `6m0s`).
/// Source: <https://platform.openai.com/docs/guides/rate-limits> (the table of header fields), read 2026-11-26.
pub(crate) fn x_ratelimit(standing: &Standing) -> Vec<Told> {
    told(standing, |of, allowance| {
        let header = |what: &str, value: String| (format!("x-ratelimit-{what}-{of}"), value);
        [
            header("limit", allowance.limit.to_string()),
            header("remaining", allowance.remaining.to_string()),
            header("reset", duration(allowance.reset_ms)),
        ]
    })
}

/// The headers of both limits, as far as there are any.
pub(crate) fn told(standing: &Standing, header: impl Fn(&str, &Allowance) -> [Told; 3]) -> Vec<Told> {
    let limits = [("requests", &standing.requests), ("tokens", &standing.tokens)];
    let limits = limits.into_iter().filter_map(|(of, allowance)| Some((of, allowance.as_ref()?)));
    limits.flat_map(|(of, allowance)| header(of, allowance)).collect()
}

/// A duration in the way of Go: `250ms`, `59.5s`, `6m0s`.
fn duration(ms: u64) -> String {
    let (minutes, rest) = (ms / 60_000, ms % 60_000);
    let seconds = match rest % 1_000 {
        0 => format!("{}s", rest / 1_000),
        part => format!("{}.{}s", rest / 1_000, format!("{part:03}").trim_end_matches('0')),
    };
    match ms {
        1..=999 => format!("{ms}ms"),
        0..60_000 => seconds,
        _ => format!("{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use shim_ir::Dialect;

    use super::{Allowance, Standing, duration};
    use crate::codec;

    #[test]
    fn durations_are_written_as_clients_read_them() {
        let written = [0, 12, 1_000, 59_500, 60_000, 360_250].map(duration);
        assert_eq!(written, ["0s", "12ms", "1s", "59.5s", "1m0s", "6m0.25s"]);
    }

    #[test]
    fn each_dialect_tells_of_limits_in_its_own_headers() {
        let allowance =
            Allowance { limit: 60, remaining: 0, reset_ms: 1_000, reset_at: "2026-11-26T00:00:01Z".into() };
        let standing = Standing { requests: Some(allowance), tokens: None };
        let told = |dialect| {
            let headers = codec(dialect).limit_headers(&standing);
            headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        let x = [
            "x-ratelimit-limit-requests: 60",
            "x-ratelimit-remaining-requests: 0",
            "x-ratelimit-reset-requests: 1s",
        ];
        assert_eq!(told(Dialect::OpenaiChat), x);
        assert_eq!(told(Dialect::OpenaiResponses), x);
        let anthropic = [
            "anthropic-ratelimit-requests-limit: 60",
            "anthropic-ratelimit-requests-remaining: 0",
            "anthropic-ratelimit-requests-reset: 2026-11-26T00:00:01Z",
        ];
        assert_eq!(told(Dialect::Anthropic), anthropic);
        assert!(told(Dialect::Gemini).is_empty());
    }
}
