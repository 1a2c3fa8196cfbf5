//! What a request must ask for in `anthropic-beta`.

use memchr::memmem;

/// How a file that Anthropic keeps is named in a request, as [`super::media`] writes it.
const KEPT_FILE: &[u8] = br#""type":"file","file_id":"#;

/// The betas that an encoded request needs. Code execution and the fetching of pages were betas once and are none any more;
/// servers of tools (`mcp_servers`) are only ever a client's own, which says its betas itself.
///
/// Sources, read 2026-11-26: <https://platform.claude.com/docs/en/build-with-claude/files>,
/// <https://platform.claude.com/docs/en/agents-and-tools/mcp-connector>.
pub(in super::super) fn betas(body: &[u8]) -> Vec<(&'static str, &'static str)> {
    let files = memmem::find(body, KEPT_FILE).map(|_| ("anthropic-beta", "files-api-2025-04-14"));
    files.into_iter().collect()
}
