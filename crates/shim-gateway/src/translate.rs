//! Another dialect than the client's: the request is put into the target's, the answer back into the client's.

use std::sync::Arc;

use bytes::Bytes;
use shim_dialect::{
    AnswerError, Asker, Billed, Decoder, Echo, Encode, Encoder, Goal, Meter, Operation, Reading, Restorer,
};
use shim_ir::{
    Event, Fault, FaultKind, FoldError, Loss, LossKind, Part, Request, Response, Retry, ToolChoice, ToolKind,
    fold, unfold,
};
use shim_policy::fidelity::Rule;
use shim_policy::vault::{Gather, Given};
use shim_wire::Pieces;
use shim_wire::frame::{FRAME_BYTES_MAX, Frame, FrameError, Framer, Framing};

use crate::plan::Step;
use crate::vault::Keeping;

/// Most losses that are told one by one in a message.
const TOLD_MAX: usize = 8;

/// The two dialects of an exchange, and what is asked.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) client: &'static dyn Encode,
    pub(crate) upstream: &'static dyn Encode,
    pub(crate) operation: Operation,
    /// The request, as it was decoded.
    pub(crate) request: Arc<Request>,
}

/// A request in the target's dialect.
pub(crate) struct Outbound {
    pub(crate) sent: Sent,
    pub(crate) echo: Echo,
    /// What it could not carry, in the client's words.
    pub(crate) losses: Vec<Loss>,
}

/// What goes to the target.
pub(crate) struct Sent {
    pub(crate) body: Pieces,
    /// The headers without which the body is not taken.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

/// What writing the answer needs.
#[derive(Clone)]
pub(crate) struct Inbound {
    pub(crate) pair: Pair,
    pub(crate) echo: Echo,
    /// The exchange's id.
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// How the client wants a stream framed; none where it wants a whole answer.
    pub(crate) framing: Option<Framing>,
    /// Remembers the answer.
    pub(crate) keeping: Option<Arc<Keeping>>,
}

impl Pair {
    /// Puts the request, or what is given in its place, into the target's dialect, as far as `rule` permits.
    ///
    /// # Errors
    /// When something cannot be carried that must be.
    pub(crate) fn outbound(
        &self,
        step: &Step,
        given: &Given,
        seed: &str,
        rule: &Rule,
    ) -> Result<Outbound, Fault> {
        let model = step.target.id.model.as_str();
        let traits = step.target.traits(step.endpoint.dialect);
        let goal = Goal { operation: self.operation, model, traits: &traits, seed };
        let request = given.request.as_ref().unwrap_or(&self.request);
        let encoded = self.upstream.encode_request(request, &goal);
        let mut losses = renumbered(self.unforced(encoded.losses), &given.turns);
        losses.splice(0..0, given.losses.iter().cloned());
        let losses = judged_as(self.client, &step.target.name, losses, rule, |path| self.named(path))?;
        let sent = Sent { body: encoded.body.into_pieces(), headers: encoded.headers };
        Ok(Outbound { sent, echo: encoded.echo, losses })
    }

    /// A path of the request in the client's words: what is no content of a message may be an item there.
    fn named(&self, path: &str) -> String {
        let part = || {
            let (turn, part) = path.strip_prefix("turns[")?.strip_suffix(']')?.split_once("].parts[")?;
            self.request.turns.get(turn.parse::<usize>().ok()?)?.parts.get(part.parse::<usize>().ok()?)
        };
        match part() {
            Some(Part::Text(_) | Part::Refusal(_) | Part::Media(_)) | None => self.client.name_path(path),
            Some(_) => self.client.name_item(path),
        }
    }

    /// A provider's own tool that the model need not call is left out, not refused: coding agents offer theirs with
    /// every request. See `docs/decisions/0004-tools-nobody-has-to-call.md`.
    fn unforced(&self, mut losses: Vec<Loss>) -> Vec<Loss> {
        let forced = !matches!(self.request.tool_choice, None | Some(ToolChoice::Auto | ToolChoice::None));
        for loss in losses.iter_mut().filter(|loss| !forced && loss.kind == LossKind::Unsupported) {
            let index = loss.path.strip_prefix("tools[").and_then(|rest| rest.strip_suffix(']'));
            let tool = index.and_then(|index| self.request.tools.get(index.parse::<usize>().ok()?));
            if tool.is_some_and(|tool| matches!(tool.kind, ToolKind::Native(_))) {
                loss.kind = LossKind::Dropped;
            }
        }
        losses
    }
}

/// Losses of a request that was given in place of the client's, by the turns of the client's.
pub(crate) fn renumbered(mut losses: Vec<Loss>, turns: &[usize]) -> Vec<Loss> {
    for loss in &mut losses {
        let found = loss.path.strip_prefix("turns[").and_then(|rest| rest.split_once(']'));
        let turn = found.and_then(|(number, rest)| Some((turns.get(number.parse::<usize>().ok()?)?, rest)));
        if let Some((turn, rest)) = turn {
            loss.path = format!("turns[{turn}]{rest}");
        }
    }
    losses
}

/// The losses of a request that mean something, each with the path the client knows.
///
/// # Errors
/// When `rule` does not permit one of them.
pub(crate) fn judged(
    client: &dyn Encode,
    target: &str,
    losses: Vec<Loss>,
    rule: &Rule,
) -> Result<Vec<Loss>, Fault> {
    judged_as(client, target, losses, rule, |path| client.name_path(path))
}

/// The same, each path as `named` puts it.
fn judged_as(
    client: &dyn Encode,
    target: &str,
    losses: Vec<Loss>,
    rule: &Rule,
    named: impl Fn(&str) -> String,
) -> Result<Vec<Loss>, Fault> {
    let telling = losses.into_iter().filter(|loss| !is_left_out(loss, |path| client.is_bookkeeping(path)));
    let losses: Vec<_> = telling.map(|loss| Loss { path: named(&loss.path), ..loss }).collect();
    permitted(target, losses, rule)
}

/// Whether a loss is of bookkeeping that was left out, which is none. What was said otherwise than it came may stand at the
/// same path, and is one.
fn is_left_out(loss: &Loss, is_bookkeeping: impl Fn(&str) -> bool) -> bool {
    loss.kind == LossKind::Dropped && is_bookkeeping(&loss.path)
}

/// Losses in the client's words, all of which must be permitted.
///
/// # Errors
/// When `rule` does not permit one of them.
pub(crate) fn permitted(target: &str, losses: Vec<Loss>, rule: &Rule) -> Result<Vec<Loss>, Fault> {
    let refused = rule.refused(&losses);
    if refused.is_empty() { Ok(losses) } else { Err(untranslatable(target, &refused)) }
}

/// The losses of an answer that mean something, each with the path the client knows, which nobody takes for one of the
/// request.
pub(crate) fn of_answer(client: &dyn Encode, upstream: &dyn Encode, losses: &[Loss]) -> Vec<Loss> {
    let telling =
        losses.iter().filter(|loss| !is_left_out(loss, |path| upstream.is_answer_bookkeeping(path)));
    let named = |path: &str| format!("response.{}", client.name_path(path));
    telling.map(|loss| Loss { path: named(&loss.path), ..loss.clone() }).collect()
}

/// The fault of a request that a target cannot be asked. Another target may be able to.
fn untranslatable(target: &str, refused: &[&Loss]) -> Fault {
    let told: Vec<_> = refused
        .iter()
        .take(TOLD_MAX)
        .map(|loss| format!("{} ({}: {})", loss.path, loss.kind.name(), loss.why))
        .collect();
    let more = refused.len().saturating_sub(TOLD_MAX);
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    let message = format!("{target} cannot be asked this: {}{more}", told.join(", "));
    let mut fault = Fault::new(FaultKind::Untranslatable, message);
    fault.path = refused.first().map(|loss| loss.path.clone());
    fault.retry = Retry::OtherTarget;
    fault
}

impl Inbound {
    fn asker(&self, framing: Framing) -> Asker<'_> {
        Asker {
            operation: self.pair.operation,
            id: &self.id,
            created: self.created,
            framing,
            request: &self.pair.request,
        }
    }

    /// Puts a whole answer into the client's dialect; as a stream where the client asked for one.
    ///
    /// # Errors
    /// When the answer cannot be read, or tells of a failure.
    pub(crate) fn whole(&self, text: &str) -> Result<(Bytes, Reading, Vec<Loss>), Fault> {
        let response = self.pair.upstream.decode_response(text).map_err(unanswered)?;
        if self.pair.operation == Operation::Generate && response.is_count() {
            let message = "the upstream counted tokens where it was asked for an answer";
            return Err(Fault::new(FaultKind::UpstreamMalformed, message));
        }
        Ok(self.told(response))
    }

    /// Puts a whole stream into the client's dialect, which did not ask for one.
    ///
    /// # Errors
    /// When the stream cannot be read, or tells of a failure.
    pub(crate) fn gathered(
        &self,
        stream: &[u8],
        framing: Framing,
    ) -> Result<(Bytes, Reading, Vec<Loss>), Fault> {
        let mut reader = Reader { decoder: self.pair.upstream.decoder(), events: Vec::new(), broken: None };
        let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
        let framed = framer.push(stream, &mut |frame| reader.frame(frame));
        let framed = framed.and_then(|()| framer.finish(&mut |frame| reader.frame(frame)));
        if let Some(fault) = reader.broken.take().or(framed.err().map(unframed)) {
            return Err(fault);
        }
        reader.decoder.finish(&mut reader.events);
        match fold(reader.events) {
            Ok((response, _)) => Ok(self.told(response)),
            Err(FoldError::Failed(fault, _)) => Err(*fault),
            Err(error @ (FoldError::Grammar(_) | FoldError::Misfit(_))) => {
                Err(Fault::new(FaultKind::Internal, "the upstream's stream cannot be put together")
                    .detail(error))
            }
        }
    }

    fn told(&self, mut response: Response) -> (Bytes, Reading, Vec<Loss>) {
        self.echo.restore(&mut response);
        if let Some(keeping) = &self.keeping {
            keeping.answer(Gather::whole(&response));
        }
        let reading = read(&response);
        let Some(framing) = self.framing else {
            let told = self.pair.client.encode_response(&response, &self.asker(Framing::Sse));
            return (
                told.body.into(),
                reading,
                of_answer(self.pair.client, self.pair.upstream, &told.losses),
            );
        };
        let mut encoder = self.pair.client.encoder(&self.asker(framing));
        let mut out = Vec::new();
        for event in unfold(response) {
            encoder.push(&event, &mut out);
        }
        (out.into(), reading, of_answer(self.pair.client, self.pair.upstream, encoder.losses()))
    }

    /// A translation of the stream that an upstream frames as `upstream`.
    pub(crate) fn stream(self, upstream: Framing) -> Translation {
        let framing = self.framing.unwrap_or_default();
        let encoder = self.pair.client.encoder(&self.asker(framing));
        Translation {
            framer: Framer::new(upstream, FRAME_BYTES_MAX),
            reader: Reader { decoder: self.pair.upstream.decoder(), events: Vec::new(), broken: None },
            restorer: self.echo.restorer(),
            restored: Vec::new(),
            encoder,
            client: self.pair.client,
            upstream: self.pair.upstream,
            reading: Reading::default(),
            keeping: self.keeping.map(|keeping| (keeping, Gather::default())),
            #[cfg(debug_assertions)]
            grammar: shim_ir::Grammar::default(),
        }
    }
}

fn unframed(error: FrameError) -> Fault {
    Fault::new(FaultKind::UpstreamMalformed, "the upstream's stream cannot be read").detail(error)
}

/// The fault of an answer that is none.
pub(crate) fn unanswered(error: AnswerError) -> Fault {
    match error {
        AnswerError::Fault(fault) => *fault,
        AnswerError::Decode(error) => {
            let message = "the upstream answered with something that is not an answer";
            Fault::new(FaultKind::UpstreamMalformed, message).detail(error)
        }
    }
}

/// What a meter would read of a whole answer.
fn read(response: &Response) -> Reading {
    let first = response.candidates.first();
    Reading {
        usage: response.usage.clone(),
        finish: first.and_then(|candidate| candidate.finish.clone()),
        model: response.model.clone(),
        billed: Billed::of(response),
        content: response.candidates.iter().any(|candidate| !candidate.parts.is_empty()),
        complete: true,
        ..Reading::default()
    }
}

/// A meter that has read already.
pub(crate) struct Known(pub(crate) Reading);

impl Meter for Known {
    fn frame(&mut self, _: Frame<'_>) {}

    fn whole(&mut self, _: &str) {}

    fn reading(&self) -> &Reading {
        &self.0
    }
}

/// A stream on its way from one dialect into another.
pub(crate) struct Translation {
    framer: Framer,
    reader: Reader,
    restorer: Restorer,
    /// Events in the client's words that wait to be written.
    restored: Vec<Event>,
    encoder: Box<dyn Encoder>,
    client: &'static dyn Encode,
    upstream: &'static dyn Encode,
    reading: Reading,
    /// Remembers the answer once it is complete.
    keeping: Option<(Arc<Keeping>, Gather)>,
    #[cfg(debug_assertions)]
    grammar: shim_ir::Grammar,
}

/// Reads frames into events.
struct Reader {
    decoder: Box<dyn Decoder>,
    events: Vec<Event>,
    /// Why the stream cannot be read on.
    broken: Option<Fault>,
}

impl Reader {
    fn frame(&mut self, frame: Frame<'_>) {
        if self.broken.is_none()
            && let Err(error) = self.decoder.push(frame, &mut self.events)
        {
            let message = "the upstream sent a stream event that cannot be read";
            self.broken = Some(Fault::new(FaultKind::UpstreamMalformed, message).detail(error));
        }
    }
}

impl Translation {
    /// Takes bytes of the upstream's stream; gives those of the client's.
    pub(crate) fn take(&mut self, data: &[u8]) -> Bytes {
        let reader = &mut self.reader;
        let framed = self.framer.push(data, &mut |frame| reader.frame(frame));
        self.check(framed);
        self.write()
    }

    /// The upstream closed: the rest of the client's stream, which tells of it when it was too early.
    pub(crate) fn finish(&mut self) -> Bytes {
        let reader = &mut self.reader;
        let framed = self.framer.finish(&mut |frame| reader.frame(frame));
        self.check(framed);
        if !self.over() {
            self.reader.decoder.finish(&mut self.reader.events);
        }
        self.write()
    }

    /// The upstream's stream broke off: the client's ends with `fault`.
    pub(crate) fn fail(&mut self, fault: Fault) -> Bytes {
        if !self.over() {
            self.reader.events.push(Event::Fault(fault));
        }
        self.write()
    }

    /// Whether the client's stream has its end.
    pub(crate) fn over(&self) -> bool {
        self.reading.complete || self.reading.fault.is_some()
    }

    pub(crate) fn reading(&self) -> &Reading {
        &self.reading
    }

    /// What the answer's dialect could not carry so far.
    pub(crate) fn losses(&self) -> Vec<Loss> {
        of_answer(self.client, self.upstream, self.encoder.losses())
    }

    pub(crate) fn keep_alive(&self) -> Option<&'static [u8]> {
        self.encoder.keep_alive()
    }

    /// Whatever cannot be framed or read ends the stream in a fault.
    fn check(&mut self, framed: Result<(), FrameError>) {
        if let Err(error) = framed {
            self.reader.broken = Some(unframed(error));
        }
        if let Some(fault) = self.reader.broken.clone()
            && !self.over()
            && !self.reader.events.iter().any(|event| matches!(event, Event::Fault(_) | Event::Finish(_)))
        {
            self.reader.events.push(Event::Fault(fault));
        }
    }

    fn write(&mut self) -> Bytes {
        let mut out = Vec::new();
        for event in self.reader.events.drain(..) {
            self.restorer.take(event, &mut self.restored);
        }
        let mut restored = std::mem::take(&mut self.restored);
        for event in restored.drain(..) {
            if self.over() {
                break;
            }
            #[cfg(debug_assertions)]
            if let Err(error) = self.grammar.take(&event) {
                debug_assert!(false, "{error}: {event:?}");
            }
            self.note(&event);
            self.encoder.push(&event, &mut out);
        }
        // The room is kept for the next chunk.
        self.restored = restored;
        out.into()
    }

    fn note(&mut self, event: &Event) {
        if let Some((_, gather)) = &mut self.keeping {
            gather.take(event);
        }
        let reading = &mut self.reading;
        reading.billed.note(event);
        match event {
            Event::Start(start) => reading.model.clone_from(&start.model),
            Event::PartStart { .. } | Event::PartDelta { .. } => reading.content = true,
            Event::Usage(usage) => reading.usage = Some(usage.clone()),
            Event::Finish(finishes) => {
                reading.finish = finishes.first().cloned().flatten();
                reading.complete = true;
                if let Some((keeping, gather)) = self.keeping.take() {
                    keeping.answer(gather);
                }
            }
            Event::Fault(fault) => reading.fault = Some(fault.clone()),
            Event::PartEnd { .. } | Event::Rest(_) | Event::Foreign(_) => {}
        }
    }
}
