//! Rows as comma-separated values (RFC 4180).

use super::Row;
use super::row::CLASSES;

/// The columns before the classes of tokens.
const BEFORE: [&str; 24] = [
    "exchange",
    "at",
    "generation",
    "dialect",
    "operation",
    "key",
    "team",
    "model",
    "target",
    "attempts",
    "status",
    "outcome",
    "reason",
    "fault",
    "streamed",
    "cost_pico_usd",
    "cost_basis",
    "cost_unknown",
    "delivered_pico_usd",
    "charged_pico_usd",
    "service",
    "region",
    "searches",
    "finish",
];

/// The columns after them.
const AFTER: [&str; 6] =
    ["request_bytes", "answer_bytes", "first_token_us", "duration_us", "client_id", "record"];

/// The first line: the names of the columns, without a line feed.
#[must_use]
pub fn csv_columns() -> String {
    [&BEFORE[..], &CLASSES, &AFTER].concat().join(",")
}

/// A row as a line, without a line feed. What is not known is empty.
#[must_use]
pub fn csv_line(row: &Row) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let number = |value: Option<u64>| value.map(|n| n.to_string()).unwrap_or_default();
    let mut fields = vec![
        row.id.clone(),
        shim_telemetry::timestamp(row.at_ms),
        row.generation.to_string(),
        row.dialect.clone(),
        row.operation.clone(),
        text(&row.key),
        text(&row.team),
        row.model.clone(),
        text(&row.target),
        row.attempts.to_string(),
        row.status.to_string(),
        row.outcome.clone(),
        text(&row.reason),
        text(&row.fault),
        row.streamed.to_string(),
        number(row.cost),
        text(&row.basis),
        row.unknown.to_string(),
        number(row.delivered()),
        number(row.charged),
        text(&row.service),
        text(&row.region),
        number(row.searches),
        text(&row.finish),
    ];
    fields.extend((0..CLASSES.len()).map(|n| number(row.usage.and_then(|usage| usage.get(n).copied()))));
    fields.extend([row.request_bytes, row.answer_bytes, row.first_token_us, row.duration_us].map(number));
    fields.extend([text(&row.client_id), row.record.clone()]);
    fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",")
}

/// A field, in quotes where it must be. What a spreadsheet would take for a formula is no formula: names come from clients.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !field.contains([',', '"', '\n', '\r']) {
        return field.to_owned();
    }
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", field.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
