//! `demo/hello`: a responder without a model, so that the first request works before there is a key.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use shim_catalog::OwnPrice;
use shim_dialect::{Meter, Operation, Plain};
use shim_ir::{Dialect, Fault, FaultKind, ModelId, ProviderId, Usage};
use shim_upstream::Timeouts;
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::attempt::{Answered, Attempt};
use crate::generation::{EndpointSetup, KnownModel, ProviderSetup, ServedBy};
use crate::kept::previous;
use crate::pipeline::{Admitted, Coded};
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
    let framing = (admitted.head.stream || admitted.route.stream).then_some(admitted.route.framing);
    let body = said(shared, admitted, framing, ticket);
    let meter = metered(codec, &body, framing);
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

/// What it says, in the client's dialect.
fn said(shared: &Shared, admitted: &Admitted, framing: Option<Framing>, ticket: &Ticket) -> Bytes {
    let id = ticket.id().to_string();
    let usage = Usage::default();
    let created = shared.clock.now_ms() / 1000;
    let plain = Plain {
        id: &id,
        model: &admitted.head.model,
        text: TEXT,
        created,
        usage: &usage,
        previous: previous(admitted),
    };
    admitted.codec.0.encode_plain(&plain, framing)
}

/// The meter that has read it, as it reads every answer.
fn metered(codec: Coded, body: &Bytes, framing: Option<Framing>) -> Box<dyn Meter> {
    let mut meter = codec.0.meter(Operation::Generate);
    match framing {
        None => meter.whole(std::str::from_utf8(body).unwrap_or_default()),
        Some(framing) => {
            let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
            // What we wrote ourselves is framed; the meter's reading shows it if not.
            let _ = framer.push(body, &mut |frame| meter.frame(frame));
        }
    }
    meter
}

/// The provider of that name, always there.
pub(crate) fn provider() -> ProviderSetup {
    let endpoint =
        |dialect| EndpointSetup { dialect, served_by: ServedBy::Demo, counter: false, region: None };
    let hello = ModelId::new("hello").ok().map(|id| KnownModel {
        id,
        display: "demo: a built-in responder, no model".to_owned(),
        created: 0,
        context_max: None,
        output_max: None,
    });
    let id = ProviderId::new("demo").unwrap_or_else(|_| unreachable!("the name is a constant and valid"));
    ProviderSetup {
        id,
        endpoints: Dialect::ALL.map(endpoint).to_vec(),
        asked_in: Vec::new(),
        models: hello.into_iter().collect(),
        think_tags: Vec::new(),
        prices: vec![("*".to_owned(), OwnPrice::FREE)],
        timeouts: Timeouts::default(),
        credential: None,
    }
}
