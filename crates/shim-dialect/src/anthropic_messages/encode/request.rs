//! Requests.

use std::borrow::Cow;

use shim_ir::{LossKind, OutputFormat, Request, Schema};
use shim_wire::{JsonText, JsonWriter, RawJson};

use super::choice::{self, Choice};
use super::ids::Ids;
use super::messages::Conversation;
use super::reasoning::{Mode, Thought};
use super::schema::{Flavour, any_object, fitted};
use super::tools::Offers;
use super::{Cx, DIALECT, MARKS_MAX, Members, NO_FORCED_TOOLS_THINKING, mcp, members, sampling};
use crate::common::{each_member, of_request, says};
use crate::{Encoded, Goal, Operation};

/// The body of `POST /v1/messages`, and of `POST /v1/messages/count_tokens`.
pub(crate) fn request(request: &Request, goal: &Goal<'_>) -> Encoded {
    let mut cx = Cx::asking(goal.traits);
    let ask = Ask::of(request, goal, &mut cx);
    let mut body = JsonText::with_capacity(2048);
    JsonWriter::sharing(&mut body).object(|w| ask.write(w, &mut cx));
    // Code execution and the fetching of pages were betas once and are none any more.
    let files = cx.names_file.then_some(FILES_BETA);
    let headers = ask.offers.headers().into_iter().chain(files).collect();
    Encoded { body, echo: ask.offers.echo(), losses: of_request(cx.losses), headers }
}

/// Without it no file is known by its id: <https://platform.claude.com/docs/en/build-with-claude/files>, read 2026-11-26.
const FILES_BETA: (&str, &str) = ("anthropic-beta", "files-api-2025-04-14");

/// A request as it is sent.
struct Ask<'r> {
    request: &'r Request,
    model: &'r str,
    /// Whether its tokens are to be counted, and nothing answered.
    counts: bool,
    said: Conversation<'r>,
    ids: Ids,
    offers: Offers<'r>,
    choice: Option<Choice>,
    schema: Option<Cow<'r, RawJson>>,
    thought: Thought,
    output_max: u64,
}

impl<'r> Ask<'r> {
    fn of(request: &'r Request, goal: &Goal<'r>, cx: &mut Cx<'_>) -> Self {
        let counts = goal.operation == Operation::CountTokens;
        let said = Conversation::of(request, cx);
        let mut offers = Offers::of(request, cx);
        let schema = output(request, &mut offers, cx);
        let choice = choice::of(request, &offers, cx);
        let mut thought = thought(request, choice.as_ref(), &said, cx);
        let mut output_max = 0;
        if !counts {
            output_max = sampling::output_max(&request.sampling, thought.budget(), cx);
            thought.fit(output_max, cx);
        }
        cx.marks_over = (said.marks() + offers.marks()).saturating_sub(MARKS_MAX);
        let ids = Ids::of(request);
        Self { request, model: goal.model, counts, said, ids, offers, choice, schema, thought, output_max }
    }

    fn write(&self, w: &mut JsonWriter<'_>, cx: &mut Cx<'_>) {
        let request = self.request;
        w.string("model", self.model);
        if !self.counts {
            w.number("max_tokens", self.output_max);
        }
        self.offers.write(w, cx);
        mcp::write_servers(w, request, &self.offers);
        choice::write(w, request, self.choice.as_ref(), &self.offers);
        self.said.write_system(w, cx);
        self.said.write(w, &self.ids, &self.offers, cx);
        self.thought.write(w, request.reasoning.as_ref(), cx);
        self.output_config(w, cx);
        if !self.counts {
            let thinks = self.thought.mode.is_some_and(Mode::thinks);
            sampling::write(w, &request.sampling, thinks, cx);
            beside(w, request, cx);
        }
        state(request, cx);
        rest(w, request, cx);
    }

    /// `output_config`: how hard to try, the form of the answer, and what the source has beside them.
    fn output_config(&self, w: &mut JsonWriter<'_>, cx: &mut Cx<'_>) {
        let own =
            self.request.rest.get("output_config").filter(|_| self.request.rest.origin() == Some(DIALECT));
        match (own, self.thought.effort(), self.form(cx)) {
            (own, None, None) => w.maybe("output_config", own, JsonWriter::raw),
            (own, effort, form) => w.nested("output_config", |w| {
                w.maybe("effort", effort, JsonWriter::string);
                w.maybe("format", form, |w, key, (schema, rest)| {
                    w.nested(key, |w| {
                        w.string("type", "json_schema");
                        w.raw("schema", schema);
                        members(w, rest);
                    });
                });
                spread(w, own);
            }),
        }
    }

    /// The schema that the answer must fit, and what the source has beside it.
    fn form(&self, cx: &mut Cx<'_>) -> Option<(&RawJson, Members<'r>)> {
        let schema = self.schema.as_deref()?;
        let Some(OutputFormat::Schema(asked)) = &self.request.output else { return None };
        Some((schema, cx.own(&asked.rest, &"output")))
    }
}

/// What is asked of thinking, where there is room for it.
fn thought(request: &Request, choice: Option<&Choice>, said: &Conversation<'_>, cx: &mut Cx<'_>) -> Thought {
    let mut thought = Thought::of(request.reasoning.as_ref(), cx);
    let manual = thought.mode.is_some_and(Mode::is_manual);
    let hinders = manual || (thought.mode.is_some_and(Mode::thinks) && cx.has(NO_FORCED_TOOLS_THINKING));
    if hinders && choice.is_some_and(Choice::forces) {
        thought.give_up("a tool that must be called leaves no room to think", cx);
    } else if manual && said.goes_on_unthought() {
        thought.give_up("the turn in progress did not begin with signed thinking", cx);
    }
    thought
}

/// The members of an object, where there is one.
fn spread(w: &mut JsonWriter<'_>, object: Option<&RawJson>) {
    let Some(object) = object else { return };
    let _ = each_member(object.get(), |member| w.raw(&member.key, &RawJson::from(member.value)));
}

/// The schema the answer must fit, where it can be asked for; else a function whose call stands for the answer.
fn output<'r>(request: &'r Request, offers: &mut Offers<'r>, cx: &mut Cx<'_>) -> Option<Cow<'r, RawJson>> {
    match request.output.as_ref()? {
        OutputFormat::Text => None,
        OutputFormat::JsonObject => {
            cx.lose("output", LossKind::Approximated, "an object is asked for as the call of a function");
            any_object().map(Cow::Owned).into_iter().for_each(|schema| offers.answer_by_call(schema));
            None
        }
        OutputFormat::Schema(schema) => schema_of(schema, offers, cx),
        OutputFormat::Other(_) => {
            cx.lose("output", LossKind::Unsupported, "there is no such form of an answer");
            None
        }
    }
}

fn schema_of<'r>(asked: &'r Schema, offers: &mut Offers<'r>, cx: &mut Cx<'_>) -> Option<Cow<'r, RawJson>> {
    if asked.name.is_some() {
        cx.lose("output.name", LossKind::Dropped, "a schema has no name");
    }
    if asked.description.is_some() {
        cx.lose("output.description", LossKind::Dropped, "a schema is described in itself alone");
    }
    let path = "output.schema";
    let Some(schema) = &asked.schema else {
        cx.lose("output", LossKind::Unsupported, "there is no schema to fit");
        return None;
    };
    if cx.traits.is_some_and(|traits| traits.schema == Some(false)) {
        cx.lose("output", LossKind::Approximated, "the schema is asked for as the arguments of a function");
        cx.own(&asked.rest, &"output");
        offers.answer_by_call(fitted(schema, Flavour::Arguments, path, cx));
        return None;
    }
    Some(fitted(schema, Flavour::Exact, path, cx))
}

/// What a request has beside what is said and how it is to be answered.
fn beside(w: &mut JsonWriter<'_>, request: &Request, cx: &mut Cx<'_>) {
    if let Some(stream) = &request.stream {
        w.bool("stream", true);
        cx.own(&stream.rest, &"stream");
    }
    if let Some(user) = &request.user {
        w.nested("metadata", |w| w.string("user_id", user));
    }
    if request.metadata.as_ref().is_some_and(|metadata| says(metadata.get())) {
        cx.lose("metadata", LossKind::Dropped, "only the id of a user is taken");
    }
    service_tier(w, request.service_tier.as_deref(), cx);
    if request.modalities.iter().any(|word| !word.eq_ignore_ascii_case("text")) {
        cx.lose("modalities", LossKind::Unsupported, "answers are text");
    }
}

/// The class of service asked for, in Anthropic's words.
fn service_tier(w: &mut JsonWriter<'_>, tier: Option<&str>, cx: &mut Cx<'_>) {
    match tier {
        Some(tier @ ("auto" | "standard_only")) => w.string("service_tier", tier),
        Some("default" | "standard") => w.string("service_tier", "standard_only"),
        Some(_) => cx.lose("service_tier", LossKind::Dropped, "there is no such class of service"),
        None => {}
    }
}

/// Tells what is asked of state, of which Anthropic keeps none.
fn state(request: &Request, cx: &mut Cx<'_>) {
    let state = &request.state;
    let mut lose = |lost: bool, path: &str, kind: LossKind, why: &'static str| {
        if lost {
            cx.lose(path, kind, why);
        }
    };
    let none = "no conversation is kept";
    lose(state.previous.is_some(), "state.previous", LossKind::Unsupported, none);
    lose(state.conversation.is_some(), "state.conversation", LossKind::Unsupported, none);
    let background = state.background == Some(true);
    lose(background, "state.background", LossKind::Unsupported, "answers are not made in the background");
    lose(state.store == Some(true), "state.store", LossKind::Dropped, none);
    let keyed = request.cache_key.is_some();
    lose(keyed, "cache_key", LossKind::Dropped, "prompts are cached by what they begin with");
}

/// What only Anthropic has is written as it is. What only another has is left out, and some of that the answer depends
/// on.
fn rest(w: &mut JsonWriter<'_>, request: &Request, cx: &mut Cx<'_>) {
    let own = request.rest.origin() == Some(DIALECT);
    for (key, value) in request.rest.members() {
        match &**key {
            "output_config" | "tool_choice" if own => {}
            key if own => w.raw(key, value),
            _ if !says(value.get()) => {}
            "web_search_options" | "plugins" | "cachedContent" | "prompt" | "instructions" => {
                cx.lose(key, LossKind::Unsupported, "no other dialect has it");
            }
            key => cx.lose(key, LossKind::Dropped, "no other dialect has it"),
        }
    }
}
