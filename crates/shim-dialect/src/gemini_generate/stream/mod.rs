//! Streamed answers.

mod arguments;
mod call;
mod candidate;
mod encoder;
mod frames;
mod held;
mod sink;
mod words;

use serde_json::value::RawValue;
use shim_ir::{Event, Fault, Finish, FoldError, Response, Rest, Start, fold};
use shim_wire::RawJson;
use shim_wire::frame::Frame;

use self::candidate::Candidate;
pub(super) use self::encoder::ChunkEncoder;
use self::sink::Sink;
use super::decode::{DIALECT, blocked, kept, moment, said, tells, tier, usage};
use super::errors;
use super::types::{self, GenerateContentResponse};
use crate::common::{cut, each_element};
use crate::progress::{State, malformed};
use crate::{AnswerError, DecodeError, Decoder};

/// More candidates than Gemini gives (8); one numbered beyond is refused.
pub(super) const CANDIDATES_MAX: u32 = 64;

/// More unmodelled members than any answer has; what comes beyond is told again each time it comes.
const SEEN_MAX: usize = 1024;

/// Reads the pieces of an answer, each a `GenerateContentResponse`.
///
/// The dialect has no sentinel: an answer is complete when each candidate has said why it ended, or the prompt was
/// blocked, and the stream closes. Usage may come behind the reason.
#[derive(Default)]
pub(super) struct ChunkDecoder {
    state: State,
    /// The unmodelled members told so far, by scope and name: they are repeated in every piece.
    seen: Vec<(String, RawJson)>,
    candidates: Vec<Candidate>,
    parts: u32,
    used: Option<RawJson>,
    /// A `usageMetadata` that counts nothing: what it says is in the next one too, if one comes.
    uncounted: Option<RawJson>,
    blocked: Option<Finish>,
}

/// What a frame is.
enum Read<'a> {
    Nothing,
    Failure(Fault),
    Chunk(Box<GenerateContentResponse<'a>>),
}

impl Decoder for ChunkDecoder {
    fn push(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        // What comes behind the end is of no account, even where it cannot be read.
        if matches!(self.state, State::Broken | State::Ended) {
            return Ok(());
        }
        let taken = read(frame.data).and_then(|read| self.take(read, out));
        if taken.is_err() {
            self.state = State::Broken;
        }
        taken
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        match self.state {
            State::Answering if self.is_finished() => self.complete(out),
            State::Waiting | State::Answering => out.push(Event::Fault(cut())),
            State::Broken => out.push(Event::Fault(malformed())),
            State::Ended => {}
        }
        self.state = State::Ended;
    }
}

/// A whole answer that is a list of pieces: what a stream without `alt=sse` is when it is read at once.
pub(super) fn joined(body: &str) -> Result<Response, AnswerError> {
    let mut decoder = ChunkDecoder::default();
    let mut events = Vec::new();
    let mut taken = Ok(());
    each_element(body, |at, piece| {
        if taken.is_ok() {
            let frame = Frame { event: None, data: piece.text() };
            taken = decoder.push(frame, &mut events).map_err(|error| error.under(&format!("[{at}]")));
        }
    })
    .map_err(DecodeError::from)?;
    taken?;
    decoder.finish(&mut events);
    match fold(events) {
        Ok((response, _)) => Ok(response),
        Err(FoldError::Failed(fault, _)) => Err(AnswerError::Fault(fault)),
        Err(error) => Err(DecodeError::shape(".", error.to_string()).into()),
    }
}

/// Whether a frame says nothing: it is empty, or the sentinel that others who speak the dialect send.
pub(super) fn is_blank(data: &str) -> bool {
    data.is_empty() || data == "[DONE]"
}

fn read(data: &str) -> Result<Read<'_>, DecodeError> {
    if is_blank(data) {
        return Ok(Read::Nothing);
    }
    let wire: GenerateContentResponse<'_> = shim_wire::from_json(data)?;
    Ok(match wire.error {
        Some(error) => Read::Failure(errors::told(None, error.get())),
        None => Read::Chunk(Box::new(wire)),
    })
}

impl ChunkDecoder {
    fn take(&mut self, read: Read<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        match (self.state, read) {
            (State::Broken | State::Ended, _) | (_, Read::Nothing) => {}
            (_, Read::Failure(fault)) => self.fail(fault, out),
            (State::Waiting, Read::Chunk(mut chunk)) => {
                self.start(&mut chunk, out);
                self.state = State::Answering;
                self.chunk(*chunk, out)?;
            }
            (State::Answering, Read::Chunk(mut chunk)) => {
                let members = self.fresh("", &kept(&mut chunk));
                if !members.is_empty() {
                    out.push(Event::Rest(members));
                }
                self.chunk(*chunk, out)?;
            }
        }
        Ok(())
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<Event>) {
        out.push(Event::Fault(fault));
        self.state = State::Ended;
    }

    fn start(&mut self, chunk: &mut GenerateContentResponse<'_>, out: &mut Vec<Event>) {
        let rest = self.fresh("", &kept(chunk));
        out.push(Event::Start(Start {
            id: said(chunk.response_id.take()),
            model: said(chunk.model_version.take()),
            created: chunk.create_time.as_deref().and_then(moment),
            service_tier: chunk.usage_metadata.and_then(tier),
            rest,
        }));
    }

    fn chunk(&mut self, chunk: GenerateContentResponse<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        self.blocked = chunk.prompt_feedback.and_then(blocked).or(self.blocked.take());
        for (at, candidate) in chunk.candidates.into_iter().enumerate() {
            self.candidate(candidate, at, out)?;
        }
        self.usage(chunk.usage_metadata, out);
        Ok(())
    }

    /// Usage is cumulative: the last word counts.
    fn usage(&mut self, told: Option<&RawValue>, out: &mut Vec<Event>) {
        let Some(told) = told else { return };
        if self.used.as_ref().is_some_and(|used| used.get() == told.get()) {
            return;
        }
        match usage(told) {
            Some(usage) => {
                out.push(Event::Usage(usage));
                self.used = Some(told.into());
            }
            None => self.uncounted = Some(told.into()),
        }
    }

    fn candidate(
        &mut self,
        wire: types::Candidate<'_>,
        at: usize,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let path = format!("candidates[{at}]");
        let index = number(&wire, at, &path)?;
        let at = self.place(index);
        let Some(candidate) = self.candidates.get_mut(at) else { return Ok(()) };
        let mut sink = Sink { out, parts: &mut self.parts };
        let left = candidate.take(wire, &mut sink).map_err(|error| error.under(&path))?;
        let fresh = self.fresh(&format!("candidates[{index}]."), &left);
        if !fresh.is_empty() {
            Sink { out, parts: &mut self.parts }.foreign("candidate", index, &fresh);
        }
        Ok(())
    }

    /// Where the candidate numbered `index` is kept.
    fn place(&mut self, index: u32) -> usize {
        let found = self.candidates.iter().position(|candidate| candidate.index == index);
        found.unwrap_or_else(|| {
            self.candidates.push(Candidate::new(index));
            self.candidates.len() - 1
        })
    }

    /// Those of `members` that say something, and something new in `scope`.
    fn fresh(&mut self, scope: &str, members: &Rest) -> Rest {
        let mut fresh = Rest::default();
        for (key, value) in members.members().iter().filter(|(_, value)| tells(value.get())) {
            let name = format!("{scope}{key}");
            let room = self.seen.len() < SEEN_MAX;
            match self.seen.iter_mut().find(|(seen, _)| *seen == name) {
                Some((_, last)) if last == value => continue,
                Some((_, last)) => last.clone_from(value),
                None if room => self.seen.push((name, value.clone())),
                None => {}
            }
            fresh.push(DIALECT, key, value.clone());
        }
        fresh
    }

    /// Whether every answer has said why it ended, or there is none because the prompt was blocked.
    fn is_finished(&self) -> bool {
        let ended = self.candidates.iter().all(Candidate::is_finished);
        ended && (self.blocked.is_some() || !self.candidates.is_empty())
    }

    /// Closes what is open and tells why each candidate ended.
    fn complete(&mut self, out: &mut Vec<Event>) {
        let mut sink = Sink { out, parts: &mut self.parts };
        let mut finishes = Vec::new();
        for candidate in &mut self.candidates {
            candidate.complete(&mut sink);
            let at = usize::try_from(candidate.index).unwrap_or_default();
            finishes.resize(finishes.len().max(at + 1), None);
            if let Some(slot) = finishes.get_mut(at) {
                *slot = candidate.finish();
            }
        }
        if finishes.is_empty() {
            finishes.push(self.blocked.take());
        }
        if let Some(raw) = self.uncounted.take().filter(|_| self.used.is_none()) {
            out.push(Event::Rest(Rest::from_owned(DIALECT, vec![("usageMetadata".into(), raw)])));
        }
        out.push(Event::Finish(finishes));
    }
}

/// The number of a candidate: its own, or the place it has in the list.
fn number(wire: &types::Candidate<'_>, at: usize, path: &str) -> Result<u32, DecodeError> {
    let number = wire.index.or_else(|| u32::try_from(at).ok());
    let allowed = number.filter(|number| *number < CANDIDATES_MAX);
    allowed.ok_or_else(|| DecodeError::shape(format!("{path}.index"), "more candidates than are allowed"))
}
