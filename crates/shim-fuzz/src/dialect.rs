//! The laws of a dialect, for any bytes.

use bytes::Bytes;
use shim_dialect::{AnswerError, Decode, DecodeError, Items, Link, Operation, Reading, Route};
use shim_ir::{Event, FaultKind, FoldError, Grammar, Request, Response, fold};
use shim_wire::frame::{FRAME_BYTES_MAX, Frame, Framer, Framing};
use shim_wire::scan::{self, Limits};
use shim_wire::{Splice, splice};

use crate::{across, halves, place};

/// Every way a dialect is asked with a body.
const PATHS: [&str; 12] = [
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/responses/compact",
    "/v1/responses/input_tokens",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1beta/models/m:generateContent",
    "/v1beta/models/m:streamGenerateContent",
    "/v1beta/models/m:countTokens",
    "/v1beta/models/m:embedContent",
    "/v1beta/models/m:batchEmbedContents",
];

/// The model requests are sent on to.
const OTHER: &str = "another/model";

/// A request: the head says what decoding says, and sending it on changes the model and nothing else.
pub(crate) fn request(codec: &dyn Decode, data: &[u8]) {
    let Ok(body) = std::str::from_utf8(data) else { return };
    for route in PATHS.iter().filter_map(|path| codec.route("POST", path, None)) {
        sent_on(codec, &route, body);
    }
}

fn sent_on(codec: &dyn Decode, route: &Route, body: &str) {
    if route.operation == Operation::Embed {
        across::embed(codec.dialect(), route, body);
    }
    kept(codec, route, body);
    let decoded = codec.decode_request(route, body);
    if let Ok(request) = &decoded {
        across::request(request, route.operation);
    }
    let Ok(head) = codec.head(route, body) else { return };
    assert!(scan::check(body.as_bytes(), Limits::default()).is_ok(), "the head accepts what is not JSON");
    read_as_checked(codec, route, body, &decoded);
    let moved = Route { model: route.model.as_ref().map(|_| OTHER.to_owned()), ..route.clone() };
    // A body may name another model than the path does; sent on, both are the same.
    let twice = route.model.is_some() && (head.model_span.is_some() || !head.model_spans_inside.is_empty());
    for usage in [false, true] {
        let text = spliced(body, codec.retarget(&head, OTHER, usage));
        let again = codec.head(&moved, &text);
        assert!(again.is_ok_and(|again| again.model == OTHER && again.stream == head.stream), "{text}");
        let Ok(request) = &decoded else { continue };
        assert_eq!((&*head.model, head.stream), (&*request.model, request.stream.is_some()));
        match codec.decode_request(&moved, &text) {
            Ok(mut back) => {
                assert_eq!(back.model, OTHER);
                back.model.clone_from(&request.model);
                assert!(usage || twice || back == *request, "{back:?}\nis not\n{request:?}");
            }
            Err(error) => assert_eq!(error.to_string(), "", "it does not decode when sent on: {text}"),
        }
    }
}

/// What the head takes says the same when it is read as a body that was checked.
fn read_as_checked(codec: &dyn Decode, route: &Route, body: &str, known: &Result<Request, DecodeError>) {
    let body = Bytes::from(body.to_owned());
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let read = shim_wire::checked(&body, || codec.decode_request(route, text));
    assert_eq!(format!("{read:?}"), format!("{known:?}"));
}

/// A request that names nothing of kept answers says the same when it is said in full; any other stays JSON, and no longer
/// names an answer before it.
fn kept(codec: &dyn Decode, route: &Route, body: &str) {
    let Some((keep, Ok(ask))) = codec.keep().map(|keep| (keep, keep.ask(body))) else { return };
    for own in [false, true] {
        let link = Link { id: "resp_1", input: "\"hi\"", answer: body };
        let _ = keep.items(&link);
        let whole = keep.rebuild(body, &[link], &Items::new(), own).unwrap_or_default();
        assert!(keep.ask(&whole).is_ok_and(|again| again.previous.is_none()), "{whole}");
    }
    let whole = keep.rebuild(body, &[], &Items::new(), false).unwrap_or_default();
    let twice = scan_twice(body);
    if let (Ok(request), false, false) = (codec.decode_request(route, body), ask.names(), twice)
        && ask.input.is_some()
    {
        let again = codec.decode_request(route, &whole);
        assert!(again.is_ok_and(|again| again.turns == request.turns), "{whole}");
    }
}

/// Whether a body says its input twice, of which decoding and saying in full may take another.
fn scan_twice(body: &str) -> bool {
    let mut seen = 0;
    let read = shim_wire::Walk::whole(body, Limits::default(), |_, key| {
        seen += usize::from(key == "input");
        Ok(())
    });
    read.is_err() || seen > 1
}

fn spliced(body: &str, splices: impl IntoIterator<Item = Splice>) -> String {
    let pieces = splice(&Bytes::copy_from_slice(body.as_bytes()), splices.into_iter().collect());
    let text = String::from_utf8(pieces.unwrap_or_default().concat());
    text.unwrap_or_default()
}

/// A whole answer: the meter says what decoding says.
pub(crate) fn answer(codec: &dyn Decode, data: &[u8]) {
    let Ok(body) = std::str::from_utf8(data) else { return };
    across::embeddings(codec.dialect(), body);
    let mut meter = codec.meter(Operation::Generate);
    meter.whole(body);
    let reading = meter.reading();
    let _ = codec.is_plainly_good(body);
    match codec.decode_response(body) {
        // A count is an answer of its own to who asked for one; the meter was told that it is for a conversation.
        Ok(response) if response.is_count() => across::answer(&response),
        Ok(response) => {
            agrees(reading, &response);
            across::answer(&response);
        }
        Err(AnswerError::Fault(fault)) => failed(reading, &fault.to_string()),
        Err(AnswerError::Decode(error)) => {
            let json = scan::check(data, Limits::default()).is_ok();
            assert!(json || !reading.complete, "complete, but no JSON: {error}");
        }
    }
}

/// What is heard of a stream.
#[derive(Debug, PartialEq)]
struct Heard {
    events: Vec<Event>,
    /// Why it is not a stream of its dialect.
    broke: Option<String>,
    /// Whether it was complete, or had failed, before it broke. What comes after that is of no account.
    ended: bool,
    /// Whether what broke it is JSON, of another shape than decoding needs. A meter needs less.
    shape: bool,
    reading: Reading,
}

/// A stream: the order of events, the meter, and that any chunking gives the same.
pub(crate) fn stream(codec: &dyn Decode, data: &[u8]) {
    let framing = match data.first() {
        Some(b'[') => Framing::JsonArray,
        _ => Framing::Sse,
    };
    let heard = hear(codec, &[data], framing);
    in_order(&heard);
    metered(&heard);
    across::stream(&heard.events);
    assert_eq!(hear(codec, &halves(data), framing), heard, "cut at {}", place(data));
}

fn hear(codec: &dyn Decode, chunks: &[&[u8]], framing: Framing) -> Heard {
    let (mut decoder, mut meter) = (codec.decoder(), codec.meter(Operation::Generate));
    let (mut events, mut broke, mut shape) = (Vec::new(), None, false);
    let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
    let mut on = |frame: Frame<'_>| {
        if broke.is_none() {
            meter.frame(frame);
            broke = decoder.push(frame, &mut events).err().map(|e| e.to_string());
            shape = broke.is_some() && scan::check(frame.data.as_bytes(), Limits::default()).is_ok();
        }
    };
    let pushed = chunks.iter().try_for_each(|chunk| framer.push(chunk, &mut on));
    let framed = pushed.and_then(|()| framer.finish(&mut on));
    let broke = broke.or(framed.err().map(|e| e.to_string()));
    let over = matches!(events.last(), Some(Event::Finish(_) | Event::Fault(_)));
    let ended = over || meter.reading().complete;
    decoder.finish(&mut events);
    Heard { events, broke, ended, shape, reading: meter.reading().clone() }
}

/// The events obey the grammar, fold to an answer, and do not end well where the stream broke.
fn in_order(heard: &Heard) {
    let mut grammar = Grammar::default();
    for (at, event) in heard.events.iter().enumerate() {
        assert_eq!(grammar.take(event), Ok(()), "event {at}: {event:?}");
    }
    assert_eq!(grammar.finish(), Ok(()));
    if heard.broke.is_some() && !heard.ended {
        assert!(matches!(heard.events.last(), Some(Event::Fault(_))), "a broken stream ends well: {heard:?}");
    }
}

/// The meter says what the events say.
fn metered(heard: &Heard) {
    match fold(heard.events.iter().cloned()) {
        Ok((response, _)) => agrees(&heard.reading, &response),
        Err(FoldError::Failed(..)) if heard.shape => {}
        Err(FoldError::Failed(fault, _)) => failed(&heard.reading, &fault.to_string()),
        Err(error) => assert_eq!(error.to_string(), "", "{heard:?}"),
    }
}

#[track_caller]
fn agrees(reading: &Reading, response: &Response) {
    let same = match (&reading.usage, &response.usage) {
        (Some(read), Some(usage)) => read.same_counts(usage),
        (None, None) => true,
        _ => false,
    };
    assert!(same, "{:?}\nis not\n{:?}", reading.usage, response.usage);
    let finish = response.candidates.first().and_then(|candidate| candidate.finish.as_ref());
    // A meter reads the candidate numbered 0; where an upstream's numbers start elsewhere, it reads none.
    if reading.finish.is_some() {
        assert_eq!(reading.finish.as_ref().map(|f| &f.reason), finish.map(|f| &f.reason));
    }
    assert_eq!(reading.model, response.model);
    assert!(reading.complete && reading.fault.is_none(), "{reading:?}");
}

#[track_caller]
fn failed(reading: &Reading, why: &str) {
    assert!(!reading.complete || reading.fault.is_some(), "the meter missed that {why}: {reading:?}");
}

/// An error: any body gives a fault, which its own dialect reads as the same, whole or at the end of a stream.
pub(crate) fn fault(codec: &dyn Decode, data: &[u8]) {
    let status = 400 + u16::from(data.last().copied().unwrap_or_default() % 200);
    let fault = codec.decode_fault(status, data);
    assert_eq!(fault.status, Some(status), "{fault:?}");
    assert!(!fault.message.is_empty(), "{fault:?}");
    let body = codec.encode_fault(&fault);
    assert!(scan::check(&body, Limits::default()).is_ok(), "{body:?}");
    let again = codec.decode_fault(fault.http_status(), &body);
    assert_eq!(again.status, fault.status);
    // What tells of the gateway's own credential is not repeated.
    assert!(again.message == fault.message || again.kind == FaultKind::UpstreamCredential, "{again:?}");
    for framing in [Framing::Sse, Framing::JsonArray] {
        let end = codec.encode_stream_fault(&fault, framing);
        let begin: &[u8] = if end.starts_with(b",") { b"[" } else { b"" };
        let framing = if begin.is_empty() { Framing::Sse } else { framing };
        let heard = hear(codec, &[begin, &end], framing);
        let told = matches!(heard.events.last(), Some(Event::Fault(told)) if told.message == again.message);
        assert!(told && heard.broke.is_none(), "{end:?}: {heard:?}");
        metered(&heard);
    }
}
