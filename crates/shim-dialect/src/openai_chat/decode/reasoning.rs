//! Reasoning in the forms other providers have: a string, and OpenRouter's `reasoning_details`.

use serde_json::value::RawValue;
use shim_ir::{Opaque, OpaqueKind, Reasoning};
use shim_wire::{RawJson, Str};

use super::{DIALECT, read, tells};
use crate::DecodeError;
use crate::common::{each_member, quoted};
use crate::openai_chat::types::{Message, ReasoningDetail};

/// What a message, or a piece of one, says of reasoning.
#[derive(Debug, Default)]
pub(crate) struct Readable {
    /// The reasoning itself, in pieces.
    pub(crate) text: Vec<(usize, String)>,
    /// Summaries, in pieces.
    pub(crate) summary: Vec<(usize, String)>,
    /// `reasoning`, where it stands beside a `reasoning_content` and says something else.
    pub(crate) beside: Option<RawJson>,
    /// Whether there were details.
    pub(crate) details: bool,
}

/// Reads what `message` says of reasoning; its details are added to `details`, and are read as text only where there
/// is no string that says the same.
pub(crate) fn readable(message: &Message<'_>, details: &mut Details) -> Result<Readable, DecodeError> {
    let content = message.reasoning_content.as_deref().filter(|text| !text.is_empty());
    let reasoning = message.reasoning.as_deref().filter(|text| !text.is_empty());
    let raw = message.reasoning_details.filter(|raw| tells(raw.get()));
    let pieces = raw.map(|raw| details.add(raw)).transpose()?.unwrap_or_default();
    let mut said = Readable { details: raw.is_some(), ..Readable::default() };
    match content.or(reasoning) {
        Some(text) => {
            details.spoken = true;
            said.text.push((0, text.to_owned()));
        }
        None if details.spoken => {}
        None => (said.text, said.summary) = by_kind(pieces),
    }
    said.beside = reasoning.filter(|text| content.is_some_and(|c| c != *text)).map(RawJson::string);
    Ok(said)
}

/// Whether details say `reasoning` by themselves, in pieces that no string has.
pub(crate) fn details_say(details: &RawValue, reasoning: &Reasoning) -> bool {
    let Ok(pieces) = Details::default().add(details) else { return false };
    let (text, summary) = by_kind(pieces);
    let same = |found: &[(usize, String)], told: &[String]| found.iter().map(|(_, text)| text).eq(told);
    let one = reasoning.summary.is_empty() && reasoning.text.len() == 1;
    !one && same(&text, &reasoning.text) && same(&summary, &reasoning.summary)
}

type Pieces = Vec<(usize, String)>;

fn by_kind(pieces: Vec<Piece>) -> (Pieces, Pieces) {
    let (text, summary): (Vec<_>, Vec<_>) = pieces.into_iter().partition(|piece| !piece.summary);
    let bare = |pieces: Vec<Piece>| pieces.into_iter().map(|piece| (piece.piece, piece.text)).collect();
    (bare(text), bare(summary))
}

impl Readable {
    /// Whether nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.summary.is_empty() && !self.details
    }

    /// The reasoning part of a whole message; `details` is its `reasoning_details`.
    pub(crate) fn part(self, details: Option<&RawValue>) -> Option<Reasoning> {
        if self.is_empty() {
            return None;
        }
        let bare = |pieces: Pieces| pieces.into_iter().map(|(_, text)| text).collect();
        let mut part =
            Reasoning { text: bare(self.text), summary: bare(self.summary), ..Reasoning::default() };
        if let Some(raw) = details.filter(|_| self.details) {
            part.opaque.push(Opaque { kind: OpaqueKind::Details, value: raw.get().to_owned() });
        }
        if let Some(beside) = self.beside {
            part.rest.push(DIALECT, "reasoning", beside);
        }
        Some(part)
    }
}

/// More entries of `reasoning_details` than any answer has.
const DETAILS_MAX: usize = 4096;

/// `reasoning_details`, gathered from the fragments a stream tells it in: fragments of one entry share its `index`.
#[derive(Debug, Default)]
pub(crate) struct Details {
    entries: Vec<Entry>,
    /// Whether a string said the same: then what the entries say is not read as text again.
    spoken: bool,
}

#[derive(Debug)]
struct Entry {
    kind: String,
    index: Option<String>,
    members: Vec<(Box<str>, Member)>,
}

#[derive(Debug)]
enum Member {
    /// A string that grows.
    Text(String),
    /// What is said once.
    Raw(RawJson),
}

/// Readable text of one fragment: of the `piece`-th entry of its kind.
struct Piece {
    summary: bool,
    piece: usize,
    text: String,
}

impl Details {
    /// Adds a list of fragments and returns what can be read of them.
    fn add(&mut self, raw: &RawValue) -> Result<Vec<Piece>, DecodeError> {
        let fragments: Vec<&RawValue> = read(raw, "reasoning_details")?;
        let mut pieces = Vec::new();
        for fragment in fragments {
            let wire: ReasoningDetail<'_> = read(fragment, "reasoning_details")?;
            let at = self.take(fragment, &wire)?;
            let summary = wire.summary.is_some();
            if let Some(text) = wire.text.or(wire.summary).filter(|text| !text.is_empty()) {
                pieces.push(Piece { summary, piece: self.ordinal(at), text: text.into_string() });
            }
        }
        Ok(pieces)
    }

    /// Takes one fragment; returns the place of its entry.
    fn take(&mut self, fragment: &RawValue, wire: &ReasoningDetail<'_>) -> Result<usize, DecodeError> {
        let kind = wire.kind.as_deref().unwrap_or_default();
        let index = wire.rest.iter().find(|(key, _)| *key == "index").map(|(_, raw)| raw.get().to_owned());
        let same = |entry: &Entry| entry.kind == kind && entry.index == index;
        let at = match self.entries.iter().rposition(same) {
            Some(at) => at,
            None if self.entries.len() >= DETAILS_MAX => {
                return Err(DecodeError::shape("reasoning_details", "more entries than are allowed"));
            }
            None => {
                self.entries.push(Entry { kind: kind.to_owned(), index, members: Vec::new() });
                self.entries.len() - 1
            }
        };
        if let Some(entry) = self.entries.get_mut(at) {
            each_member(fragment.get(), |member| entry.grow(&member.key, member.value.text()))?;
        }
        Ok(at)
    }

    /// How many entries of the kind of the one at `at` come before it.
    fn ordinal(&self, at: usize) -> usize {
        let kind = self.entries.get(at).map(|entry| &entry.kind);
        self.entries.iter().take(at).filter(|entry| Some(&entry.kind) == kind).count()
    }

    /// The whole list as JSON; `None` when there is none.
    pub(crate) fn print(&self) -> Option<String> {
        let entries: Vec<_> = self.entries.iter().map(Entry::print).collect();
        (!entries.is_empty()).then(|| format!("[{}]", entries.join(",")))
    }
}

impl Entry {
    fn grow(&mut self, key: &str, value: &str) {
        let slot = self.members.iter_mut().find(|(name, _)| **name == *key).map(|(_, member)| member);
        let grows = matches!(key, "text" | "summary" | "data");
        let text = serde_json::from_str::<Str<'_>>(value).ok().filter(|_| grows);
        match (slot, text) {
            (Some(Member::Text(so_far)), Some(more)) => so_far.push_str(&more),
            (Some(_), _) if value == "null" => {}
            (Some(slot), Some(text)) => *slot = Member::Text(text.into_string()),
            (Some(slot), None) => *slot = Member::raw(value),
            (None, Some(text)) => self.members.push((key.into(), Member::Text(text.into_string()))),
            (None, None) => self.members.push((key.into(), Member::raw(value))),
        }
    }

    fn print(&self) -> String {
        let print = |(key, member): &(Box<str>, Member)| format!("{}:{}", quoted(key), member.print());
        let members: Vec<_> = self.members.iter().map(print).collect();
        format!("{{{}}}", members.join(","))
    }
}

impl Member {
    fn raw(value: &str) -> Self {
        Self::Raw(RawJson::parse(value).unwrap_or_else(|_| RawJson::string(value)))
    }

    fn print(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Raw(raw) => raw.get().to_owned(),
        }
    }
}
