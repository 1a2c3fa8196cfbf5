//! Servers that have tools, which the provider calls: each is named beside the tools, and among them is its set of tools.
//!
//! Sources, read 2026-11-26: <https://platform.claude.com/docs/en/agents-and-tools/mcp-connector>; of another provider's
//! form, <https://developers.openai.com/api/docs/guides/tools-remote-mcp>.

use shim_ir::{LossKind, Request, Tool, ToolKind};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::{MCP, SERVERS};
use super::tools::Offers;
use super::{Cx, DIALECT, NO_SERVER_TOOLS, members};
use crate::common::member;

/// The header without which the members are refused.
pub(super) const BETA: (&str, &str) = ("anthropic-beta", "mcp-client-2025-11-20");

/// Options of another provider's server that are written in the form of here.
const WRITTEN: [&str; 5] =
    ["server_label", "server_url", "authorization", "allowed_tools", "require_approval"];

/// Another provider's server.
pub(super) struct Server<'r> {
    name: String,
    url: &'r RawJson,
    token: Option<&'r RawJson>,
    /// The tools that may be called; all where there is no list.
    only: Option<Vec<String>>,
}

impl<'r> Server<'r> {
    /// The server that a tool is, or why it cannot be one here. What guards it must be carried.
    pub(super) fn of(tool: &'r Tool, cx: &Cx<'_>) -> Result<Self, &'static str> {
        let option = |key: &str| tool.rest.get(key).filter(|value| value.get() != "null");
        let (Some(url), false) = (option("server_url"), cx.has(NO_SERVER_TOOLS)) else {
            return Err("the provider has no such tool of its own");
        };
        if option("require_approval").is_none_or(|word| word.get() != "\"never\"") {
            return Err("a server's tools are called without asking");
        }
        if option("headers").is_some_and(|headers| headers.get() != "{}") {
            return Err("a server is told one token and no headers");
        }
        let only = option("allowed_tools").map(allowed).transpose()?.flatten();
        let name = option("server_label").and_then(|label| serde_json::from_str(label.get()).ok());
        Ok(Self { name: name.unwrap_or_default(), url, token: option("authorization"), only })
    }

    /// The server, among `mcp_servers`.
    fn write(&self, w: &mut JsonWriter<'_>) {
        w.string("type", "url");
        w.string("name", &self.name);
        w.raw("url", self.url);
        w.maybe("authorization_token", self.token, JsonWriter::raw);
    }

    /// The set of its tools, among `tools`.
    pub(super) fn write_toolset(&self, w: &mut JsonWriter<'_>) {
        w.string("type", "mcp_toolset");
        w.string("mcp_server_name", &self.name);
        let Some(names) = &self.only else { return };
        w.nested("default_config", |w| w.bool("enabled", false));
        w.nested("configs", |w| names.iter().for_each(|name| w.nested(name, |w| w.bool("enabled", true))));
    }

    /// Tells what options there are no such ones for.
    pub(super) fn lose_beside(&self, tool: &Tool, path: &str, cx: &mut Cx<'_>) {
        let said = tool.rest.members().iter().filter(|(_, value)| !matches!(value.get(), "null" | "{}"));
        for (key, _) in said.filter(|(key, _)| !WRITTEN.contains(&&**key)) {
            cx.lose(format_args!("{path}.{key}"), LossKind::Dropped, "the tool has no such option");
        }
    }
}

/// The tools of a server that may be called, where a list or a filter says which.
fn allowed(filter: &RawJson) -> Result<Option<Vec<String>>, &'static str> {
    let names = |list: &RawJson| serde_json::from_str(list.get()).map(Some).map_err(|_| BY_NAME);
    let read_only = member(filter.get(), "read_only").and_then(|only| only.as_bool()) == Some(true);
    match member(filter.get(), "tool_names").map(RawJson::from) {
        _ if read_only => Err(BY_NAME),
        Some(list) => names(&list),
        None if filter.get().starts_with('{') => Ok(None),
        None => names(filter),
    }
}

const BY_NAME: &str = "a server's tools are permitted by their names alone";

/// Whether a tool is a server in this dialect's own form.
pub(super) fn is_own(tool: &Tool) -> bool {
    matches!(&tool.kind, ToolKind::Native(word) if word == MCP) && tool.rest.origin() == Some(DIALECT)
}

/// `mcp_servers` of a request.
pub(super) fn write_servers(w: &mut JsonWriter<'_>, request: &Request, offers: &Offers<'_>) {
    let own = || request.tools.iter().filter(|tool| is_own(tool));
    if own().next().is_none() && offers.servers().next().is_none() {
        return;
    }
    w.array(SERVERS, |w| {
        for server in own() {
            w.element().object(|w| {
                w.string("name", &server.name);
                members(w, server.rest.members());
            });
        }
        offers.servers().for_each(|server| w.element().object(|w| server.write(w)));
    });
}
