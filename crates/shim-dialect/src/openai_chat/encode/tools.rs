//! Tools on offer, the choice of them, and the form of the answer, which may take a tool.

use shim_ir::{OutputFormat, Request, Schema, Tool, ToolChoice, ToolKind};
use shim_wire::{JsonWriter, RawJson};

use super::losses::is_own;
use super::names::is_custom;
use super::reasoning;
use super::request::To;
use super::schema::json_schema;
use crate::common::{each_member, member};
use crate::echo::free_text_schema;
use crate::flat;
use crate::openai_chat::decode::{FORM, WEB_SEARCH, has_form};

/// A tool as it is sent.
pub(super) struct Offer<'r> {
    tool: &'r Tool,
    sent: String,
    path: String,
    free_text: bool,
}

/// The tools that can be sent, and under which names; those that cannot are told.
pub(super) fn offer<'r>(request: &'r Request, to: &mut To<'_>) -> Vec<Offer<'r>> {
    let mut offered = Vec::new();
    if to.goal.traits.tools == Some(false) && !request.tools.is_empty() {
        to.losses.unsupported("tools", "the model calls no tools");
        return offered;
    }
    for (at, tool) in request.tools.iter().enumerate() {
        add(tool, None, format!("tools[{at}]"), to, &mut offered);
    }
    offered
}

fn add<'r>(
    tool: &'r Tool,
    group: Option<&Tool>,
    path: String,
    to: &mut To<'_>,
    offered: &mut Vec<Offer<'r>>,
) {
    match &tool.kind {
        ToolKind::Function { .. } => {}
        ToolKind::Custom { .. } => {}
        ToolKind::Group(tools) => {
            for (at, inner) in tools.iter().enumerate() {
                add(inner, Some(tool), format!("{path}.tools[{at}]"), to, offered);
            }
            if tool.description.is_some() {
                to.losses.dropped(format!("{path}.description"), "a group has none here");
            }
            to.lose_mark(tool.cache.as_ref(), format!("{path}.cache"));
            to.losses.own(&tool.rest, &path).for_each(drop);
            return;
        }
        ToolKind::Native(word)
            if word == WEB_SEARCH || is_own(&tool.rest) || web_search(tool, to).is_some() =>
        {
            to.lose_mark(tool.cache.as_ref(), format!("{path}.cache"));
            offered.push(Offer { tool, sent: tool.name.clone(), path, free_text: false });
            return;
        }
        ToolKind::Native(_) => {
            to.losses.unsupported(path, "the provider has no such tool");
            return;
        }
    }
    let free_text = is_custom(tool) && to.has("no_custom_tools");
    let sent = to.names.offer(tool, group, free_text);
    offered.push(Offer { tool, sent, path, free_text });
}

/// How a provider is asked to search the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WebSearch {
    /// OpenAI's search models and Perplexity: a member of the request.
    Options,
    /// OpenRouter's tool.
    Openrouter,
}

/// How the web is searched, where another dialect's tool does that and the provider can.
fn web_search(tool: &Tool, to: &To<'_>) -> Option<WebSearch> {
    let ToolKind::Native(word) = &tool.kind else { return None };
    let searches =
        word.starts_with("web_search") || matches!(word.as_str(), "googleSearch" | "google_search");
    match searches && !is_own(&tool.rest) {
        _ if word == WEB_SEARCH => Some(WebSearch::Options),
        true if to.has("web_search_options") => Some(WebSearch::Options),
        true if to.has("openrouter_web_search") => Some(WebSearch::Openrouter),
        true | false => None,
    }
}

/// Writes tools, choice and form.
pub(super) fn write(request: &Request, offered: &[Offer<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if request.tool_choice == Some(ToolChoice::None) && to.has("tool_choice_auto") && !offered.is_empty() {
        to.losses.approximated("tool_choice", "no tool is offered, so that none is called");
        return output(request, false, to, w);
    }
    let answer = answer_tool(request, to);
    let legacy = |offer: &&Offer<'_>| has_form(&offer.tool.rest, "functions");
    let options = |offer: &&Offer<'_>, to: &To<'_>| web_search(offer.tool, to) == Some(WebSearch::Options);
    let (searches, others): (Vec<_>, Vec<_>) = offered.iter().partition(|offer| options(offer, to));
    let (older, newer): (Vec<_>, Vec<_>) = others.into_iter().partition(legacy);
    if !newer.is_empty() || answer.is_some() {
        w.array("tools", |w| {
            newer.iter().for_each(|offer| tool(offer, to, w));
            if let Some((name, schema)) = &answer {
                let (about, form) = (schema.description.as_deref(), schema.schema.as_ref());
                w.element().object(|w| {
                    w.string("type", "function");
                    function_object(w.member("function"), name, about, form, None);
                });
            }
        });
    }
    if !older.is_empty() {
        w.array("functions", |w| older.iter().for_each(|offer| function(offer, to, w)));
    }
    if let Some(search) = searches.first() {
        w.nested(WEB_SEARCH, |w| search_options(search, to, w));
    }
    for search in searches.iter().skip(1) {
        to.losses.dropped(&search.path, "the web is searched in one way");
    }
    let any = !newer.is_empty() || !older.is_empty();
    choice(request, offered, answer.as_ref().map(|(name, _)| name.as_str()), any, to, w);
    if any {
        parallel(request, to, w);
    }
    output(request, answer.is_some(), to, w);
}

/// The options of a search: those that all dialects have, and this dialect's own.
fn search_options(offer: &Offer<'_>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let options = &offer.tool.rest;
    if is_own(options) {
        return to.losses.write_own(options, &offer.path, w);
    }
    for (key, value) in options.members() {
        match &**key {
            "search_context_size" => w.raw(key, value),
            "user_location" => w.nested(key, |w| {
                w.string("type", "approximate");
                w.nested("approximate", |w| {
                    let _ = each_member(value.get(), |member| {
                        if member.key != "type" {
                            w.raw(&member.key, &RawJson::from(member.value));
                        }
                    });
                });
            }),
            _ => to.losses.dropped(format!("{}.{key}", offer.path), "the search has no such option here"),
        }
    }
}

fn lose_options(offer: &Offer<'_>, to: &mut To<'_>) {
    if !offer.tool.rest.is_empty() {
        to.losses.own(&offer.tool.rest, &offer.path).for_each(drop);
    }
}

fn parallel(request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let Some(parallel) = request.parallel_tool_calls else { return };
    if to.has("no_parallel_tool_calls") {
        if !parallel {
            to.losses.dropped("parallel_tool_calls", "the provider cannot be told");
        }
    } else {
        w.bool("parallel_tool_calls", parallel);
    }
}

/// Writes a tool as an element of `tools`.
fn tool(offer: &Offer<'_>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    match &offer.tool.kind {
        ToolKind::Function { parameters, strict } => wrapped(offer, parameters.as_ref(), *strict, to, w),
        ToolKind::Custom { format } if offer.free_text => free_text(offer, format.as_ref(), to, w),
        ToolKind::Custom { format } => custom(offer, format.as_ref(), to, w),
        ToolKind::Native(_) if !is_own(&offer.tool.rest) => {
            w.element().object(|w| w.string("type", "openrouter:web_search"));
            lose_options(offer, to);
        }
        ToolKind::Native(word) => w.element().object(|w| {
            w.string("type", word);
            to.losses.write_own(&offer.tool.rest, &offer.path, w);
        }),
        ToolKind::Group(_) => {}
    }
}

/// A tool that takes free text, as a function of one text.
fn free_text(offer: &Offer<'_>, format: Option<&RawJson>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if format.is_some() {
        let path = format!("{}.format", offer.path);
        to.losses.approximated(path, "the form of a free text cannot be asked for");
    }
    wrapped(offer, free_text_schema().as_ref(), None, to, w);
}

fn wrapped(
    offer: &Offer<'_>,
    parameters: Option<&RawJson>,
    strict: Option<bool>,
    to: &mut To<'_>,
    w: &mut JsonWriter<'_>,
) {
    w.element().object(|w| {
        w.string("type", "function");
        let of = offer.tool;
        let flat = parameters.and_then(|schema| flattened(schema, offer, to));
        let parameters = flat.as_ref().or(parameters);
        function_object(w.member("function"), &offer.sent, of.description.as_deref(), parameters, strict);
        mark(offer, to, w);
        to.losses.write_own(&of.rest, &offer.path, w);
    });
}

/// The parameters as an object at their top, where the provider wants them so.
fn flattened(schema: &RawJson, offer: &Offer<'_>, to: &mut To<'_>) -> Option<RawJson> {
    let flat = flat::object(schema).filter(|_| to.has("object_parameters"))?;
    if flat.loose {
        to.losses
            .approximated(format!("{}.parameters", offer.path), "alternatives are told in the description");
    }
    Some(flat.schema)
}

fn mark(offer: &Offer<'_>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let cache = offer.tool.cache.as_ref();
    if cache.is_some_and(|cache| to.mark(cache) == Some(super::content::Mark::Control)) {
        to.write_mark(cache, w);
    } else {
        to.lose_mark(cache, format!("{}.cache", offer.path));
    }
}

fn function_object(
    place: shim_wire::Place<'_, '_>,
    name: &str,
    description: Option<&str>,
    parameters: Option<&RawJson>,
    strict: Option<bool>,
) {
    place.object(|w| {
        w.string("name", name);
        w.maybe("description", description, JsonWriter::string);
        w.maybe("parameters", parameters.map(json_schema).as_deref(), JsonWriter::raw);
        w.maybe("strict", strict, JsonWriter::bool);
    });
}

/// A function in the deprecated list.
fn function(offer: &Offer<'_>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let ToolKind::Function { parameters, strict } = &offer.tool.kind else { return };
    w.element().object(|w| {
        w.string("name", &offer.sent);
        w.maybe("description", offer.tool.description.as_deref(), JsonWriter::string);
        w.maybe("parameters", parameters.as_ref(), JsonWriter::raw);
        w.maybe("strict", *strict, JsonWriter::bool);
        to.losses.write_own(&offer.tool.rest, &offer.path, w);
    });
}

fn custom(offer: &Offer<'_>, format: Option<&RawJson>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    w.element().object(|w| {
        w.string("type", "custom");
        w.nested("custom", |w| {
            w.string("name", &offer.sent);
            w.maybe("description", offer.tool.description.as_deref(), JsonWriter::string);
            if let Some(format) = format {
                custom_format(format, w);
            }
        });
        mark(offer, to, w);
        to.losses.write_own(&offer.tool.rest, &offer.path, w);
    });
}

/// The form of a free text. A grammar is an object of its own here; Responses writes it flat.
/// Source: <https://platform.openai.com/docs/api-reference/chat/create>, read 2026-11-25.
fn custom_format(format: &RawJson, w: &mut JsonWriter<'_>) {
    let text = |key: &str| member(format.get(), key).and_then(|value| value.as_str());
    match (text("type").as_deref(), text("syntax"), text("definition")) {
        (Some("grammar"), Some(syntax), Some(definition)) => w.nested("format", |w| {
            w.string("type", "grammar");
            w.nested("grammar", |w| {
                w.string("syntax", &syntax);
                w.string("definition", &definition);
            });
        }),
        _ => w.raw("format", format),
    }
}

/// Writes `tool_choice`, which is refused where there are no tools.
fn choice(
    request: &Request,
    offered: &[Offer<'_>],
    answer: Option<&str>,
    any: bool,
    to: &mut To<'_>,
    w: &mut JsonWriter<'_>,
) {
    let forced = answer.is_some() || request.tool_choice.as_ref().is_some_and(forces);
    let unforced = forced && (any || answer.is_some()) && !can_force(request, to);
    match (answer, any) {
        (Some(_), _) if unforced => return w.string("tool_choice", "auto"),
        (Some(name), false) if !to.has("no_named_choice") => {
            return named(w.member("tool_choice"), "function", name);
        }
        (Some(_), _) => return w.string("tool_choice", "required"),
        (None, false) if request.tools.is_empty() => {}
        (None, false) => return,
        (None, true) => {}
    }
    let Some(choice) = &request.tool_choice else { return };
    let legacy = any && offered.iter().all(|offer| has_form(&offer.tool.rest, "functions"));
    let key = if legacy { "function_call" } else { "tool_choice" };
    match choice {
        ToolChoice::Auto | ToolChoice::None if !any => {}
        ToolChoice::Auto => w.string(key, "auto"),
        _ if unforced => w.string(key, "auto"),
        ToolChoice::None => w.string(key, "none"),
        ToolChoice::Required => w.string(key, if to.has("tool_choice_any") { "any" } else { "required" }),
        ToolChoice::Named(name) if left_out(name, request, offered) => {
            to.losses.unsupported("tool_choice", "the tool is not offered");
        }
        ToolChoice::Named(_) if to.has("no_named_choice") => {
            if offered.len() > 1 {
                to.losses.approximated("tool_choice", "any tool may be the one that must be called");
            }
            w.string(key, "required");
        }
        ToolChoice::Named(name) if legacy => w.nested(key, |w| w.string("name", name)),
        ToolChoice::Named(name) => named(w.member(key), word(offered, name), &to.names.chosen(name)),
        ToolChoice::Allowed { names, required } => allowed(names, *required, offered, to, w),
        ToolChoice::Other(raw) => other(raw, request, to, w),
    }
}

/// Whether a choice has a tool called.
fn forces(choice: &ToolChoice) -> bool {
    match choice {
        ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. } => true,
        ToolChoice::Auto
        | ToolChoice::None
        | ToolChoice::Allowed { required: false, .. }
        | ToolChoice::Other(_) => false,
    }
}

/// Whether the model can be made to call a tool. Some cannot while they think: then they are told not to, where they can
/// be, since what calls the tool relies on it.
fn can_force(request: &Request, to: &mut To<'_>) -> bool {
    let hindered = to.has("no_forced_tools_thinking") && reasoning::thinks(request, to);
    let never = to.has("tool_choice_auto") || to.has("no_forced_tools");
    if never || (hindered && !reasoning::can_be_off(to)) {
        to.losses.approximated("tool_choice", "the model cannot be made to call a tool: it may");
        return false;
    }
    if hindered {
        to.unthinking = true;
        to.losses.approximated("reasoning", "the model cannot think where it must call a tool");
    }
    true
}

/// Whether the tool of this name is one that could not be sent.
fn left_out(name: &str, request: &Request, offered: &[Offer<'_>]) -> bool {
    let asked = request.tools.iter().any(|tool| tool.name == name);
    asked && !offered.iter().any(|offer| offer.tool.name == name)
}

/// Whether the tool of this name is a function or takes free text.
fn word(offered: &[Offer<'_>], name: &str) -> &'static str {
    let found = offered.iter().find(|offer| offer.tool.name == name);
    if found.is_some_and(|offer| is_custom(offer.tool) && !offer.free_text) { "custom" } else { "function" }
}

fn named(place: shim_wire::Place<'_, '_>, word: &str, name: &str) {
    place.object(|w| {
        w.string("type", word);
        w.nested(word, |w| w.string("name", name));
    });
}

fn allowed(names: &[String], required: bool, offered: &[Offer<'_>], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let mode = if required { "required" } else { "auto" };
    if to.has("no_allowed_tools") {
        to.losses.approximated("tool_choice", "all tools are allowed");
        w.string("tool_choice", mode);
        return;
    }
    w.nested("tool_choice", |w| {
        w.string("type", "allowed_tools");
        w.nested("allowed_tools", |w| {
            w.string("mode", mode);
            w.array("tools", |w| {
                for name in names {
                    named(w.element(), word(offered, name), &to.names.chosen(name));
                }
            });
        });
    });
}

/// A choice that nobody else has. One of a tool of another dialect's own means nothing here.
fn other(raw: &RawJson, request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let kind = member(raw.get(), "type").and_then(|kind| kind.as_str()).unwrap_or_default();
    let native = |tool: &Tool| matches!(&tool.kind, ToolKind::Native(word) if **word == *kind);
    let foreign = request.tools.iter().any(|tool| native(tool) && tool.rest.get(FORM).is_none());
    if foreign {
        to.losses.unsupported("tool_choice", "the provider has no such tool");
    } else {
        w.raw("tool_choice", raw);
    }
}

/// The function that stands for an answer in JSON, where the model keeps to a schema in no other way.
fn answer_tool<'r>(request: &'r Request, to: &mut To<'_>) -> Option<(String, &'r Schema)> {
    let Some(OutputFormat::Schema(schema)) = &request.output else { return None };
    let object = schema.schema.as_ref().is_some_and(|schema| {
        let kind = member(schema.get(), "type").and_then(|kind| kind.as_str());
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("object"))
    });
    let traits = to.goal.traits;
    let needed = traits.schema == Some(false) || to.has("json_object_only");
    if !needed || !object || traits.tools == Some(false) {
        return None;
    }
    let name = to.names.unique("json_answer");
    to.names.echo.json_tool = Some(name.clone());
    to.losses.approximated("output", "the answer is asked for through a function");
    Some((name, schema))
}

fn output(request: &Request, through_tool: bool, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    match &request.output {
        None => {}
        Some(_) if through_tool => {}
        Some(OutputFormat::Text) => w.nested("response_format", |w| w.string("type", "text")),
        Some(OutputFormat::JsonObject) => json_object(w),
        Some(OutputFormat::Schema(_))
            if to.has("json_object_only") || to.goal.traits.schema == Some(false) =>
        {
            to.losses.unsupported("output", "the model keeps to no schema");
            json_object(w);
        }
        Some(OutputFormat::Schema(schema)) => json_schema_format(schema, to, w),
        Some(OutputFormat::Other(raw)) if member(raw.get(), "type").is_some() => {
            w.raw("response_format", raw)
        }
        Some(OutputFormat::Other(_)) => to.losses.unsupported("output", "there is no such form here"),
    }
}

fn json_object(w: &mut JsonWriter<'_>) {
    w.nested("response_format", |w| w.string("type", "json_object"));
}

fn json_schema_format(schema: &Schema, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    w.nested("response_format", |w| {
        w.string("type", "json_schema");
        w.nested("json_schema", |w| {
            match schema.name.as_deref() {
                Some(name) => w.string("name", name),
                None if has_form(&schema.rest, "nameless") => {}
                None => {
                    w.string("name", "answer");
                    to.losses.add("output.name", shim_ir::LossKind::Defaulted, "a schema has a name here");
                }
            }
            w.maybe("description", schema.description.as_deref(), JsonWriter::string);
            w.maybe("schema", schema.schema.as_ref().map(json_schema).as_deref(), JsonWriter::raw);
            w.maybe("strict", schema.strict, JsonWriter::bool);
            to.losses.write_own(&schema.rest, &"output", w);
        });
    });
}
