//! Whole answers, and the `response` that events of a stream carry.

use shim_ir::{
    Candidate, Fault, Finish, FinishReason, Part, ReasoningAsk, Request, Response, Rest, Start, Text, Tokens,
    Traits, Usage,
};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::DIALECT;
use super::ask::Ask;
use super::loss::{At, Losses, verbatim};
use super::output::{Kind, Stage, Stand, envelope, kind, lose_part, put_content, put_item, put_message};
use super::request::{put_text_config, tier};
use super::tools::{put_choice, put_tools};
use super::usage::put_usage;
use crate::common::each_member;
use crate::{Asker, Goal, Operation, Told};

/// Encodes a whole answer, or a count of tokens.
pub(crate) fn response(response: &Response, asker: &Asker<'_>) -> Told {
    let mut losses = Losses::default();
    let own = response.rest.origin() == Some(DIALECT);
    let mut body = Vec::with_capacity(2048);
    if asker.operation == Operation::CountTokens || (own && response.candidates.is_empty()) {
        JsonWriter::new(&mut body).object(|w| put_count(w, response, own));
        return Told { body, losses: losses.into_list() };
    }
    let silent = Candidate::default();
    let candidate = response.candidates.first().unwrap_or(&silent);
    let at = At::list("candidates", 0);
    losses.own(&candidate.rest, at);
    lose_beside(response.candidates.len(), response.usage.as_ref(), &mut losses);
    let about = About::of(start_of(response), &Maker::of(asker), &mut losses);
    let ending = Ending::of(candidate.finish.as_ref(), refuses(&candidate.parts), own);
    ending.lose(candidate.finish.as_ref(), own, &mut losses);
    let parts = candidate.parts.iter().enumerate();
    parts.for_each(|(n, part)| lose_part(part, own, at.nth("parts", n), &mut losses));
    let kept: Vec<_> = candidate.parts.iter().filter(|part| !matches!(kind(part), Kind::Left(_))).collect();
    let outcome = Outcome::Ended(&ending, response.usage.as_ref());
    JsonWriter::new(&mut body).object(|w| {
        let output = |w: &mut JsonWriter<'_>| put_output(w, &kept, asker.id, own, ending.stage);
        about.put(w, &outcome, |w| put_echo(w, asker.request), output);
    });
    Told { body, losses: losses.into_list() }
}

fn start_of(response: &Response) -> Start {
    Start {
        id: response.id.clone(),
        model: response.model.clone(),
        created: response.created,
        service_tier: response.service_tier.clone(),
        rest: response.rest.clone(),
    }
}

/// A count of tokens. Source: `InputTokenCountResponse` of the official SDK's types, read 2026-11-25.
fn put_count(w: &mut JsonWriter<'_>, response: &Response, own: bool) {
    if !own {
        w.string("object", "response.input_tokens");
        let total = response.usage.as_ref().map_or(Tokens(0), Usage::input_total);
        w.number("input_tokens", total.0);
    }
    verbatim(w, if own { response.rest.members() } else { &[] }, &[]);
}

/// What is lost of an answer beside its first candidate.
pub(crate) fn lose_beside(candidates: usize, usage: Option<&Usage>, losses: &mut Losses) {
    for n in 1..candidates {
        losses.dropped(At::list("candidates", n), "an answer is one");
    }
    if usage.is_some_and(|usage| usage.cache_write_1h > Tokens(0)) {
        losses.approximated(At::of("usage").member("cache_write_1h"), "all that was written is one count");
    }
}

/// Whether a refusal tells that the model refused.
pub(crate) fn refuses<'p>(parts: impl IntoIterator<Item = &'p Part>) -> bool {
    parts.into_iter().any(|part| matches!(part, Part::Refusal(_)))
}

/// From what the parts of an answer are made that its source does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker<'a> {
    /// The id of the answer, without its prefix.
    pub(crate) answer: &'a str,
    /// When it is answered.
    pub(crate) created: u64,
    /// The model as the client asked for it.
    pub(crate) model: &'a str,
}

impl<'a> Maker<'a> {
    fn of(asker: &Asker<'a>) -> Self {
        Self { answer: asker.id, created: asker.created, model: &asker.request.model }
    }
}

/// What an answer says of itself beside its output.
#[derive(Debug, Default)]
pub(crate) struct About {
    /// Whether it is in this dialect's own words, to which nothing is added.
    pub(crate) own: bool,
    start: Start,
}

/// What became of an answer.
pub(crate) enum Outcome<'a> {
    Begun,
    Ended(&'a Ending, Option<&'a Usage>),
    Failed(&'a Fault),
}

impl About {
    /// What `start` says, and for an answer of another dialect what it must say here.
    pub(crate) fn of(mut start: Start, maker: &Maker<'_>, losses: &mut Losses) -> Self {
        let own = start.rest.origin() == Some(DIALECT);
        if !own {
            losses.own(&start.rest, At::ROOT);
            start.rest = Rest::default();
            start.id = Some(format!("resp_{}", maker.answer));
            start.created = Some(start.created.unwrap_or(maker.created));
            start.model = Some(start.model.unwrap_or_else(|| maker.model.to_owned()));
            let word = start.service_tier.take();
            start.service_tier = word.as_deref().and_then(tier).map(str::to_owned);
            if word.is_some() && start.service_tier.is_none() {
                losses.dropped(At::of("service_tier"), "the client does not know the word");
            }
        }
        Self { own, start }
    }

    /// Takes up what is said of the answer later.
    pub(crate) fn add(&mut self, rest: &Rest, losses: &mut Losses) {
        if self.own {
            self.start.rest.merge(rest.clone());
        } else {
            losses.own(rest, At::ROOT);
        }
    }

    /// Writes the members of a `response`. `echo` writes the request again.
    pub(crate) fn put(
        &self,
        w: &mut JsonWriter<'_>,
        outcome: &Outcome<'_>,
        echo: impl FnOnce(&mut JsonWriter<'_>),
        output: impl FnOnce(&mut JsonWriter<'_>),
    ) {
        self.put_head(w);
        let typed = self.put_outcome(w, outcome);
        w.array("output", output);
        if self.own {
            verbatim(w, self.start.rest.members(), &typed);
        } else {
            echo(w);
        }
    }

    /// Writes what `start` says. What was said differently later is written with the other members.
    fn put_head(&self, w: &mut JsonWriter<'_>) {
        let later = |key: &str| self.start.rest.get(key).is_some();
        let text = |key: &str, value: &Option<String>| value.clone().filter(|_| !later(key));
        w.maybe("id", text("id", &self.start.id).as_deref(), JsonWriter::string);
        if !self.own {
            w.string("object", "response");
        }
        w.maybe("created_at", self.start.created, JsonWriter::number);
        w.maybe("model", text("model", &self.start.model).as_deref(), JsonWriter::string);
        let tier = text("service_tier", &self.start.service_tier);
        w.maybe("service_tier", tier.as_deref(), JsonWriter::string);
    }

    /// Writes what became of the answer; gives the members it wrote, which are not to be written again.
    fn put_outcome(&self, w: &mut JsonWriter<'_>, outcome: &Outcome<'_>) -> Vec<&'static str> {
        let (status, reason, usage, fault) = match outcome {
            Outcome::Begun => (Some("in_progress"), None, None, None),
            Outcome::Ended(ending, usage) => {
                (ending.status.as_deref(), ending.reason.as_deref(), *usage, None)
            }
            Outcome::Failed(fault) => (Some("failed"), None, None, Some(*fault)),
        };
        w.maybe("status", status, JsonWriter::string);
        self.put_or_null(w, "error", fault, put_error);
        self.put_or_null(w, "incomplete_details", reason, |w, reason| w.string("reason", reason));
        self.put_or_null(w, "usage", usage, put_usage);
        let typed = [
            ("error", fault.is_some()),
            ("incomplete_details", reason.is_some()),
            ("usage", usage.is_some()),
        ];
        let typed = typed.into_iter().filter(|(_, typed)| *typed).map(|(key, _)| key);
        ["status", "output"].into_iter().chain(typed).collect()
    }

    /// Writes an object; where there is none, `null`, but for an answer of this dialect, which says so itself.
    fn put_or_null<T>(
        &self,
        w: &mut JsonWriter<'_>,
        key: &str,
        value: Option<T>,
        put: impl FnOnce(&mut JsonWriter<'_>, T),
    ) {
        match value {
            Some(value) => w.nested(key, |w| put(w, value)),
            None if self.own => {}
            None => w.null(key),
        }
    }
}

fn put_error(w: &mut JsonWriter<'_>, fault: &Fault) {
    w.string("code", super::super::errors::response_word(fault));
    w.string("message", &fault.message);
}

/// How an answer ended, in this dialect's words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// `None` where an answer of this dialect has none.
    pub(crate) status: Option<String>,
    pub(crate) reason: Option<String>,
    /// How far its last item came.
    pub(crate) stage: Stage,
}

impl Ending {
    /// The end of an answer; `refused` says that it holds a refusal.
    pub(crate) fn of(finish: Option<&Finish>, refused: bool, own: bool) -> Self {
        let Some(finish) = finish else {
            let status = if own { "in_progress" } else { "completed" };
            return Self::new(Some(status), None);
        };
        let words = finish.words.as_deref().filter(|_| own);
        if own && words.is_none() {
            return Self::new(None, None);
        }
        match &finish.reason {
            FinishReason::Stop | FinishReason::Sequence | FinishReason::ToolCalls => {
                Self::new(Some("completed"), words.filter(|word| *word != "completed"))
            }
            FinishReason::Refusal if refused => Self::new(Some("completed"), None),
            FinishReason::Length => Self::new(Some("incomplete"), words.or(Some("max_output_tokens"))),
            FinishReason::Filter | FinishReason::Refusal => {
                Self::new(Some("incomplete"), words.or(Some("content_filter")))
            }
            FinishReason::Pause | FinishReason::BadToolCall | FinishReason::Other => match words {
                Some(word) if is_status(word) => Self::new(Some(word), None),
                words => Self::new(Some("incomplete"), words),
            },
        }
    }

    fn new(status: Option<&str>, reason: Option<&str>) -> Self {
        let cut = matches!(status, Some("incomplete" | "cancelled"));
        Self {
            status: status.map(str::to_owned),
            reason: reason.map(str::to_owned),
            stage: if cut { Stage::Cut } else { Stage::Done },
        }
    }

    /// Whether the last event says so.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.stage == Stage::Cut
    }

    /// Tells what is lost of why the answer ended.
    pub(crate) fn lose(&self, finish: Option<&Finish>, own: bool, losses: &mut Losses) {
        let Some(finish) = finish.filter(|_| !own) else { return };
        let candidate = At::list("candidates", 0);
        let at = candidate.member("finish");
        match finish.reason {
            FinishReason::Pause | FinishReason::BadToolCall | FinishReason::Other => {
                losses.approximated(at, "the answer is told as incomplete");
            }
            FinishReason::Refusal if self.is_incomplete() => {
                losses.approximated(at, "a refusal without words of its own is told as filtered");
            }
            FinishReason::Sequence => {
                losses.dropped(at.member("sequence"), "nothing says where an answer stopped")
            }
            FinishReason::Stop
            | FinishReason::Length
            | FinishReason::ToolCalls
            | FinishReason::Filter
            | FinishReason::Refusal => {}
        }
    }
}

fn is_status(word: &str) -> bool {
    matches!(word, "completed" | "failed" | "in_progress" | "cancelled" | "queued" | "incomplete")
}

/// Writes the items of a whole answer.
fn put_output(w: &mut JsonWriter<'_>, parts: &[&Part], answer: &str, own: bool, last: Stage) {
    let joins =
        |a: &&Part, b: &&Part| kind(a) == Kind::Content && kind(b) == Kind::Content && envelope(b).is_none();
    let items: Vec<_> = parts.chunk_by(joins).collect();
    for (index, item) in items.iter().enumerate() {
        let stand = Stand { answer, index, own };
        let stage = if index + 1 == items.len() { last } else { Stage::Done };
        let Some(first) = item.first() else { continue };
        let id = stand.id(first);
        if kind(first) == Kind::Content {
            w.element().object(|w| {
                put_message(w, id.as_deref().unwrap_or_default(), envelope(first), stage, |w| {
                    item.iter().for_each(|part| put_content(w.element(), part, Stage::Done));
                });
            });
        } else {
            put_item(w.element(), first, id.as_deref(), Stage::Done, stand);
        }
    }
}

/// The request told again, as members.
pub(crate) fn echoed(request: &Request) -> Vec<(Box<str>, RawJson)> {
    let mut text = Vec::new();
    JsonWriter::new(&mut text).object(|w| put_echo(w, request));
    let mut members = Vec::new();
    let _ = each_member(std::str::from_utf8(&text).unwrap_or_default(), |member| {
        members.push((member.key.into(), member.value.into()));
    });
    members
}

/// Writes the request again, as an answer repeats it.
/// Source: <https://platform.openai.com/docs/api-reference/responses/object>, read 2026-11-25.
fn put_echo(w: &mut JsonWriter<'_>, request: &Request) {
    let traits = Traits::default();
    let mut ask =
        Ask::new(request, &Goal { operation: Operation::Generate, model: "", traits: &traits, seed: "" });
    // The client's own words are told again as they are.
    ask.own = true;
    w.bool("background", false);
    put_instructions(w, request);
    or_null(w, "max_output_tokens", request.sampling.output_max.map(|Tokens(most)| most), JsonWriter::number);
    match &request.metadata {
        Some(metadata) => w.raw("metadata", metadata),
        None => w.nested("metadata", |_| ()),
    }
    w.bool("parallel_tool_calls", request.parallel_tool_calls.unwrap_or(true));
    or_null(w, "previous_response_id", request.state.previous.as_deref(), JsonWriter::string);
    w.maybe("prompt_cache_key", request.cache_key.as_deref(), JsonWriter::string);
    put_reasoning(w, request.reasoning.as_ref());
    // Whoever keeps the answer says so of the request.
    w.bool("store", request.state.store == Some(true));
    or_null(w, "temperature", request.sampling.temperature, float);
    if request.output.is_some() {
        put_text_config(w, request, &mut ask);
    } else {
        w.nested("text", |w| w.nested("format", |w| w.string("type", "text")));
    }
    match &request.tool_choice {
        Some(choice) => put_choice(w, choice, &request.tools, &mut ask),
        None => w.string("tool_choice", "auto"),
    }
    if request.tools.is_empty() {
        w.array("tools", |_| ());
    }
    put_tools(w, &request.tools, &mut ask);
    w.number("top_logprobs", request.sampling.top_logprobs.unwrap_or_default());
    or_null(w, "top_p", request.sampling.top_p, float);
    w.string("truncation", "disabled");
    or_null(w, "user", request.user.as_deref(), JsonWriter::string);
}

fn or_null<'a, T>(
    w: &mut JsonWriter<'a>,
    key: &str,
    value: Option<T>,
    write: impl FnOnce(&mut JsonWriter<'a>, &str, T),
) {
    match value {
        Some(value) => write(w, key, value),
        None => w.null(key),
    }
}

fn float(w: &mut JsonWriter<'_>, key: &str, number: f64) {
    w.member(key).float(number);
}

fn put_instructions(w: &mut JsonWriter<'_>, request: &Request) {
    match (request.system.first(), request.rest.get("instructions")) {
        (Some(Part::Text(Text { text, .. })), _) => w.text("instructions", text),
        (_, Some(raw)) => w.raw("instructions", raw),
        (_, None) => w.null("instructions"),
    }
}

fn put_reasoning(w: &mut JsonWriter<'_>, wish: Option<&ReasoningAsk>) {
    w.nested("reasoning", |w| {
        let effort = wish.and_then(|wish| wish.effort.as_ref()).map(shim_ir::Effort::word);
        or_null(w, "effort", effort, JsonWriter::string);
        or_null(w, "summary", wish.and_then(|wish| wish.show.as_deref()), JsonWriter::string);
    });
}
