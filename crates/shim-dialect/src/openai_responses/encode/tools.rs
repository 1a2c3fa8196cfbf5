//! Tools, and the choice of them.

use shim_ir::{Rest, Tool, ToolChoice, ToolKind};
use shim_wire::{JsonWriter, Place, RawJson};

use super::ask::Ask;
use super::loss::{At, verbatim};
use super::mcp;
use super::schema::{is_strict, json_schema};
use crate::common::{member, user_location};
use crate::echo::free_text_schema;
use crate::flat;

/// Writes `tools`.
pub(super) fn put_tools(w: &mut JsonWriter<'_>, tools: &[Tool], ask: &mut Ask<'_>) {
    if tools.is_empty() {
        return;
    }
    if ask.traits.tools == Some(false) {
        return ask.losses.unsupported(At::of("tools"), "the model calls no tools");
    }
    w.array("tools", |w| {
        for (n, tool) in tools.iter().enumerate() {
            put_tool(w, tool, tools, "", At::list("tools", n), ask);
        }
    });
}

/// Writes one of `tools` into a list; `group` is the one it is in, where groups are sent as the tools in them.
fn put_tool(w: &mut JsonWriter<'_>, tool: &Tool, tools: &[Tool], group: &str, at: At<'_>, ask: &mut Ask<'_>) {
    if tool.cache.is_some() {
        ask.losses.dropped(at.member("cache"), "the target caches its tools by itself");
    }
    let as_function = ask.has("no_custom_tools");
    match &tool.kind {
        ToolKind::Function { parameters, strict } => {
            let parameters = parameters.as_ref();
            put_function(w.element(), tool, group, parameters, *strict, at, ask);
        }
        ToolKind::Custom { format } if as_function => {
            put_free_text(w.element(), tool, group, format.as_ref(), at, ask);
        }
        ToolKind::Custom { format } => put_custom(w.element(), tool, group, format.as_ref(), at, ask),
        ToolKind::Group(tools) if ask.has("no_namespaces") => put_spread(w, tool, tools, at, ask),
        ToolKind::Group(tools) => put_group(w.element(), tool, tools, at, ask),
        ToolKind::Native(word) if word == "mcp" && !ask.own => mcp::put_server(w, tool, tools, at, ask),
        ToolKind::Native(word) => put_native(w, word, &tool.rest, at, ask),
    }
}

/// A group that is sent as the tools in it.
fn put_spread(w: &mut JsonWriter<'_>, group: &Tool, tools: &[Tool], at: At<'_>, ask: &mut Ask<'_>) {
    ask.losses.own(&group.rest, at);
    if group.description.is_some() {
        ask.losses.dropped(at.member("description"), "a tool has no group that could be described");
    }
    for (n, inner) in tools.iter().enumerate() {
        put_tool(w, inner, tools, &group.name, at.nth("tools", n), ask);
    }
}

fn put_function(
    place: Place<'_, '_>,
    tool: &Tool,
    group: &str,
    parameters: Option<&RawJson>,
    strict: Option<bool>,
    at: At<'_>,
    ask: &mut Ask<'_>,
) {
    let members = ask.losses.own(&tool.rest, at);
    let flat = parameters.and_then(|schema| flattened(schema, at, ask));
    let parameters = flat.as_ref().or(parameters);
    let strict = strictness(parameters, strict, at, ask);
    place.object(|w| {
        put_head(w, "function", tool, group, false, ask);
        put_parameters(w, parameters, ask.own);
        w.maybe("strict", strict, JsonWriter::bool);
        verbatim(w, members, &[]);
    });
}

/// The parameters as an object at their top, where the target wants another dialect's so.
fn flattened(schema: &RawJson, at: At<'_>, ask: &mut Ask<'_>) -> Option<RawJson> {
    let flat = flat::object(schema).filter(|_| !ask.own && ask.has("object_parameters"))?;
    if flat.loose {
        ask.losses.approximated(at.member("parameters"), "alternatives are told in the description");
    }
    Some(flat.schema)
}

/// The schema of the arguments, which another dialect's function without arguments lacks.
fn put_parameters(w: &mut JsonWriter<'_>, parameters: Option<&RawJson>, own: bool) {
    match parameters {
        Some(schema) if own => w.raw("parameters", schema),
        Some(schema) => w.raw("parameters", &json_schema(schema)),
        None if own => {}
        None => w.nested("parameters", |w| {
            w.string("type", "object");
            w.nested("properties", |_| ());
        }),
    }
}

/// Whether the arguments must fit exactly. Here that is what silence means, and elsewhere it is not; a schema that this
/// dialect cannot keep to exactly is refused when it is asked to.
fn strictness(
    parameters: Option<&RawJson>,
    strict: Option<bool>,
    at: At<'_>,
    ask: &mut Ask<'_>,
) -> Option<bool> {
    if ask.own {
        return strict;
    }
    let wanted = strict == Some(true);
    let kept = wanted && parameters.is_some_and(|schema| is_strict(json_schema(schema).get()));
    if wanted && !kept {
        ask.losses.approximated(at.member("strict"), "the target cannot keep to this schema exactly");
    }
    Some(kept)
}

/// Writes what every tool with a name has.
fn put_head(
    w: &mut JsonWriter<'_>,
    word: &str,
    tool: &Tool,
    group: &str,
    free_text: bool,
    ask: &mut Ask<'_>,
) {
    ask.names.echo(group, &tool.name, free_text, &mut ask.echo);
    w.string("type", word);
    w.string("name", &ask.names.sent(group, &tool.name));
    w.maybe("description", tool.description.as_deref(), JsonWriter::string);
}

/// A tool with free text as a function with one argument.
fn put_free_text(
    place: Place<'_, '_>,
    tool: &Tool,
    group: &str,
    format: Option<&RawJson>,
    at: At<'_>,
    ask: &mut Ask<'_>,
) {
    ask.losses.own(&tool.rest, at);
    if format.is_some_and(|format| {
        member(format.get(), "type").and_then(|t| t.as_str()).as_deref() != Some("text")
    }) {
        ask.losses.approximated(at.member("format"), "the target has no tools with free text");
    }
    place.object(|w| {
        put_head(w, "function", tool, group, true, ask);
        w.maybe("parameters", free_text_schema().as_ref(), JsonWriter::raw);
        w.bool("strict", false);
    });
}

fn put_custom(
    place: Place<'_, '_>,
    tool: &Tool,
    group: &str,
    format: Option<&RawJson>,
    at: At<'_>,
    ask: &mut Ask<'_>,
) {
    let members = ask.losses.own(&tool.rest, at);
    place.object(|w| {
        put_head(w, "custom", tool, group, false, ask);
        if let Some(format) = format {
            put_custom_format(w, format, ask.own);
        }
        verbatim(w, members, &[]);
    });
}

/// The form of a free text. Another dialect's grammar that stands one level deeper is the same grammar.
fn put_custom_format(w: &mut JsonWriter<'_>, format: &RawJson, own: bool) {
    let Some(grammar) = member(format.get(), "grammar").filter(|_| !own) else {
        return w.raw("format", format);
    };
    w.nested("format", |w| {
        w.string("type", "grammar");
        for name in ["syntax", "definition"] {
            w.maybe(name, grammar.get(name).map(RawJson::from).as_ref(), JsonWriter::raw);
        }
    });
}

fn put_group(place: Place<'_, '_>, tool: &Tool, tools: &[Tool], at: At<'_>, ask: &mut Ask<'_>) {
    let members = ask.losses.own(&tool.rest, at);
    place.object(|w| {
        w.string("type", "namespace");
        w.string("name", &tool.name);
        w.maybe("description", tool.description.as_deref(), JsonWriter::string);
        w.array("tools", |w| {
            for (n, inner) in tools.iter().enumerate() {
                put_tool(w, inner, tools, "", at.nth("tools", n), ask);
            }
        });
        verbatim(w, members, &[]);
    });
}

fn put_own_native(w: &mut JsonWriter<'_>, word: &str, options: &Rest) {
    w.element().object(|w| {
        w.string("type", word);
        verbatim(w, options.members(), &[]);
    });
}

/// A provider's own tool: this dialect's as it is; another's where both mean the same by it.
fn put_native(w: &mut JsonWriter<'_>, word: &str, options: &Rest, at: At<'_>, ask: &mut Ask<'_>) {
    if ask.own {
        return put_own_native(w, word, options);
    }
    match native(word) {
        Some("web_search") => put_web_search(w.element(), options, at, ask),
        Some(word) => {
            ask.losses.own(options, at);
            w.element().object(|w| {
                w.string("type", word);
                w.nested("container", |w| w.string("type", "auto"));
            });
        }
        // Without it no tool is put off, so all of them are on offer at once.
        None if mcp::is_toolset(word, options) => {}
        None if word.starts_with("tool_search") => ask.losses.dropped(at, "all tools are on offer at once"),
        None => ask.losses.unsupported(at, "the target has no tool like it"),
    }
}

/// The word for the tool that another dialect calls `word`: a search of the web, or code that the provider runs.
/// Sources: <https://developers.openai.com/api/docs/guides/tools-web-search> and
/// <https://developers.openai.com/api/docs/guides/tools-code-interpreter>, read 2026-11-25.
fn native(word: &str) -> Option<&'static str> {
    let plain: String = word.chars().filter(char::is_ascii_alphabetic).collect();
    match plain.to_ascii_lowercase().as_str() {
        "websearch" | "websearchpreview" | "websearchoptions" | "googlesearch" | "googlesearchretrieval" => {
            Some("web_search")
        }
        "codeexecution" | "codeinterpreter" => Some("code_interpreter"),
        _ => None,
    }
}

fn put_web_search(place: Place<'_, '_>, options: &Rest, at: At<'_>, ask: &mut Ask<'_>) {
    let known = ["allowed_domains", "user_location", "search_context_size"];
    for (key, _) in options.members().iter().filter(|(key, _)| !known.contains(&&**key)) {
        if &**key == "blocked_domains" {
            ask.losses
                .unsupported(at.member(key), "the target's search takes a list of permitted domains only");
        } else {
            ask.losses.dropped(at.member(key), "the target's search has nothing like it");
        }
    }
    place.object(|w| {
        w.string("type", "web_search");
        if let Some(domains) = options.get("allowed_domains") {
            w.nested("filters", |w| w.raw("allowed_domains", domains));
        }
        w.maybe("user_location", options.get("user_location").map(user_location).as_ref(), JsonWriter::raw);
        w.maybe("search_context_size", options.get("search_context_size"), JsonWriter::raw);
    });
}

/// Writes `tool_choice`. Without tools there is nothing to choose.
pub(super) fn put_choice(w: &mut JsonWriter<'_>, choice: &ToolChoice, tools: &[Tool], ask: &mut Ask<'_>) {
    if !ask.own && (tools.is_empty() || ask.traits.tools == Some(false)) {
        return;
    }
    match choice {
        ToolChoice::Auto => w.string("tool_choice", "auto"),
        ToolChoice::None => w.string("tool_choice", "none"),
        ToolChoice::Required => w.string("tool_choice", "required"),
        ToolChoice::Named(name) if is_left_out(name, tools, ask) => {
            ask.losses.unsupported(At::of("tool_choice"), "the tool is not offered");
        }
        ToolChoice::Named(name) => put_chosen(w.member("tool_choice"), name, tools, ask),
        ToolChoice::Allowed { names, required } => w.nested("tool_choice", |w| {
            w.string("type", "allowed_tools");
            w.string("mode", if *required { "required" } else { "auto" });
            w.array("tools", |w| names.iter().for_each(|name| put_chosen(w.element(), name, tools, ask)));
        }),
        ToolChoice::Other(raw) if ask.own => w.raw("tool_choice", raw),
        ToolChoice::Other(_) => {
            ask.losses.unsupported(At::of("tool_choice"), "the target has no choice like it");
        }
    }
}

/// Whether the tool of this name is another provider's own, which could not be offered.
fn is_left_out(name: &str, tools: &[Tool], ask: &Ask<'_>) -> bool {
    let found = tools.iter().find(|tool| tool.name == name).map(|tool| &tool.kind);
    matches!(found, Some(ToolKind::Native(word)) if !ask.own && word != "mcp" && native(word).is_none())
}

/// A tool by its name: the kind of it is that of the one on offer.
fn put_chosen(place: Place<'_, '_>, name: &str, tools: &[Tool], ask: &Ask<'_>) {
    let kind = tools.iter().find(|tool| tool.name == name).map(|tool| &tool.kind);
    let group = if kind.is_none() { group_of(name, tools, ask) } else { "" };
    place.object(|w| match kind {
        Some(ToolKind::Native(word)) => {
            w.string("type", if ask.own { word } else { native(word).unwrap_or(word) });
        }
        Some(ToolKind::Custom { .. }) if !ask.has("no_custom_tools") => {
            w.string("type", "custom");
            w.string("name", &ask.names.sent(group, name));
        }
        Some(ToolKind::Function { .. } | ToolKind::Custom { .. } | ToolKind::Group(_)) | None => {
            w.string("type", "function");
            w.string("name", &ask.names.sent(group, name));
        }
    });
}

/// The group a tool is in, where groups are sent as the tools in them.
fn group_of<'t>(name: &str, tools: &'t [Tool], ask: &Ask<'_>) -> &'t str {
    if !ask.has("no_namespaces") {
        return "";
    }
    let holds = |tool: &&Tool| match &tool.kind {
        ToolKind::Group(inner) => inner.iter().any(|inner| inner.name == name),
        ToolKind::Function { .. } | ToolKind::Custom { .. } | ToolKind::Native(_) => false,
    };
    tools.iter().find(holds).map_or("", |tool| &tool.name)
}
