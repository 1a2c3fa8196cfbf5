//! Events folded back into the whole answer. The one accumulator: logs, accounting and replay all use it.

use thiserror::Error;

use shim_wire::RawJson;

use crate::{
    Candidate, Delta, Event, Fault, Finish, Foreign, Grammar, GrammarError, Media, Opaque, OpaqueKind, Part,
    PartId, Response, Rest, Source, Start,
};

/// Why events do not make an answer.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum FoldError {
    /// The events break the order.
    #[error(transparent)]
    Grammar(#[from] GrammarError),
    /// The answer failed; what had come until then is beside it.
    #[error("the answer failed: {0}")]
    Failed(Box<Fault>, Box<Response>),
    /// A delta that does not fit its part.
    #[error("a delta does not fit part {0:?}")]
    Misfit(PartId),
}

/// Folds a whole stream of events into the answer it tells.
///
/// # Errors
/// When the events break the grammar, end in a fault, or a delta does not fit its part.
pub fn fold(events: impl IntoIterator<Item = Event>) -> Result<(Response, Vec<Foreign>), FoldError> {
    let mut grammar = Grammar::default();
    let mut folded = Folded::default();
    for event in events {
        grammar.take(&event)?;
        folded.take(event)?;
    }
    grammar.finish()?;
    let response = assemble(folded.response, folded.parts, folded.finishes);
    match folded.fault {
        Some(fault) => Err(FoldError::Failed(Box::new(fault), Box::new(response))),
        None => Ok((response, folded.foreign)),
    }
}

/// The events that tell a whole answer, each part at once. Folding them gives the answer back, but for what its
/// candidates keep beside their parts.
#[must_use]
pub fn unfold(response: Response) -> Vec<Event> {
    let Response { id, model, created, candidates, usage, service_tier, rest } = response;
    let mut events = vec![Event::Start(Start { id, model, created, service_tier, rest })];
    let mut finishes = Vec::new();
    let mut next = 0;
    for (candidate, number) in candidates.into_iter().zip(0..) {
        for part in candidate.parts {
            let id = PartId(next);
            next += 1;
            events.extend([Event::PartStart { id, candidate: number, part }, Event::PartEnd { id }]);
        }
        finishes.push(candidate.finish);
    }
    events.extend(usage.map(Event::Usage));
    events.push(Event::Finish(finishes));
    events
}

#[derive(Default)]
struct Folded {
    response: Response,
    /// Candidate and part, in the order they were opened; a part's id is its index.
    parts: Vec<(u32, Part)>,
    foreign: Vec<Foreign>,
    finishes: Vec<Option<Finish>>,
    fault: Option<Fault>,
}

impl Folded {
    fn take(&mut self, event: Event) -> Result<(), FoldError> {
        match event {
            Event::Start(start) => self.response = begin(start),
            Event::PartStart { candidate, part, .. } => self.parts.push((candidate, part)),
            Event::PartDelta { id, delta } => {
                let part = self.parts.get_mut(id.0 as usize);
                if !part.is_some_and(|(_, part)| part.grow(&delta)) {
                    return Err(FoldError::Misfit(id));
                }
            }
            Event::PartEnd { .. } => {}
            Event::Usage(usage) => self.response.usage = Some(usage),
            Event::Rest(rest) => self.response.rest.merge(rest),
            Event::Foreign(foreign) => self.foreign.push(foreign),
            Event::Finish(finishes) => self.finishes = finishes,
            Event::Fault(fault) => self.fault = Some(fault),
        }
        Ok(())
    }
}

fn begin(start: Start) -> Response {
    Response {
        id: start.id,
        model: start.model,
        created: start.created,
        service_tier: start.service_tier,
        rest: start.rest,
        ..Response::default()
    }
}

fn assemble(mut response: Response, parts: Vec<(u32, Part)>, finishes: Vec<Option<Finish>>) -> Response {
    for finish in finishes {
        response.candidates.push(Candidate { finish, ..Candidate::default() });
    }
    for (candidate, part) in parts {
        let at = candidate as usize;
        while response.candidates.len() <= at && at < CANDIDATES_MAX {
            response.candidates.push(Candidate::default());
        }
        if let Some(candidate) = response.candidates.get_mut(at) {
            candidate.parts.push(part);
        }
    }
    response
}

/// More candidates than any dialect allows; an upstream that numbers one beyond it is not believed.
const CANDIDATES_MAX: usize = 1024;

impl Part {
    /// Lets it grow by `delta`; false, and no change, when that does not fit.
    pub fn grow(&mut self, delta: &Delta) -> bool {
        match (self, delta) {
            (part, Delta::Whole(whole)) => part.clone_from(whole),
            (Self::Text(t) | Self::Refusal(t), Delta::Text(text)) => t.text.push_str(text),
            (Self::Text(t), Delta::Citation(citation)) => t.citations.push(citation.clone()),
            (Self::Text(t) | Self::Refusal(t), Delta::Logprobs(more)) => {
                t.logprobs = Some(joined(t.logprobs.as_ref(), more));
            }
            (Self::Reasoning(r), Delta::Reasoning { piece, text }) => return add(&mut r.text, *piece, text),
            (Self::Reasoning(r), Delta::Summary { piece, text }) => return add(&mut r.summary, *piece, text),
            (Self::ToolCall(c), Delta::Arguments(text)) => c.arguments.push_str(text),
            (Self::Media(Media { source: Source::Inline(data), .. }), Delta::Data(text)) => {
                data.push_str(text)
            }
            (part, Delta::Opaque { kind, value, append }) => return part.add_opaque(*kind, value, *append),
            (part, Delta::Rest(more)) => return part.rest_mut().map(|own| own.merge(more.clone())).is_some(),
            (
                _,
                Delta::Text(_)
                | Delta::Citation(_)
                | Delta::Logprobs(_)
                | Delta::Reasoning { .. }
                | Delta::Summary { .. }
                | Delta::Arguments(_)
                | Delta::Data(_),
            ) => return false,
        }
        true
    }

    fn add_opaque(&mut self, kind: OpaqueKind, value: &str, append: bool) -> bool {
        let own = match self {
            Self::Text(t) | Self::Refusal(t) => &mut t.opaque,
            Self::Media(m) => &mut m.opaque,
            Self::Reasoning(r) => &mut r.opaque,
            Self::ToolCall(c) => &mut c.opaque,
            Self::ToolResult(_) | Self::ServerResult(_) | Self::Foreign(_) => return false,
        };
        match own.iter_mut().rev().find(|o| o.kind == kind) {
            Some(last) if append => last.value.push_str(value),
            Some(_) | None => own.push(Opaque { kind, value: value.to_owned() }),
        }
        true
    }

    fn rest_mut(&mut self) -> Option<&mut Rest> {
        match self {
            Self::Text(t) | Self::Refusal(t) => Some(&mut t.rest),
            Self::Media(m) => Some(&mut m.rest),
            Self::Reasoning(r) => Some(&mut r.rest),
            Self::ToolCall(c) => Some(&mut c.rest),
            Self::ToolResult(r) => Some(&mut r.rest),
            Self::ServerResult(_) | Self::Foreign(_) => None,
        }
    }
}

/// Adds `text` to a piece, which is the last or the next one; a few skipped ones are made empty.
fn add(pieces: &mut Vec<String>, piece: usize, text: &str) -> bool {
    if piece > pieces.len() + PIECES_SKIPPED_MAX {
        return false;
    }
    if pieces.len() <= piece {
        pieces.resize(piece + 1, String::new());
    }
    if let Some(last) = pieces.get_mut(piece) {
        last.push_str(text);
    }
    true
}

const PIECES_SKIPPED_MAX: usize = 64;

/// Two JSON arrays as one; anything else is replaced by what came later.
fn joined(so_far: Option<&RawJson>, more: &RawJson) -> RawJson {
    let inner = |raw: &RawJson| Some(raw.get().strip_prefix('[')?.strip_suffix(']')?.trim().to_owned());
    let Some((a, b)) = so_far.and_then(|a| Some((inner(a)?, inner(more)?))) else {
        return more.clone();
    };
    let comma = if a.is_empty() || b.is_empty() { "" } else { "," };
    RawJson::parse(&format!("[{a}{comma}{b}]")).unwrap_or_else(|_| more.clone())
}

#[cfg(test)]
mod tests {
    use super::{FoldError, fold, unfold};
    use crate::{
        Candidate, Delta, Event, Fault, FaultKind, Finish, Part, PartId, Reasoning, Response, Start, Text,
    };

    #[test]
    fn interleaved_parts_grow_apart() {
        let open = |id, part| Event::PartStart { id: PartId(id), candidate: 0, part };
        let grow = |id, delta| Event::PartDelta { id: PartId(id), delta };
        let end = |id| Event::PartEnd { id: PartId(id) };
        let events = [
            Event::Start(Start::default()),
            open(0, Part::Reasoning(Reasoning::default())),
            open(1, Part::Text(Text::default())),
            grow(0, Delta::Reasoning { piece: 0, text: "th".into() }),
            grow(1, Delta::Text("an".into())),
            grow(0, Delta::Reasoning { piece: 0, text: "ought".into() }),
            grow(1, Delta::Text("swer".into())),
            end(0),
            end(1),
            Event::Finish(vec![None]),
        ];
        let (response, _) = fold(events).unwrap();
        let [Part::Reasoning(reasoning), Part::Text(text)] = &response.candidates[0].parts[..] else {
            panic!("{response:?}");
        };
        assert_eq!((reasoning.text.concat().as_str(), &*text.text), ("thought", "answer"));
    }

    #[test]
    fn what_was_unfolded_folds_back() {
        let finish = Finish { reason: crate::FinishReason::Stop, words: None, sequence: None };
        let candidate = |text: &str| Candidate {
            parts: vec![Part::Reasoning(Reasoning::default()), Part::Text(Text::new(text))],
            finish: Some(finish.clone()),
            ..Candidate::default()
        };
        let whole = Response {
            id: Some("r".into()),
            candidates: vec![candidate("a"), candidate("b")],
            usage: Some(crate::Usage::default()),
            ..Response::default()
        };
        assert_eq!(fold(unfold(whole.clone())).unwrap().0, whole);
    }

    #[test]
    fn a_misfit_is_told() {
        let events = [
            Event::Start(Start::default()),
            Event::PartStart { id: PartId(0), candidate: 0, part: Part::Text(Text::default()) },
            Event::PartDelta { id: PartId(0), delta: Delta::Arguments("{}".into()) },
        ];
        assert_eq!(fold(events), Err(FoldError::Misfit(PartId(0))));
    }

    #[test]
    fn a_cut_keeps_what_had_come() {
        let events = [
            Event::Start(Start::default()),
            Event::PartStart { id: PartId(0), candidate: 0, part: Part::Text(Text::new("half")) },
            Event::Fault(Fault::new(FaultKind::UpstreamCut, "cut")),
        ];
        let Err(FoldError::Failed(fault, response)) = fold(events) else { panic!() };
        assert_eq!(fault.kind, FaultKind::UpstreamCut);
        assert_eq!(response.candidates[0].parts, [Part::Text(Text::new("half"))]);
    }
}
