//! Streams as they are seldom recorded.

use shim_ir::{Delta, Event, FaultKind, FinishReason, FoldError, Response, fold};
use shim_wire::frame::Framing;

use super::{classes, part_told, told};
use crate::laws::{events, stream_laws, stream_round_trip};
use crate::openai_chat::OpenaiChat;

/// A stream of these payloads.
fn sse(payloads: &[&str]) -> Vec<u8> {
    payloads.iter().map(|payload| format!("data: {payload}\n\n")).collect::<String>().into_bytes()
}

/// A chunk with this choice.
pub(super) fn chunk(choice: &str) -> String {
    format!(r#"{{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{choice}]}}"#)
}

/// A chunk with this delta of the first answer.
pub(super) fn delta(delta: &str) -> String {
    chunk(&format!(r#"{{"index":0,"delta":{delta},"finish_reason":null}}"#))
}

pub(super) fn end(word: &str) -> String {
    chunk(&format!(r#"{{"index":0,"delta":{{}},"finish_reason":"{word}"}}"#))
}

#[track_caller]
fn answer(payloads: &[&str]) -> Response {
    stream_round_trip(&OpenaiChat, Framing::Sse, &stream_laws(&OpenaiChat, &sse(payloads), Framing::Sse));
    only_read(payloads)
}

/// An answer in a form that is read, and written anew in another one.
#[track_caller]
pub(super) fn only_read(payloads: &[&str]) -> Response {
    fold(stream_laws(&OpenaiChat, &sse(payloads), Framing::Sse)).expect("a clean stream").0
}

#[track_caller]
fn fault(payloads: &[&str]) -> (FaultKind, String) {
    match fold(stream_laws(&OpenaiChat, &sse(payloads), Framing::Sse)) {
        Err(FoldError::Failed(fault, _)) => (fault.kind, fault.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn several_answers_interleave() {
    let say =
        |index: u32, text: &str| chunk(&format!(r#"{{"index":{index},"delta":{{"content":"{text}"}}}}"#));
    let stop = |index: u32| chunk(&format!(r#"{{"index":{index},"delta":{{}},"finish_reason":"stop"}}"#));
    let response =
        answer(&[&say(1, "b"), &say(0, "a"), &say(1, "B"), &say(0, "A"), &stop(1), &stop(0), "[DONE]"]);
    let texts: Vec<_> = response.candidates.iter().map(|candidate| part_told(&candidate.parts[0])).collect();
    assert_eq!(texts, ["text aA", "text bB"]);
    // Without a sentinel both have to have ended.
    assert_eq!(fault(&[&say(0, "a"), &say(1, "b"), &stop(0)]).0, FaultKind::UpstreamCut);
    answer(&[&say(0, "a"), &say(1, "b"), &stop(0), &stop(1)]);
}

#[track_caller]
fn calls(pieces: &[&str], wanted: &[&str]) {
    let mut chunks: Vec<_> =
        pieces.iter().map(|piece| delta(&format!(r#"{{"tool_calls":[{piece}]}}"#))).collect();
    chunks.push(end("stop"));
    let chunks: Vec<_> = chunks.iter().map(String::as_str).collect();
    let response = answer(&chunks);
    assert_eq!(told(&response), wanted);
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
}

#[test]
fn calls_are_told_apart() {
    let a = r#"{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}"#;
    let b = r#"{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{"}}"#;
    let more = |index: u32, text: &str| format!(r#"{{"index":{index},"function":{{"arguments":"{text}"}}}}"#);
    calls(&[a, &more(0, "{"), b, &more(0, "}"), &more(1, "}")], &["call a f {}", "call b g {}"]);
    // Every call numbered 0, or none numbered.
    let zero = r#"{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}"#;
    calls(&[a, &more(0, "[]"), zero], &["call a f []", "call b g {}"]);
    let bare = |id: &str| format!(r#"{{"id":"{id}","function":{{"name":"f","arguments":{{"x":1}}}}}}"#);
    calls(&[&bare("a"), &bare("b")], &[r#"call a f {"x":1}"#, r#"call b f {"x":1}"#]);
    // The id repeated in every piece; the name late; the name never.
    let again = r#"{"index":0,"id":"a","function":{"arguments":"1"}}"#;
    calls(&[a, again, again], &["call a f 11"]);
    let late = [
        r#"{"index":0,"id":"a","function":{"arguments":"1"}}"#,
        r#"{"index":0,"function":{"name":"f","arguments":"2"}}"#,
    ];
    calls(&late, &["call a f 12"]);
    calls(&late[..1], &["call a  1"]);
    let custom = [
        r#"{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"x"}}"#,
        r#"{"index":0,"custom":{"input":"y"}}"#,
    ];
    calls(&custom[..1], &["call a f x"]);
    calls(&custom, &["call a f xy"]);
}

#[test]
fn the_legacy_call_is_read() {
    let first = delta(r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}"#);
    let second = delta(r#"{"function_call":{"arguments":"{}"}}"#);
    let response = only_read(&[&first, &second, &end("function_call"), "[DONE]"]);
    assert_eq!(told(&response), ["call  f {}"]);
}

#[test]
fn usage_is_found_wherever_it_is() {
    let counts = r#"{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}"#;
    let alone = format!(r#"{{"id":"c","model":"m","choices":[],"usage":{counts}}}"#);
    let in_choice = chunk(&format!(r#"{{"index":0,"delta":{{}},"finish_reason":"stop","usage":{counts}}}"#));
    let groq = chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#)
        .replace(r#""model""#, &format!(r#""x_groq":{{"usage":{counts}}},"model""#));
    let text = delta(r#"{"content":"hi"}"#);
    for last in [[&end("stop"), &alone], [&text, &in_choice], [&text, &groq]] {
        let response = answer(&[&text, last[0], last[1], "[DONE]"]);
        assert_eq!(classes(&response), [3, 0, 0, 0, 2, 0]);
    }
}

#[test]
fn azure_starts_with_a_chunk_that_names_no_model() {
    let start = r#"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}"#;
    let response = answer(&[start, &delta(r#"{"role":"assistant","content":"hi"}"#), &end("stop"), "[DONE]"]);
    assert_eq!(response.model.as_deref(), Some("m"));
    assert_eq!(response.rest.get("prompt_filter_results").unwrap().get(), r#"[{"prompt_index":0}]"#);
}

#[test]
fn a_cut_is_no_stop() {
    let text = delta(r#"{"content":"hi"}"#);
    assert_eq!(fault(&[]).0, FaultKind::UpstreamCut);
    assert_eq!(fault(&[&text]).0, FaultKind::UpstreamCut);
    answer(&[&text, &end("stop")]);
    let unsaid = "the upstream ended the stream without saying why the answer ended";
    let second = chunk(r#"{"index":1,"delta":{"content":"hi"},"finish_reason":null}"#);
    for chunks in [&[][..], &[&text], &[&text, &second, &end("stop")]] {
        let payloads: Vec<&str> = chunks.iter().map(|chunk| &***chunk).chain(["[DONE]"]).collect();
        assert_eq!(fault(&payloads), (FaultKind::UpstreamCut, unsaid.to_owned()));
    }
}

#[test]
fn a_failure_inside_a_stream_is_told() {
    let text = delta(r#"{"content":"hi"}"#);
    let check = |last: &str, kind, message: &str| {
        assert_eq!(fault(&[&text, last, "[DONE]"]), (kind, message.to_owned()));
    };
    check(r#"{"error":{"message":"m","code":429}}"#, FaultKind::RateLimited, "m");
    check(r#"{"error":{"message":"m","type":"insufficient_quota"}}"#, FaultKind::QuotaExceeded, "m");
    check(r#"{"error":"m"}"#, FaultKind::UpstreamError, "m");
    check(
        r#"{"object":"error","message":"m","type":"BadRequestError","code":400}"#,
        FaultKind::UpstreamInvalid,
        "m",
    );
    check(
        &chunk(r#"{"index":0,"delta":{},"finish_reason":"error","error":{"code":502,"message":"m"}}"#),
        FaultKind::UpstreamError,
        "m",
    );
}

#[test]
fn an_event_named_error_is_a_failure_whatever_it_holds() {
    for data in ["out of memory", r#"{"message":"out of memory"}"#] {
        let stream = format!("event: error\ndata: {data}\n\n");
        let events = stream_laws(&OpenaiChat, stream.as_bytes(), Framing::Sse);
        assert!(matches!(&events[..], [Event::Fault(_)]), "{events:?}");
    }
}

#[test]
fn a_frame_that_cannot_be_read_ends_in_a_fault() {
    use crate::Decode as _;
    use shim_wire::frame::Frame;
    for data in ["{", "[1]", r#"{"choices":{}}"#, r#"{"choices":[{"index":99999,"delta":{}}]}"#] {
        let mut decoder = OpenaiChat.decoder();
        let mut out = Vec::new();
        assert!(decoder.push(Frame { event: None, data }, &mut out).is_err(), "{data}");
        decoder.finish(&mut out);
        let Some(Event::Fault(fault)) = out.last() else { panic!("{out:?}") };
        assert_eq!(fault.kind, FaultKind::UpstreamMalformed);
    }
}

#[test]
fn details_of_reasoning_are_joined() {
    let detail = |member: &str| {
        delta(&format!(r#"{{"reasoning_details":[{{"type":"reasoning.text",{member},"index":0}}]}}"#))
    };
    let other = delta(r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"s","index":1}]}"#);
    let text = delta(r#"{"content":"hi"}"#);
    let chunks = [
        detail(r#""text":"a""#),
        detail(r#""text":"b\n""#),
        detail(r#""signature":"sig""#),
        other,
        text,
        end("stop"),
    ];
    let response = only_read(&chunks.each_ref().map(String::as_str));
    assert_eq!(told(&response), ["reasoning ab\n|s|1", "text hi"]);
    let shim_ir::Part::Reasoning(reasoning) = &response.candidates[0].parts[0] else { panic!() };
    assert_eq!(
        reasoning.opaque[0].value,
        r#"[{"type":"reasoning.text","text":"ab\n","index":0,"signature":"sig"},{"type":"reasoning.summary","summary":"s","index":1}]"#
    );
}

#[test]
fn sound_and_images_are_media() {
    let audio = |members: &str| delta(&format!(r#"{{"audio":{{{members}}}}}"#));
    let chunks = [
        audio(r#""id":"au","transcript":"he""#),
        audio(r#""data":"AAAA","transcript":"llo""#),
        audio(r#""data":"BBBB","expires_at":7"#),
        delta(r#"{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,CCCC"}}]}"#),
        end("stop"),
    ];
    let response = answer(&chunks.each_ref().map(String::as_str));
    assert_eq!(told(&response), [r#"Audio Inline("AAAABBBB")"#, r#"Image Inline("CCCC")"#]);
    let shim_ir::Part::Media(sound) = &response.candidates[0].parts[0] else { panic!() };
    assert_eq!(sound.rest.get("transcript").unwrap().get(), r#""hello""#);
    assert_eq!(sound.rest.get("id").unwrap().get(), r#""au""#);
}

#[test]
fn nothing_unknown_is_lost() {
    let first = r#"{"id":"c","model":"m","obfuscation":"xx","seed":7,"choices":[{"index":0,"delta":{"content":"a","mood":"fine"},"token":1,"logprobs":{"content":[{"token":"a"}]}}]}"#;
    let second = r#"{"id":"c","model":"m","obfuscation":"y","seed":7,"late":true,"choices":[{"index":0,"delta":{"content":"b"},"token":1,"logprobs":{"content":[{"token":"b"}]},"finish_reason":"stop","stop_reason":"END"}]}"#;
    let all = events(&OpenaiChat, &[&sse(&[first, second])], Framing::Sse);
    let foreign: Vec<_> = all
        .iter()
        .filter_map(|event| if let Event::Foreign(foreign) = event { Some(foreign.raw.get()) } else { None })
        .collect();
    assert_eq!(foreign, [r#"{"index":0,"mood":"fine"}"#, r#"{"index":0,"token":1}"#]);
    assert!(all.iter().any(|event| matches!(event, Event::PartDelta { delta: Delta::Logprobs(_), .. })));
    let (response, _) = fold(all).unwrap();
    let rest: Vec<_> =
        response.rest.members().iter().map(|(key, value)| format!("{key}={}", value.get())).collect();
    assert_eq!(rest, ["seed=7", "late=true"]);
    let shim_ir::Part::Text(text) = &response.candidates[0].parts[0] else { panic!() };
    assert_eq!(text.logprobs.as_ref().unwrap().get(), r#"[{"token":"a"},{"token":"b"}]"#);
    let finish = response.candidates[0].finish.as_ref().unwrap();
    assert_eq!((&finish.reason, finish.sequence.as_deref()), (&FinishReason::Sequence, Some("END")));
}

#[test]
fn hostile_frames_are_read_or_refused() {
    use crate::{Codec as _, Decode as _, Operation};
    use shim_ir::Grammar;
    use shim_wire::frame::Frame;
    let whole = chunk(
        r#"{"index":0,"delta":{"content":[{"type":"text","text":"a"}],"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}],"reasoning_details":[{"type":"reasoning.text","text":"t","index":0}]},"logprobs":{"content":[]},"finish_reason":"stop"}"#,
    );
    for at in 0..whole.len() {
        for hostile in ["null", "7", "\"", "[", "}", ""] {
            let data = format!("{}{hostile}{}", &whole[..at], &whole[at + 1..]);
            let frame = Frame { event: None, data: data.trim() };
            let mut meter = OpenaiChat.meter(Operation::Generate);
            meter.frame(frame);
            meter.whole(frame.data);
            let mut out = Vec::new();
            let mut decoder = OpenaiChat.decoder();
            let _ = decoder.push(frame, &mut out);
            decoder.finish(&mut out);
            let mut grammar = Grammar::default();
            out.iter()
                .try_for_each(|event| grammar.take(event))
                .and_then(|()| grammar.finish())
                .expect("a grammar");
            let _ = OpenaiChat.decode_response(frame.data);
            OpenaiChat.decode_fault(500, frame.data.as_bytes());
        }
    }
}
