//! Streamed answers.

mod call;
mod candidate;
mod encoder;

use serde_json::value::RawValue;
use shim_ir::{Event, Fault, FaultKind, Rest, Start};
use shim_wire::RawJson;
use shim_wire::frame::Frame;

use self::candidate::{Candidate, Sink};
pub(super) use self::encoder::ChunkEncoder;
use super::decode::{DIALECT, rest, said, sources, tells, usage};
use super::errors;
use super::types::{Choice, Completion, Count};
use crate::common::{cut, member};
use crate::progress::{State, malformed};
use crate::{DecodeError, Decoder};

/// More candidates than OpenAI gives (128); a choice numbered beyond is refused.
const CANDIDATES_MAX: u32 = 256;

/// More unmodelled members than any provider sends; what comes beyond is told again each time it comes.
const SEEN_MAX: usize = 1024;

/// Members that only pad a chunk, so that its length tells nothing: OpenAI's and Mistral's.
const PADDING: [&str; 2] = ["obfuscation", "p"];

/// Reads `chat.completion.chunk`s.
#[derive(Default)]
pub(super) struct ChunkDecoder {
    state: State,
    /// Members of chunks before the first that says anything: Azure starts with one without model or choices.
    held: Rest,
    /// The unmodelled members told so far, by scope and name: providers repeat them in every chunk.
    seen: Vec<(String, RawJson)>,
    candidates: Vec<Candidate>,
    parts: u32,
    service_tier: Option<String>,
    used: Option<RawJson>,
    results: Option<Box<RawValue>>,
    addresses: Option<Box<RawValue>>,
}

/// What a frame is.
enum Read<'a> {
    Nothing,
    Done,
    Failure(Fault),
    Chunk(Completion<'a>),
}

impl Decoder for ChunkDecoder {
    fn push(&mut self, frame: Frame<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        // What comes behind the end is of no account, even where it cannot be read.
        if matches!(self.state, State::Broken | State::Ended) {
            return Ok(());
        }
        let taken = read(frame).and_then(|read| self.take(read, out));
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

/// The fault of a stream whose sentinel comes before every answer has said why it ended. The sentinel alone is no end: it
/// also comes from what stands before a server and had its answer cut off. All recorded streams with one say why they ended,
/// and so do the servers that once did not (<https://github.com/waybarrios/vllm-mlx/issues/628>, read 2026-11-26).
pub(super) fn unfinished() -> Fault {
    Fault::new(FaultKind::UpstreamCut, "the upstream ended the stream without saying why the answer ended")
}

fn read(frame: Frame<'_>) -> Result<Read<'_>, DecodeError> {
    if frame.data.is_empty() {
        return Ok(Read::Nothing);
    }
    if frame.data.starts_with("[DONE]") {
        return Ok(Read::Done);
    }
    let failed = frame.event == Some("error");
    let wire = match shim_wire::from_json::<Completion<'_>>(frame.data) {
        Err(_) if failed => return Ok(Read::Failure(errors::told(frame.data))),
        read => read?,
    };
    Ok(match errors::inside(&wire, frame.data) {
        Some(fault) => Read::Failure(fault),
        None if failed => Read::Failure(errors::told(frame.data)),
        None => Read::Chunk(wire),
    })
}

/// Whether a chunk is the beginning of the answer.
fn begins(chunk: &Completion<'_>) -> bool {
    chunk.choices.as_ref().is_some_and(|choices| !choices.is_empty())
        || chunk.usage.is_some()
        || chunk.model.as_ref().is_some_and(|model| !model.is_empty())
}

impl ChunkDecoder {
    fn take(&mut self, read: Read<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        match (self.state, read) {
            (State::Broken | State::Ended, _) | (_, Read::Nothing) => {}
            (_, Read::Failure(fault)) => {
                out.push(Event::Fault(fault));
                self.state = State::Ended;
            }
            (State::Waiting, Read::Chunk(chunk)) if !begins(&chunk) => self.hold(chunk),
            (State::Waiting, Read::Chunk(mut chunk)) => {
                self.start(&mut chunk, out);
                self.state = State::Answering;
                self.chunk(chunk, out)?;
            }
            (State::Answering, Read::Chunk(chunk)) => self.chunk(chunk, out)?,
            (_, Read::Done) if self.is_finished() => self.complete(out),
            (_, Read::Done) => {
                out.push(Event::Fault(unfinished()));
                self.state = State::Ended;
            }
        }
        Ok(())
    }

    fn hold(&mut self, mut chunk: Completion<'_>) {
        let members = std::mem::take(&mut chunk.rest);
        let members = self.fresh("", &rest(members));
        self.held.merge(members);
    }

    fn start(&mut self, chunk: &mut Completion<'_>, out: &mut Vec<Event>) {
        self.service_tier = said(chunk.service_tier.take());
        self.hold_members(chunk);
        out.push(Event::Start(Start {
            id: said(chunk.id.take()),
            model: said(chunk.model.take()),
            created: chunk.created.map(|Count(seconds)| seconds),
            service_tier: self.service_tier.clone(),
            rest: std::mem::take(&mut self.held),
        }));
    }

    fn hold_members(&mut self, chunk: &mut Completion<'_>) {
        let members = self.top(chunk);
        self.held.merge(members);
    }

    /// The unmodelled members of a chunk that say something new.
    fn top(&mut self, chunk: &mut Completion<'_>) -> Rest {
        let mut members = rest(std::mem::take(&mut chunk.rest));
        if let Some(raw) = chunk.x_groq {
            members.push(DIALECT, "x_groq", raw.into());
        }
        let tier = said(chunk.service_tier.take()).filter(|tier| self.service_tier.as_ref() != Some(tier));
        if let Some(tier) = tier.filter(|_| !matches!(self.state, State::Waiting)) {
            members.push(DIALECT, "service_tier", RawJson::string(&tier));
        }
        self.fresh("", &members)
    }

    fn chunk(&mut self, mut chunk: Completion<'_>, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let members = self.top(&mut chunk);
        if !members.is_empty() {
            out.push(Event::Rest(members));
        }
        self.results = chunk.search_results.map(ToOwned::to_owned).or(self.results.take());
        self.addresses = chunk.citations.map(ToOwned::to_owned).or(self.addresses.take());
        let mut used = stated(chunk.usage).or_else(|| chunk.x_groq.and_then(groq_usage));
        for (at, choice) in chunk.choices.unwrap_or_default().into_iter().enumerate() {
            used = used.or_else(|| stated(choice.usage));
            self.choice(choice, at, out).map_err(|error| error.under(&format!("choices[{at}]")))?;
        }
        self.usage(used, out);
        // Perplexity's sentinel.
        if chunk.object.as_deref() == Some("chat.completion.done") {
            self.take(Read::Done, out)?;
        }
        Ok(())
    }

    /// Tells usage that was not told yet.
    fn usage(&mut self, used: Option<RawJson>, out: &mut Vec<Event>) {
        if let Some(used) = used.filter(|used| self.used.as_ref() != Some(used)) {
            out.extend(usage(used.clone()).map(Event::Usage));
            self.used = Some(used);
        }
    }

    fn choice(&mut self, mut choice: Choice<'_>, at: usize, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let index = choice.index.or_else(|| u32::try_from(at).ok()).unwrap_or(CANDIDATES_MAX);
        if index >= CANDIDATES_MAX {
            return Err(DecodeError::shape("index", "more candidates than are allowed"));
        }
        let members = rest(std::mem::take(&mut choice.rest));
        let at = self.place(index);
        let mut sink = Sink { out, parts: &mut self.parts };
        let Some(candidate) = self.candidates.get_mut(at) else { return Ok(()) };
        let mut left = candidate.take(choice, &mut sink)?;
        left.merge(members);
        if left.is_empty() {
            return Ok(());
        }
        let fresh = self.fresh(&format!("choices[{index}]."), &left);
        if !fresh.is_empty() {
            Sink { out, parts: &mut self.parts }.foreign("choice", index, &fresh);
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
        for (key, value) in members.members() {
            if value.get() == "null" || (scope.is_empty() && PADDING.contains(&&**key)) {
                continue;
            }
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

    /// Whether every answer has said why it ended: then a missing sentinel is no cut.
    fn is_finished(&self) -> bool {
        !self.candidates.is_empty() && self.candidates.iter().all(Candidate::is_finished)
    }

    /// Closes what is open and tells why each candidate ended.
    fn complete(&mut self, out: &mut Vec<Event>) {
        self.state = State::Ended;
        let cited = sources(self.results.as_deref(), self.addresses.as_deref());
        let mut sink = Sink { out, parts: &mut self.parts };
        let first = self.candidates.iter_mut().find(|candidate| candidate.index == 0);
        let placed = first.is_some_and(|candidate| candidate.cite(cited, &mut sink));
        for candidate in &mut self.candidates {
            candidate.close_all(&mut sink);
        }
        self.sources_left(placed, out);
        let mut finishes = Vec::new();
        for candidate in &self.candidates {
            let at = usize::try_from(candidate.index).unwrap_or_default();
            finishes.resize(finishes.len().max(at + 1), None);
            if let Some(slot) = finishes.get_mut(at) {
                *slot = candidate.finish();
            }
        }
        out.push(Event::Finish(finishes));
    }

    /// Perplexity's sources where they have no text to hang on, and the addresses that repeat them.
    fn sources_left(&self, placed: bool, out: &mut Vec<Event>) {
        let mut left = Rest::default();
        let results = self.results.as_ref();
        for (key, raw, kept) in [
            ("search_results", results, !placed),
            ("citations", self.addresses.as_ref(), results.is_some() || !placed),
        ] {
            if let Some(raw) = raw.filter(|_| kept) {
                left.push(DIALECT, key, RawJson::from(&**raw));
            }
        }
        if !left.is_empty() {
            out.push(Event::Rest(left));
        }
    }
}

/// A usage object that says anything.
fn stated(raw: Option<&RawValue>) -> Option<RawJson> {
    raw.filter(|raw| tells(raw.get())).map(RawJson::from)
}

/// Groq's place for the usage of a stream that was not asked for it.
fn groq_usage(raw: &RawValue) -> Option<RawJson> {
    let value = member(raw.get(), "usage")?;
    RawJson::parse(value.text()).ok().filter(|raw| tells(raw.get()))
}
