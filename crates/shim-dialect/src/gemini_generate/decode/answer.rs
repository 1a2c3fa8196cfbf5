//! Whole answers, and the pieces of them that chunks share.

use serde_json::value::RawValue;
use shim_ir::{Candidate, Citation, Finish, Part, Response, Rest, Text, Tokens, Usage};
use shim_wire::{RawJson, from_json};

use super::{
    DIALECT, blocked, citations, finish, grounded, in_characters, is_call, keep, keep_left, logprobs, parts,
    rest, said, tells, usage,
};
use crate::common::member;
use crate::gemini_generate::errors;
use crate::gemini_generate::types::{self, Content, GenerateContentResponse};
use crate::{AnswerError, DecodeError};

/// A whole answer; also one to embed or to count, which has no candidates. A blocked prompt has one empty candidate.
pub(crate) fn answer(body: &str) -> Result<Response, AnswerError> {
    let mut wire: GenerateContentResponse<'_> = from_json(body).map_err(DecodeError::from)?;
    if let Some(error) = wire.error {
        return Err(AnswerError::Fault(Box::new(errors::told(None, error.get()))));
    }
    let mut members = kept(&mut wire);
    let used = wire.usage_metadata.and_then(usage).or_else(|| count(&members));
    keep(&mut members, "usageMetadata", wire.usage_metadata.filter(|_| used.is_none()));
    let candidates = candidates(wire.candidates, wire.prompt_feedback.and_then(blocked))?;
    Ok(Response {
        id: said(wire.response_id),
        model: said(wire.model_version),
        created: wire.create_time.as_deref().and_then(moment),
        candidates,
        usage: used,
        service_tier: wire.usage_metadata.and_then(tier),
        rest: members,
    })
}

/// The candidates, in the order of their numbers; one that ended so where there is none and the prompt was `blocked`.
fn candidates(
    listed: Vec<types::Candidate<'_>>,
    blocked: Option<Finish>,
) -> Result<Vec<Candidate>, DecodeError> {
    if listed.is_empty() && blocked.is_some() {
        return Ok(vec![Candidate { finish: blocked, ..Candidate::default() }]);
    }
    let numbered = listed.into_iter().enumerate().map(|(at, wire)| candidate(wire, at));
    let mut candidates = numbered.collect::<Result<Vec<_>, _>>()?;
    candidates.sort_by_key(|(index, _)| *index);
    Ok(candidates.into_iter().map(|(_, candidate)| candidate).collect())
}

/// The answer to `:countTokens` is one of usage, beside which it is kept as it came.
fn count(members: &Rest) -> Option<Usage> {
    let number = |key: &str| Some(Tokens(members.get(key)?.get().parse().ok()?));
    let cache_read = number("cachedContentTokenCount").unwrap_or_default();
    let input_uncached = number("totalTokens")?.without(cache_read);
    Some(Usage { input_uncached, cache_read, ..Usage::default() })
}

/// The members of an answer that have no place of their own, or say more than their place holds.
pub(crate) fn kept(wire: &mut GenerateContentResponse<'_>) -> Rest {
    let mut members = rest(std::mem::take(&mut wire.rest));
    if let Some(time) = &wire.create_time {
        members.push(DIALECT, "createTime", RawJson::string(time));
    }
    keep(&mut members, "promptFeedback", wire.prompt_feedback);
    members
}

/// The class of service, which stands in `usageMetadata`.
pub(crate) fn tier(usage: &RawValue) -> Option<String> {
    let word = member(usage.get(), "serviceTier")?.as_str()?;
    (!word.is_empty()).then(|| word.into_owned())
}

/// A time of RFC 3339 in UTC, in seconds since 1970.
pub(crate) fn moment(time: &str) -> Option<u64> {
    let number = |at: std::ops::Range<usize>| time.get(at)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let clock = number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    if !time.ends_with('Z') || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // Years are counted from March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    days.checked_sub(719_469)?.checked_mul(86_400)?.checked_add(clock)
}

fn candidate(wire: types::Candidate<'_>, at: usize) -> Result<(usize, Candidate), DecodeError> {
    let index = wire.index.and_then(|index| usize::try_from(index).ok()).unwrap_or(at);
    let mut members = rest(wire.rest);
    let mut parts = match wire.content {
        Some(content) => content_parts(content, &mut members, &format!("candidates[{at}].content"))?,
        None => Vec::new(),
    };
    let finish = finish(wire.finish_reason.as_deref(), parts.iter().any(is_call));
    ground(&mut parts, wire.grounding_metadata);
    keep(&mut members, "groundingMetadata", wire.grounding_metadata);
    let sources = wire.citation_metadata.filter(|_| last_text(&mut parts).is_some());
    sources.map(citations).into_iter().flatten().for_each(|cited| cite(&mut parts, 0, cited));
    keep(&mut members, "citationMetadata", wire.citation_metadata.filter(|_| sources.is_none()));
    hang(&mut parts, &mut members, "logprobsResult", wire.logprobs_result, |text, raw| {
        let (list, left) = logprobs(raw);
        text.logprobs = list;
        left
    });
    parts.retain(|part| !matches!(part, Part::Text(text) if *text == Text::default()));
    Ok((index, Candidate { parts, finish, rest: members }))
}

/// Hangs what a member says on the last text. What it leaves, and where there is no text the whole member, stays in
/// `members`.
fn hang(
    parts: &mut [Part],
    members: &mut Rest,
    key: &str,
    raw: Option<&RawValue>,
    on: impl FnOnce(&mut Text, &RawValue) -> Option<RawJson>,
) {
    match (last_text(parts), raw) {
        (Some(text), Some(raw)) => {
            on(text, raw).into_iter().for_each(|left| members.push(DIALECT, key, left))
        }
        (_, raw) => keep(members, key, raw),
    }
}

/// The parts of a candidate. What is left of its content (not `"role": "model"`) stays in `members`.
pub(crate) fn content_parts(
    content: Content<'_>,
    members: &mut Rest,
    path: &str,
) -> Result<Vec<Part>, DecodeError> {
    let mut left = rest(content.rest);
    if let Some(role) = content.role.filter(|role| &**role != "model") {
        left.push(DIALECT, "role", RawJson::string(&role));
    }
    keep_left(members, "content", &left);
    parts(content.parts, &format!("{path}.parts"))
}

/// Hangs what grounds the answer on the parts that say it.
fn ground(parts: &mut [Part], metadata: Option<&RawValue>) {
    let cited = metadata.filter(|raw| tells(raw.get())).map(grounded).unwrap_or_default();
    for (at, citation) in cited {
        cite(parts, at, citation);
    }
}

/// Hangs a citation on the text it is of. Where no part is named its span is of all that is said; one that is nowhere is
/// of the last text.
fn cite(parts: &mut [Part], at: usize, citation: Citation) {
    let named = parts.get_mut(at).filter(|_| at > 0);
    if let Some(Part::Text(text)) = named {
        text.citations.push(in_characters(citation, 0, &text.text));
        return;
    }
    let mut before = 0;
    for part in parts.iter_mut() {
        let Part::Text(text) = part else { continue };
        let placed = in_characters(citation.clone(), before, &text.text);
        if placed.end.is_some() {
            return text.citations.push(placed);
        }
        before += u64::try_from(text.text.len()).unwrap_or_default();
    }
    if let Some(text) = last_text(parts) {
        text.citations.push(in_characters(citation, before, ""));
    }
}

/// The last text that says anything: a signature may come behind it on an empty one.
fn last_text(parts: &mut [Part]) -> Option<&mut Text> {
    parts.iter_mut().rev().find_map(|part| match part {
        Part::Text(text) if !text.text.is_empty() => Some(text),
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => None,
    })
}
