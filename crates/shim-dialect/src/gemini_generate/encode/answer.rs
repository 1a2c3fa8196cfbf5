//! Whole answers.

use shim_ir::{Candidate, Citation, Part, Response, Rest, Text};
use shim_wire::{JsonWriter, RawJson};

use super::super::decode::{DIALECT, blocked, is_call};
use super::content::{Scribe, answering};
use super::finish::finish_word;
use super::ground::{Cited, Grounds, Spoken, is_own};
use super::logprobs::{OTHER_FORM, is_list, logprobs};
use super::losses::{Losses, Of};
use super::own::{Member, left, own, write};
use super::usage::{told_tier, usage};
use crate::{Asker, Told};

/// A whole answer.
pub(crate) fn answer(response: &Response, asker: &Asker<'_>) -> Told {
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(2048);
    let mut writer = JsonWriter::new(&mut body);
    answering(&mut losses, |scribe| writer.object(|w| members(w, response, asker, scribe)));
    Told { body, losses: losses.into_list() }
}

/// The answer to `:countTokens`.
pub(crate) fn count(response: &Response) -> Told {
    let mut losses = Losses::default();
    let own = own(&response.rest, String::new, &mut losses);
    let used = response.usage.clone().unwrap_or_default();
    let mut body = Vec::with_capacity(2048);
    JsonWriter::new(&mut body).object(|w| {
        if own.iter().all(|(key, _)| **key != *"totalTokens") {
            w.number("totalTokens", used.input_total().0);
            let cached = Some(used.cache_read.0).filter(|cached| *cached > 0);
            w.maybe("cachedContentTokenCount", cached, JsonWriter::number);
        }
        write(w, own, &[]);
    });
    Told { body, losses: losses.into_list() }
}

fn members(w: &mut JsonWriter<'_>, response: &Response, asker: &Asker<'_>, scribe: &mut Scribe<'_>) {
    let own = own(&response.rest, String::new, &mut scribe.losses);
    let silent = response.candidates.iter().all(|candidate| candidate.parts.is_empty());
    let blocked = silent && blocks(&response.rest);
    if !response.candidates.is_empty() && !blocked {
        w.array("candidates", |w| {
            for (at, answer) in response.candidates.iter().enumerate() {
                w.element().object(|w| candidate(w, answer, at, scribe));
            }
        });
    }
    write(w, own, &[]);
    if response.rest.get("createTime").is_none() {
        w.maybe("createTime", response.created.map(created).as_deref(), JsonWriter::string);
    }
    used(w, response, &mut scribe.losses);
    let model = response.model.as_deref().unwrap_or(&asker.request.model);
    w.maybe("modelVersion", Some(model).filter(|model| !model.is_empty()), JsonWriter::string);
    w.maybe("responseId", response.id.as_deref(), JsonWriter::string);
}

/// `usageMetadata`, in which the class of service stands.
fn used(w: &mut JsonWriter<'_>, response: &Response, losses: &mut Losses) {
    let tier = told_tier(response.service_tier.as_deref(), losses);
    match &response.usage {
        Some(used) => w.nested("usageMetadata", |w| usage(w, used, tier, losses)),
        None if response.rest.get("usageMetadata").is_some() => {}
        None => {
            w.maybe("usageMetadata", tier, |w, key, tier| w.nested(key, |w| w.string("serviceTier", tier)))
        }
    }
}

/// Whether the dialect itself said that the prompt was blocked.
pub(crate) fn blocks(rest: &Rest) -> bool {
    let feedback = rest.get("promptFeedback").filter(|_| rest.origin() == Some(DIALECT));
    feedback.and_then(|raw| serde_json::from_str(raw.get()).ok()).is_some_and(|raw| blocked(raw).is_some())
}

fn candidate(w: &mut JsonWriter<'_>, candidate: &Candidate, at: usize, scribe: &mut Scribe<'_>) {
    let own = own(&candidate.rest, || format!("candidates[{at}]"), &mut scribe.losses);
    let beside = left(own, "content");
    w.nested("content", |w| content(w, &candidate.parts, &beside, at, scribe));
    finish(w, candidate, at, &mut scribe.losses);
    w.maybe("index", i128::try_from(at).ok(), JsonWriter::number);
    cited(w, candidate, at, &mut scribe.losses);
    let lists = log_probabilities(candidate, at, &mut scribe.losses);
    if lists.is_empty() {
        return write(w, own, &["content"]);
    }
    let told = logprobs(&lists, &left(own, "logprobsResult"));
    w.maybe("logprobsResult", told.as_ref(), JsonWriter::raw);
    write(w, own, &["content", "logprobsResult"]);
}

/// The log probabilities of an answer that can be told.
fn log_probabilities<'c>(candidate: &'c Candidate, at: usize, losses: &mut Losses) -> Vec<&'c RawJson> {
    let listed = texts(candidate).filter_map(|(part, _, text)| Some((part, text.logprobs.as_ref()?)));
    let (told, others): (Vec<_>, Vec<_>) = listed.partition(|(_, list)| is_list(list));
    for (part, _) in others {
        losses.dropped(Of::Candidate(at).part(part).member("logprobs"), OTHER_FORM);
    }
    told.into_iter().map(|(_, list)| list).collect()
}

fn content(w: &mut JsonWriter<'_>, parts: &[Part], beside: &[Member], at: usize, scribe: &mut Scribe<'_>) {
    write(w, beside, &[]);
    w.array("parts", |w| {
        for (part, said) in parts.iter().enumerate() {
            scribe.part(w, said, Of::Candidate(at).part(part));
        }
    });
    if !beside.iter().any(|(key, _)| **key == *"role") {
        w.string("role", "model");
    }
}

fn finish(w: &mut JsonWriter<'_>, candidate: &Candidate, at: usize, losses: &mut Losses) {
    let Some(finish) = &candidate.finish else { return };
    let (word, unsaid) = finish_word(finish, candidate.parts.iter().any(is_call));
    finish_losses(finish.sequence.is_some(), unsaid, at, losses);
    w.string("finishReason", &word);
}

/// Tells what the word for an end does not say.
pub(crate) fn finish_losses(sequence: bool, unsaid: Option<&'static str>, at: usize, losses: &mut Losses) {
    if sequence {
        losses.dropped(format!("candidates[{at}].finish.sequence"), "the provider does not say which");
    }
    if let Some(why) = unsaid {
        losses.near(format!("candidates[{at}].finish.reason"), why);
    }
}

/// The texts of an answer, each with its number among the parts and the bytes of text before it.
fn texts(candidate: &Candidate) -> impl Iterator<Item = (usize, u64, &Text)> {
    let mut base = 0;
    candidate.parts.iter().enumerate().filter_map(move |(number, part)| match part {
        Part::Text(text) | Part::Refusal(text) => {
            let at = base;
            base += u64::try_from(text.text.len()).unwrap_or(u64::MAX);
            Some((number, at, text))
        }
        Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => None,
    })
}

pub(crate) fn bytes(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// `citationMetadata` for the dialect's own citations, and `groundingMetadata` for those of others.
fn cited(w: &mut JsonWriter<'_>, candidate: &Candidate, at: usize, losses: &mut Losses) {
    let grounded =
        candidate.rest.origin() == Some(DIALECT) && candidate.rest.get("groundingMetadata").is_some();
    let cited =
        texts(candidate).flat_map(|(_, base, text)| text.citations.iter().map(move |c| (c, base, text)));
    let (own, others): (Vec<_>, Vec<_>) = cited.partition(|(citation, ..)| is_own(citation));
    if !own.is_empty() {
        sources(w, own.into_iter().map(|(citation, ..)| citation));
    }
    let mut grounds = Grounds::default();
    // What grounds an answer of the dialect's own is in its rest.
    for (citation, base, text) in others.into_iter().filter(|(c, ..)| !grounded || c.words.is_some()) {
        citation_losses(citation, at, losses);
        grounds.add(Cited::of(citation, base, &Spoken::of(&text.text)));
    }
    if !grounds.is_empty() && !grounded {
        grounds.write(w);
    }
}

/// `citationMetadata` of the dialect's own citations, as they came.
pub(crate) fn sources<'c>(w: &mut JsonWriter<'_>, own: impl Iterator<Item = &'c Citation>) {
    w.nested("citationMetadata", |w| {
        w.array("citationSources", |w| {
            own.filter_map(|citation| citation.words.as_ref()).for_each(|words| w.element().raw(words));
        });
    });
}

/// Tells what grounding does not say of a citation.
pub(crate) fn citation_losses(citation: &Citation, at: usize, losses: &mut Losses) {
    if citation.cited.is_some() {
        losses.dropped(format!("candidates[{at}].citations.cited"), "the words of a source have no place");
    }
}

/// A time in seconds since 1970, as RFC 3339 writes it in UTC.
pub(crate) fn created(seconds: u64) -> String {
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, so that the leap day is the last; an era is 400 years.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, late) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + late;
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}
