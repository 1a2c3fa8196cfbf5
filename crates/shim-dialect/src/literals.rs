//! Texts cross every pair of dialects as the literals they came as, and nobody decodes them on the way.

use shim_ir::{Dialect, Part, Request, ThinkTags, Traits};
use shim_wire::frame::Framing;

use crate::{Asker, Encode, Goal, Operation, Route, speaker};

/// Nobody here writes a solidus so: what was decoded and quoted again looks otherwise.
const LITERAL: &str = r#""He said: \"a\/b\".\n\t\\n""#;
const SAID: &str = "He said: \"a/b\".\n\t\\n";

/// Where a conversation is asked for, and requests that say [`LITERAL`], as a string and as a part.
fn asks(dialect: Dialect) -> (&'static str, [String; 2]) {
    match dialect {
        Dialect::OpenaiChat => (
            "/v1/chat/completions",
            [
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":{LITERAL}}}]}}"#),
                format!(
                    r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":{LITERAL}}}]}}]}}"#
                ),
            ],
        ),
        Dialect::OpenaiResponses => (
            "/v1/responses",
            [
                format!(r#"{{"model":"m","input":{LITERAL}}}"#),
                format!(
                    r#"{{"model":"m","input":[{{"role":"user","content":[{{"type":"input_text","text":{LITERAL}}}]}}]}}"#
                ),
            ],
        ),
        Dialect::Anthropic => (
            "/v1/messages",
            [
                format!(
                    r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":{LITERAL}}}]}}"#
                ),
                format!(
                    r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{{"type":"text","text":{LITERAL}}}]}}]}}"#
                ),
            ],
        ),
        Dialect::Gemini => (
            "/v1beta/models/m:generateContent",
            [
                format!(r#"{{"contents":[{{"role":"user","parts":[{{"text":{LITERAL}}}]}}]}}"#),
                format!(
                    r#"{{"systemInstruction":{LITERAL},"contents":[{{"parts":[{{"text":{LITERAL}}}]}}]}}"#
                ),
            ],
        ),
    }
}

/// An answer that says [`LITERAL`].
fn answer(dialect: Dialect) -> String {
    match dialect {
        Dialect::OpenaiChat => format!(
            r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":{LITERAL}}},"finish_reason":"stop"}}]}}"#
        ),
        Dialect::OpenaiResponses => format!(
            r#"{{"id":"r","object":"response","created_at":1,"model":"m","status":"completed","output":[{{"type":"message","id":"i","status":"completed","role":"assistant","content":[{{"type":"output_text","text":{LITERAL},"annotations":[]}}]}}]}}"#
        ),
        Dialect::Anthropic => format!(
            r#"{{"id":"a","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":{LITERAL}}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        ),
        Dialect::Gemini => format!(
            r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"text":{LITERAL}}}]}},"finishReason":"STOP","index":0}}]}}"#
        ),
    }
}

#[track_caller]
fn says_it<'p>(parts: impl Iterator<Item = &'p Part>, between: &str) {
    for part in parts {
        let Part::Text(text) = part else { panic!("{part:?}") };
        #[cfg(debug_assertions)]
        assert!(!text.text.was_decoded(), "somebody had it decoded: {between}");
        assert_eq!(text.text, SAID, "{between}");
    }
}

fn asked(codec: &dyn Encode, path: &str, body: &str) -> (Route, Request) {
    let route = codec.route("POST", path, None).unwrap();
    let request = codec.decode_request(&route, body).unwrap();
    (route, request)
}

#[test]
fn a_request_crosses_without_being_decoded() {
    let traits = Traits::default();
    let goal = Goal { operation: Operation::Generate, model: "m", traits: &traits, seed: "seed" };
    for from in Dialect::ALL {
        let (path, bodies) = asks(from);
        for (body, to) in bodies.iter().flat_map(|body| Dialect::ALL.map(|to| (body, to))) {
            let (_, request) = asked(speaker(from), path, body);
            let encoded = speaker(to).encode_request(&request, &goal);
            let written = encoded.body.to_text();
            assert!(written.contains(LITERAL), "{from} to {to}: {written}");
            let parts = request.system.iter().chain(request.turns.iter().flat_map(|turn| &turn.parts));
            says_it(parts, &format!("{from} to {to}"));
        }
    }
}

#[test]
fn a_long_text_crosses_without_being_copied() {
    let traits = Traits::default();
    let goal = Goal { operation: Operation::Generate, model: "m", traits: &traits, seed: "seed" };
    let long = format!("\"{}\"", LITERAL.trim_matches('"').repeat(500));
    for from in Dialect::ALL {
        let (path, bodies) = asks(from);
        for (body, to) in bodies.iter().flat_map(|body| Dialect::ALL.map(|to| (body, to))) {
            let body = bytes::Bytes::from(body.replace(LITERAL, &long));
            let text = std::str::from_utf8(&body).unwrap();
            let (_, request) = shim_wire::checked(&body, || asked(speaker(from), path, text));
            let encoded = speaker(to).encode_request(&request, &goal);
            assert!(encoded.body.to_text().contains(&long), "{from} to {to}");
            let shared = |piece: &bytes::Bytes| body.as_ptr_range().contains(&piece.as_ptr());
            assert!(encoded.body.into_pieces().iter().any(shared), "{from} to {to}: it was copied");
        }
    }
}

#[test]
fn an_answer_crosses_without_being_decoded() {
    for (from, to) in Dialect::ALL.into_iter().flat_map(|from| Dialect::ALL.map(|to| (from, to))) {
        let (path, [body, _]) = asks(to);
        let (_, request) = asked(speaker(to), path, &body);
        let asker = Asker {
            operation: Operation::Generate,
            id: "id",
            created: 1,
            framing: Framing::Sse,
            request: &request,
        };
        let mut response = speaker(from).decode_response(&answer(from)).unwrap();
        crate::Echo { think_tags: ThinkTags::None, ..crate::Echo::default() }.restore(&mut response);
        let told = String::from_utf8(speaker(to).encode_response(&response, &asker).body).unwrap();
        assert!(told.contains(LITERAL), "{from} to {to}: {told}");
        says_it(
            response.candidates.iter().flat_map(|candidate| &candidate.parts),
            &format!("{from} to {to}"),
        );
    }
}

/// Several instructions that become one text cross so, too.
#[test]
fn what_is_joined_is_not_decoded() {
    let block = format!(r#"{{"type":"text","text":{LITERAL}}}"#);
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"system":[{block},{block}],"messages":[{{"role":"user","content":"a"}}]}}"#
    );
    let (_, request) = asked(speaker(Dialect::Anthropic), "/v1/messages", &body);
    let traits = Traits { quirks: vec!["single_content_string".to_owned()], ..Traits::default() };
    let goal = Goal { operation: Operation::Generate, model: "m", traits: &traits, seed: "seed" };
    let bare = LITERAL.trim_matches('"');
    for to in [Dialect::OpenaiChat, Dialect::OpenaiResponses] {
        let body = speaker(to).encode_request(&request, &goal).body.to_text();
        assert!(body.contains(&format!(r#""{bare}\n\n{bare}""#)), "{to}: {body}");
    }
    says_it(request.system.iter(), "joined");
}
