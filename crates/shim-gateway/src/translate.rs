//! Another dialect than the client's: the request is put into the target's, the answer back into the client's.

mod losses;
mod stream;

use std::sync::Arc;

use bytes::Bytes;
use shim_dialect::{AnswerError, Asker, Billed, Echo, Encode, Goal, Meter, Operation, Reading};
use shim_ir::{Fault, FaultKind, Loss, LossKind, Part, Request, Response, ToolChoice, ToolKind, unfold};
use shim_policy::fidelity::Rule;
use shim_policy::vault::{Gather, Given};
use shim_wire::Pieces;
use shim_wire::frame::{Frame, Framing};

use self::losses::judged_as;
pub(crate) use self::losses::{judged, of_answer, permitted, renumbered};
pub(crate) use self::stream::Translation;
use crate::plan::Step;
use crate::vault::Keeping;

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
}

/// What is said of an answer that is none, by who does not know whose it is.
pub(crate) const NO_ANSWER: &str = "the upstream answered with something that is not an answer";

/// The fault of an answer that is none.
pub(crate) fn unanswered(error: AnswerError) -> Fault {
    match error {
        AnswerError::Fault(fault) => *fault,
        AnswerError::Decode(error) => Fault::new(FaultKind::UpstreamMalformed, NO_ANSWER).detail(error),
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
