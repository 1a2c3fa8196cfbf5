//! Reasoning that stands in the text of an answer, between tags: `<think>…</think>`.
//!
//! It is told apart as the servers' own parsers do it (vLLM's `Qwen3ReasoningParser` and `BaseThinkingReasoningParser`,
//! <https://github.com/vllm-project/vllm/tree/main/vllm/reasoning>; SGLang,
//! <https://docs.sglang.io/docs/advanced_features/separate_reasoning>; read 2026-11-25):
//!
//! - Only what comes first can be reasoning. A tag behind any other text is text, and so is every tag behind reasoning
//!   that the server itself told apart.
//! - The first closing tag ends it, whatever else stands inside.
//! - Where the text begins inside of it and no closing tag ever comes, all of it is reasoning: the model ran out of room
//!   before it came to its answer.
//!
//! Other than there, line feeds directly behind a tag are the tag's own, as the models' chat templates write them.

use std::collections::BTreeMap;

use shim_ir::{Citation, Delta, Event, Part, PartId, Reasoning, Response, Text, ThinkTags};

/// The tags, opening and closing.
const TAGS: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];

/// Most whitespace that is waited out before an opening tag, in bytes.
const LEAD_BYTES_MAX: usize = 64;

/// A piece of an answer's text.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Reasoning(String),
    Text(String),
}

/// Divides the text of one answer as it comes. It holds back no more than what may be the beginning of a tag, and the
/// whitespace before an opening one.
#[derive(Debug)]
struct Splitter {
    tags: ThinkTags,
    state: State,
    held: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Nothing but whitespace has come.
    Lead,
    /// Inside of reasoning, which ends at the tag, or at any where none opened it.
    Inside(Option<&'static str>),
    /// As [`State::Inside`], directly behind the opening tag.
    Opened(Option<&'static str>),
    /// Directly behind the closing tag.
    Closed,
    /// Text to the end.
    Plain,
}

impl Splitter {
    fn new(tags: ThinkTags) -> Self {
        let state = if tags == ThinkTags::None { State::Plain } else { State::Lead };
        Self { tags, state, held: String::new() }
    }

    /// Takes text; appends what it is known to be.
    fn push(&mut self, text: &str, out: &mut Vec<Piece>) {
        self.held.push_str(text);
        while let Some(next) = self.step(out) {
            self.state = next;
        }
    }

    /// The text is over: what was held back is what it was taken for.
    fn finish(&mut self, out: &mut Vec<Piece>) {
        let held = std::mem::take(&mut self.held);
        let inside = matches!(self.state, State::Inside(_) | State::Opened(_));
        let implicit = self.state == State::Lead && self.tags == ThinkTags::Implicit;
        emit(if inside || implicit { Piece::Reasoning(held) } else { Piece::Text(held) }, out);
        self.state = State::Plain;
    }

    /// Goes on as far as what is held permits; the next state, or none where more text is needed.
    fn step(&mut self, out: &mut Vec<Piece>) -> Option<State> {
        match self.state {
            State::Lead => self.lead(),
            State::Opened(close) => self.skip_line_feeds().then_some(State::Inside(close)),
            State::Inside(close) => self.inside(close, out),
            State::Closed => self.skip_line_feeds().then_some(State::Plain),
            State::Plain => {
                emit(Piece::Text(std::mem::take(&mut self.held)), out);
                None
            }
        }
    }

    fn lead(&mut self) -> Option<State> {
        let start = self.held.trim_start();
        let lead = self.held.len() - start.len();
        let near = lead <= LEAD_BYTES_MAX;
        if let Some((open, close)) = TAGS.iter().find(|(open, _)| near && start.starts_with(open)) {
            self.held.drain(..lead + open.len());
            return Some(State::Opened(Some(close)));
        }
        if near && TAGS.iter().any(|(open, _)| open.starts_with(start)) {
            return None;
        }
        Some(if self.tags == ThinkTags::Implicit { State::Opened(None) } else { State::Plain })
    }

    fn inside(&mut self, close: Option<&'static str>, out: &mut Vec<Piece>) -> Option<State> {
        let tags = || TAGS.iter().map(|(_, tag)| *tag).filter(|tag| close.is_none_or(|close| close == *tag));
        let found = tags().filter_map(|tag| Some((self.held.find(tag)?, tag))).min();
        let until = found.map_or_else(|| self.held.len() - beginning(&self.held, tags()), |(at, _)| at);
        let behind = self.held.split_off(until);
        emit(Piece::Reasoning(std::mem::replace(&mut self.held, behind)), out);
        let (_, tag) = found?;
        self.held.drain(..tag.len());
        Some(State::Closed)
    }

    /// Whether anything but line feeds has come.
    fn skip_line_feeds(&mut self) -> bool {
        let kept = self.held.trim_start_matches(['\n', '\r']).len();
        self.held.drain(..self.held.len() - kept);
        kept > 0
    }
}

/// The length of the end of `text` that may be the beginning of a tag.
fn beginning(text: &str, tags: impl Iterator<Item = &'static str>) -> usize {
    let of =
        |tag: &str| (1..tag.len()).rev().find(|len| tag.get(..*len).is_some_and(|head| text.ends_with(head)));
    tags.filter_map(of).max().unwrap_or_default()
}

fn emit(piece: Piece, out: &mut Vec<Piece>) {
    let (Piece::Reasoning(text) | Piece::Text(text)) = &piece;
    if !text.is_empty() {
        out.push(piece);
    }
}

/// Tells the reasoning in the texts of a streamed answer apart, event by event.
#[derive(Debug)]
pub(crate) struct Thoughts {
    tags: ThinkTags,
    splitters: BTreeMap<u32, Splitter>,
    open: BTreeMap<PartId, Open>,
    /// The id of the next part that is opened: parts come and go, so that all are numbered anew.
    next: u32,
}

/// What becomes of a part that is open.
#[derive(Debug)]
enum Open {
    /// It goes on under another id.
    Same(PartId),
    /// A text, which is divided.
    Divided(Box<Divided>),
}

#[derive(Debug)]
struct Divided {
    candidate: u32,
    told: Told,
    /// The text part as it will begin, as long as it has not.
    text: Part,
    /// How many characters came before the text.
    before: usize,
}

/// Which part of a text is open.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Nothing,
    Reasoning(PartId),
    Text(PartId),
}

impl Thoughts {
    /// For one answer of a model with these tags.
    pub(crate) fn new(tags: ThinkTags) -> Self {
        Self { tags, splitters: BTreeMap::new(), open: BTreeMap::new(), next: 0 }
    }

    /// Takes one event; appends what it is when reasoning and text are told apart.
    pub(crate) fn take(&mut self, event: Event, out: &mut Vec<Event>) {
        match event {
            Event::PartStart { id, candidate, part: Part::Text(mut text) } => {
                let said = std::mem::take(&mut text.text).into_string();
                let text = Part::Text(text);
                let divided = Divided { candidate, told: Told::Nothing, text, before: 0 };
                self.open.insert(id, Open::Divided(Box::new(divided)));
                self.grow(id, Delta::Text(said), out);
            }
            Event::PartStart { id, candidate, part } => {
                if matches!(part, Part::Reasoning(_)) {
                    self.splitter(candidate).state = State::Plain;
                }
                let new = start(candidate, part, &mut self.next, out);
                self.open.insert(id, Open::Same(new));
            }
            Event::PartDelta { id, delta } => self.grow(id, delta, out),
            Event::PartEnd { id } => self.end(id, out),
            fault @ Event::Fault(_) => {
                self.flush(out);
                out.push(fault);
            }
            other @ (Event::Start(_)
            | Event::Usage(_)
            | Event::Rest(_)
            | Event::Foreign(_)
            | Event::Finish(_)) => out.push(other),
        }
    }

    fn splitter(&mut self, candidate: u32) -> &mut Splitter {
        self.splitters.entry(candidate).or_insert_with(|| Splitter::new(self.tags))
    }

    fn grow(&mut self, id: PartId, delta: Delta, out: &mut Vec<Event>) {
        let divided = match self.open.get_mut(&id) {
            Some(Open::Same(new)) => return out.push(Event::PartDelta { id: *new, delta }),
            Some(Open::Divided(divided)) => divided,
            // The grammar has no such event.
            None => return,
        };
        if let Delta::Text(text) = delta {
            let new = || Splitter::new(self.tags);
            let splitter = self.splitters.entry(divided.candidate).or_insert_with(new);
            divided.say(text, splitter, &mut self.next, out);
        } else {
            divided.hang(delta, out);
        }
    }

    fn end(&mut self, id: PartId, out: &mut Vec<Event>) {
        match self.open.remove(&id) {
            Some(Open::Same(new)) => out.push(Event::PartEnd { id: new }),
            Some(Open::Divided(mut divided)) => {
                let mut pieces = Vec::new();
                self.splitter(divided.candidate).finish(&mut pieces);
                divided.tell(pieces, &mut self.next, out);
                divided.end(&mut self.next, out);
            }
            None => {}
        }
    }

    /// Tells what was held back of the texts that are open.
    fn flush(&mut self, out: &mut Vec<Event>) {
        for open in self.open.values_mut() {
            if let Open::Divided(divided) = open
                && let Some(splitter) = self.splitters.get_mut(&divided.candidate)
            {
                let mut pieces = Vec::new();
                splitter.finish(&mut pieces);
                divided.tell(pieces, &mut self.next, out);
            }
        }
    }
}

impl Divided {
    fn say(&mut self, text: String, splitter: &mut Splitter, next: &mut u32, out: &mut Vec<Event>) {
        if let (Told::Text(id), State::Plain) = (self.told, splitter.state) {
            out.push(Event::PartDelta { id, delta: Delta::Text(text) });
            return;
        }
        self.before += text.chars().count();
        let mut pieces = Vec::new();
        splitter.push(&text, &mut pieces);
        self.tell(pieces, next, out);
    }

    fn tell(&mut self, pieces: Vec<Piece>, next: &mut u32, out: &mut Vec<Event>) {
        for piece in pieces {
            let (id, delta) = match piece {
                Piece::Reasoning(text) => (self.reasoning(next, out), Delta::Reasoning { piece: 0, text }),
                Piece::Text(text) => {
                    self.before = self.before.saturating_sub(text.chars().count());
                    (self.text(next, out), Delta::Text(text))
                }
            };
            out.push(Event::PartDelta { id, delta });
        }
    }

    fn reasoning(&mut self, next: &mut u32, out: &mut Vec<Event>) -> PartId {
        if let Told::Reasoning(id) | Told::Text(id) = self.told {
            return id;
        }
        let id = start(self.candidate, Part::Reasoning(Reasoning::default()), next, out);
        self.told = Told::Reasoning(id);
        id
    }

    fn text(&mut self, next: &mut u32, out: &mut Vec<Event>) -> PartId {
        match self.told {
            Told::Text(id) => return id,
            Told::Reasoning(id) => out.push(Event::PartEnd { id }),
            Told::Nothing => {}
        }
        let mut text = std::mem::replace(&mut self.text, Part::Text(Text::default()));
        if let Part::Text(text) = &mut text {
            text.citations.iter_mut().for_each(|citation| moved(citation, self.before));
        }
        let id = start(self.candidate, text, next, out);
        self.told = Told::Text(id);
        id
    }

    /// Hangs what is no text on the text.
    fn hang(&mut self, mut delta: Delta, out: &mut Vec<Event>) {
        let Told::Text(id) = self.told else {
            self.text.grow(&delta);
            return;
        };
        if let Delta::Citation(citation) = &mut delta {
            moved(citation, self.before);
        }
        out.push(Event::PartDelta { id, delta });
    }

    /// Ends it. A text that never began does so only where something hangs on it.
    fn end(&mut self, next: &mut u32, out: &mut Vec<Event>) {
        if self.text != Part::Text(Text::default()) {
            self.text(next, out);
        }
        if let Told::Reasoning(id) | Told::Text(id) = self.told {
            out.push(Event::PartEnd { id });
        }
    }
}

fn start(candidate: u32, part: Part, next: &mut u32, out: &mut Vec<Event>) -> PartId {
    let id = PartId(*next);
    *next += 1;
    out.push(Event::PartStart { id, candidate, part });
    id
}

/// Counts a citation's span from the text's own beginning, which `before` characters come before; one that begins
/// before it has none.
fn moved(citation: &mut Citation, before: usize) {
    let before = u64::try_from(before).unwrap_or(u64::MAX);
    let from = |at: Option<u64>| at.and_then(|at| at.checked_sub(before));
    (citation.start, citation.end) = (from(citation.start), from(citation.end));
}

/// Tells the reasoning in the texts of a whole answer apart.
pub(crate) fn divide(response: &mut Response, tags: ThinkTags) {
    for candidate in &mut response.candidates {
        let (mut thoughts, mut events) = (Thoughts::new(tags), Vec::new());
        for (part, id) in std::mem::take(&mut candidate.parts).into_iter().zip(0..) {
            let id = PartId(id);
            thoughts.take(Event::PartStart { id, candidate: 0, part }, &mut events);
            thoughts.take(Event::PartEnd { id }, &mut events);
        }
        for event in events {
            match event {
                Event::PartStart { part, .. } => candidate.parts.push(part),
                Event::PartDelta { delta, .. } => {
                    if let Some(part) = candidate.parts.last_mut() {
                        part.grow(&delta);
                    }
                }
                Event::PartEnd { .. }
                | Event::Start(_)
                | Event::Usage(_)
                | Event::Rest(_)
                | Event::Foreign(_)
                | Event::Finish(_)
                | Event::Fault(_) => {}
            }
        }
    }
}
