//! Names of metrics and log fields. They are an interface: a change is announced.

/// Exchanges settled, by alias, target and outcome.
pub const EXCHANGES: &str = "shim_exchanges";
/// Tokens, by alias, target and class.
pub const TOKENS: &str = "shim_tokens";
/// Dollars, by alias and target, as far as prices are known.
pub const COST: &str = "shim_cost_usd";
/// Answers with usage whose price is not known.
pub const UNPRICED: &str = "shim_unpriced_answers";
/// Seconds from the request to the last byte of the answer.
pub const DURATION: &str = "shim_exchange_duration_seconds";
/// Seconds from the request to the first token of a streamed answer.
pub const FIRST_TOKEN: &str = "shim_first_token_seconds";
/// Exchanges under way.
pub const IN_FLIGHT: &str = "shim_exchanges_in_flight";
/// Connections of clients.
pub const CONNECTIONS: &str = "shim_client_connections";
/// Faults, by code.
pub const FAULTS: &str = "shim_faults";
/// The number of the generation in force.
pub const GENERATION: &str = "shim_generation";
/// Exchanges admitted, settled or not.
pub const ADMITTED: &str = "shim_exchanges_admitted";
/// Answers whose usage could not be read.
pub const UNMETERED: &str = "shim_unmetered_answers";
/// Prompts that were far less read from a provider's cache than before, by cause.
pub const CACHE_COLLAPSES: &str = "shim_cache_collapses";
/// Tokens that were in a cache and not read from it, by cause.
pub const CACHE_LOST: &str = "shim_cache_lost_tokens";
/// Dollars that those tokens cost more than from the cache, by cause, as far as prices are known.
pub const CACHE_EXTRA: &str = "shim_cache_extra_usd";
/// Keys that came to stand otherwise by what they ask, by level and the weightiest reason.
pub const EXTRACTION_EVENTS: &str = "shim_extraction_events";
/// Keys that stand so, by level.
pub const EXTRACTION_KEYS: &str = "shim_extraction_keys";
/// Requests refused because their key seems to harvest a model.
pub const EXTRACTION_REFUSED: &str = "shim_extraction_refused_requests";
/// Bytes of answers that are kept for the Responses API.
pub const RESPONSES_KEPT: &str = "shim_responses_kept_bytes";
/// Answers that were to be kept and could not be.
pub const RESPONSES_DROPPED: &str = "shim_responses_dropped";
/// Log lines that were dropped because their reader was too slow.
pub const LINES_DROPPED: &str = "shim_log_lines_dropped";

/// Rows written to the ledger.
pub const LEDGER_ROWS: &str = "shim_ledger_rows";
/// Exchanges whose bodies the ledger's queue had no room for.
pub const LEDGER_BODIES_SHED: &str = "shim_ledger_bodies_shed";
/// Admissions the ledger's queue had no room for.
pub const LEDGER_ADMISSIONS_SHED: &str = "shim_ledger_admissions_shed";
/// Rows of usage the ledger's queue had no room for.
pub const LEDGER_ROWS_SHED: &str = "shim_ledger_rows_shed";
/// Settlements that came twice and were kept once.
pub const LEDGER_DOUBLED: &str = "shim_ledger_doubled";
/// Exchanges found open when the ledger was opened.
pub const LEDGER_CRASHED: &str = "shim_ledger_crashed";
/// Writes of the ledger the disk refused.
pub const LEDGER_REFUSED: &str = "shim_ledger_refused";
/// Damaged files of the ledger that were set aside.
pub const LEDGER_SET_ASIDE: &str = "shim_ledger_files_set_aside";
/// Bytes that wait to be written to the ledger.
pub const LEDGER_QUEUE: &str = "shim_ledger_queue_bytes";
/// Records of the vault that were lost, because too much waited to be written or the disk took them not.
pub const VAULT_LOST: &str = "shim_vault_lost";
/// Bytes of records that wait to be written to the vault.
pub const VAULT_QUEUE: &str = "shim_vault_queue_bytes";

/// Bounds of the duration histograms, in seconds.
pub const SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

#[cfg(test)]
mod tests {
    #[test]
    fn every_metric_is_on_the_page_with_what_it_counts() {
        let page = include_str!("../../../docs/running.md");
        let source: Vec<_> = include_str!("names.rs").lines().collect();
        let metrics = source
            .windows(2)
            .filter(|lines| lines[1].starts_with("pub const") && lines[1].contains(": &str"));
        let rows: Vec<_> = metrics
            .map(|lines| {
                let name = lines[1].split('"').nth(1).unwrap();
                format!("| `{name}` | {} |", lines[0].trim_start_matches("/// "))
            })
            .collect();
        assert!(rows.len() > 20, "{rows:?}");
        for row in &rows {
            assert!(page.lines().any(|line| line == row), "docs/running.md has no row {row}");
        }
        assert_eq!(page.matches("| `shim_").count(), rows.len(), "and none that is no metric");
    }
}
