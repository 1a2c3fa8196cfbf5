//! Whole answers: as they were recorded, as they would have been streamed, and as they are seldom seen.

use serde_json::{Value, json};
use shim_ir::{FaultKind, Finish, FinishReason, OpaqueKind, Part, Response, fold};
use shim_testkit::recordings::Recording;
use shim_wire::frame::Framing;

use super::{FAMILIES, answer, classes, opaque, refused, told};
use crate::anthropic_messages::AnthropicMessages;
use crate::laws::{each, recorded, stream_laws, whole_laws};
use crate::{AnswerError, Decode as _};

/// The stream that Anthropic would have told this answer in.
fn streamed(message: &Value) -> String {
    let mut start = message.clone();
    for (member, empty) in
        [("content", json!([])), ("stop_reason", Value::Null), ("stop_sequence", Value::Null)]
    {
        start[member] = empty;
    }
    let mut delta =
        json!({ "stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"] });
    for member in ["container", "stop_details"] {
        if !message[member].is_null() {
            delta[member] = std::mem::replace(&mut start[member], Value::Null);
        }
    }
    start["usage"]["output_tokens"] = json!(1);
    let mut events = vec![json!({ "type": "message_start", "message": start }), json!({ "type": "ping" })];
    for (index, block) in message["content"].as_array().into_iter().flatten().enumerate() {
        events.extend(streamed_block(index, block));
    }
    events.push(json!({ "type": "message_delta", "delta": delta, "usage": message["usage"] }));
    events.push(json!({ "type": "message_stop" }));
    events.iter().map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap())).collect()
}

fn streamed_block(index: usize, block: &Value) -> Vec<Value> {
    let mut start = block.clone();
    let deltas = deltas(&mut start);
    let mut events = vec![json!({ "type": "content_block_start", "index": index, "content_block": start })];
    let delta = |delta| json!({ "type": "content_block_delta", "index": index, "delta": delta });
    events.extend(deltas.into_iter().map(delta));
    events.push(json!({ "type": "content_block_stop", "index": index }));
    events
}

/// The deltas of a block, which is left as it starts.
fn deltas(block: &mut Value) -> Vec<Value> {
    let kind = block["type"].as_str().unwrap().to_owned();
    let mut take = |member: &str, empty: Value| std::mem::replace(&mut block[member], empty);
    match kind.as_str() {
        "text" => {
            let mut deltas = pieces("text_delta", "text", &take("text", json!("")));
            for citation in take("citations", json!([])).as_array().into_iter().flatten() {
                deltas.push(json!({ "type": "citations_delta", "citation": citation }));
            }
            deltas
        }
        "thinking" => {
            let mut deltas = pieces("thinking_delta", "thinking", &take("thinking", json!("")));
            let signature = take("signature", json!(""));
            deltas.push(json!({ "type": "signature_delta", "signature": signature }));
            deltas
        }
        "tool_use" | "server_tool_use" | "mcp_tool_use" => {
            let input = json!(take("input", json!({})).to_string());
            let mut deltas = vec![json!({ "type": "input_json_delta", "partial_json": "" })];
            deltas.extend(pieces("input_json_delta", "partial_json", &input));
            deltas
        }
        kind => {
            let grown = (kind == "compaction").then(|| take("content", Value::Null));
            grown.map(|text| json!({ "type": "compaction_delta", "content": text })).into_iter().collect()
        }
    }
}

/// Deltas of a text in pieces of seven characters.
fn pieces(kind: &str, member: &str, text: &Value) -> Vec<Value> {
    let text: Vec<_> = text.as_str().unwrap_or_default().chars().collect();
    let pieces = text.chunks(7).map(|piece| piece.iter().collect::<String>());
    pieces.map(|piece| json!({ "type": kind, member: piece })).collect()
}

/// Law: an answer, streamed and folded back, is the same answer.
fn check_streamed(recording: &Recording) {
    let message: Value = serde_json::from_str(&recording.response.body).unwrap();
    let mut whole = whole_laws(&AnthropicMessages, &message.to_string());
    let stream = streamed(&message);
    let (mut folded, foreign) =
        fold(stream_laws(&AnthropicMessages, stream.as_bytes(), Framing::Sse)).expect("a clean stream");
    assert_eq!(foreign, []);
    let words = |response: &mut Response| -> Value {
        let words = response.usage.as_mut().and_then(|usage| usage.words.take()).expect("words");
        serde_json::from_str(words.get()).unwrap()
    };
    assert_eq!(words(&mut folded), words(&mut whole));
    assert_eq!(folded, whole);
}

#[test]
fn an_answer_streamed_and_folded_is_the_same() {
    let Some(recordings) = recorded(&FAMILIES[..1]) else { return };
    let whole: Vec<_> = recordings
        .into_iter()
        .filter(|r| r.response.framing == "json" && r.response.status.is_none_or(|status| status < 400))
        .collect();
    each(&whole, |recording| recording.id.clone(), check_streamed);
}

#[track_caller]
fn reads(recordings: &[Recording], id: &str, parts: &[&str], wanted: [u64; 6]) {
    let recording = recordings.iter().find(|recording| recording.id == id).expect("the recording is there");
    let response = answer(recording);
    let found: Vec<_> =
        told(&response).iter().map(|line| line.chars().take(60).collect::<String>()).collect();
    assert_eq!(found, parts, "{id}");
    assert_eq!(classes(response.usage.as_ref()), wanted, "{id}");
}

#[test]
fn recorded_answers_are_read() {
    let Some(recordings) = recorded(&FAMILIES[..1]) else { return };
    let reads = |id, parts: &[&str], classes| reads(&recordings, id, parts, classes);
    let calls = "call toolu_01JA8S35SNy1ruX8gAXgb3Y6 lookup_refund_policy {\"o";
    reads("wc-f444c3eacf93", &[calls], [7, 0, 1069, 0, 60, 0]);
    let refund = "text Based on the refund policy for order-123, **yes, you ca";
    reads("wc-8ae492f4fc16", &[refund], [6, 1069, 85, 0, 110, 0]);
    let heads = "reasoning Setting up two equations for heads and legs, I sol";
    let problem = "text # Setting Up the Problem\n\n**Let:**\n- c = number of chic";
    reads("wc-5568cde31528", &[heads, problem], [44, 0, 0, 0, 456, 170]);
}

#[test]
fn recorded_compactions_and_advice_are_counted() {
    let Some(recordings) = recorded(&FAMILIES[..1]) else { return };
    let reads = |id, parts: &[&str], classes| reads(&recordings, id, parts, classes);
    // What a compaction used is added to what the upstream states; whole and streamed.
    let long = "foreign compaction {\"content\":\"The user provided a very long";
    reads("wc-40e0fc474986", &[long, "text Hello!"], [329, 0, 55096, 0, 136, 0]);
    let summary = "foreign compaction {\"type\":\"compaction\",\"content\":\"## Summar";
    let asked = "text Based on the conversation history, you asked me to summ";
    reads("wc-57ec62ca8ce5", &[summary, asked], [60997, 0, 0, 0, 3341, 0]);
    // What an advisor used is another model's.
    let advised = [
        "reasoning |Signature=ErMDCokBCA8YAipARPs8i+lnY3M3t+QqxJx7yvO",
        "text The task asks a simple arithmetic question (2+2), and m",
        "Native(\"server_tool_use\") srvtoolu_01F41jVTJWt437pMYJ8rmuGn ",
        "advisor_tool_result of srvtoolu_01F41jVTJWt437pMYJ8rmuGn",
        "text 2 + 2 = 4",
    ];
    reads("wc-99b36f5c4bab", &advised, [2482, 0, 0, 0, 95, 71]);
}

#[test]
fn recorded_blocks_of_anthropics_own_are_read() {
    let Some(recordings) = recorded(&FAMILIES[..1]) else { return };
    let reads = |id, parts: &[&str], classes| reads(&recordings, id, parts, classes);
    let redacted = [
        "reasoning |Redacted=EqkECkYIBxgCKkA8AZ4noDfV5VcOJe/p3JTRB6Xz",
        "reasoning |Redacted=EtgBCkYIBxgCKkDQfGkwzflEJP5asG3oQfJXcTwJ",
        "text I notice that you've sent what appears to be some kind ",
    ];
    reads("wc-ee6460d2fb8b", &redacted, [92, 0, 0, 0, 189, 0]);
    let asks = [
        "reasoning The user is asking about the pydantic/pydantic-ai ",
        "Native(\"mcp_tool_use\") mcptoolu_01SAss3KEwASziHZoMR6HcZU ask",
        "mcp_tool_result of mcptoolu_01SAss3KEwASziHZoMR6HcZU",
        "text **Pydantic AI** is a Python agent framework for buildin",
    ];
    reads("wc-8e5de6268199", &asks, [2674, 0, 0, 0, 373, 0]);
    reads("wc-71b791feee66", &[], [18, 0, 0, 0, 5, 0]);
}

#[test]
fn recorded_results_of_anthropics_own_tools_are_read() {
    let Some(recordings) = recorded(&FAMILIES[..1]) else { return };
    let reads = |id, parts: &[&str], classes| reads(&recordings, id, parts, classes);
    let cited = [
        "web_search_tool_result of srvtoolu_01EoSNE7k4dUJyGatASCV5qs",
        "text Based on the search results, ",
        "text[2] the duration of a 10-year Treasury note is approxima",
        "text  (this example was given when yields were at 1.30%). Ho",
    ];
    reads("wc-db1d6d46ed77", &cited, [8606, 0, 0, 0, 132, 0]);
    let calculates = [
        "reasoning Let me calculate this mathematical expression.|Sig",
        "text I'll calculate that expression for you right away!",
        "Native(\"server_tool_use\") srvtoolu_01MwXaweAHve88x6s3Fc8x6Q ",
        "bash_code_execution_tool_result of srvtoolu_01MwXaweAHve88x6",
        "text Following the standard **order of operations (PEMDAS/BO",
    ];
    reads("wc-26e7701c0717", &calculates, [4714, 0, 0, 0, 304, 0]);
}

/// An answer with these members.
#[track_caller]
fn whole(members: &str) -> Response {
    whole_laws(
        &AnthropicMessages,
        &format!(r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m",{members}}}"#),
    )
}

#[test]
fn why_an_answer_ended() {
    let check = |members: &str, reason, words: &str, sequence: Option<&str>| {
        let response = whole(&format!(r#""content":[],{members}"#));
        let wanted = Finish { reason, words: Some(words.to_owned()), sequence: sequence.map(str::to_owned) };
        assert_eq!(response.candidates[0].finish, Some(wanted));
        assert_eq!(response.rest.members().len(), 0, "{:?}", response.rest);
    };
    let reason = |word: &str| format!(r#""stop_reason":"{word}","stop_sequence":null"#);
    check(&reason("end_turn"), FinishReason::Stop, "end_turn", None);
    check(&reason("max_tokens"), FinishReason::Length, "max_tokens", None);
    let window = "model_context_window_exceeded";
    check(&reason(window), FinishReason::Length, window, None);
    check(&reason("tool_use"), FinishReason::ToolCalls, "tool_use", None);
    check(&reason("pause_turn"), FinishReason::Pause, "pause_turn", None);
    check(&reason("compaction"), FinishReason::Pause, "compaction", None);
    check(&reason("refusal"), FinishReason::Refusal, "refusal", None);
    check(&reason("new"), FinishReason::Other, "new", None);
    let met = r#""stop_sequence":"END","stop_reason":"stop_sequence""#;
    check(met, FinishReason::Sequence, "stop_sequence", Some("END"));
    check(r#""stop_reason":7"#, FinishReason::Other, "7", None);
}

#[test]
fn usage_is_in_disjoint_classes() {
    let used = |usage: &str| {
        let response = whole(&format!(r#""content":[],"stop_reason":"end_turn","usage":{usage}"#));
        (response.usage.is_some(), classes(response.usage.as_ref()))
    };
    let split = r#"{"input_tokens":5,"cache_read_input_tokens":7,"cache_creation_input_tokens":9,
        "cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5},
        "output_tokens":8,"output_tokens_details":{"thinking_tokens":3}}"#;
    assert_eq!(used(split), (true, [5, 7, 4, 5, 5, 3]));
    // Counts of other providers: the two lives alone, nothing of the cache, more thinking than output.
    let lives = r#"{"input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5},"output_tokens":0}"#;
    assert_eq!(used(lives), (true, [5, 0, 4, 5, 0, 0]));
    let bare = r#"{"output_tokens":8,"output_tokens_details":{"thinking_tokens":9},"cache_creation":null}"#;
    assert_eq!(used(bare), (true, [0, 0, 0, 0, 0, 8]));
    let compacted = r#"{"input_tokens":5,"output_tokens":8,"iterations":[
        {"type":"compaction","input_tokens":100,"cache_creation_input_tokens":2,"output_tokens":10},
        {"type":"advisor_message","model":"x","input_tokens":1000,"output_tokens":1000},
        {"type":"message","input_tokens":5,"output_tokens":8}]}"#;
    assert_eq!(used(compacted), (true, [105, 0, 2, 0, 18, 0]));
    for nothing in ["null", "{}", r#"{"server_tool_use":{}}"#] {
        assert_eq!(used(nothing), (false, [0; 6]));
    }
}

#[test]
fn what_others_leave_out_is_no_error() {
    assert_eq!(told(&whole_laws(&AnthropicMessages, r#"{"content":"hi"}"#)), ["text hi"]);
    assert_eq!(told(&whole(r#""content":null,"stop_reason":null"#)), [""; 0]);
    let bare = whole(
        r#""content":[{"type":"tool_use","name":"f"},{"type":"thinking","thinking":"t","signature":""}]"#,
    );
    assert_eq!(told(&bare), ["call  f {}", "reasoning t|"]);
}

#[test]
fn an_answer_that_is_none_is_refused() {
    let AnswerError::Fault(fault) =
        refused(r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#)
    else {
        panic!()
    };
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::UpstreamOverloaded, "m"));
    let check = |body: &str, wanted: &str| {
        let AnswerError::Decode(error) = refused(body) else { panic!() };
        assert_eq!(error.to_string().split(" at line").next().unwrap(), wanted);
    };
    check(r#"{"id":"msg_1"}"#, ".: missing field `content`");
    check(r#"{"content":[{"type":"text","text":"a"},{"type":"text"}]}"#, "content[1]: missing field `text`");
    check(r#"{"content":7}"#, "content: expected text or a list of blocks");
}

#[test]
fn what_nobody_knows_is_kept_as_it_is() {
    let response = whole(
        r#""content":[
            {"type":"fallback","from":{"model":"a"},"to":{"model": "b"}},
            {"type":"container_upload","file_id":"file_1"},
            {"type":"new_tool_result","tool_use_id":"srv_1","content": [1.0]},
            {"type":"text","text":"a","mood":"fine"}],
        "container":null,"stop_details":{"type":"refusal"}"#,
    );
    let wanted = [
        r#"foreign fallback {"type":"fallback","from":{"model":"a"},"to":{"model": "b"}}"#,
        r#"foreign container_upload {"type":"container_upload","file_id":"file_1"}"#,
        "new_tool_result of srv_1",
        "text a",
    ];
    assert_eq!(told(&response), wanted);
    let parts = &response.candidates[0].parts;
    let (Part::ServerResult(result), Part::Text(text)) = (&parts[2], &parts[3]) else { panic!() };
    assert_eq!(result.raw.get(), r#"{"type":"new_tool_result","tool_use_id":"srv_1","content": [1.0]}"#);
    assert_eq!(text.rest.get("mood").unwrap().get(), r#""fine""#);
    let rest: Vec<_> =
        response.rest.members().iter().map(|(key, value)| format!("{key}={}", value.get())).collect();
    // A member that is `null` only fills a slot.
    assert_eq!(rest, [r#"stop_details={"type":"refusal"}"#]);
}

#[test]
fn every_kind_of_citation_is_read() {
    let cited = |citation: &str| {
        let block = format!(r#"{{"type":"text","text":"a","citations":[{citation}]}}"#);
        let response = whole(&format!(r#""content":[{block}]"#));
        let Part::Text(text) = &response.candidates[0].parts[0] else { panic!() };
        let [found] = &text.citations[..] else { panic!("{text:?}") };
        assert_eq!(found.words.as_ref().unwrap().get(), citation);
        (found.url.clone(), found.title.clone(), found.cited.clone())
    };
    let some = |text: &str| Some(text.to_owned());
    let web = r#"{"type":"web_search_result_location","url":"https://x","title":"t","cited_text":"c","encrypted_index":"e"}"#;
    assert_eq!(cited(web), (some("https://x"), some("t"), some("c")));
    for place in
        [r#""start_char_index":0,"end_char_index":4"#, r#""start_page_number":1,"end_page_number":2"#]
    {
        let document = format!(r#"{{"cited_text":"c","document_index":0,"document_title":"d",{place}}}"#);
        assert_eq!(cited(&document), (None, some("d"), some("c")));
    }
    let search = |source: &str| {
        cited(&format!(
            r#"{{"type":"search_result_location","source":"{source}","title":"t","cited_text":"c"}}"#
        ))
        .0
    };
    assert_eq!((search("https://y"), search("shelf 7")), (some("https://y"), None));
    assert_eq!(cited("7"), (None, None, None));
}

#[test]
fn opaque_state_is_kept_byte_for_byte() {
    let response = whole(
        r#""content":[{"type":"thinking","thinking":"t","signature":"s+/=A"},
            {"type":"redacted_thinking","data":"d=="}]"#,
    );
    assert_eq!(told(&response), ["reasoning t|Signature=s+/=A", "reasoning |Redacted=d=="]);
    assert_eq!(opaque(&response), [OpaqueKind::Signature, OpaqueKind::Redacted]);
}

#[test]
fn a_count_keeps_what_else_it_says_and_a_message_without_content_is_none() {
    let read = |body: &str| AnthropicMessages.decode_response(body);
    let body =
        r#"{"input_tokens":5,"context_management":{"original_input_tokens":9},"cache_read_input_tokens":3}"#;
    let counted = read(body).unwrap();
    assert!(counted.is_count());
    let usage = counted.usage.unwrap();
    assert_eq!((usage.input_total().0, usage.words.unwrap().get()), (5, body));
    for message in [r#"{"id":"m","input_tokens":5}"#, r#"{"usage":{},"input_tokens":5}"#] {
        assert!(matches!(read(message), Err(AnswerError::Decode(_))), "{message}");
    }
}
