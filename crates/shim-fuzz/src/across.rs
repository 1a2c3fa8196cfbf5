//! Every decoder into every encoder, for any bytes that decode: nothing panics, what is written is well-formed, and a
//! stream that is written obeys the grammar when its own dialect reads it.

use shim_dialect::{Asker, Encode, Goal, Operation, Route, speaker};
use shim_ir::{Dialect, EmbedRequest, Event, Grammar, Request, Response, Traits, VectorForm, unfold};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};
use shim_wire::scan::{self, Limits};

const DIALECTS: [Dialect; 4] =
    [Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::Anthropic, Dialect::Gemini];

/// A request, written for a model of every dialect: it is JSON, and its own dialect reads it.
pub(crate) fn request(request: &Request, operation: Operation) {
    if !matches!(operation, Operation::Generate | Operation::CountTokens) {
        return;
    }
    let traits = Traits::default();
    for codec in DIALECTS.map(speaker) {
        let goal = Goal { operation, model: "m", traits: &traits, seed: "0192f0c1" };
        let text = json(codec.encode_request(request, &goal).body.into_bytes().into());
        let route = codec.route_for(operation, "m", request.stream.is_some());
        if let Err(error) = codec.decode_request(&route, &text) {
            assert_eq!(error.to_string(), "", "{}: {text}", codec.dialect());
        }
    }
}

/// A request for embeddings, written for a model of every dialect that has them.
pub(crate) fn embed(dialect: Dialect, route: &Route, body: &str) {
    let Some(Ok(request)) = speaker(dialect).embeds().map(|embed| embed.decode_embed(route, body)) else {
        return;
    };
    let traits = Traits::default();
    for codec in DIALECTS.map(speaker) {
        let Some(embed) = codec.embeds() else { continue };
        let goal = Goal { operation: Operation::Embed, model: "m", traits: &traits, seed: "0192f0c1" };
        let text = json(embed.encode_embed(&request, &goal).body.into_bytes().into());
        if let Err(error) = embed.decode_embed(&codec.route_for(Operation::Embed, "m", false), &text) {
            assert_eq!(error.to_string(), "", "{}: {text}", codec.dialect());
        }
    }
}

/// An answer with embeddings, written for a client of every dialect that has them.
pub(crate) fn embeddings(dialect: Dialect, body: &str) {
    let Some(Ok(answer)) = speaker(dialect).embeds().map(|embed| embed.decode_embeddings(body)) else {
        return;
    };
    for form in [None, Some(VectorForm::Base64)] {
        let request = EmbedRequest { form, ..EmbedRequest::default() };
        for embed in DIALECTS.into_iter().filter_map(|dialect| speaker(dialect).embeds()) {
            json(embed.encode_embeddings(&answer, &request).body);
        }
    }
}

/// A whole answer, written for a client of every dialect, whole and as a stream: its own dialect reads it.
pub(crate) fn answer(response: &Response) {
    let request = Request::default();
    for codec in DIALECTS.map(speaker) {
        let text = json(codec.encode_response(response, &asker(&request, Framing::Sse)).body);
        if let Err(error) = codec.decode_response(&text) {
            assert_eq!(error.to_string(), "", "{}: {text}", codec.dialect());
        }
    }
    stream(&unfold(response.clone()));
}

/// A stream, written for a client of every dialect in every framing that it has.
pub(crate) fn stream(events: &[Event]) {
    let request = Request::default();
    for codec in DIALECTS.map(speaker) {
        written(codec, &asker(&request, Framing::Sse), events);
        if codec.dialect() == Dialect::Gemini {
            written(codec, &asker(&request, Framing::JsonArray), events);
        }
    }
}

fn asker(request: &Request, framing: Framing) -> Asker<'_> {
    Asker { operation: Operation::Generate, id: "0192f0c1e2a34b5c", created: 1, framing, request }
}

fn json(body: Vec<u8>) -> String {
    let text = String::from_utf8(body).unwrap_or_default();
    assert!(scan::check(text.as_bytes(), Limits { depth_max: scan::DEPTH_CEILING }).is_ok(), "{text}");
    text
}

fn written(codec: &dyn Encode, asker: &Asker<'_>, events: &[Event]) {
    let (mut encoder, mut bytes) = (codec.encoder(asker), Vec::new());
    events.iter().for_each(|event| encoder.push(event, &mut bytes));
    let (mut decoder, mut again, mut broke) = (codec.decoder(), Vec::new(), None);
    let mut framer = Framer::new(asker.framing, FRAME_BYTES_MAX);
    let mut on = |frame: shim_wire::frame::Frame<'_>| {
        broke = broke.take().or(decoder.push(frame, &mut again).err());
    };
    let framed = framer.push(&bytes, &mut on).and_then(|()| framer.finish(&mut on));
    let shown = || String::from_utf8_lossy(&bytes).into_owned();
    assert!(framed.is_ok() && broke.is_none(), "{}: {broke:?} in {}", codec.dialect(), shown());
    decoder.finish(&mut again);
    let mut grammar = Grammar::default();
    for event in &again {
        assert_eq!(grammar.take(event), Ok(()), "{}: {event:?} in {}", codec.dialect(), shown());
    }
    assert_eq!(grammar.finish(), Ok(()), "{}: {}", codec.dialect(), shown());
    let failed = matches!(events.last(), Some(Event::Fault(_)));
    let fails = matches!(again.last(), Some(Event::Fault(_)));
    assert_eq!(failed, fails, "{}: {:?} became {}", codec.dialect(), events.last(), shown());
}
