//! One of the answers of a stream: which of its parts is open.

use serde_json::value::RawValue;
use shim_ir::{
    Citation, Delta, Finish, Media, MediaKind, Part, PartId, Reasoning, Rest, Source, Text, ToolCall,
    ToolCallKind,
};
use shim_wire::RawJson;

use super::super::decode::{
    DIALECT, citations, content_parts, finish, grounded, in_characters, is_finish, keep, logprobs, rest,
    tells,
};
use super::super::types;
use super::call::{Call, Piece};
use super::sink::Sink;
use crate::DecodeError;

/// More citations than any answer has; what comes beyond is told again each time it comes.
const CITED_MAX: usize = 4096;

/// One of the answers.
pub(super) struct Candidate {
    pub(super) index: u32,
    open: Option<Open>,
    /// Whether a function was called.
    calls: bool,
    word: Option<String>,
    /// What grounds the answer: the last word on it counts.
    grounding: Option<Box<RawValue>>,
    /// What the text that is open cites, until all of it is known.
    sources: Vec<Citation>,
    /// The citations told so far: they may be repeated.
    cited: Vec<Citation>,
    /// What the text that is open says: spans of it are counted in bytes.
    said: String,
    /// The bytes of what was said before it.
    before: u64,
}

/// The part that grows now. It ends when one of another kind begins.
enum Open {
    Text(PartId, Seal),
    Thought(PartId, Seal),
    /// With its media type.
    Sound(PartId, Option<String>),
    Call(Call),
}

/// Whether a part that is open may still grow by text.
///
/// A part with a signature must not be joined with another, signed or not:
/// <https://ai.google.dev/gemini-api/docs/thinking>, read 2026-11-24.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seal {
    Open,
    Signed,
}

impl Candidate {
    pub(super) fn new(index: u32) -> Self {
        Self {
            index,
            open: None,
            calls: false,
            word: None,
            grounding: None,
            sources: Vec::new(),
            cited: Vec::new(),
            said: String::new(),
            before: 0,
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.word.is_some()
    }

    pub(super) fn finish(&self) -> Option<Finish> {
        finish(self.word.as_deref(), self.calls)
    }

    /// Takes a piece; returns its members that found no place.
    pub(super) fn take(
        &mut self,
        wire: types::Candidate<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Rest, DecodeError> {
        let mut left = rest(wire.rest);
        if let Some(content) = wire.content {
            for part in content_parts(content, &mut left, "content")? {
                self.add(part, sink)?;
            }
        }
        if let Some(raw) = wire.grounding_metadata.filter(|raw| tells(raw.get())) {
            self.grounding = Some(raw.to_owned());
            keep(&mut left, "groundingMetadata", Some(raw));
        }
        keep(&mut left, "citationMetadata", wire.citation_metadata.filter(|raw| !self.cite(raw)));
        let unsaid = wire.logprobs_result.and_then(|raw| self.add_logprobs(raw, sink));
        unsaid.into_iter().for_each(|unsaid| left.push(DIALECT, "logprobsResult", unsaid));
        self.word = wire.finish_reason.filter(|w| is_finish(w)).map(Into::into).or(self.word.take());
        Ok(left)
    }

    fn add(&mut self, part: Part, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        match part {
            Part::Text(text) => self.text(text, sink),
            Part::Reasoning(thought) => self.thought(thought, sink),
            Part::ToolCall(call) if call.kind == ToolCallKind::Function => self.call(call, sink),
            Part::Media(media) if is_sound(&media) => self.sound(media, sink),
            Part::Refusal(_)
            | Part::Media(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => {
                self.close(sink);
                sink.whole(self.index, part)
            }
        }
    }

    fn text(&mut self, mut text: Text, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let said = std::mem::take(&mut text.text).into_string();
        let bare = text == Text::default();
        match self.open {
            _ if said.is_empty() && bare => return Ok(()),
            _ if said.is_empty() => return self.signature(Part::Text(text), sink),
            Some(Open::Text(id, Seal::Open)) if bare => {
                self.said.push_str(&said);
                sink.grow(id, Delta::Text(said));
            }
            _ => {
                self.close(sink);
                self.said.clone_from(&said);
                let id = sink.open(self.index, Part::Text(text))?;
                sink.grow(id, Delta::Text(said));
                self.open = Some(Open::Text(id, if bare { Seal::Open } else { Seal::Signed }));
            }
        }
        Ok(())
    }

    fn thought(&mut self, mut thought: Reasoning, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        let text = std::mem::take(&mut thought.text).concat();
        let bare = thought == Reasoning::default();
        match self.open {
            _ if text.is_empty() && bare => return Ok(()),
            _ if text.is_empty() => return self.signature(Part::Reasoning(thought), sink),
            Some(Open::Thought(id, Seal::Open)) if bare => {
                sink.grow(id, Delta::Reasoning { piece: 0, text });
            }
            _ => {
                self.close(sink);
                let id = sink.open(self.index, Part::Reasoning(thought))?;
                sink.grow(id, Delta::Reasoning { piece: 0, text });
                self.open = Some(Open::Thought(id, if bare { Seal::Open } else { Seal::Signed }));
            }
        }
        Ok(())
    }

    /// A signature on an empty part. The text before it stays open for what is cited, and grows no more.
    fn signature(&mut self, part: Part, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        match &mut self.open {
            Some(Open::Text(_, seal) | Open::Thought(_, seal)) => *seal = Seal::Signed,
            Some(Open::Sound(..) | Open::Call(_)) | None => self.close(sink),
        }
        sink.whole(self.index, part)
    }

    /// A call, or a piece of one. One without a name goes on with the call that is open.
    fn call(&mut self, call: ToolCall, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.calls = true;
        let piece = Piece::of(call);
        if let Some(Open::Call(open)) = &mut self.open
            && !piece.begins()
        {
            if !open.take(piece, sink)? {
                self.close(sink);
            }
            return Ok(());
        }
        self.close(sink);
        self.open = Call::begin(piece, self.index, sink)?.map(Open::Call);
        Ok(())
    }

    /// A piece of sound goes on with the one before it.
    fn sound(&mut self, media: Media, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        match (&self.open, media) {
            (Some(Open::Sound(id, mime)), Media { source: Source::Inline(data), mime: ref same, .. })
                if mime == same =>
            {
                sink.grow(*id, Delta::Data(data));
            }
            (_, media) => {
                self.close(sink);
                let mime = media.mime.clone();
                self.open = Some(Open::Sound(sink.open(self.index, Part::Media(media))?, mime));
            }
        }
        Ok(())
    }

    /// Keeps what the open text cites; false when there is none.
    fn cite(&mut self, metadata: &RawValue) -> bool {
        let open = matches!(self.open, Some(Open::Text(..)));
        if open {
            citations(metadata).into_iter().for_each(|citation| self.wait(citation));
        }
        open
    }

    fn wait(&mut self, citation: Citation) {
        if self.sources.len() < CITED_MAX && !self.sources.contains(&citation) {
            self.sources.push(citation);
        }
    }

    /// Hangs log probabilities on the open text; gives back what of them is none, and all where there is no text.
    fn add_logprobs(&self, raw: &RawValue, sink: &mut Sink<'_>) -> Option<RawJson> {
        let Some(Open::Text(id, _)) = &self.open else { return Some(raw.into()) };
        let (list, left) = logprobs(raw);
        list.into_iter().for_each(|list| sink.grow(*id, Delta::Logprobs(list)));
        left
    }

    /// Ends the part that grows now.
    fn close(&mut self, sink: &mut Sink<'_>) {
        self.end(false, sink);
    }

    /// Ends the part that grows now, which may be the last; a text tells first what grounds it.
    fn end(&mut self, last: bool, sink: &mut Sink<'_>) {
        match self.open.take() {
            Some(Open::Text(id, _)) => {
                self.ground(id, last, sink);
                sink.close(id);
            }
            Some(Open::Thought(id, _) | Open::Sound(id, _)) => sink.close(id),
            Some(Open::Call(call)) => call.close(sink),
            None => {}
        }
    }

    /// Tells what grounds a text, and what it cites. What is told of both grows, so what was told before is not told again;
    /// what is of a text that comes later waits for it.
    fn ground(&mut self, id: PartId, last: bool, sink: &mut Sink<'_>) {
        let said = std::mem::take(&mut self.said);
        let end = self.before.saturating_add(u64::try_from(said.len()).unwrap_or(u64::MAX));
        let found = self.grounding.take().map(|raw| grounded(&raw)).unwrap_or_default();
        let sources = std::mem::take(&mut self.sources);
        for citation in found.into_iter().map(|(_, citation)| citation).chain(sources) {
            if !last && citation.end.is_some_and(|of| of > end) {
                self.wait(citation);
            } else {
                self.cite_once(id, in_characters(citation, self.before, &said), sink);
            }
        }
        self.before = end;
    }

    fn cite_once(&mut self, id: PartId, citation: Citation, sink: &mut Sink<'_>) {
        if self.cited.contains(&citation) {
            return;
        }
        if self.cited.len() < CITED_MAX {
            self.cited.push(citation.clone());
        }
        sink.grow(id, Delta::Citation(citation));
    }

    /// Ends what is open.
    pub(super) fn complete(&mut self, sink: &mut Sink<'_>) {
        self.end(true, sink);
    }
}

/// Whether media is a piece of sound and nothing else.
fn is_sound(media: &Media) -> bool {
    let inline = matches!(media.source, Source::Inline(_));
    media.kind == MediaKind::Audio && inline && media.opaque.is_empty() && media.rest.is_empty()
}
