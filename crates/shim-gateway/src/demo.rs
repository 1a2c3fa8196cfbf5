//! `demo/hello`: a responder without a model, so that the first request works before there is a key.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use shim_dialect::{Operation, Plain};
use shim_ir::{Fault, FaultKind, Usage};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::attempt::{Answered, Attempt};
use crate::kept::previous;
use crate::pipeline::Admitted;
use crate::plan::Step;
use crate::shared::Shared;
use crate::ticket::Ticket;

const TEXT: &str = "Hello from shim. This is demo/hello, a built-in responder: no model was asked. Set a provider's API key \
                    in the environment (for example OPENAI_API_KEY or ANTHROPIC_API_KEY), start `shim up` again, and ask \
                    for one of the models it lists.";

/// Answers in the client's dialect, whole or streamed.
///
/// # Errors
/// When something other than an answer to a conversation is asked for, or another model than `hello`.
pub(crate) fn answer(
    shared: &Shared,
    admitted: &Admitted,
    step: &Step,
    ticket: &Ticket,
) -> Result<Attempt, Fault> {
    if admitted.route.operation != Operation::Generate {
        let message =
            format!("demo/hello only answers conversations; it has no {}", admitted.route.operation.name());
        return Err(Fault::new(FaultKind::Untranslatable, message));
    }
    if step.target.id.model.as_str() != "hello" {
        return Err(
            Fault::new(FaultKind::UnknownModel, "the demo provider has one model: demo/hello").at("model")
        );
    }
    let codec = admitted.codec;
    let id = ticket.id().to_string();
    let usage = Usage::default();
    let plain = Plain {
        id: &id,
        model: &admitted.head.model,
        text: TEXT,
        created: shared.clock.now_ms() / 1000,
        usage: &usage,
        previous: previous(admitted),
    };
    let framing = (admitted.head.stream || admitted.route.stream).then_some(admitted.route.framing);
    let body = codec.0.encode_plain(&plain, framing);
    let mut meter = codec.0.meter(Operation::Generate);
    match framing {
        None => meter.whole(std::str::from_utf8(&body).unwrap_or_default()),
        Some(framing) => {
            let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
            // What we wrote ourselves is framed; the meter's reading shows it if not.
            let _ = framer.push(&body, &mut |frame| meter.frame(frame));
        }
    }
    let kind = if framing == Some(Framing::Sse) { "text/event-stream" } else { "application/json" };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(Attempt {
        codec,
        target: step.target.header.clone(),
        status: StatusCode::OK,
        headers,
        body: Answered::Whole { bytes: body, meter, read: true },
        fault: None,
        losses: None,
        timeouts: step.target.provider.timeouts,
    })
}
