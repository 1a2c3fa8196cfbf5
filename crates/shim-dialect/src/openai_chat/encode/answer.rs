//! Whole answers.

use shim_ir::{Candidate, Request, Response, Rest};
use shim_wire::{JsonWriter, RawJson};

use super::cite::Kind;
use super::end::{finish_word, unsaid, usage};
use super::losses::{Losses, is_own};
use super::message::Message;
use super::request::tier;
use crate::openai_chat::decode::has_form;
use crate::{Asker, Told};

/// A whole answer for the client of `asker`.
pub(crate) fn response(response: &Response, asker: &Asker<'_>) -> Told {
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(2048);
    JsonWriter::new(&mut body).object(|w| {
        chat(response, asker, &mut losses, w);
        service_tier(response.service_tier.as_deref(), &mut losses, w);
        if let Some(used) = &response.usage {
            w.nested("usage", |w| usage(used, w));
        }
        losses.write_own(&response.rest, &"", w);
    });
    Told { body, losses: losses.0 }
}

/// The id of an answer whose upstream gave none. One of this dialect wrote an empty one, which stays.
pub(crate) fn id_of(asker: &str, rest: &Rest) -> String {
    if is_own(rest) { String::new() } else { format!("chatcmpl-{asker}") }
}

/// The id of a call whose upstream gave none.
pub(crate) fn call_id(asker: &str, candidate: usize, call: u32) -> String {
    let several = if candidate == 0 { String::new() } else { format!("{candidate}_") };
    format!("call_{asker}_{several}{call}")
}

/// Whether the client offered its tools in the deprecated list, and so reads the deprecated form of a call.
pub(crate) fn is_legacy(request: &Request) -> bool {
    !request.tools.is_empty() && request.tools.iter().all(|tool| has_form(&tool.rest, "functions"))
}

fn chat(response: &Response, asker: &Asker<'_>, losses: &mut Losses, w: &mut JsonWriter<'_>) {
    match response.id.as_deref() {
        Some(id) => w.string("id", id),
        None => w.string("id", &id_of(asker.id, &response.rest)),
    }
    w.string("object", "chat.completion");
    w.number("created", response.created.unwrap_or(asker.created));
    w.string("model", response.model.as_deref().unwrap_or(&asker.request.model));
    let mut sources = Sources::default();
    w.array("choices", |w| {
        for (at, candidate) in response.candidates.iter().enumerate() {
            choice(at, candidate, asker, &mut sources, losses, w);
        }
    });
    sources.write(w);
}

/// The class of service that was used, where clients know the word.
pub(crate) fn service_tier(word: Option<&str>, losses: &mut Losses, w: &mut JsonWriter<'_>) {
    match (word, word.and_then(tier)) {
        (Some(_), None) => losses.dropped("service_tier", "there is no such class of service here"),
        (_, known) => w.maybe("service_tier", known, JsonWriter::string),
    }
}

/// Perplexity's sources, which stand beside the answer.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    results: Vec<RawJson>,
    addresses: Vec<RawJson>,
}

impl Sources {
    /// Keeps a citation that is one of them; gives back any other.
    pub(crate) fn keep<'c>(&mut self, kind: Kind<'c>) -> Option<Kind<'c>> {
        match kind {
            Kind::Result(raw) => self.results.push(raw.clone()),
            Kind::Address(raw) => self.addresses.push(raw.clone()),
            Kind::Annotation(_) | Kind::Made(_) => return Some(kind),
        }
        None
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.results.is_empty() && self.addresses.is_empty()
    }

    pub(crate) fn write(&self, w: &mut JsonWriter<'_>) {
        for (key, list) in [("search_results", &self.results), ("citations", &self.addresses)] {
            if !list.is_empty() {
                w.array(key, |w| list.iter().for_each(|raw| w.element().raw(raw)));
            }
        }
    }
}

fn choice(
    at: usize,
    candidate: &Candidate,
    asker: &Asker<'_>,
    sources: &mut Sources,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) {
    let message = Message { at, asker, parts: &candidate.parts, legacy: is_legacy(asker.request) };
    let (of_choice, of_message) = members(&candidate.rest, at, losses);
    w.element().object(|w| {
        w.number("index", i128::try_from(at).unwrap_or_default());
        w.nested("message", |w| {
            message.write(sources, losses, w);
            of_message.iter().for_each(|(key, raw)| w.raw(key, raw));
        });
        if !of_choice.iter().any(|(key, _)| *key == "logprobs") {
            message.logprobs(losses, w);
        }
        match &candidate.finish {
            Some(finish) => {
                w.string("finish_reason", finish_word(finish, message.ending(), at, losses));
                w.maybe("stop_reason", finish.sequence.as_deref(), JsonWriter::string);
            }
            None => {
                let finish = unsaid(at, losses);
                w.string("finish_reason", finish_word(&finish, message.ending(), at, losses));
            }
        }
        of_choice.iter().for_each(|(key, raw)| w.raw(key, raw));
    });
}

type Members<'r> = Vec<(&'r str, &'r RawJson)>;

/// The members of a message that come first behind those of a choice: both were read into one list.
const OF_MESSAGE: [&str; 6] =
    ["annotations", "provider_specific_fields", "executed_tools", "channel", "parsed", "citations"];

/// Members that were put behind those of the message when they were read.
const OF_CHOICE: [&str; 3] = ["stop_reason", "usage", "logprobs"];

fn members<'r>(rest: &'r Rest, at: usize, losses: &mut Losses) -> (Members<'r>, Members<'r>) {
    let mut of_choice = Vec::new();
    let mut of_message = Vec::new();
    for (key, raw) in losses.own(rest, &format_args!("candidates[{at}]")) {
        let inside = !of_message.is_empty() || OF_MESSAGE.contains(&key);
        let list = if inside && !OF_CHOICE.contains(&key) { &mut of_message } else { &mut of_choice };
        list.push((key, raw));
    }
    (of_choice, of_message)
}
