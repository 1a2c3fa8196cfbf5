//! Embeddings of a target that speaks another dialect than the client.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use shim_dialect::{DecodeError, Embed, Encode, Goal, Operation, Reading, speaker};
use shim_ir::{Dialect, EmbedRequest, Embeddings, Fault, FaultKind, Vector, VectorForm};
use shim_policy::fidelity::Rule;
use shim_upstream::Connect;
use shim_wire::scan::utf8;

use crate::attempt::{Attempt, Failed, encoded};
use crate::crossing::{ask, crossed, whole};
use crate::generation::HttpSetup;
use crate::pipeline::{Admitted, Worker};
use crate::plan::Step;
use crate::ticket::Ticket;
use crate::translate::{Sent, judged, of_answer, unanswered};

/// Asks a target in its own dialect for embeddings, and puts them into the client's.
///
/// # Errors
/// When request or answer cannot be put into the other dialect, or the target does not answer.
pub(crate) async fn embed<C: Connect>(
    worker: &Worker<C>,
    admitted: &Admitted,
    rule: &Rule,
    step: &Step,
    http: &HttpSetup,
    ticket: &Ticket,
) -> Result<Attempt, Failed> {
    let (client, ours) = embedder(admitted.codec.0.dialect())?;
    let (upstream, theirs) = embedder(step.endpoint.dialect)?;
    let text = utf8(&admitted.body).map_err(|error| DecodeError::from(error).into_request_fault())?;
    let request = ours.decode_embed(&admitted.route, text).map_err(DecodeError::into_request_fault)?;
    let (seed, traits) = (ticket.id().to_string(), step.target.traits(step.endpoint.dialect));
    let model = step.target.id.model.as_str();
    let goal = Goal { operation: Operation::Embed, model, traits: &traits, seed: &seed };
    let asked = theirs.encode_embed(&request, &goal);
    let mut losses = judged(client, &step.target.name, asked.losses, rule)?;
    let sent = Sent { body: asked.body.into_pieces(), headers: asked.headers };
    let mut answer = match ask(worker, admitted, step, http, false, &sent).await {
        Ok(answer) => answer,
        Err(failed) => return Err(failed.after(losses)),
    };
    let status = answer.response.status();
    let mut headers = std::mem::take(answer.response.headers_mut());
    if let Some(fault) = encoded(&headers, step) {
        return Err(Failed::with(fault, headers).after(losses));
    }
    let put = |_: &[u8], text: &str| {
        let embeddings = theirs.decode_embeddings(text).map_err(unanswered)?;
        check(&request, &embeddings)?;
        let told = ours.encode_embeddings(&embeddings, &request);
        let (usage, model) = (embeddings.usage, embeddings.model);
        let reading = Reading { usage, model, content: true, complete: true, ..Reading::default() };
        Ok((told.body.into(), reading, of_answer(client, upstream, &told.losses)))
    };
    match whole(step, http, &headers, &mut answer, put).await {
        Ok((body, more)) => {
            answer.lease.give_back();
            losses.extend(more);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(crossed(admitted, step, status, headers, body, losses))
        }
        Err(fault) => Err(Failed::with(fault, headers).after(losses)),
    }
}

/// Checks that an answer has what was asked for. Bytes where numbers were asked for may be anything: Perplexity's are no
/// floats (<https://docs.perplexity.ai/docs/embeddings/best-practices>, read 2026-11-25).
fn check(request: &EmbedRequest, answer: &Embeddings) -> Result<(), Fault> {
    let bytes = answer.vectors.iter().any(|vector| matches!(vector.values, Vector::Base64(_)));
    let message = match () {
        () if answer.vectors.len() != request.inputs.len() => {
            "the upstream gave another number of embeddings than was asked for"
        }
        () if bytes && request.form != Some(VectorForm::Base64) => {
            "the upstream gave bytes where numbers were asked for"
        }
        () => return Ok(()),
    };
    Err(Fault::new(FaultKind::UpstreamMalformed, message))
}

/// All of a dialect, and its embeddings.
fn embedder(dialect: Dialect) -> Result<(&'static dyn Encode, &'static dyn Embed), Fault> {
    let all = speaker(dialect);
    let none = || Fault::new(FaultKind::Untranslatable, format!("{dialect} has no embeddings"));
    all.embeds().map(|embeds| (all, embeds)).ok_or_else(none)
}
