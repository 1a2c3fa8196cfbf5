//! Servers whose tools the provider calls.
//!
//! Sources, read 2026-11-25: <https://developers.openai.com/api/docs/guides/tools-remote-mcp>; of the other side's form,
//! <https://platform.claude.com/docs/en/agents-and-tools/mcp-connector>.

use shim_ir::{Rest, Tool, ToolKind};
use shim_wire::{JsonWriter, RawJson};

use super::ask::Ask;
use super::loss::At;
use crate::common::{each_member, member};

/// Which tools of a server may be called.
#[derive(Debug, PartialEq)]
enum Allowed {
    All,
    /// These.
    Only(Vec<String>),
    /// All but some, which cannot be said here.
    Not,
}

/// Whether a tool only says which tools of a server may be called; that is told with the server.
pub(super) fn is_toolset(word: &str, options: &Rest) -> bool {
    word == "mcp_toolset" && options.get("mcp_server_name").is_some()
}

/// Another dialect's server. It is called without asking the user, as there. What restricts its tools must be carried:
/// where it cannot be, the server is not offered.
pub(super) fn put_server(w: &mut JsonWriter<'_>, tool: &Tool, tools: &[Tool], at: At<'_>, ask: &mut Ask<'_>) {
    let Some(url) = tool.rest.get("url") else {
        return ask.losses.unsupported(at, "the target has no tool like it");
    };
    let allowed = allowed(tool, tools);
    if allowed == Allowed::Not {
        return ask.losses.unsupported(at, "the target takes a list of permitted tools only");
    }
    for (key, _) in tool.rest.members() {
        if !["type", "url", "authorization_token", "tool_configuration"].contains(&&**key) {
            ask.losses.dropped(at.member(key), "the target's server has nothing like it");
        }
    }
    w.element().object(|w| {
        w.string("type", "mcp");
        w.string("server_label", &tool.name);
        w.raw("server_url", url);
        w.maybe("authorization", tool.rest.get("authorization_token"), JsonWriter::raw);
        if let Allowed::Only(names) = &allowed {
            w.array("allowed_tools", |w| names.iter().for_each(|name| w.element().string(name)));
        }
        w.string("require_approval", "never");
    });
}

/// What the server itself says of its tools, or else what the set of its tools says.
fn allowed(server: &Tool, tools: &[Tool]) -> Allowed {
    if let Some(own) = server.rest.get("tool_configuration") {
        let names = member(own.get(), "allowed_tools").and_then(|list| names(&RawJson::from(list)));
        return match names {
            _ if is_off(own) => Allowed::Only(Vec::new()),
            Some(names) => Allowed::Only(names),
            None => Allowed::All,
        };
    }
    let of_server = |tool: &&Tool| {
        let named =
            tool.rest.get("mcp_server_name").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        matches!(&tool.kind, ToolKind::Native(word) if word == "mcp_toolset")
            && named.as_ref() == Some(&server.name)
    };
    tools.iter().find(of_server).map_or(Allowed::All, |set| by_set(&set.rest))
}

fn by_set(set: &Rest) -> Allowed {
    let off = set.get("default_config").is_some_and(is_off);
    let (mut on, mut excepted) = (Vec::new(), false);
    let configs = set.get("configs").map_or("{}", RawJson::get);
    let _ = each_member(configs, |member| match enabled(&RawJson::from(member.value)) {
        Some(true) => on.push(member.key.to_string()),
        Some(false) => excepted = true,
        None => {}
    });
    match (off, excepted) {
        (true, _) => Allowed::Only(on),
        (false, true) => Allowed::Not,
        (false, false) => Allowed::All,
    }
}

fn enabled(config: &RawJson) -> Option<bool> {
    member(config.get(), "enabled").and_then(|enabled| enabled.as_bool())
}

fn is_off(config: &RawJson) -> bool {
    enabled(config) == Some(false)
}

fn names(list: &RawJson) -> Option<Vec<String>> {
    serde_json::from_str(list.get()).ok()
}
