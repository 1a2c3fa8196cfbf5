//! Tools on offer, and their names.
//!
//! Sources, read 2026-11-25: <https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview>,
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool>,
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/strict-tool-use>.

use std::borrow::Cow;
use std::collections::HashSet;

use shim_ir::{LossKind, Request, Tool, ToolCall, ToolChoice, ToolKind};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::MCP;
use super::mcp::{self, Server};
use super::names::{is_legal, legal, unused};
use super::schema::{self, Flavour};
use super::{Cx, DIALECT, NO_SERVER_TOOLS, cache_control, members};
use crate::common::{member, says, user_location};
use crate::echo::{free_text_schema, group_of, group_rest};
use crate::{Echo, SentTool, flat};

/// Most tools whose calls are made to fit their schema.
const STRICT_MAX: usize = 20;

/// The function that stands for an answer in JSON.
const JSON_TOOL: &str = "answer_in_json";

/// A tool on offer, as it is sent.
pub(super) struct Offer<'r> {
    pub(super) tool: &'r Tool,
    group: Option<&'r str>,
    /// Where it stands in the request.
    path: String,
    pub(super) sent: Cow<'r, str>,
    form: Form<'r>,
}

/// How a tool is sent.
enum Form<'r> {
    /// A function of the client.
    Function,
    /// A function with one argument, for a tool that takes free text.
    FreeText,
    /// One of Anthropic's own.
    Own,
    /// One of Anthropic's own for another provider's, by its versioned word.
    Instead(&'static str),
    /// Another provider's server that has tools, which is named beside them.
    Server(Server<'r>),
}

/// The tools on offer, as they are sent.
pub(super) struct Offers<'r> {
    pub(super) list: Vec<Offer<'r>>,
    /// The function that stands for an answer in JSON, with its schema.
    pub(super) json: Option<(String, Cow<'r, RawJson>)>,
}

impl<'r> Offers<'r> {
    /// The tools of a request. Those that the choice of tools does not allow are left out.
    pub(super) fn of(request: &'r Request, cx: &mut Cx<'_>) -> Self {
        let mut list = Vec::new();
        add_all(&request.tools, None, "tools", &mut list, cx);
        if cx.traits.is_some_and(|traits| traits.tools == Some(false)) && !list.is_empty() {
            cx.lose("tools", LossKind::Unsupported, "the model calls no tools");
            list.clear();
        }
        name_all(&mut list);
        if let Some(ToolChoice::Allowed { names, .. }) = &request.tool_choice {
            let before = list.len();
            list.retain(|offer| names.contains(&offer.tool.name));
            if list.len() < before {
                let why = "the tools that are not allowed are not offered";
                cx.lose("tool_choice", LossKind::Approximated, why);
            }
        }
        Self { list, json: None }
    }

    /// Offers a function whose call stands for the answer, with `schema` as its arguments.
    pub(super) fn answer_by_call(&mut self, schema: Cow<'r, RawJson>) {
        let used: HashSet<&str> = self.list.iter().map(|offer| &*offer.sent).collect();
        self.json = Some((unused(JSON_TOOL, &used), schema));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.json.is_none()
    }

    /// How many cache marks are on them.
    pub(super) fn marks(&self) -> usize {
        self.list.iter().filter(|offer| offer.tool.cache.is_some()).count()
    }

    /// The servers among them that are another provider's.
    pub(super) fn servers(&self) -> impl Iterator<Item = &Server<'r>> {
        self.list
            .iter()
            .filter_map(|offer| if let Form::Server(server) = &offer.form { Some(server) } else { None })
    }

    /// The headers that offering them needs.
    pub(super) fn headers(&self) -> Vec<(&'static str, &'static str)> {
        self.servers().next().map(|_| mcp::BETA).into_iter().collect()
    }

    /// The name that a call of the history is sent under.
    pub(super) fn called(&self, call: &'r ToolCall) -> Cow<'r, str> {
        let group = group_of(&call.rest);
        let same = |offer: &&Offer<'r>| offer.tool.name == call.name && offer.group == group.as_deref();
        let named = |offer: &&Offer<'r>| offer.tool.name == call.name;
        match self.list.iter().find(same).or_else(|| self.list.iter().find(named)) {
            Some(offer) => offer.sent.clone(),
            None => legal(&call.name),
        }
    }

    /// What reading the answer will need.
    pub(super) fn echo(&self) -> Echo {
        let sent = self.list.iter().filter_map(Offer::echo).collect();
        Echo { tools: sent, json_tool: self.json.as_ref().map(|(name, _)| name.clone()), ..Echo::default() }
    }

    /// `tools` of a request.
    pub(super) fn write(&self, w: &mut JsonWriter<'_>, cx: &mut Cx<'_>) {
        if self.is_empty() {
            return;
        }
        let mut strict = 0;
        w.array("tools", |w| {
            for offer in &self.list {
                w.element().object(|w| offer.write(w, &mut strict, cx));
            }
            if let Some((name, schema)) = &self.json {
                w.element().object(|w| {
                    w.string("name", name);
                    w.string("description", "Gives the answer. Call this once, with the whole answer.");
                    w.raw("input_schema", schema);
                });
            }
        });
    }
}

/// Adds the tools of a list that stands at `path`.
fn add_all<'r>(
    tools: &'r [Tool],
    group: Option<&'r str>,
    path: &str,
    list: &mut Vec<Offer<'r>>,
    cx: &mut Cx<'_>,
) {
    for (at, tool) in tools.iter().enumerate() {
        add(tool, group, format!("{path}[{at}]"), list, cx);
    }
}

/// Adds a tool, or those of a group.
fn add<'r>(tool: &'r Tool, group: Option<&'r str>, path: String, list: &mut Vec<Offer<'r>>, cx: &mut Cx<'_>) {
    let form = match &tool.kind {
        ToolKind::Function { .. } => Some(Form::Function),
        ToolKind::Custom { .. } => Some(Form::FreeText),
        ToolKind::Group(tools) => {
            lose_group(tool, &path, cx);
            return add_all(tools, Some(&tool.name), &format!("{path}.tools"), list, cx);
        }
        ToolKind::Native(_) if mcp::is_own(tool) => return,
        ToolKind::Native(word) if word == MCP => match Server::of(tool, cx) {
            Ok(server) => Some(Form::Server(server)),
            Err(why) => return cx.lose(&path, LossKind::Unsupported, why),
        },
        ToolKind::Native(word) => own_or_instead(word, tool, cx),
    };
    let Some(form) = form else {
        return cx.lose(&path, LossKind::Unsupported, "the provider has no such tool of its own");
    };
    let sent = match &form {
        Form::Instead(word) => Cow::Borrowed(unversioned(word)),
        Form::Function | Form::FreeText | Form::Own | Form::Server(_) => Cow::Borrowed(&*tool.name),
    };
    list.push(Offer { tool, group, path, sent, form });
}

/// Tells what stands on a group of tools beside its name.
fn lose_group(group: &Tool, path: &str, cx: &mut Cx<'_>) {
    for (lost, member) in [(group.description.is_some(), "description"), (group.cache.is_some(), "cache")] {
        if lost {
            cx.lose(format_args!("{path}.{member}"), LossKind::Dropped, "tools have no groups");
        }
    }
    cx.own(&group.rest, &path);
}

/// How another's tool is sent; `None` where there is nothing like it.
fn own_or_instead<'r>(word: &str, tool: &Tool, cx: &Cx<'_>) -> Option<Form<'r>> {
    if tool.rest.origin() == Some(DIALECT) || is_versioned(word) {
        return Some(Form::Own);
    }
    instead(word).filter(|_| !cx.has(NO_SERVER_TOOLS)).map(Form::Instead)
}

/// Whether a word ends in a date, as those of Anthropic's own tools do.
fn is_versioned(word: &str) -> bool {
    let date = word.rsplit_once('_').map(|(_, date)| date).unwrap_or_default();
    date.len() == 8 && date.starts_with("20") && date.bytes().all(|byte| byte.is_ascii_digit())
}

/// The tool that does what another provider's does, in the version that every model takes.
pub(super) fn instead(word: &str) -> Option<&'static str> {
    match word {
        "googleSearch" | "googleSearchRetrieval" => Some("web_search_20250305"),
        word if word.starts_with("web_search") => Some("web_search_20250305"),
        "code_interpreter" | "codeExecution" => Some("code_execution_20250825"),
        "urlContext" => Some("web_fetch_20250910"),
        _ => None,
    }
}

/// The name of one of Anthropic's own tools: its word without the date.
fn unversioned(word: &'static str) -> &'static str {
    word.rsplit_once('_').map_or(word, |(name, _)| name)
}

/// Gives every function a name that is taken, and none twice.
fn name_all(list: &mut [Offer<'_>]) {
    let mut used: HashSet<String> = HashSet::new();
    let as_it_is = |offer: &Offer<'_>| offer.group.is_none() && is_legal(&offer.sent);
    used.extend(list.iter().filter(|offer| as_it_is(offer)).map(|offer| offer.sent.clone().into_owned()));
    for offer in list.iter_mut().filter(|offer| matches!(offer.form, Form::Function | Form::FreeText)) {
        if as_it_is(offer) {
            continue;
        }
        let wanted = match offer.group {
            Some(group) if group.ends_with("__") => format!("{group}{}", offer.tool.name),
            Some(group) => format!("{group}__{}", offer.tool.name),
            None => offer.tool.name.clone(),
        };
        let sent = unused(&legal(&wanted), &used.iter().map(String::as_str).collect());
        used.insert(sent.clone());
        offer.sent = Cow::Owned(sent);
    }
}

impl Offer<'_> {
    fn echo(&self) -> Option<SentTool> {
        let free_text = matches!(self.form, Form::FreeText);
        let changed =
            matches!(self.form, Form::Function) && (self.sent != self.tool.name || self.group.is_some());
        (free_text || changed).then(|| SentTool {
            sent: self.sent.clone().into_owned(),
            name: self.tool.name.clone(),
            rest: self.group.map(group_rest).unwrap_or_default(),
            free_text,
        })
    }

    fn write(&self, w: &mut JsonWriter<'_>, strict: &mut usize, cx: &mut Cx<'_>) {
        match &self.tool.kind {
            ToolKind::Function { parameters, strict: wanted } => {
                self.function(
                    w,
                    parameters.as_ref(),
                    wanted.filter(|wanted| self.strict(*wanted, strict, cx)),
                    cx,
                );
            }
            ToolKind::Custom { format } => self.free_text(w, format.as_ref(), cx),
            ToolKind::Native(word) => match &self.form {
                Form::Instead(word) => self.instead(w, word, cx),
                Form::Server(server) => {
                    server.write_toolset(w);
                    server.lose_beside(self.tool, &self.path, cx);
                }
                Form::Own | Form::Function | Form::FreeText => self.own(w, word, cx),
            },
            ToolKind::Group(_) => {}
        }
        cache_control(w, self.tool.cache.as_ref(), &self.path, cx);
    }

    /// Whether calls may be asked to fit the schema exactly, or not to.
    fn strict(&self, wanted: bool, strict: &mut usize, cx: &mut Cx<'_>) -> bool {
        let known_not = cx.traits.is_some_and(|traits| traits.schema == Some(false));
        if wanted && (known_not || *strict >= STRICT_MAX) {
            let why = "calls of this tool cannot be made to fit its schema";
            cx.lose(format_args!("{}.strict", self.path), LossKind::Approximated, why);
            return false;
        }
        *strict += usize::from(wanted);
        wanted || !known_not
    }

    fn function(
        &self,
        w: &mut JsonWriter<'_>,
        schema: Option<&RawJson>,
        strict: Option<bool>,
        cx: &mut Cx<'_>,
    ) {
        w.string("name", &self.sent);
        w.maybe("description", self.tool.description.as_deref(), JsonWriter::string);
        self.input_schema(w, schema, strict == Some(true), cx);
        w.maybe("strict", strict, JsonWriter::bool);
        members(w, cx.own(&self.tool.rest, &self.path));
    }

    /// `input_schema` of a function, which must have one.
    fn input_schema(&self, w: &mut JsonWriter<'_>, schema: Option<&RawJson>, exact: bool, cx: &mut Cx<'_>) {
        let flavour = if exact { Flavour::Exact } else { Flavour::Arguments };
        match schema {
            Some(schema) => {
                let path = format!("{}.parameters", self.path);
                let flat = flat::object(schema);
                if flat.as_ref().is_some_and(|flat| flat.loose) {
                    cx.lose(&path, LossKind::Approximated, "alternatives are told in the description");
                }
                let schema = flat.as_ref().map_or(schema, |flat| &flat.schema);
                w.raw("input_schema", &schema::fitted(schema, flavour, &path, cx));
            }
            None => w.nested("input_schema", |w| {
                w.string("type", "object");
                w.nested("properties", |_| ());
            }),
        }
    }

    /// A tool that takes free text, as a function. The form of the text is told in words: it cannot be asked for.
    fn free_text(&self, w: &mut JsonWriter<'_>, format: Option<&RawJson>, cx: &mut Cx<'_>) {
        let form = format.filter(|format| {
            member(format.get(), "type").and_then(|t| t.as_str()).as_deref() != Some("text")
        });
        let mut description = self.tool.description.clone().unwrap_or_default();
        if let Some(form) = form {
            cx.lose(
                format_args!("{}.format", self.path),
                LossKind::Approximated,
                "the form is told in words",
            );
            description = format!("{description}\n\nThe input must have this form: {}", form.get());
        }
        w.string("name", &self.sent);
        if !description.is_empty() {
            w.string("description", description.trim_start());
        }
        w.maybe("input_schema", free_text_schema().as_ref(), JsonWriter::raw);
        members(w, cx.own(&self.tool.rest, &self.path));
    }

    fn own(&self, w: &mut JsonWriter<'_>, word: &str, cx: &mut Cx<'_>) {
        w.string("type", word);
        // A tool without a name has its word in that place.
        if self.tool.name != word {
            w.string("name", &self.tool.name);
        }
        w.maybe("description", self.tool.description.as_deref(), JsonWriter::string);
        members(w, cx.own(&self.tool.rest, &self.path));
    }

    /// One of Anthropic's own for another provider's, with the options both have.
    fn instead(&self, w: &mut JsonWriter<'_>, word: &str, cx: &mut Cx<'_>) {
        w.string("type", word);
        w.string("name", &self.sent);
        for (key, value) in self.tool.rest.members() {
            let path = format_args!("{}.{key}", self.path);
            match &**key {
                "allowed_domains" | "blocked_domains" if word.starts_with("web_search") => w.raw(key, value),
                "user_location" if word.starts_with("web_search") => w.raw(key, &user_location(value)),
                "excludeDomains" => w.raw("blocked_domains", value),
                _ if !says(value.get()) => {}
                "filters" => match member(value.get(), "allowed_domains").map(RawJson::from) {
                    Some(domains) => w.raw("allowed_domains", &domains),
                    None => cx.lose(path, LossKind::Dropped, "the tool has no such option"),
                },
                _ => cx.lose(path, LossKind::Dropped, "the tool has no such option"),
            }
        }
    }
}
