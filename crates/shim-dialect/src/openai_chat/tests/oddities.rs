//! Oddities met in recorded traffic, in words of our own: each by the id of the recording that has it.

use shim_ir::{FaultKind, FinishReason, FoldError, fold};
use shim_wire::frame::Framing;

use super::streams::{chunk, delta, end, only_read};
use super::{classes, told};
use crate::Codec as _;
use crate::laws::{stream_laws, whole_laws};
use crate::openai_chat::OpenaiChat;

/// The answer that `payloads` stream has these parts.
#[track_caller]
fn streams(id: &str, payloads: &[&str], parts: &[&str]) {
    let all: Vec<&str> = payloads.iter().copied().chain(["[DONE]"]).collect();
    assert_eq!(told(&only_read(&all)), parts, "{id}");
}

/// A whole answer with this choice.
fn whole(choice: &str) -> String {
    format!(r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{choice}]}}"#)
}

/// The whole answer with this choice has these parts.
#[track_caller]
fn wholes(id: &str, choice: &str, parts: &[&str]) {
    assert_eq!(told(&whole_laws(&OpenaiChat, &whole(choice))), parts, "{id}");
}

/// With `usage` beside its choices.
fn using(chunk: &str) -> String {
    let counts = r#"{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}"#;
    format!("{},\"usage\":{counts}}}", chunk.strip_suffix('}').expect("an object"))
}

#[test]
fn streams_end_in_many_ways() {
    let text = delta(r#"{"content":"hi"}"#);
    // OpenRouter: comments before the first frame, and the end in two chunks, of which the second counts.
    let called = delta(
        r#"{"content":null,"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
    );
    let ends = chunk(
        r#"{"index":0,"delta":{"content":"","role":"assistant"},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}"#,
    );
    let frames = [called, ends.clone(), using(&ends)].map(|frame| format!("data: {frame}\n\n")).concat();
    let stream = format!(": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n{frames}data: [DONE]\n\n");
    let (response, _) = fold(stream_laws(&OpenaiChat, stream.as_bytes(), Framing::Sse)).unwrap();
    assert_eq!((told(&response), classes(&response)[0]), (vec!["call c f {}".to_owned()], 3), "850f3f6cb1e5");
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
    // Usage in the chunk that ends.
    let used = only_read(&[&text, &using(&end("stop")), "[DONE]"]);
    assert_eq!(classes(&used), [3, 0, 0, 0, 2, 0], "d9b3e008a867");
    // Perplexity: usage in every chunk, what was said so far beside what is said now, and a sentinel of its own.
    let says = |object: &str, word: &str, so_far: &str, now: &str| {
        using(&chunk(&format!(
            r#"{{"index":0,"message":{{"role":"assistant","content":"{so_far}"}},"delta":{{"role":"assistant","content":"{now}"}},"finish_reason":{word}}}"#
        )))
        .replace("chat.completion.chunk", object)
    };
    let first = says("chat.completion.chunk", "null", "1", "1");
    let last = says("chat.completion.chunk", "null", "1 2", " 2");
    let done = says("chat.completion.done", "\"stop\"", "1 2", "");
    let answer = only_read(&[&first, &last, &done]);
    assert_eq!((told(&answer), classes(&answer)[4]), (vec!["text 1 2".to_owned()], 2), "b6da3c2d057c");
    // Azure: chunks without choices, before and between.
    let moderated = r#"{"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#;
    streams(
        "4596864649bb",
        &[
            moderated,
            &text,
            r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}"#,
            &end("stop"),
        ],
        &["text hi"],
    );
}

#[test]
fn a_failure_may_come_in_the_middle_of_a_good_answer() {
    let thought = delta(r#"{"reasoning":"Call it."}"#);
    let failed = r#"{"error":{"message":"Tool call validation failed","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"{}","status_code":400}}"#;
    let stream = format!("data: {thought}\n\nevent: error\ndata: {failed}\n\n");
    let Err(FoldError::Failed(fault, so_far)) =
        fold(stream_laws(&OpenaiChat, stream.as_bytes(), Framing::Sse))
    else {
        panic!("9a175d06997c")
    };
    assert_eq!((fault.kind, fault.words.as_deref()), (FaultKind::UpstreamInvalid, Some("tool_use_failed")));
    assert_eq!(told(&so_far), ["reasoning Call it.||0"]);
}

#[test]
fn reasoning_has_many_names() {
    let says = |id, said: &str, part| streams(id, &[&delta(said), &end("stop")], &[part]);
    says("f1e221cd8b88", r#"{"content":"","reasoning":"hm"}"#, "reasoning hm||0");
    says("3d796c784b53", r#"{"content":null,"reasoning_content":"hm"}"#, "reasoning hm||0");
    says(
        "2216a7e680b3",
        r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"so","index":0},{"type":"reasoning.encrypted","data":"c2VhbGVk","index":0}]}"#,
        "reasoning |so|1",
    );
    let thinking = r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#;
    says("e47a5db9f0cb", thinking, "reasoning hm||0");
    // Where tags are known of a model they are told apart behind the decoder: `think_tests`.
    says("c6355c00bede", r#"{"content":"<think>hm</think>a"}"#, "text <think>hm</think>a");
}

#[test]
fn calls_lack_what_others_have() {
    let call = r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"},"index":0}"#;
    let with_end = format!(r#"{{"index":0,"delta":{{"tool_calls":[{call}]}},"finish_reason":"tool_calls"}}"#);
    streams("b712a6a86297", &[&delta(r#"{"content":""}"#), &chunk(&with_end)], &[r#"call c f {"a":1}"#]);
    let at_once = delta(&format!(r#"{{"tool_calls":[{call}]}}"#));
    streams("e5005889932b", &[&at_once, &end("tool_calls")], &[r#"call c f {"a":1}"#]);
    let bare = r#"{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[{"id":"c","index":0,"type":"function","function":{"name":"f"}}]}}"#;
    wholes("357a8055b08f", bare, &["call c f "]);
    let silent = r#"{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}}"#;
    wholes("14f7f6fa58bd", silent, &["call c f {}"]);
    let empty = r#"{"index":0,"finish_reason":"","logprobs":{"content":null,"refusal":null},"message":{"annotations":null,"audio":{"data":"","expires_at":0,"id":"","transcript":""},"content":"hi","function_call":{"arguments":"","name":""},"refusal":"","role":"assistant","tool_calls":[{"custom":{"input":"","name":""},"function":{"arguments":"{}","name":"f"},"id":"c","type":"function"}]}}"#;
    wholes("0008a7259d82", empty, &["text hi", "call c f {}"]);
}

#[test]
fn a_stop_may_be_a_number() {
    let choice = r#"{"index":0,"finish_reason":"stop","stop_reason":154829,"message":{"role":"assistant","content":"hi"}}"#;
    let response = whole_laws(&OpenaiChat, &whole(choice));
    let candidate = &response.candidates[0];
    assert_eq!(candidate.rest.get("stop_reason").unwrap().get(), "154829", "202154d847fa");
    assert_eq!(candidate.finish.as_ref().unwrap().sequence, None);
}

#[test]
fn an_answer_may_be_padded() {
    let choice = r#"{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}"#;
    let padded = format!("\n         \n\n         \n{}", whole(choice));
    assert_eq!(told(&whole_laws(&OpenaiChat, &padded)), ["text hi"], "fae5fc1d8484");
}

#[test]
fn errors_have_many_shapes() {
    let check = |id, status, body: &str, kind, message| {
        let fault = OpenaiChat.decode_fault(status, body.as_bytes());
        assert_eq!((fault.kind, &*fault.message, fault.status), (kind, message, Some(status)), "{id}");
    };
    check(
        "6cb656643b40",
        401,
        r#"{"detail":"Invalid API Key"}"#,
        FaultKind::UpstreamCredential,
        "Invalid API Key",
    );
    let string = r#"{"code":"invalid-argument","error":"No."}"#;
    check("d06665aafb53", 400, string, FaultKind::UpstreamInvalid, "No.");
    let number = r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"Google"}},"user_id":"u"}"#;
    check("697b332ff6c4", 429, number, FaultKind::RateLimited, "Provider returned error");
}
