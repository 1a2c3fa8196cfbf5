//! Whole answers of other dialects, and paths.

use serde_json::{Value, json};
use shim_ir::{
    Citation, Executor, FinishReason, Part, Response, Text, Tokens, ToolCall, ToolCallKind, Usage,
};
use shim_wire::frame::Framing;

use super::{answer, call, own, raw, said, text};
use crate::laws::asker;
use crate::openai_responses::OpenaiResponses;
use crate::{Asker, Decode, Encode, Operation};

#[test]
fn an_answer_is_a_whole_response() {
    let (told, losses) = answer(&said(vec![text("hi")], FinishReason::Stop));
    assert_eq!(losses, []);
    let id = "0192f0c1e2a34b5c8d9e0f1a2b3c4d5e";
    assert_eq!(
        (told["id"].clone(), told["status"].clone(), told["model"].clone(), told["created_at"].clone()),
        (json!(format!("resp_{id}")), json!("completed"), json!("m"), json!(1_790_000_000))
    );
    assert_eq!(
        told["output"],
        json!([{ "id": format!("msg_{id}_0"), "type": "message", "status": "completed", "role": "assistant",
        "content": [{ "type": "output_text", "text": "hi", "annotations": [], "logprobs": [] }] }])
    );
    assert_eq!(
        told["usage"],
        json!({ "input_tokens": 3, "input_tokens_details": { "cache_write_tokens": 0, "cached_tokens": 2 },
        "output_tokens": 7, "output_tokens_details": { "reasoning_tokens": 4 }, "total_tokens": 10 })
    );
    assert_eq!(
        (told["tools"][0]["name"].clone(), told["temperature"].clone(), told["tool_choice"].clone()),
        (json!("f"), json!(0.5), json!("auto"))
    );
}

#[test]
fn an_end_is_told_in_these_words() {
    use FinishReason::{BadToolCall, Filter, Length, Other, Pause, Refusal, Sequence, Stop, ToolCalls};
    let cases = [
        (Stop, "completed", Value::Null, 0),
        (ToolCalls, "completed", Value::Null, 0),
        (Sequence, "completed", Value::Null, 1),
        (Length, "incomplete", json!({ "reason": "max_output_tokens" }), 0),
        (Filter, "incomplete", json!({ "reason": "content_filter" }), 0),
        (Refusal, "incomplete", json!({ "reason": "content_filter" }), 1),
        (Pause, "incomplete", Value::Null, 1),
        (BadToolCall, "incomplete", Value::Null, 1),
        (Other, "incomplete", Value::Null, 1),
    ];
    for (reason, status, details, count) in cases {
        let (told, losses) = answer(&said(vec![text("x")], reason.clone()));
        assert_eq!(
            (&told["status"], &told["incomplete_details"], losses.len()),
            (&json!(status), &details, count),
            "{reason:?}"
        );
        assert_eq!(told["output"][0]["status"], status);
    }
    let (told, losses) = answer(&said(vec![Part::Refusal(Text::new("no"))], Refusal));
    assert_eq!((told["status"].as_str(), losses), (Some("completed"), vec![]));
}

#[test]
fn citations_are_annotations() {
    let cite = |citation: Citation| {
        let part = Part::Text(Text { citations: vec![citation], ..Text::new("é cited") });
        let (told, losses) = answer(&said(vec![part], FinishReason::Stop));
        (told["output"][0]["content"][0]["annotations"][0].clone(), losses.len())
    };
    let url = Citation { url: Some("https://a".into()), title: Some("A".into()), ..Citation::default() };
    let wanted = |start: u64, end: u64| json!({ "type": "url_citation", "start_index": start, "end_index": end, "url": "https://a", "title": "A" });
    assert_eq!(cite(url.clone()), (wanted(0, 7), 0));
    assert_eq!(cite(Citation { start: Some(1), end: Some(2), ..url.clone() }), (wanted(1, 2), 0));
    // The words that are cited have no place.
    assert_eq!(
        cite(Citation { start: Some(2), end: Some(7), cited: Some("cited".into()), ..url }),
        (wanted(2, 7), 1)
    );
}

#[test]
fn searches_of_other_providers_are_told_as_searches() {
    let search = ToolCall {
        executor: Executor::Provider,
        kind: ToolCallKind::Native("server_tool_use".into()),
        ..call("s", "web_search", r#"{"query":"q"}"#)
    };
    let (told, losses) = answer(&said(vec![Part::ToolCall(search), text("found")], FinishReason::Stop));
    assert_eq!(
        (told["output"][0]["type"].as_str(), told["output"][0]["action"]["query"].as_str(), losses),
        (Some("web_search_call"), Some("q"), vec![])
    );
}

#[test]
fn paths_are_told_in_these_words() {
    for (path, wanted) in [
        ("turns[2].parts[0].cache", "input[2].content[0].prompt_cache_breakpoint"),
        ("turns[2].parts[0]", "input[2].content[0]"),
        ("turns[1].parts[0].content[2]", "input[1].output[2]"),
        ("turns[1].parts[0].error", "input[1].error"),
        ("turns[1].name", "input[1].name"),
        ("system[0].cache", "instructions"),
        ("sampling.output_max", "max_output_tokens"),
        ("sampling.seed", "seed"),
        ("reasoning.show", "reasoning.summary"),
        ("reasoning.effort", "reasoning.effort"),
        ("output.name", "text.format.name"),
        ("output", "text.format"),
        ("state.previous", "previous_response_id"),
        ("state.store", "store"),
        ("tools[1].cache", "tools[1].prompt_cache_breakpoint"),
        ("cache_key", "prompt_cache_key"),
        ("candidates[0].parts[1].citations", "output[1].annotations"),
        ("candidates[0].parts[1].opaque", "output[1].encrypted_content"),
        ("verbosity", "verbosity"),
    ] {
        assert_eq!(OpenaiResponses.name_path(path), wanted, "{path}");
    }
    assert_eq!(OpenaiResponses.name_item("turns[1].parts[0]"), "input[1]");
    for (path, wanted) in [
        ("turns[0].parts[0].status", true),
        ("client_metadata", true),
        ("store", true),
        ("object", true),
        ("prompt", false),
        ("sampling.seed", false),
        ("state.store", false),
        ("reasoning", false),
        ("parallel_tool_calls", false),
    ] {
        assert_eq!(OpenaiResponses.is_bookkeeping(path), wanted, "{path}");
    }
    assert!(OpenaiResponses.is_answer_bookkeeping("reasoning"));
    assert!(OpenaiResponses.is_answer_bookkeeping("parallel_tool_calls"));
}

#[test]
fn a_count_of_tokens_is_an_answer_of_its_own() {
    let request = own(r#""input":"x""#);
    let asker = Asker { operation: Operation::CountTokens, ..asker(&request, Framing::Sse) };
    let used = Usage { input_uncached: Tokens(7), ..Usage::default() };
    let told =
        OpenaiResponses.encode_response(&Response { usage: Some(used), ..Response::default() }, &asker);
    let body = r#"{"object":"response.input_tokens","input_tokens":7}"#;
    assert_eq!(String::from_utf8(told.body).unwrap(), body);
    let counted = OpenaiResponses.decode_response(body).unwrap();
    assert_eq!(
        (counted.usage.as_ref().map(Usage::input_total), counted.candidates.len()),
        (Some(Tokens(7)), 0)
    );
    let again = OpenaiResponses.encode_response(&counted, &asker);
    assert_eq!(String::from_utf8(again.body).unwrap(), body);
}

#[test]
fn an_answer_without_candidates_is_an_empty_one() {
    let (told, losses) = answer(&Response::default());
    assert_eq!(
        (told["status"].as_str(), told["output"].clone(), losses),
        (Some("completed"), json!([]), vec![])
    );
}

#[test]
fn log_probabilities_get_what_they_lack() {
    let listed = |list: &str| {
        let part = Part::Text(Text { logprobs: Some(raw(list)), ..Text::new("x") });
        let (told, losses) = answer(&said(vec![part], FinishReason::Stop));
        (told["output"][0]["content"][0]["logprobs"].clone(), losses.len())
    };
    let wanted = json!([{ "token": "x", "logprob": -1.0, "bytes": [120], "top_logprobs": [] }]);
    assert_eq!(listed(r#"[{"token":"x","logprob":-1.0,"bytes":null}]"#), (wanted, 0));
    assert_eq!(listed(r#"[{"chosenCandidates":[]}]"#), (json!([]), 1));
}
