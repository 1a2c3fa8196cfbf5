//! Targets of another dialect: every dialect of clients over every dialect of upstreams, whole and streamed, good and bad.
//! Upstreams answer with the cases of the corpus.

use std::time::Duration;

use bytes::Bytes;
use shim_dialect::{Goal, Operation, Route, speaker};
use shim_ir::{Dialect, Event, FoldError, Part, Response, Role, StreamAsk, Text, Traits, Turn, fold};
use shim_testkit::replay::{self, Answer};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::lab::{Got, Lab, Told, post, read};

const DIALECTS: [(Dialect, &str, &str); 4] = [
    (Dialect::OpenaiChat, "openai-chat", "openai_chat"),
    (Dialect::OpenaiResponses, "openai-responses", "openai_responses"),
    (Dialect::Anthropic, "anthropic", "anthropic_messages"),
    (Dialect::Gemini, "gemini", "gemini_generate"),
];

/// A gateway with one provider, which speaks `dialect`.
fn lab(dialect: &str, more: &str, behave: impl Fn(&Got) -> Option<Told> + Send + Sync + 'static) -> Lab {
    let version = if dialect.starts_with("openai") { "/v1" } else { "" };
    let config = format!(
        "[providers.lab]\ndialect = \"{dialect}\"\nbase_url = \"http://lab.test{version}\"\nkey = {{ env = \"LAB_KEY\" }}\n\
         [aliases.chat]\ntarget = \"lab/one\"\n{more}"
    );
    Lab::new(&config, behave)
}

/// What a client of `dialect` sends to be told `text`.
fn asked(dialect: Dialect, stream: bool, change: impl FnOnce(&mut shim_ir::Request)) -> (String, Bytes) {
    let turn = |parts| Turn { role: Role::User, id: None, name: None, parts, rest: shim_ir::Rest::default() };
    let mut request = shim_ir::Request {
        model: "chat".to_owned(),
        turns: vec![turn(vec![Part::Text(Text::new("hello"))])],
        stream: stream.then(|| StreamAsk { usage: Some(true), ..StreamAsk::default() }),
        ..shim_ir::Request::default()
    };
    change(&mut request);
    let traits = Traits::default();
    let goal = Goal { operation: Operation::Generate, model: "chat", traits: &traits, seed: "s" };
    let codec = speaker(dialect);
    let encoded = codec.encode_request(&request, &goal);
    let route: Route = codec.route_for(Operation::Generate, "chat", stream);
    let path = codec.upstream_path(&route, "chat");
    let path = if path.starts_with("/v1") { path } else { format!("/v1{path}") };
    (path, encoded.body.into_bytes())
}

fn told(answer: &Answer) -> Told {
    let kind = if answer.streamed { "text/event-stream" } else { "application/json" };
    Told::whole(answer.status, kind, std::str::from_utf8(&answer.body).unwrap())
}

/// The answer in `body`, as the decoder of `dialect` reads it.
fn decoded(dialect: Dialect, streamed: bool, body: &str) -> Result<Response, FoldError> {
    let codec = speaker(dialect);
    if !streamed {
        return Ok(codec.decode_response(body).unwrap_or_else(|e| panic!("{e}: {body}")));
    }
    let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
    let (mut decoder, mut events): (_, Vec<Event>) = (codec.decoder(), Vec::new());
    framer.push(body.as_bytes(), &mut |frame| decoder.push(frame, &mut events).unwrap()).unwrap();
    framer.finish(&mut |frame| decoder.push(frame, &mut events).unwrap()).unwrap();
    decoder.finish(&mut events);
    fold(events).map(|(response, _)| response)
}

/// Text, calls, why it ended, and what was used.
type Essence = (String, Vec<(String, serde_json::Value)>, String, Option<(u64, u64)>);

/// What must not change on the way.
fn essence(response: &Response) -> Essence {
    let candidate = response.candidates.first().unwrap_or_else(|| panic!("no candidate in {response:?}"));
    let mut text = String::new();
    let mut calls = Vec::new();
    for part in &candidate.parts {
        match part {
            Part::Text(part) => text.push_str(&part.text),
            Part::ToolCall(call) => {
                calls.push((call.name.clone(), serde_json::from_str(&call.arguments).unwrap()));
            }
            _ => {}
        }
    }
    let finish = candidate.finish.as_ref().map(|finish| format!("{:?}", finish.reason));
    let usage = response.usage.as_ref().map(|usage| (usage.input_total().0, usage.output_total().0));
    (text, calls, finish.unwrap_or_default(), usage)
}

/// Asks in every other dialect than the upstream's, whose case `case` answers.
async fn check(case: &str) {
    for (upstream, word, folder) in DIALECTS {
        let answer = replay::answer(folder, case).unwrap().unwrap_or_else(|| panic!("{folder}/{case}"));
        let body = String::from_utf8(answer.body.to_vec()).unwrap();
        let wanted = essence(&decoded(upstream, answer.streamed, &body).unwrap());
        for (client, name, _) in DIALECTS.into_iter().filter(|(client, ..)| *client != upstream) {
            let place = format!("{name} over {folder}/{case}");
            let reply = answer.clone();
            let lab = lab(word, "", move |_| Some(told(&reply)));
            let (path, sent) = asked(client, answer.streamed, |_| ());
            let response = lab.send(post(&path, sent)).await;
            let fidelity = response.headers()["x-shim-fidelity"].to_str().unwrap().to_owned();
            let (status, body) = read(response).await;
            assert_eq!(status, 200, "{place}: {body}");
            assert!(fidelity.starts_with("mapped; losses="), "{place}: {fidelity}");
            let got =
                decoded(client, answer.streamed, &body).unwrap_or_else(|e| panic!("{place}: {e}: {body}"));
            let mut got = essence(&got);
            if wanted.3.is_none() {
                // Some dialects must state a usage; that there was none is among the losses.
                got.3 = None;
            }
            assert_eq!(got, wanted, "{place}: {body}");
            let settled = &lab.control.shared().latest(1)[0];
            let usage = settled.usage.as_ref().map(|u| (u.input_total().0, u.output_total().0));
            assert_eq!((usage, settled.losses.is_some()), (wanted.3, true), "{place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_is_the_same_in_every_dialect_over_every_other() {
    check("plain").await;
    check("plain_stream").await;
}

#[tokio::test(start_paused = true)]
async fn calls_are_the_same_in_every_dialect_over_every_other() {
    check("tool_call").await;
    check("tool_calls_stream").await;
}

#[tokio::test(start_paused = true)]
async fn reasoning_is_never_text_in_any_dialect_over_any_other() {
    check("reasoning_stream").await;
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_errors_are_the_clients_in_every_dialect() {
    for (upstream, word, folder) in DIALECTS {
        for case in ["rate_limited", "invalid"] {
            let answer = replay::answer(folder, case).unwrap().unwrap();
            for (client, name, _) in DIALECTS.into_iter().filter(|(client, ..)| *client != upstream) {
                let reply = answer.clone();
                let lab = lab(word, "", move |_| Some(told(&reply).with(&[("retry-after", "7")])));
                let (path, sent) = asked(client, false, |_| ());
                let response = lab.send(post(&path, sent)).await;
                assert_eq!(response.headers()["retry-after"], "7", "{name} over {folder}/{case}");
                let (status, body) = read(response).await;
                assert_eq!(status, answer.status, "{name} over {folder}/{case}: {body}");
                let fault = speaker(client).decode_fault(status, body.as_bytes());
                let theirs = speaker(upstream).decode_fault(answer.status, &answer.body);
                assert_eq!(fault.message, theirs.message, "{name} over {folder}/{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_or_is_cut_never_ends_cleanly_in_another_dialect() {
    for (upstream, word, folder) in DIALECTS {
        for case in ["failed_stream", "cut"] {
            let answer = replay::answer(folder, case).unwrap().unwrap();
            for (client, name, _) in DIALECTS.into_iter().filter(|(client, ..)| *client != upstream) {
                let reply = answer.clone();
                let lab = lab(word, "", move |_| Some(told(&reply)));
                let (path, sent) = asked(client, true, |_| ());
                let (_, body) = read(lab.send(post(&path, sent)).await).await;
                let end = decoded(client, true, &body);
                assert!(matches!(end, Err(FoldError::Failed(..))), "{name} over {folder}/{case}: {body}");
                assert!(lab.control.shared().latest(1)[0].fault.is_some(), "{name} over {folder}/{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_strict_alias_refuses_before_the_upstream_is_asked_and_says_what() {
    let strict = "fidelity = \"strict\"\n";
    let lab = lab("anthropic", strict, |_| Some(Told::whole(500, "application/json", "{}")));
    let (path, sent) = asked(Dialect::OpenaiChat, false, |request| request.sampling.seed = Some(7));
    let (status, body) = read(lab.send(post(&path, sent)).await).await;
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("seed") && body.contains("dropped"), "{body}");
    assert_eq!(lab.control.shared().latest(1)[0].to_json()["fidelity"], "refused");
    assert!(lab.net.got.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_count_is_no_answer_to_who_did_not_ask_for_one() {
    let lab = lab("anthropic", "", |_| Some(Told::whole(200, "application/json", r#"{"input_tokens":2}"#)));
    let (path, sent) = asked(Dialect::OpenaiChat, false, |_| ());
    let (status, body) = read(lab.send(post(&path, sent)).await).await;
    assert_eq!(status, 502, "{body}");
    assert!(body.contains("counted tokens"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_fails_keeps_its_losses() {
    for (folder, case) in [("anthropic_messages", "rate_limited"), ("anthropic_messages", "plain")] {
        let mut answer = replay::answer(folder, case).unwrap().unwrap();
        if case == "plain" {
            answer.body = b"no answer".to_vec().into();
        }
        let lab = lab("anthropic", "", move |_| Some(told(&answer)));
        let (path, sent) = asked(Dialect::OpenaiChat, false, |request| request.sampling.seed = Some(7));
        let (status, body) = read(lab.send(post(&path, sent)).await).await;
        let record = lab.control.shared().latest(1)[0].clone();
        assert!(status >= 400 && record.fault.is_some(), "{body}");
        let losses = record.losses.clone().unwrap_or_default();
        assert!(losses.iter().any(|loss| loss.path == "seed"), "{case}: {losses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn losses_are_told_in_the_clients_words() {
    let answer = replay::answer("anthropic_messages", "plain").unwrap().unwrap();
    let lab = lab("anthropic", "", move |_| Some(told(&answer)));
    let body = r#"{"model":"chat","input":[{"role":"user","content":"hi"},
        {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"c2VhbGVk"},
        {"role":"user","content":"well?"}]}"#;
    let (status, body) = read(lab.send(post("/v1/responses", body)).await).await;
    assert_eq!(status, 200, "{body}");
    let losses = lab.control.shared().latest(1)[0].losses.clone().unwrap_or_default();
    let paths: Vec<_> = losses.iter().map(|loss| &*loss.path).collect();
    assert!(paths.iter().any(|path| path.starts_with("input[1]")), "{paths:?}");
    assert!(paths.iter().all(|path| !path.contains("input[1].content")), "{paths:?}");
}

/// What stands at a path that a client's own notes share, and is said otherwise, is told.
#[tokio::test(start_paused = true)]
async fn what_is_said_otherwise_is_told_wherever_it_stands() {
    let answer = replay::answer("anthropic_messages", "plain").unwrap().unwrap();
    let lab = lab("anthropic", "", move |_| Some(told(&answer)));
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[
        {"name":"f","parameters":{"type":"OBJECT","anyOf":[{"type":"OBJECT"},{"type":"OBJECT"}]}}]}]}"#;
    let (status, body) = read(lab.send(post("/v1beta/models/chat:generateContent", body)).await).await;
    assert_eq!(status, 200, "{body}");
    let losses = lab.control.shared().latest(1)[0].losses.clone().unwrap_or_default();
    let paths: Vec<_> = losses.iter().map(|loss| (&*loss.path, loss.kind.name())).collect();
    assert!(paths.contains(&("tools[0].parameters", "approximated")), "{paths:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_with_tools_comes_with_the_header_it_needs() {
    let answer = replay::answer("anthropic_messages", "plain").unwrap().unwrap();
    let lab = lab("anthropic", "", move |_| Some(told(&answer)));
    let server = r#"{"type":"mcp","server_label":"a","server_url":"https://a","require_approval":"never"}"#;
    for (offered, wanted) in [(server, Some("mcp-client-2025-11-20")), ("", None)] {
        let body = format!(r#"{{"model":"chat","input":"hi","tools":[{offered}]}}"#);
        let (status, body) = read(lab.send(post("/v1/responses", body)).await).await;
        assert_eq!(status, 200, "{body}");
        let got = lab.net.got.lock().unwrap().last().unwrap().clone();
        let sent = got.headers.get("anthropic-beta").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(sent.as_deref(), wanted, "{offered}");
        let named = std::str::from_utf8(&got.body).unwrap().contains("mcp_servers");
        assert_eq!(named, wanted.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_of_an_alias_may_be_refused_or_let_go() {
    let refuse = "losses = { seed = \"refuse\" }\n";
    let drop = "fidelity = \"strict\"\nlosses = { seed = \"drop\", max_tokens = \"drop\" }\n";
    for (rule, wanted) in [(refuse, 400), (drop, 200), ("", 200)] {
        let answer = replay::answer("anthropic_messages", "plain").unwrap().unwrap();
        let lab = lab("anthropic", rule, move |_| Some(told(&answer)));
        let (path, sent) = asked(Dialect::OpenaiChat, false, |request| request.sampling.seed = Some(7));
        let (status, body) = read(lab.send(post(&path, sent)).await).await;
        assert_eq!(status, wanted, "{rule}: {body}");
        let losses = lab.control.shared().latest(1)[0].losses.clone().unwrap_or_default();
        assert_eq!(losses.iter().any(|loss| loss.path == "seed"), wanted == 200, "{rule}: {losses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_providers_own_tool_is_refused_only_where_it_must_be_called() {
    let body = |choice: &str| {
        format!(
            r#"{{"model":"chat","input":"hi","tools":[{{"type":"file_search","vector_store_ids":["v"]}}],"tool_choice":{choice}}}"#
        )
    };
    for (choice, rule, wanted) in
        [("\"auto\"", "", 200), ("\"required\"", "", 400), ("\"auto\"", "fidelity = \"strict\"\n", 400)]
    {
        let answer = replay::answer("openai_chat", "plain").unwrap().unwrap();
        let lab = lab("openai-chat", rule, move |_| Some(told(&answer)));
        let (status, told) = read(lab.send(post("/v1/responses", body(choice))).await).await;
        assert_eq!(status, wanted, "{choice} {rule}: {told}");
        assert!(wanted == 200 || told.contains("tools[0]"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_cannot_carry_the_request_is_passed_over() {
    let config = "[providers.one]\ndialect = \"anthropic\"\nbase_url = \"http://one.test\"\n\
                  [providers.two]\ndialect = \"openai-chat\"\nbase_url = \"http://two.test/v1\"\n\
                  [aliases.chat]\ntarget = \"one/a\"\nfallback = [\"two/b\"]\nfidelity = \"strict\"\n";
    let answer = replay::answer("openai_chat", "plain").unwrap().unwrap();
    let lab = Lab::new(config, move |_| Some(told(&answer)));
    let (path, sent) = asked(Dialect::OpenaiChat, false, |request| request.sampling.seed = Some(7));
    let response = lab.send(post(&path, sent)).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-shim-target"]),
        (200, &"two/b".parse().unwrap())
    );
    assert_eq!(lab.net.got.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_client_of_a_silent_translated_stream_is_told_that_it_goes_on() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let lab = lab("openai-chat", "", move |_| {
        let (told, pieces) = Told::open("text/event-stream");
        sender.send(pieces).unwrap();
        Some(told)
    });
    let (path, sent) = asked(Dialect::Anthropic, true, |_| ());
    let response = lab.send(post(&path, sent)).await;
    let pieces = receiver.recv().unwrap();
    let answer = replay::answer("openai_chat", "plain_stream").unwrap().unwrap();
    let writer = tokio::spawn(async move {
        for piece in answer.pieces() {
            tokio::time::sleep(Duration::from_secs(20)).await;
            let _ = pieces.send(Ok(piece));
        }
    });
    let (_, body) = read(response).await;
    writer.await.unwrap();
    assert!(body.contains("event: ping"), "{body}");
    decoded(Dialect::Anthropic, true, &body).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_nobody_asked_for_is_gathered_and_a_whole_answer_is_streamed() {
    let answers = |case| replay::answer("openai_chat", case).unwrap().unwrap();
    for (case, stream) in [("plain_stream", false), ("plain", true)] {
        let reply = answers(case);
        let lab = lab("openai-chat", "", move |_| Some(told(&reply)));
        let (path, sent) = asked(Dialect::Gemini, stream, |_| ());
        let (status, body) = read(lab.send(post(&path, sent)).await).await;
        assert_eq!(status, 200, "{body}");
        let wanted = String::from_utf8(answers(case).body.to_vec()).unwrap();
        let wanted = essence(&decoded(Dialect::OpenaiChat, !stream, &wanted).unwrap());
        assert_eq!(essence(&decoded(Dialect::Gemini, stream, &body).unwrap()), wanted, "{body}");
    }
}

/// Whole and streamed answers of Chat Completions with this text, in pieces of three characters.
fn with_text(text: &str, stream: bool) -> String {
    let chars: Vec<_> = text.chars().collect();
    let chunk = |delta: serde_json::Value, finish: Option<&str>| {
        let choice = serde_json::json!({ "index": 0, "delta": delta, "finish_reason": finish });
        let chunk = serde_json::json!({ "id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice] });
        format!("data: {chunk}\n\n")
    };
    if !stream {
        let message = serde_json::json!({ "role": "assistant", "content": text });
        let choice = serde_json::json!({ "index": 0, "message": message, "finish_reason": "stop" });
        return serde_json::json!({ "id": "c", "object": "chat.completion", "model": "m", "choices": [choice] }).to_string();
    }
    let pieces = chars.chunks(3).map(|piece| piece.iter().collect::<String>());
    let mut body: String = pieces.map(|piece| chunk(serde_json::json!({ "content": piece }), None)).collect();
    body.push_str(&chunk(serde_json::json!({}), Some("stop")));
    body + "data: [DONE]\n\n"
}

/// The parts that a client of `dialect` gets of an answer in Chat Completions with this text.
async fn parts(dialect: Dialect, more: &str, text: &str, stream: bool) -> (String, Vec<Part>) {
    let config = format!(
        "[providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"http://lab.test/v1\"\n{more}\n\
         [aliases.chat]\ntarget = \"lab/one\"\n"
    );
    let body = with_text(text, stream);
    let kind = if stream { "text/event-stream" } else { "application/json" };
    let lab = Lab::new(&config, move |_| Some(Told::whole(200, kind, &body)));
    let (path, sent) = asked(dialect, stream, |_| ());
    let (status, body) = read(lab.send(post(&path, sent)).await).await;
    assert_eq!(status, 200, "{body}");
    let response = decoded(dialect, stream, &body).unwrap();
    (body, response.candidates.into_iter().next().unwrap().parts)
}

#[tokio::test(start_paused = true)]
async fn reasoning_between_tags_is_told_apart_where_the_configuration_says_so() {
    let explicit = "think_tags = { \"*\" = \"explicit\" }";
    let implicit = "think_tags = { \"*\" = \"none\", \"one\" = \"implicit\" }";
    for stream in [false, true] {
        for dialect in [Dialect::Anthropic, Dialect::OpenaiResponses, Dialect::Gemini] {
            for (more, text) in [(explicit, "<think>\nhm</think>\n\nyes"), (implicit, "hm</think>\n\nyes")] {
                let (body, parts) = parts(dialect, more, text, stream).await;
                let [Part::Reasoning(reasoning), Part::Text(text)] = &parts[..] else {
                    panic!("{dialect}: {body}")
                };
                let said = [&reasoning.text[..], &reasoning.summary[..]].concat().concat();
                assert_eq!((said.as_str(), text.text.as_str()), ("hm", "yes"), "{dialect}: {body}");
            }
            // Nobody said that this model leaves its reasoning there.
            let text = "<think>hm</think> is how it is written";
            let (body, parts) = parts(dialect, "", text, stream).await;
            assert!(matches!(&parts[..], [Part::Text(part)] if part.text == text), "{dialect}: {body}");
        }
        // In the same dialect every byte passes.
        let text = "<think>hm</think>yes";
        let (body, _) = parts(Dialect::OpenaiChat, explicit, text, stream).await;
        assert_eq!(body, with_text(text, stream));
    }
}
