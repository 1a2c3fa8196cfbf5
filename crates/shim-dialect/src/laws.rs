//! The laws every dialect obeys, run over our corpus and over recorded traffic.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shim_ir::{Event, FoldError, Grammar, Response, fold};
use shim_testkit::corpus::{self, Case};
use shim_testkit::recordings::{self, Recording};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::{AnswerError, Asker, Billed, Codec, Decode, Encode, Goal, Operation, Reading, Route};

/// The events of a stream that arrives in `chunks`. Every event passes the grammar.
#[track_caller]
pub(crate) fn events(codec: &dyn Decode, chunks: &[&[u8]], framing: Framing) -> Vec<Event> {
    let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
    let mut decoder = codec.decoder();
    let mut out = Vec::new();
    let mut failed = None;
    for chunk in chunks {
        let framed = framer.push(chunk, &mut |frame| {
            if failed.is_none() {
                failed = decoder.push(frame, &mut out).err();
            }
        });
        framed.expect("the stream is framed");
    }
    framer.finish(&mut |frame| drop(decoder.push(frame, &mut out))).expect("the stream ends on a frame");
    assert!(failed.is_none(), "a frame does not decode: {}", failed.unwrap());
    decoder.finish(&mut out);
    let mut grammar = Grammar::default();
    for (at, event) in out.iter().enumerate() {
        if let Err(error) = grammar.take(event) {
            panic!("event {at} {event:?}: {error}");
        }
    }
    grammar.finish().expect("the stream has an end");
    out
}

/// Law: any chunking of the bytes gives the same events.
#[track_caller]
pub(crate) fn any_chunking(codec: &dyn Decode, stream: &[u8], framing: Framing, wanted: &[Event]) {
    let by_byte: Vec<_> = stream.chunks(1).collect();
    assert_eq!(events(codec, &by_byte, framing), wanted, "byte by byte");
    let mut runner = TestRunner::new(Config { cases: 4, failure_persistence: None, ..Config::default() });
    let sizes = proptest::collection::vec(1usize..200, 1..16);
    let outcome = runner.run(&sizes, |sizes| {
        let mut chunks = Vec::new();
        let mut rest = stream;
        for size in sizes.iter().cycle() {
            let (head, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(head);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&events(codec, &chunks, framing)[..], wanted);
        Ok(())
    });
    outcome.expect("the same events");
}

/// Law: the meter says what the decoder says.
#[track_caller]
pub(crate) fn meter_agrees_on_stream(codec: &dyn Codec, stream: &[u8], framing: Framing, events: &[Event]) {
    let mut meter = codec.meter(Operation::Generate);
    let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
    framer.push(stream, &mut |frame| meter.frame(frame)).expect("framed");
    framer.finish(&mut |frame| meter.frame(frame)).expect("framed");
    let reading = meter.reading();
    match fold(events.iter().cloned()) {
        Ok((response, _)) => {
            agrees(reading, &response);
            let mut billed = Billed::default();
            events.iter().for_each(|event| billed.note(event));
            bills(reading, &billed);
        }
        Err(FoldError::Failed(fault, _)) => {
            assert!(!reading.complete || reading.fault.is_some(), "the meter missed {fault}");
        }
        Err(error) => panic!("{error}"),
    }
}

/// Law: the meter says what the whole answer says.
#[track_caller]
pub(crate) fn meter_agrees_on_whole(codec: &dyn Codec, body: &str, response: &Response) {
    let mut meter = codec.meter(Operation::Generate);
    meter.whole(body);
    agrees(meter.reading(), response);
    // A list of pieces read at once has no place for what only events tell.
    if !body.trim_start().starts_with('[') {
        bills(meter.reading(), &Billed::of(response));
    }
}

#[track_caller]
fn bills(reading: &Reading, billed: &Billed) {
    assert_eq!(reading.billed.service, billed.service);
    assert_eq!(reading.billed.region, billed.region);
    // An image that was made is a part like any other, and no call.
    assert!(reading.billed.tools || !billed.tools, "{reading:?} {billed:?}");
    assert_eq!(reading.billed.searches > 0, billed.searches > 0, "{reading:?} {billed:?}");
}

#[track_caller]
fn agrees(reading: &Reading, response: &Response) {
    let usage = response.usage.as_ref();
    assert_eq!(reading.usage.is_some(), usage.is_some(), "{reading:?}");
    if let (Some(read), Some(usage)) = (&reading.usage, usage) {
        assert!(read.same_counts(usage), "{read:?} is not {usage:?}");
    }
    let finish = response.candidates.first().and_then(|c| c.finish.as_ref());
    assert_eq!(reading.finish.as_ref().map(|f| &f.reason), finish.map(|f| &f.reason));
    assert_eq!(reading.model, response.model);
    assert!(reading.complete && reading.fault.is_none(), "{reading:?}");
}

/// Runs the laws over one streamed answer and returns its events.
#[track_caller]
pub(crate) fn stream_laws(codec: &dyn Decode, stream: &[u8], framing: Framing) -> Vec<Event> {
    let events = events(codec, &[stream], framing);
    any_chunking(codec, stream, framing, &events);
    meter_agrees_on_stream(codec, stream, framing, &events);
    events
}

/// Runs the laws over one whole answer.
#[track_caller]
pub(crate) fn whole_laws(codec: &dyn Decode, body: &str) -> Response {
    match codec.decode_response(body) {
        Ok(response) => {
            meter_agrees_on_whole(codec, body, &response);
            response
        }
        Err(AnswerError::Fault(fault)) => panic!("the answer tells of a failure: {fault}"),
        Err(AnswerError::Decode(error)) => panic!("the answer does not decode: {error}"),
    }
}

/// Law: a request decodes, its head says what the decoded request says, and retargeting changes the model and,
/// where asked, usage, and nothing else.
#[track_caller]
pub(crate) fn request_laws(codec: &dyn Decode, route: &Route, body: &str) -> shim_ir::Request {
    let request =
        codec.decode_request(route, body).unwrap_or_else(|e| panic!("the request does not decode: {e}"));
    let head = codec.head(route, body).unwrap_or_else(|e| panic!("the head does not read: {e}"));
    assert_eq!(head.model, request.model);
    assert_eq!(head.stream, request.stream.is_some());
    let shared = bytes::Bytes::copy_from_slice(body.as_bytes());
    let text = std::str::from_utf8(&shared).expect("UTF-8");
    let read = shim_wire::checked(&shared, || codec.decode_request(route, text));
    assert_eq!(read.as_ref(), Ok(&request), "what was checked says the same");
    let other = "another-model";
    let splices = codec.retarget(&head, other, false);
    let pieces =
        shim_wire::splice(&bytes::Bytes::copy_from_slice(body.as_bytes()), splices).expect("splices fit");
    let text = String::from_utf8(pieces.concat()).expect("UTF-8");
    let moved = Route { model: route.model.as_ref().map(|_| other.to_owned()), ..route.clone() };
    let mut back = codec.decode_request(&moved, &text).expect("a retargeted request decodes");
    assert_eq!(back.model, other);
    back.model.clone_from(&request.model);
    assert_eq!(back, request, "retargeting changed more than the model");
    let splices = codec.retarget(&head, other, true);
    let pieces =
        shim_wire::splice(&bytes::Bytes::copy_from_slice(body.as_bytes()), splices).expect("splices fit");
    let text = String::from_utf8(pieces.concat()).expect("UTF-8");
    codec.decode_request(&moved, &text).expect("a request that asks for usage decodes");
    request
}

/// Law: a request for embeddings decodes, its head says what the decoded request says, retargeting changes the model and
/// nothing else, and what is encoded in the same dialect is the same request, with nothing lost.
#[track_caller]
pub(crate) fn embed_laws(codec: &dyn Encode, route: &Route, body: &str) -> shim_ir::EmbedRequest {
    let embed = codec.embeds().expect("it has embeddings");
    let request = embed.decode_embed(route, body).unwrap_or_else(|e| panic!("{e}: {body}"));
    let head = codec.head(route, body).unwrap_or_else(|e| panic!("the head does not read: {e}"));
    assert_eq!((&head.model, head.stream), (&request.model, false));
    let other = "another-model";
    let splices = codec.retarget(&head, other, true);
    let pieces =
        shim_wire::splice(&bytes::Bytes::copy_from_slice(body.as_bytes()), splices).expect("splices fit");
    let moved = Route { model: route.model.as_ref().map(|_| other.to_owned()), ..route.clone() };
    let text = String::from_utf8(pieces.concat()).expect("UTF-8");
    let back = embed.decode_embed(&moved, &text).expect("a retargeted request decodes");
    let wanted = shim_ir::EmbedRequest { model: other.to_owned(), ..request.clone() };
    assert_eq!(back, wanted, "retargeting changed more than the model");
    assert!(codec.decode_request(route, body).is_err(), "embeddings are no conversation");

    let traits = shim_ir::Traits::default();
    let goal = Goal { operation: Operation::Embed, model: &request.model, traits: &traits, seed: "seed" };
    let encoded = embed.encode_embed(&request, &goal);
    assert_eq!(encoded.losses, [], "the same dialect loses nothing");
    let text = encoded.body.to_text();
    let asked = codec.route_for(Operation::Embed, &request.model, false);
    let mut back = embed.decode_embed(&asked, &text).unwrap_or_else(|e| panic!("{e}: {text}"));
    // One input may be asked for as a list of one.
    back.alone = request.alone;
    assert_eq!(back, request, "{text}");
    request
}

/// Law: an answer with embeddings decodes, the meter says the same of its usage, and what is encoded in the same dialect
/// for who asked `request` is the same answer.
#[track_caller]
pub(crate) fn embeddings_laws(codec: &dyn Encode, body: &str, request: &shim_ir::EmbedRequest) {
    let embed = codec.embeds().expect("it has embeddings");
    let answer = embed.decode_embeddings(body).unwrap_or_else(|e| panic!("{e}: {body}"));
    assert_eq!(answer.vectors.len(), request.inputs.len());
    let mut meter = codec.meter(Operation::Embed);
    meter.whole(body);
    let reading = meter.reading();
    assert!(reading.complete && reading.fault.is_none(), "{reading:?}");
    let same = match (&reading.usage, &answer.usage) {
        (Some(read), Some(usage)) => read.same_counts(usage),
        (None, None) => true,
        _ => false,
    };
    assert!(same, "{:?} is not {:?}", reading.usage, answer.usage);
    let told = embed.encode_embeddings(&answer, request);
    assert_eq!(told.losses, [], "the same dialect loses nothing");
    let text = String::from_utf8(told.body).expect("UTF-8");
    let back = embed.decode_embeddings(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let bare = |mut answer: shim_ir::Embeddings| {
        answer.usage.iter_mut().for_each(|usage| usage.words = None);
        answer
    };
    assert_eq!(bare(back), bare(answer), "{text}");
}

/// What an encoder is told of the client whose request is `request`.
pub(crate) fn asker(request: &shim_ir::Request, framing: Framing) -> Asker<'_> {
    Asker {
        operation: Operation::Generate,
        id: "0192f0c1e2a34b5c8d9e0f1a2b3c4d5e",
        created: 1_790_000_000,
        framing,
        request,
    }
}

/// Law: a request that was decoded, encoded in the same dialect and decoded again is the same, and nothing is lost.
#[track_caller]
pub(crate) fn request_round_trip(codec: &dyn Encode, route: &Route, request: &shim_ir::Request) {
    let traits = shim_ir::Traits::default();
    let goal = Goal { operation: route.operation, model: &request.model, traits: &traits, seed: "seed" };
    let encoded = codec.encode_request(request, &goal);
    assert_eq!(encoded.losses, [], "the same dialect loses nothing");
    assert!(encoded.echo.is_empty(), "the same dialect changes nothing: {:?}", encoded.echo);
    let text = encoded.body.to_text();
    let back = codec.decode_request(route, &text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(&back, request, "{text}");
}

/// Law: a whole answer that was decoded, encoded in the same dialect and decoded again is the same.
#[track_caller]
pub(crate) fn whole_round_trip(codec: &dyn Encode, response: &Response) {
    let request = shim_ir::Request::default();
    let told = codec.encode_response(response, &asker(&request, Framing::Sse));
    assert_eq!(told.losses, [], "the same dialect loses nothing");
    let text = String::from_utf8(told.body).expect("UTF-8");
    let back = codec.decode_response(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    same_answer(&back, response, &text);
}

/// Law: the events of a stream, encoded in the same dialect and decoded again, fold to the same answer; a fault stays a
/// fault.
#[track_caller]
pub(crate) fn stream_round_trip(codec: &dyn Encode, framing: Framing, events: &[Event]) {
    let request = shim_ir::Request::default();
    let text = encoded_stream(codec, &asker(&request, framing), events);
    let again = self::events(codec, &[text.as_bytes()], framing);
    match (fold(again), fold(events.iter().cloned())) {
        (Ok((back, _)), Ok((wanted, _))) => same_answer(&back, &wanted, &text),
        (Err(FoldError::Failed(back, _)), Err(FoldError::Failed(wanted, _))) => {
            assert_eq!(back.message, wanted.message, "{text}");
        }
        (back, wanted) => panic!("{back:?} is not {wanted:?}: {text}"),
    }
}

/// The bytes of a stream that tells `events`.
pub(crate) fn encoded_stream(codec: &dyn Encode, asker: &Asker<'_>, events: &[Event]) -> String {
    let mut encoder = codec.encoder(asker);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    String::from_utf8(out).expect("UTF-8")
}

/// The same answer but for the upstream's own words on its usage, which are written anew.
#[track_caller]
fn same_answer(back: &Response, wanted: &Response, text: &str) {
    let silent = |response: &Response| {
        let mut response = response.clone();
        if let Some(usage) = &mut response.usage {
            usage.words = None;
        }
        response
    };
    assert_eq!(silent(back), silent(wanted), "{text}");
}

/// The recordings of `families`, or `None` after saying so where there are none.
pub(crate) fn recorded(families: &[&str]) -> Option<Vec<Recording>> {
    let found = recordings::of_families(families).expect("the recordings read");
    if found.is_none() {
        eprintln!("no recorded traffic here (set SHIM_WIRE_CORPUS): the laws ran over our own corpus only");
    }
    found
}

/// Our own cases of a dialect.
pub(crate) fn own(dialect: &str) -> Vec<Case> {
    corpus::cases(dialect).expect("the corpus reads")
}

/// Runs `check` for every item and reports all that fail, each by its name.
#[track_caller]
pub(crate) fn each<T: std::panic::RefUnwindSafe>(
    items: &[T],
    name: impl Fn(&T) -> String,
    check: impl Fn(&T) + std::panic::RefUnwindSafe,
) {
    let failed: Vec<_> = items
        .iter()
        .filter_map(|item| {
            let caught = std::panic::catch_unwind(|| check(item)).err()?;
            let text = caught.downcast_ref::<String>().cloned();
            let text =
                text.or_else(|| caught.downcast_ref::<&str>().map(|t| (*t).to_owned())).unwrap_or_default();
            Some(format!("{}: {}", name(item), text.chars().take(600).collect::<String>()))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), items.len(), failed.join("\n"));
}

/// Law of the lane: the head reads, and retargeting changes the model's spans and nothing else.
#[track_caller]
pub(crate) fn lane_request(codec: &dyn Codec, route: &Route, body: &str) {
    let head = codec.head(route, body).unwrap_or_else(|e| panic!("the head does not read: {e}"));
    assert!(!head.model.is_empty());
    let same = codec.retarget(&head, &head.model, false);
    assert!(same.is_empty(), "the same model changes nothing");
    let splices = codec.retarget(&head, "another/model", false);
    let bytes = bytes::Bytes::copy_from_slice(body.as_bytes());
    let changed = splices.iter().map(|s| s.span.len()).sum::<usize>();
    let added = splices.iter().map(|s| s.with.len()).sum::<usize>();
    let text = shim_wire::splice(&bytes, splices).expect("splices fit").concat();
    assert_eq!(text.len(), body.len() - changed + added);
    let text = String::from_utf8(text).expect("UTF-8");
    shim_wire::scan::check(text.as_bytes(), shim_wire::scan::Limits::default()).expect("still JSON");
}

/// What a meter reads of a recorded answer: whole, or a stream in any chunks.
#[track_caller]
pub(crate) fn metered(
    codec: &dyn Codec,
    operation: Operation,
    framing: Option<Framing>,
    body: &str,
) -> Reading {
    let Some(framing) = framing else {
        let mut meter = codec.meter(operation);
        meter.whole(body);
        let good = meter.reading().fault.is_none();
        assert!(
            good || operation != Operation::Generate || !codec.is_plainly_good(body),
            "taken for good: {body}"
        );
        return meter.reading().clone();
    };
    let read = |size: usize| {
        let mut meter = codec.meter(operation);
        let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
        for chunk in body.as_bytes().chunks(size) {
            framer.push(chunk, &mut |frame| meter.frame(frame)).expect("framed");
        }
        framer.finish(&mut |frame| meter.frame(frame)).expect("framed");
        meter.reading().clone()
    };
    let whole = read(usize::MAX >> 1);
    assert_eq!(read(1), whole, "byte by byte");
    assert_eq!(read(13), whole, "in chunks");
    whole
}

/// A recorded stream as it was framed; recordings of bare data lines get their frames back.
pub(crate) fn as_stream(recording: &Recording) -> Option<(Framing, String)> {
    match recording.response.framing.as_str() {
        "sse" => Some((Framing::Sse, recording.response.body.clone())),
        "data-lines" => {
            let lines = recording.response.body.lines().filter(|line| !line.is_empty());
            Some((Framing::Sse, lines.map(|line| format!("data: {line}\n\n")).collect()))
        }
        _ => None,
    }
}

/// Runs the laws of the lane over every recording of `families`: requests, successful answers, errors. `total` gives
/// the upstream's own total of tokens, where it states one.
#[track_caller]
pub(crate) fn lane_laws(
    codec: &'static (dyn Codec + std::panic::RefUnwindSafe),
    families: &[&str],
    malformed: &[&str],
    total: impl Fn(&serde_json::Value) -> Option<u64> + std::panic::RefUnwindSafe,
) {
    let Some(recordings) = recorded(families) else { return };
    assert!(recordings.len() > 20, "{}", recordings.len());
    each(&recordings, |r| r.id.clone(), |r| lane_law(codec, malformed, &total, r));
}

/// The laws of the lane over one recording.
#[track_caller]
fn lane_law(
    codec: &dyn Codec,
    malformed: &[&str],
    total: &dyn Fn(&serde_json::Value) -> Option<u64>,
    r: &Recording,
) {
    let route = r.request.as_ref().and_then(|q| codec.route(&q.method, strip(&q.path), q.query.as_deref()));
    if let (Some(request), Some(route)) = (&r.request, &route)
        && request.body_encoding == "utf-8"
        && !request.body.is_empty()
    {
        lane_request(codec, route, &request.body);
    }
    let operation = route.as_ref().map_or(Operation::Generate, |route| route.operation);
    if operation == Operation::Stored {
        return;
    }
    if r.response.status.is_some_and(|status| status >= 400) {
        let fault = codec.decode_fault(r.response.status.unwrap_or(500), r.response.body.as_bytes());
        assert!(!fault.message.is_empty() && fault.http_status() >= 400);
        return;
    }
    let (framing, body) = as_stream(r).map_or((None, r.response.body.clone()), |(f, b)| (Some(f), b));
    let reading = metered(codec, operation, framing, &body);
    if malformed.contains(&r.id.as_str()) {
        assert!(!reading.complete || reading.fault.is_some(), "taken for complete: {reading:?}");
        return;
    }
    let joined = r.traits.iter().any(|t| t.starts_with("several_"));
    assert!(joined || reading.fault.is_some() || reading.complete, "{reading:?}");
    if let Some(usage) = &reading.usage
        && let Some(words) = usage.words.as_ref().and_then(|w| serde_json::from_str(w.get()).ok())
        && let Some(total) = total(&words)
    {
        assert_eq!((usage.input_total() + usage.output_total()).0, total, "{words}");
    }
}

/// The path as a client of this gateway writes it: without what a provider puts before the version.
pub(crate) fn strip(path: &str) -> &str {
    ["/v1beta/", "/v1alpha/", "/v1/"]
        .iter()
        .find_map(|v| path.find(v).and_then(|at| path.get(at..)))
        .unwrap_or(path)
}
