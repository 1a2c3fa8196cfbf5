//! Requests.

use shim_ir::{Request, ServerState};
use shim_wire::{JsonText, JsonWriter, RawJson};

use super::super::decode::DIALECT;
use super::content::Scribe;
use super::generation::generation;
use super::losses::Losses;
use super::names::Names;
use super::own::{Member, own};
use super::tools::{tool_config, tools};
use super::turns::{called, contents, system};
use super::usage::told_tier;
use crate::common::{of_request, says};
use crate::{Echo, Encoded, Goal};

/// The members of a request's rest that are objects with members of their own elsewhere.
const WRAPPERS: [&str; 3] = ["systemInstruction", "toolConfig", "generationConfig"];

/// The body of `:generateContent` and `:streamGenerateContent`.
pub(crate) fn generate(request: &Request, goal: &Goal<'_>) -> Encoded {
    encoded(request, goal, |w, scribe| members(w, request, scribe))
}

/// The body of `:countTokens`: the whole request, under a name.
pub(crate) fn counted(request: &Request, goal: &Goal<'_>) -> Encoded {
    encoded(request, goal, |w, scribe| {
        w.nested("generateContentRequest", |w| {
            if request.rest.get("model").is_none() {
                w.string("model", &resource(goal.model));
            }
            members(w, request, scribe);
        });
    })
}

/// The name of a model among the provider's resources.
pub(super) fn resource(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
}

/// Writes a body with `members`.
pub(super) fn encoded(
    request: &Request,
    goal: &Goal<'_>,
    members: impl FnOnce(&mut JsonWriter<'_>, &mut Scribe<'_>),
) -> Encoded {
    let names = Names::of(&request.tools, if goal.traits.has("names_64") { 64 } else { 128 });
    let called = called(request, &names);
    let losses = Losses::default();
    let mut scribe = Scribe { names: &names, called: &called, traits: goal.traits, losses, sign: false };
    let mut body = JsonText::with_capacity(2048);
    JsonWriter::sharing(&mut body).object(|w| members(w, &mut scribe));
    let losses = of_request(scribe.losses.into_list());
    Encoded { body, echo: Echo { tools: names.echo(), ..Echo::default() }, losses, ..Encoded::default() }
}

fn members(w: &mut JsonWriter<'_>, request: &Request, scribe: &mut Scribe<'_>) {
    system(w, request, scribe);
    contents(w, request, scribe);
    let mixed = tools(w, request, scribe);
    tool_config(w, request, mixed, scribe);
    generation(w, request, scribe);
    service_tier(w, request, &mut scribe.losses);
    let own = own(&request.rest, String::new, &mut scribe.losses);
    for (key, value) in own.iter().filter(|member| !is_wrapper(member)) {
        w.raw(key, value);
    }
    state(&request.state, &mut scribe.losses);
    unsaid(request, &mut scribe.losses);
}

fn is_wrapper((key, value): &Member) -> bool {
    WRAPPERS.contains(&&**key) && value.get().starts_with('{')
}

/// The class of service: which it is to be is left to the provider by default.
fn service_tier(w: &mut JsonWriter<'_>, request: &Request, losses: &mut Losses) {
    match request.service_tier.as_deref() {
        None | Some("auto") => {}
        word => w.maybe("serviceTier", told_tier(word, losses), JsonWriter::string),
    }
}

/// What the provider is to keep, or to take up.
fn state(state: &ServerState, losses: &mut Losses) {
    let mut lacking = |there: bool, path: &str| {
        if there {
            losses.lacking(path.to_owned(), "the provider keeps no answers");
        }
    };
    lacking(state.previous.is_some(), "state.previous");
    lacking(state.conversation.is_some(), "state.conversation");
    lacking(state.background == Some(true), "state.background");
}

/// What the dialect has no words for.
fn unsaid(request: &Request, losses: &mut Losses) {
    let is_own = |key: &str| request.rest.origin() == Some(DIALECT) && request.rest.get(key).is_some();
    let mut dropped = |there: bool, path: &str, why: &'static str| {
        if there {
            losses.dropped(path.to_owned(), why);
        }
    };
    let stored = request.state.store == Some(true) && !is_own("store");
    dropped(stored, "state.store", "the provider keeps no answers");
    dropped(request.user.is_some(), "user", "the provider is not told of users");
    let metadata = request.metadata.as_ref().map(RawJson::get).is_some_and(says);
    dropped(metadata && !is_own("labels"), "metadata", "only Vertex AI has labels, of its own form");
    dropped(request.cache_key.is_some(), "cache_key", "the provider caches by itself");
    let single = request.parallel_tool_calls == Some(false);
    dropped(single, "parallel_tool_calls", "calls cannot be kept to one at once");
    if let Some(stream) = &request.stream {
        own(&stream.rest, || "stream".to_owned(), losses);
    }
}
