//! One of the answers of a stream: which of its parts are open.

use serde_json::value::RawValue;
use shim_ir::{
    Citation, Delta, Event, Finish, Foreign, MediaKind, OpaqueKind, Part, PartId, Reasoning, Rest, Source,
    Text, ToolCall,
};
use shim_wire::{RawJson, from_raw};

use super::super::decode::{
    DIALECT, Details, Readable, annotations, bare_media, content, finish, function_call, image, is_array,
    readable, rest, said, string, tells, tool_call,
};
use super::super::types::{self, Audio, Choice, Logprobs, Message};
use super::call::Call;
use crate::DecodeError;
use crate::common::quoted;

/// More parts than any answer has.
const PARTS_MAX: u32 = 1 << 16;

/// Where events go, and how many parts were opened.
pub(super) struct Sink<'a> {
    pub(super) out: &'a mut Vec<Event>,
    pub(super) parts: &'a mut u32,
}

impl Sink<'_> {
    pub(super) fn open(&mut self, candidate: u32, part: Part) -> Result<PartId, DecodeError> {
        if *self.parts >= PARTS_MAX {
            return Err(DecodeError::shape("delta", "more parts than are allowed"));
        }
        let id = PartId(*self.parts);
        *self.parts += 1;
        self.out.push(Event::PartStart { id, candidate, part });
        Ok(id)
    }

    pub(super) fn grow(&mut self, id: PartId, delta: Delta) {
        self.out.push(Event::PartDelta { id, delta });
    }

    pub(super) fn add_rest(&mut self, id: PartId, members: Rest) {
        if !members.is_empty() {
            self.grow(id, Delta::Rest(members));
        }
    }

    /// Tells what was read of reasoning.
    fn reason(&mut self, id: PartId, said: Readable) {
        for (piece, text) in said.text {
            self.grow(id, Delta::Reasoning { piece, text });
        }
        for (piece, text) in said.summary {
            self.grow(id, Delta::Summary { piece, text });
        }
        if let Some(beside) = said.beside {
            self.add_rest(id, one("reasoning", beside));
        }
    }

    pub(super) fn close(&mut self, id: PartId) {
        self.out.push(Event::PartEnd { id });
    }

    /// Members nobody else has, with the number of the candidate they are of.
    pub(super) fn foreign(&mut self, kind: &str, index: u32, members: &Rest) {
        let pairs: Vec<_> =
            members.members().iter().map(|(key, value)| format!("{}:{}", quoted(key), value.get())).collect();
        let text = format!("{{\"index\":{index},{}}}", pairs.join(","));
        if let Ok(raw) = RawJson::parse(&text) {
            self.out.push(Event::Foreign(Foreign { dialect: DIALECT, kind: kind.to_owned(), raw }));
        }
    }
}

/// One member, and no others.
fn one(key: &str, value: RawJson) -> Rest {
    Rest::from_owned(DIALECT, vec![(key.into(), value)])
}

/// One of the answers.
pub(super) struct Candidate {
    pub(super) index: u32,
    open: Option<Open>,
    /// Calls stay open until the answer ends: pieces of parallel ones may interleave.
    calls: Vec<Call>,
    word: Option<String>,
    sequence: Option<String>,
}

/// The part that grows now. It ends when one of another kind begins.
enum Open {
    Text(PartId),
    Refusal(PartId),
    Reasoning(PartId, Details),
    /// With its transcript so far.
    Sound(PartId, String),
}

impl Candidate {
    pub(super) fn new(index: u32) -> Self {
        Self { index, open: None, calls: Vec::new(), word: None, sequence: None }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.word.is_some()
    }

    pub(super) fn finish(&self) -> Option<Finish> {
        finish(self.word.as_deref(), self.sequence.as_deref(), !self.calls.is_empty())
    }

    /// Takes a piece; returns the members of the choice that found no place.
    pub(super) fn take(&mut self, choice: Choice<'_>, sink: &mut Sink<'_>) -> Result<Rest, DecodeError> {
        let mut left = Rest::default();
        // A few servers stream a whole `message`; Perplexity's beside a delta repeats what was said.
        if let Some(delta) = choice.delta.or(choice.message) {
            self.delta(delta, sink).map_err(|error| error.under("delta"))?;
        }
        if let Some(raw) = choice.logprobs.filter(|raw| !self.add_logprobs(raw, sink)) {
            left.push(DIALECT, "logprobs", raw.into());
        }
        match choice.stop_reason.map(|raw| (raw, string(raw))) {
            Some((_, Some(sequence))) => self.sequence = Some(sequence),
            Some((raw, None)) => left.push(DIALECT, "stop_reason", raw.into()),
            None => {}
        }
        self.word = said(choice.finish_reason).or(self.word.take());
        Ok(left)
    }

    fn delta(&mut self, mut delta: Message<'_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.reason(&delta, sink)?;
        for part in content(delta.content).map_err(|error| error.under("content"))? {
            self.add(part, sink)?;
        }
        if let Some(text) = said(delta.refusal.take()) {
            let id = self.refusal(sink)?;
            sink.grow(id, Delta::Text(text));
        }
        if let Some(raw) = delta.annotations {
            self.annotate(raw, sink);
        }
        if let Some(audio) = delta.audio.take() {
            self.sound(audio, sink)?;
        }
        for raw in std::mem::take(&mut delta.images) {
            self.whole(image(raw).map_err(|error| error.under("images"))?, sink)?;
        }
        for call in std::mem::take(&mut delta.tool_calls) {
            self.call(call, sink)?;
        }
        if let Some(call) = delta.function_call.take().and_then(function_call) {
            self.legacy_call(call, sink)?;
        }
        let members = rest(delta.rest);
        if !members.is_empty() {
            sink.foreign("delta", self.index, &members);
        }
        Ok(())
    }

    /// Reasoning in a string or in details, which are gathered until the part ends.
    fn reason(&mut self, delta: &Message<'_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if delta.reasoning.is_none() && delta.reasoning_content.is_none() && delta.reasoning_details.is_none()
        {
            return Ok(());
        }
        let mut fresh = Details::default();
        let details = match &mut self.open {
            Some(Open::Reasoning(_, details)) => details,
            Some(Open::Text(_) | Open::Refusal(_) | Open::Sound(..)) | None => &mut fresh,
        };
        let said = readable(delta, details)?;
        if said.is_empty() {
            return Ok(());
        }
        let id = self.reasoning(fresh, sink)?;
        sink.reason(id, said);
        Ok(())
    }

    /// Takes a content part.
    fn add(&mut self, part: Part, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        match part {
            Part::Text(text) => self.add_text(text, sink),
            Part::Reasoning(reasoning) => {
                let id = self.reasoning(Details::default(), sink)?;
                sink.grow(id, Delta::Reasoning { piece: 0, text: reasoning.text.concat() });
                sink.add_rest(id, reasoning.rest);
                Ok(())
            }
            Part::Refusal(_)
            | Part::Media(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => self.whole(part, sink),
        }
    }

    /// Takes a piece of text; an empty one begins no part.
    fn add_text(&mut self, text: Text, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if text.text.is_empty() && text.rest.is_empty() {
            return Ok(());
        }
        let id = self.text(sink)?;
        sink.grow(id, Delta::Text(text.text.into()));
        sink.add_rest(id, text.rest);
        Ok(())
    }

    /// A part that comes at once.
    fn whole(&mut self, part: Part, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.close(sink);
        let id = sink.open(self.index, part)?;
        sink.close(id);
        Ok(())
    }

    fn text(&mut self, sink: &mut Sink<'_>) -> Result<PartId, DecodeError> {
        if let Some(Open::Text(id)) = self.open {
            return Ok(id);
        }
        self.close(sink);
        let id = sink.open(self.index, Part::Text(Text::default()))?;
        self.open = Some(Open::Text(id));
        Ok(id)
    }

    fn refusal(&mut self, sink: &mut Sink<'_>) -> Result<PartId, DecodeError> {
        if let Some(Open::Refusal(id)) = self.open {
            return Ok(id);
        }
        self.close(sink);
        let id = sink.open(self.index, Part::Refusal(Text::default()))?;
        self.open = Some(Open::Refusal(id));
        Ok(id)
    }

    /// The open reasoning part, or a new one that begins with `details`.
    fn reasoning(&mut self, details: Details, sink: &mut Sink<'_>) -> Result<PartId, DecodeError> {
        if let Some(Open::Reasoning(id, _)) = self.open {
            return Ok(id);
        }
        self.close(sink);
        let id = sink.open(self.index, Part::Reasoning(Reasoning::default()))?;
        self.open = Some(Open::Reasoning(id, details));
        Ok(id)
    }

    /// A piece of sound; its transcript is told when it ends.
    fn sound(&mut self, audio: Audio<'_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let (id, data, transcript) = (said(audio.id), said(audio.data), said(audio.transcript));
        let mut members = rest(audio.rest);
        if let Some(id) = id {
            members.push(DIALECT, "id", RawJson::string(&id));
        }
        if data.is_none() && transcript.is_none() && members.is_empty() {
            return Ok(());
        }
        let part = self.sounding(sink)?;
        if let Some(data) = data {
            sink.grow(part, Delta::Data(data));
        }
        if let (Some(Open::Sound(_, so_far)), Some(text)) = (&mut self.open, transcript) {
            so_far.push_str(&text);
        }
        sink.add_rest(part, members);
        Ok(())
    }

    fn sounding(&mut self, sink: &mut Sink<'_>) -> Result<PartId, DecodeError> {
        if let Some(Open::Sound(id, _)) = self.open {
            return Ok(id);
        }
        self.close(sink);
        let media = bare_media(MediaKind::Audio, Source::Inline(String::new()), None, Rest::default());
        let id = sink.open(self.index, Part::Media(media))?;
        self.open = Some(Open::Sound(id, String::new()));
        Ok(id)
    }

    fn annotate(&mut self, raw: &RawValue, sink: &mut Sink<'_>) {
        if !self.cite(annotations(raw), sink) && tells(raw.get()) {
            sink.foreign("delta", self.index, &one("annotations", raw.into()));
        }
    }

    /// Hangs citations on the open text; false when there is none.
    pub(super) fn cite(&mut self, citations: Vec<Citation>, sink: &mut Sink<'_>) -> bool {
        let Some(Open::Text(id)) = self.open else { return false };
        for citation in citations {
            sink.grow(id, Delta::Citation(citation));
        }
        true
    }

    /// Hangs log probabilities on the open text; false when they say something and there is none.
    fn add_logprobs(&mut self, raw: &RawValue, sink: &mut Sink<'_>) -> bool {
        let Ok(lists) = from_raw::<Logprobs<'_>>(raw) else {
            return !tells(raw.get());
        };
        let list = |list: Option<&RawValue>| {
            list.filter(|list| is_array(list) && tells(list.get())).map(RawJson::from)
        };
        let (id, list) = match (&self.open, list(lists.content), list(lists.refusal)) {
            (_, None, None) => return lists.rest.is_empty(),
            (Some(Open::Text(id)), Some(list), _) | (Some(Open::Refusal(id)), _, Some(list)) => (*id, list),
            _ => return false,
        };
        sink.grow(id, Delta::Logprobs(list));
        true
    }

    /// A call of a tool, or a piece of one.
    fn call(&mut self, wire: types::ToolCall<'_>, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let index = wire.index;
        let piece = tool_call(wire);
        let at = self.call_of(index, &piece);
        self.extend_call(at, index, piece, sink)
    }

    /// The legacy form: one call, without id or index.
    fn legacy_call(&mut self, piece: ToolCall, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let at = self.calls.iter().position(|call| call.index.is_none() && call.id.is_empty());
        self.extend_call(at, None, piece, sink)
    }

    /// Which call a piece goes on with. Some providers number no calls, or every call 0: then a new id beside a name
    /// begins a new one.
    fn call_of(&self, index: Option<u32>, piece: &ToolCall) -> Option<usize> {
        let at = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index)?,
            None => self.calls.len().checked_sub(1)?,
        };
        let another = |call: &Call| !piece.id.is_empty() && piece.id != call.id && !call.id.is_empty();
        let begins = !piece.name.is_empty() || index.is_none();
        (!(begins && self.calls.get(at).is_some_and(another))).then_some(at)
    }

    fn extend_call(
        &mut self,
        at: Option<usize>,
        index: Option<u32>,
        piece: ToolCall,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        match at.and_then(|at| self.calls.get_mut(at)) {
            Some(call) => call.take(piece, self.index, sink),
            None => {
                self.close(sink);
                self.calls.push(Call::new(index, piece, self.index, sink)?);
                Ok(())
            }
        }
    }

    /// Ends the part that grows now.
    fn close(&mut self, sink: &mut Sink<'_>) {
        let Some(open) = self.open.take() else { return };
        let id = match open {
            Open::Text(id) | Open::Refusal(id) => id,
            Open::Reasoning(id, details) => {
                if let Some(value) = details.print() {
                    sink.grow(id, Delta::Opaque { kind: OpaqueKind::Details, value, append: false });
                }
                id
            }
            Open::Sound(id, transcript) => {
                if !transcript.is_empty() {
                    sink.add_rest(id, one("transcript", RawJson::string(&transcript)));
                }
                id
            }
        };
        sink.close(id);
    }

    /// Ends every part.
    pub(super) fn close_all(&mut self, sink: &mut Sink<'_>) {
        self.close(sink);
        for call in &mut self.calls {
            call.close(self.index, sink);
        }
    }
}
