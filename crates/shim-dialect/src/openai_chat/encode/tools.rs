//! Tools on offer.

use shim_ir::{Request, Tool, ToolChoice, ToolKind};
use shim_wire::{JsonWriter, RawJson};

use super::choice::choice;
use super::form::{answer_tool, output};
use super::losses::is_own;
use super::names::is_custom;
use super::request::To;
use super::schema::json_schema;
use crate::common::{each_member, member};
use crate::echo::free_text_schema;
use crate::flat;
use crate::openai_chat::decode::{WEB_SEARCH, has_form};

/// A tool as it is sent.
pub(super) struct Offer<'r> {
    pub(super) tool: &'r Tool,
    sent: String,
    path: String,
    pub(super) free_text: bool,
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
