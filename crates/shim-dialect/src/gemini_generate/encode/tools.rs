//! Tools and the choice of them.
//! Source: <https://ai.google.dev/gemini-api/docs/function-calling>, read 2026-11-25.

use std::fmt;

use shim_ir::{Request, Rest, Tool, ToolChoice, ToolKind};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::{DIALECT, json_schema};
use super::content::Scribe;
use super::losses::Losses;
use super::openapi::openapi;
use super::own::{Member, joined, left, own, write};
use crate::echo::free_text_schema;

/// A tool as it is offered.
enum Offer<'r> {
    Function {
        tool: &'r Tool,
        group: Option<&'r str>,
        path: String,
    },
    /// One of the dialect's own, with its options.
    Own(&'r str, RawJson),
}

impl Offer<'_> {
    /// Functions that follow on one another stand in one entry.
    fn shares_entry(&self, next: &Self) -> bool {
        matches!((self, next), (Self::Function { .. }, Self::Function { .. }))
    }
}

/// Writes `tools`; gives whether functions are offered beside tools that another dialect asked for by its own name.
pub(super) fn tools(w: &mut JsonWriter<'_>, request: &Request, scribe: &mut Scribe<'_>) -> bool {
    let functions = request.tools.iter().any(|tool| !matches!(tool.kind, ToolKind::Native(_)));
    let mut offers = Vec::new();
    let mut mapped = false;
    for (at, tool) in request.tools.iter().enumerate() {
        offer(tool, None, format!("tools[{at}]"), functions, scribe, &mut offers);
        mapped |= matches!(&tool.kind, ToolKind::Native(word) if !is_own(tool, word));
    }
    let both = offers.iter().any(|offer| matches!(offer, Offer::Own(..))) && functions;
    if !offers.is_empty() {
        w.array("tools", |w| {
            for run in offers.chunk_by(Offer::shares_entry) {
                w.element().object(|w| entry(w, run, scribe));
            }
        });
    }
    mapped && both && !scribe.traits.has("no_server_tool_parts")
}

fn offer<'r>(
    tool: &'r Tool,
    group: Option<&'r str>,
    path: String,
    functions: bool,
    scribe: &mut Scribe<'_>,
    offers: &mut Vec<Offer<'r>>,
) {
    if tool.cache.is_some() {
        scribe.losses.dropped(format!("{path}.cache"), "the provider caches by itself");
    }
    match &tool.kind {
        ToolKind::Function { .. } | ToolKind::Custom { .. } => {
            offers.push(Offer::Function { tool, group, path });
        }
        ToolKind::Group(tools) => {
            if tool.description.is_some() {
                scribe.losses.dropped(format!("{path}.description"), "tools have no groups");
            }
            own(&tool.rest, || path.clone(), &mut scribe.losses);
            for (at, inner) in tools.iter().enumerate() {
                offer(inner, Some(&tool.name), format!("{path}.tools[{at}]"), functions, scribe, offers);
            }
        }
        ToolKind::Native(_) if functions && scribe.traits.has("no_mixed_tools") => {
            scribe.losses.lacking(path, "the model takes no tools of the provider beside functions");
        }
        ToolKind::Native(word) => offers.extend(native(tool, word, &path, &mut scribe.losses)),
    }
}

/// Whether a tool is one of the dialect's own: its words are in camel case, those of others are not.
fn is_own(tool: &Tool, word: &str) -> bool {
    let plain = matches!(word, "retrieval");
    tool.rest.origin() == Some(DIALECT)
        || tool.rest.is_empty() && (plain || word.contains(|c: char| c.is_ascii_uppercase()))
}

/// One of the dialect's own tools, or one of another dialect's that means the same beyond doubt.
fn native<'r>(tool: &'r Tool, word: &'r str, path: &str, losses: &mut Losses) -> Option<Offer<'r>> {
    if is_own(tool, word) {
        return Some(Offer::Own(word, options(word, &tool.rest)));
    }
    let Some(name) = counterpart(word) else {
        losses.lacking(path.to_owned(), "the provider has no such tool");
        return None;
    };
    losses.near(path.to_owned(), "the provider's own tool of the same purpose stands for it");
    for limit in ["allowed_domains", "blocked_domains", "filters"] {
        if tool.rest.get(limit).is_some_and(|value| value.get() != "null") {
            losses.lacking(format!("{path}.{limit}"), "the search cannot be limited");
        }
    }
    own(&tool.rest, || path.to_owned(), losses);
    Some(Offer::Own(name, options(name, &Rest::default())))
}

/// The dialect's own tool that does what another dialect's does.
fn counterpart(word: &str) -> Option<&'static str> {
    match word {
        _ if word.starts_with("web_search") => Some("googleSearch"),
        _ if word.starts_with("code_execution") || word == "code_interpreter" => Some("codeExecution"),
        _ if word.starts_with("web_fetch") => Some("urlContext"),
        _ => None,
    }
}

/// The options of a tool as they are written: an object, but for a tool that is given by another value.
fn options(word: &str, rest: &Rest) -> RawJson {
    if let [(key, value)] = rest.members()
        && **key == *word
        && !value.get().starts_with('{')
    {
        return value.clone();
    }
    joined(rest.members().to_vec()).unwrap_or_else(|| RawJson::string(""))
}

/// An entry of `tools`: functions, or one of the dialect's own.
fn entry(w: &mut JsonWriter<'_>, run: &[Offer<'_>], scribe: &mut Scribe<'_>) {
    if let [Offer::Own(word, options)] = run {
        return w.raw(word, options);
    }
    if run.iter().any(|offer| matches!(offer, Offer::Own(..))) {
        return;
    }
    w.array("functionDeclarations", |w| {
        for offer in run {
            if let Offer::Function { tool, group, path } = offer {
                w.element().object(|w| function(w, tool, *group, path, scribe));
            }
        }
    });
}

fn function(w: &mut JsonWriter<'_>, tool: &Tool, group: Option<&str>, path: &str, scribe: &mut Scribe<'_>) {
    let members = own(&tool.rest, || path.to_owned(), &mut scribe.losses);
    w.string("name", &scribe.names.sent(&tool.name, group));
    w.maybe("description", tool.description.as_deref(), JsonWriter::string);
    let parameters = parameters(tool, path, &mut scribe.losses);
    if let Some(parameters) = parameters.filter(|schema| !is_said(schema, members, "parameters")) {
        let at = format_args!("{path}.parameters");
        schema(w, ["parametersJsonSchema", "parameters"], &parameters, at, scribe);
    }
    write(w, members, &[]);
}

/// The schema of what a function takes.
fn parameters(tool: &Tool, path: &str, losses: &mut Losses) -> Option<RawJson> {
    match &tool.kind {
        ToolKind::Function { parameters, .. } => parameters.clone(),
        ToolKind::Custom { format } => {
            if format.is_some() {
                losses.dropped(format!("{path}.format"), "free text cannot be held to a form");
            }
            free_text_schema()
        }
        ToolKind::Group(_) | ToolKind::Native(_) => None,
    }
}

/// Whether a schema is in `members` as it came, in the words of OpenAPI.
pub(super) fn is_said(schema: &RawJson, members: &[Member], key: &str) -> bool {
    let raw = members.iter().find(|(name, _)| **name == *key).map(|(_, value)| value.get());
    let raw = raw.and_then(|text| serde_json::from_str(text).ok());
    raw.is_some_and(|raw| json_schema(raw) == *schema)
}

/// Writes a schema, under the first name as it is, under the second in the words of OpenAPI.
pub(super) fn schema(
    w: &mut JsonWriter<'_>,
    [json, open]: [&str; 2],
    schema: &RawJson,
    path: impl fmt::Display,
    scribe: &mut Scribe<'_>,
) {
    if !scribe.traits.has("openapi_schema") {
        return w.raw(json, schema);
    }
    let (converted, whole) = openapi(schema);
    if !whole {
        scribe.losses.near(path.to_string(), "a part of JSON Schema is not in OpenAPI");
    }
    w.maybe(open, converted.as_ref(), JsonWriter::raw);
}

/// `toolConfig`: the choice, and what the dialect itself said beside it.
pub(super) fn tool_config(w: &mut JsonWriter<'_>, request: &Request, mixed: bool, scribe: &mut Scribe<'_>) {
    let own = own(&request.rest, String::new, &mut scribe.losses);
    let config = left(own, "toolConfig");
    let beside = left(&config, "functionCallingConfig");
    let (mode, names) = chosen(request, &beside, scribe);
    let calling = mode.is_some() || !names.is_empty() || !beside.is_empty();
    if !calling && config.is_empty() && !mixed {
        return;
    }
    w.nested("toolConfig", |w| {
        write(w, &config, &["functionCallingConfig"]);
        if mixed {
            // Both kinds of tools need it: <https://ai.google.dev/gemini-api/docs/tool-combination>, read 2026-11-25.
            w.bool("includeServerSideToolInvocations", true);
        }
        if calling {
            w.nested("functionCallingConfig", |w| calling_config(w, &beside, mode, &names));
        }
    });
}

fn calling_config(w: &mut JsonWriter<'_>, beside: &[Member], mode: Option<&str>, names: &[String]) {
    write(w, beside, &[]);
    w.maybe("mode", mode, JsonWriter::string);
    if !names.is_empty() {
        w.array("allowedFunctionNames", |w| names.iter().for_each(|name| w.element().string(name)));
    }
}

/// The mode, unless the dialect itself said it, and the names of the functions that may be called.
fn chosen(
    request: &Request,
    beside: &[Member],
    scribe: &mut Scribe<'_>,
) -> (Option<&'static str>, Vec<String>) {
    let (mut mode, mut names) = mode_of(request.tool_choice.as_ref(), scribe.strict(request));
    if mode == Some("VALIDATED") && scribe.traits.has("no_validated_mode") {
        // Names are taken beside `ANY` and `VALIDATED` alone.
        scribe.losses.lacking("tool_choice".to_owned(), "the model cannot be kept to some of the functions");
        (mode, names) = (Some("AUTO"), &[]);
    }
    let said = beside.iter().any(|(key, _)| **key == *"mode");
    let (functions, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| !is_native(request, name));
    if !others.is_empty() || matches!(request.tool_choice, Some(ToolChoice::Other(_))) {
        scribe.losses.lacking("tool_choice".to_owned(), "only functions can be chosen");
    }
    let unchosen = !names.is_empty() && functions.is_empty();
    let sent = functions.into_iter().map(|name| scribe.names.sent(name, None)).collect();
    (mode.filter(|_| !said && !unchosen), sent)
}

/// The mode that says a choice, and the names it allows.
fn mode_of(choice: Option<&ToolChoice>, strict: bool) -> (Option<&'static str>, &[String]) {
    let free = if strict { "VALIDATED" } else { "AUTO" };
    match choice {
        None => (strict.then_some(free), &[]),
        Some(ToolChoice::Auto) => (Some(free), &[]),
        Some(ToolChoice::None) => (Some("NONE"), &[]),
        Some(ToolChoice::Required) => (Some("ANY"), &[]),
        Some(ToolChoice::Named(name)) => (Some("ANY"), std::slice::from_ref(name)),
        Some(ToolChoice::Allowed { names, required: true }) => (Some("ANY"), names),
        Some(ToolChoice::Allowed { names, required: false }) => (Some("VALIDATED"), names),
        Some(ToolChoice::Other(_)) => (None, &[]),
    }
}

fn is_native(request: &Request, name: &str) -> bool {
    request.tools.iter().any(|tool| tool.name == *name && matches!(tool.kind, ToolKind::Native(_)))
}

impl Scribe<'_> {
    /// Whether calls are to fit their schemas: there is one switch for all functions.
    fn strict(&mut self, request: &Request) -> bool {
        let asked = strict_tools(&request.tools);
        if asked && self.traits.has("no_validated_mode") {
            self.losses.dropped("tools[].strict".to_owned(), "calls cannot be held to their schemas");
            return false;
        }
        asked
    }
}

fn strict_tools(tools: &[Tool]) -> bool {
    tools.iter().any(|tool| match &tool.kind {
        ToolKind::Function { strict, .. } => *strict == Some(true),
        ToolKind::Group(tools) => strict_tools(tools),
        ToolKind::Custom { .. } | ToolKind::Native(_) => false,
    })
}
