//! Requests.

use shim_ir::{LossKind, OutputFormat, Request, Sampling, StreamAsk, ThinkTags};
use shim_wire::{JsonText, JsonWriter};

use super::losses::{Losses, is_own};
use super::names::{CallIds, Names};
use super::{messages, reasoning, tools};
use crate::common::of_request;
use crate::openai_chat::decode::ASKED;
use crate::{Echo, Encoded, Goal, Operation};

/// What writing a request needs and gives.
pub(super) struct To<'g> {
    pub(super) goal: &'g Goal<'g>,
    pub(super) names: Names,
    pub(super) ids: CallIds,
    pub(super) losses: Losses,
    /// Whether the model is told not to think, so that it can be made to call a tool.
    pub(super) unthinking: bool,
}

impl To<'_> {
    /// Whether an oddity is known of the target.
    pub(super) fn has(&self, quirk: &str) -> bool {
        self.goal.traits.has(quirk)
    }

    /// Whether a member may be sent; where it may not, that is told at `path`.
    fn takes(&mut self, quirk: &str, path: impl std::fmt::Display) -> bool {
        let refused = self.has(quirk);
        if refused {
            self.losses.dropped(path.to_string(), "the provider refuses it");
        }
        !refused
    }
}

/// A request for the model of `goal`.
pub(crate) fn request(request: &Request, goal: &Goal<'_>) -> Encoded {
    let mut to = To {
        goal,
        names: Names::default(),
        ids: CallIds::of(request, goal.traits),
        losses: Losses::default(),
        unthinking: false,
    };
    let mut body = JsonText::with_capacity(2048);
    JsonWriter::sharing(&mut body).object(|w| {
        w.string("model", goal.model);
        chat(request, &mut to, w);
    });
    let echo = Echo { think_tags: think_tags(request, goal), ..to.names.echo };
    Encoded { body, echo, losses: of_request(to.losses.0), ..Encoded::default() }
}

/// How the answer's reasoning stands in its text. Where the model is not to reason, its template closes the reasoning
/// in the prompt (<https://github.com/vllm-project/vllm/blob/main/vllm/reasoning/qwen3_reasoning_parser.py>, read
/// 2026-11-25), and where the answer is to be JSON, its first character must be: then a text does not begin inside of
/// reasoning.
fn think_tags(request: &Request, goal: &Goal<'_>) -> ThinkTags {
    let json = matches!(request.output, Some(OutputFormat::JsonObject | OutputFormat::Schema(_)));
    match goal.traits.think_tags {
        _ if goal.operation != Operation::Generate => ThinkTags::None,
        ThinkTags::Implicit if json || request.reasoning.as_ref().is_some_and(reasoning::is_off) => {
            ThinkTags::Explicit
        }
        tags @ (ThinkTags::None | ThinkTags::Explicit | ThinkTags::Implicit) => tags,
    }
}

fn chat(request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    // Tools come first: what they are called here is needed in the conversation.
    let offered = tools::offer(request, to);
    w.array("messages", |w| messages::messages(request, to, w));
    tools::write(request, &offered, to, w);
    reasoning::write(request, to, w);
    sampling(request, to, w);
    stream(request.stream.as_ref(), to, w);
    modalities(request, to, w);
    account(request, to, w);
    state(request, to);
    for (key, raw) in to.losses.own(&request.rest, &"") {
        if !ASKED.contains(&key) {
            w.raw(key, raw);
        }
    }
}

/// OpenAI takes at most this many stop sequences: <https://platform.openai.com/docs/api-reference/chat/create>, read
/// 2026-11-25.
const STOPS_MAX: usize = 4;

/// Bounds on a user's id, in characters: `safety_identifier`, which replaces it, has the same.
/// Source: <https://platform.openai.com/docs/api-reference/chat/create>, read 2026-11-25.
const USER_CHARS_MAX: usize = 64;

fn sampling(request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let asked = &request.sampling;
    let free = samples(request, to);
    for (key, value, least, most) in [
        ("temperature", asked.temperature, 0.0, 2.0),
        ("top_p", asked.top_p, 0.0, 1.0),
        ("frequency_penalty", asked.frequency_penalty, -2.0, 2.0),
        ("presence_penalty", asked.presence_penalty, -2.0, 2.0),
    ] {
        if let Some(value) = value {
            let taken = free && matches!(key, "temperature" | "top_p");
            if taken || to.takes("no_sampling", format_args!("sampling.{key}")) {
                bounded(key, value, least, most, to, w);
            }
        }
    }
    top_k(request, to, w);
    let seed = asked.seed.filter(|_| to.takes("no_seed", "sampling.seed"));
    w.maybe(if to.has("random_seed") { "random_seed" } else { "seed" }, seed, JsonWriter::number);
    stop(&asked.stop, to, w);
    output_max(request, to, w);
    candidates(asked, to, w);
    logprobs(asked, free, to, w);
}

/// Whether a model that takes no sampling parameters takes some for this request, because it does not think.
fn samples(request: &Request, to: &To<'_>) -> bool {
    let off = match &request.reasoning {
        Some(ask) => reasoning::is_off(ask) && reasoning::knows_none(to),
        None => to.unthinking || to.has("thinks_if_asked"),
    };
    off && to.has("sampling_if_unthinking")
}

/// How many answers are wanted.
fn candidates(asked: &Sampling, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let several = asked.candidates.filter(|number| *number == 1 || !to.has("no_n"));
    w.maybe("n", several, JsonWriter::number);
    if several.is_none() && asked.candidates.is_some() {
        to.losses.unsupported("sampling.candidates", "the provider gives one answer");
    }
}

/// A number within the range of its member.
fn bounded(key: &str, value: f64, least: f64, most: f64, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if value < least || value > most {
        to.losses.approximated(format!("sampling.{key}"), "it is outside of the range here");
    }
    w.member(key).float(value.clamp(least, most));
}

/// Not OpenAI's: sent as it came, or where the provider is known to take it.
fn top_k(request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    match (request.rest.get("top_k").filter(|_| is_own(&request.rest)), request.sampling.top_k) {
        (Some(raw), _) => w.raw("top_k", raw),
        (None, Some(number)) if to.has("top_k") => match integer(number) {
            Some(whole) => w.number("top_k", whole),
            None => w.member("top_k").float(number),
        },
        (None, Some(_)) => to.losses.dropped("sampling.top_k", "OpenAI's dialect has no such member"),
        (None, None) => {}
    }
}

/// The whole number, if it is one.
fn integer(number: f64) -> Option<i32> {
    let whole = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    whole.then_some(number as i32)
}

fn stop(words: &[String], to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if words.is_empty() {
        return;
    }
    if to.has("no_stop") {
        to.losses.unsupported("sampling.stop", "the model takes no stop sequences");
        return;
    }
    for at in STOPS_MAX..words.len() {
        to.losses.unsupported(format!("sampling.stop[{at}]"), "at most four stop sequences are taken");
    }
    w.array("stop", |w| words.iter().take(STOPS_MAX).for_each(|word| w.element().string(word)));
}

/// `max_tokens` is what nearly everybody reads; OpenAI's reasoning models take the newer word alone.
fn output_max(request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let both = is_own(&request.rest) && request.rest.get("max_tokens").is_some();
    let key = if both || to.has("max_completion_tokens") { "max_completion_tokens" } else { "max_tokens" };
    w.maybe(key, request.sampling.output_max.map(|max| max.0), JsonWriter::number);
}

fn logprobs(asked: &Sampling, free: bool, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if asked.logprobs.is_none() && asked.top_logprobs.is_none() {
        return;
    }
    if (to.has("no_sampling") && !free) || to.has("no_logprobs") {
        to.losses.unsupported("sampling.logprobs", "the model gives none");
        return;
    }
    // The number is refused where the switch is not set.
    let on = asked.logprobs.or(asked.top_logprobs.filter(|number| *number > 0).map(|_| true));
    w.maybe("logprobs", on, JsonWriter::bool);
    w.maybe("top_logprobs", asked.top_logprobs, JsonWriter::number);
}

/// A stream is asked for its usage unless the client said that it wants none.
fn stream(asked: Option<&StreamAsk>, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let Some(asked) = asked else { return };
    w.bool("stream", true);
    let usage = asked.usage != Some(false) && !to.has("no_stream_options");
    let own: Vec<_> = to.losses.own(&asked.rest, &"stream").collect();
    if usage || !own.is_empty() {
        w.nested("stream_options", |w| {
            if usage {
                w.bool("include_usage", true);
            }
            own.iter().for_each(|(key, raw)| w.raw(key, raw));
        });
    }
}

/// Other dialects write the words in upper case, and say that they want text, which goes without saying.
fn modalities(request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    let asked = &request.modalities;
    let upper = asked.iter().any(|word| word.chars().any(char::is_uppercase));
    let text_alone = asked.iter().all(|word| word.eq_ignore_ascii_case("text"));
    if asked.is_empty() || (upper && text_alone) {
        return;
    }
    w.array("modalities", |w| {
        asked.iter().for_each(|word| w.element().string(&word.to_ascii_lowercase()));
    });
    let sound = asked.iter().any(|word| word.eq_ignore_ascii_case("audio"));
    if sound && !(is_own(&request.rest) && request.rest.get("audio").is_some()) {
        w.nested("audio", |w| {
            w.string("voice", "alloy");
            w.string("format", if request.stream.is_some() { "pcm16" } else { "wav" });
        });
        to.losses.add("modalities", LossKind::Defaulted, "sound needs a voice and a format here");
    }
}

/// Whose request it is, and how it is to be served.
fn account(request: &Request, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if let Some(name) = request.user.as_deref().filter(|_| to.takes("no_user", "user")) {
        user(name, to, w);
    }
    let metadata = request.metadata.as_ref().filter(|_| to.takes("no_metadata", "metadata"));
    w.maybe("metadata", metadata, JsonWriter::raw);
    let key = request.cache_key.as_deref().filter(|_| to.takes("no_prompt_cache_key", "cache_key"));
    w.maybe("prompt_cache_key", key, JsonWriter::string);
    if let Some(tier) = request.service_tier.as_deref()
        && to.takes("no_service_tier", "service_tier")
    {
        service_tier(tier, to, w);
    }
    if let Some(store) = request.state.store
        && (!store || to.takes("no_store", "state.store"))
        && !to.has("no_store")
    {
        w.bool("store", store);
    }
}

fn user(name: &str, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    if name.chars().count() > USER_CHARS_MAX {
        w.string("user", &format!("user_{:016x}", super::names::digest(name)));
        to.losses.approximated("user", "it is too long, a hash stands for it");
    } else {
        w.string("user", name);
    }
}

/// The words for classes of service that are in use here: OpenAI's, and behind them those of Groq and of a service that
/// sells shares of a machine.
const TIERS: [&str; 9] =
    ["auto", "default", "flex", "scale", "priority", "fast", "on_demand", "performance", "provisioned"];

/// The word for a class of service; `None` for one that is not known here.
pub(crate) fn tier(word: &str) -> Option<&str> {
    match word {
        "standard" | "standard_only" => Some("default"),
        known if TIERS.contains(&known) => Some(known),
        _ => None,
    }
}

fn service_tier(word: &str, to: &mut To<'_>, w: &mut JsonWriter<'_>) {
    match tier(word) {
        Some(word) => w.string("service_tier", word),
        None => to.losses.dropped("service_tier", "there is no such class of service here"),
    }
}

/// What this dialect's providers do not keep.
fn state(request: &Request, to: &mut To<'_>) {
    let state = &request.state;
    if state.previous.is_some() {
        to.losses.unsupported("state.previous", "no answer is kept that this could go on from");
    }
    if state.conversation.is_some() {
        to.losses.unsupported("state.conversation", "no conversation is kept here");
    }
    if state.background == Some(true) {
        to.losses.unsupported("state.background", "answers are not made in the background");
    }
}
