//! Answers that are kept.

use proptest::prelude::*;
use serde_json::{Value, json};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::keep::{Items, Keep, KeepAsk, KeptAnswer, Link, Page, Refusal, Wants};
use crate::openai_responses::OpenaiResponses;
use crate::{Codec, Decode};

const CODEC: OpenaiResponses = OpenaiResponses;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn answer(id: &str, text: &str) -> String {
    json!({
        "id": id, "object": "response", "status": "completed", "model": "m", "output": [
            { "type": "message", "id": format!("msg_{id}"), "role": "assistant", "status": "completed",
              "content": [{ "type": "output_text", "text": text, "annotations": [] }] },
        ],
    })
    .to_string()
}

#[test]
fn what_a_request_says_of_kept_answers_is_read() {
    let body = r#"{"model":"m","previous_response_id":"resp_1","store":false,"input":[
        {"type":"item_reference","id":"a"},{"id":"b"},{"role":"user","content":"c","id":"not"},
        {"type":"message","role":"user","content":"d"},{"type":null,"id":"e"}]}"#;
    let ask = CODEC.ask(body).unwrap();
    let KeepAsk { previous, references, store, input } = ask;
    assert_eq!((previous.as_deref(), store), (Some("resp_1"), false));
    assert_eq!(references, ["a", "b", "e"]);
    assert_eq!(parsed(&body[input.unwrap()]).as_array().map(Vec::len), Some(5));
    let ask = CODEC.ask(r#"{"model":"m","input":"hi","store":null,"previous_response_id":null}"#).unwrap();
    assert!(ask.store && !ask.names());
    assert!(CODEC.ask("{").is_err());
}

#[test]
fn a_chain_is_said_in_full_before_the_input() {
    let (one, two) = (answer("resp_1", "A"), answer("resp_2", "B"));
    let links = [
        Link { id: "resp_1", input: "\"one\"", answer: &one },
        Link { id: "resp_2", input: r#"[{"role":"user","content":"two"}]"#, answer: &two },
    ];
    let body = r#"{"model":"m","previous_response_id":"resp_2","instructions":"be","input":[{"id":"x"}]}"#;
    let found =
        Items::from([("x".to_owned(), r#"{"type":"message","role":"user","content":"three"}"#.to_owned())]);
    let whole = parsed(&CODEC.rebuild(body, &links, &found, false).unwrap());
    assert_eq!(whole["instructions"], "be");
    assert!(whole.get("previous_response_id").is_none());
    let said: Vec<_> =
        whole["input"].as_array().unwrap().iter().map(|item| item["content"].to_string()).collect();
    assert_eq!(said.len(), 5);
    assert_eq!((&*said[0], &*said[2], &*said[4]), ("\"one\"", "\"two\"", "\"three\""));
    assert!(said[1].contains("\"A\"") && said[3].contains("\"B\""), "{said:?}");
}

#[test]
fn what_only_its_maker_can_look_up_is_left_out_for_another_of_the_dialect() {
    let answer = r#"{"id":"resp_1","output":[{"type":"reasoning","id":"rs_1","summary":[]},
        {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"c2VhbGVk"}]}"#;
    let links = [Link { id: "resp_1", input: "", answer }];
    let items = |own| {
        let body = r#"{"model":"m","input":[]}"#;
        parsed(&CODEC.rebuild(body, &links, &Items::new(), own).unwrap())["input"].as_array().unwrap().len()
    };
    assert_eq!((items(true), items(false)), (1, 2));
}

#[test]
fn an_answer_is_kept_as_it_was_told() {
    let text = r#"{ "id": "resp_1", "object":"response","status":"queued", "output":[], "store":true }"#;
    let wanted = KeptAnswer { id: "resp_1".to_owned(), there: true, complete: false, text: text.to_owned() };
    assert_eq!(CODEC.answer(text), Some(wanted));
    for none in
        ["", "{}", r#"{"error":{"message":"no"}}"#, r#"{"object":"response.input_tokens","input_tokens":3}"#]
    {
        assert_eq!(CODEC.answer(none), None, "{none}");
    }
}

#[track_caller]
fn gathered(stream: &str) -> Option<KeptAnswer> {
    let (mut gather, mut kept) = (CODEC.gather(), None);
    let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
    let mut on = |frame: shim_wire::frame::Frame<'_>| kept = kept.take().or_else(|| gather.frame(frame));
    framer.push(stream.as_bytes(), &mut on).unwrap();
    framer.finish(&mut on).unwrap();
    kept
}

#[test]
fn a_streamed_answer_is_that_of_its_last_event() {
    let whole = answer("resp_1", "A");
    let kept = gathered(&format!(
        "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{\"id\":\"resp_1\"}}}}\n\n\
         event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{whole}}}\n\n"
    ));
    assert_eq!(kept.unwrap().text, whole);
    // Without the names of events, and with the output told only item by item, out of order.
    let item = |n: u64| {
        format!(
            "data: {{\"type\":\"response.output_item.done\",\"output_index\":{n},\"item\":{{\"id\":\"i{n}\"}}}}\n\n"
        )
    };
    let end = "data: {\"type\":\"response.incomplete\",\"response\":{\"id\":\"resp_1\",\"status\":\"incomplete\",\"output\":[]}}\n\n";
    let kept = gathered(&[&item(1), &*item(0), end].concat()).unwrap();
    assert_eq!(parsed(&kept.text)["output"], json!([{ "id": "i0" }, { "id": "i1" }]));
    assert!(kept.complete);
    assert_eq!(gathered("event: error\ndata: {\"type\":\"error\"}\n\n"), None);
}

fn wants(method: &str, path: &str) -> Result<Wants, shim_ir::Fault> {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    CODEC.wants(method, &CODEC.route(method, path, query).unwrap())
}

#[test]
fn what_is_asked_of_a_kept_answer_is_read() {
    let id = || "resp_1".to_owned();
    assert_eq!(
        wants("GET", "/v1/responses/resp_1").unwrap(),
        Wants::Answer { id: id(), stream: false, after: None }
    );
    assert_eq!(
        wants("GET", "/v1/responses/resp_1?stream=true").unwrap(),
        Wants::Answer { id: id(), stream: true, after: None }
    );
    let path = "/v1/responses/resp_1?stream=true&starting_after=7";
    assert_eq!(wants("GET", path).unwrap(), Wants::Answer { id: id(), stream: true, after: Some(7) });
    assert!(wants("GET", "/v1/responses/resp_1?stream=true&starting_after=-1").is_err());
    assert_eq!(wants("DELETE", "/v1/responses/resp_1").unwrap(), Wants::Delete { id: id() });
    assert_eq!(wants("POST", "/v1/responses/resp_1/cancel").unwrap(), Wants::Cancel { id: id() });
    let page = Page { items_max: 3, newest_first: false, after: Some("a b".to_owned()) };
    let path = "/v1/responses/resp_1/input_items?limit=3&order=asc&after=a%20b";
    assert_eq!(wants("GET", path).unwrap(), Wants::Input { id: id(), page });
    assert_eq!(wants("GET", "/v1/responses/resp_1/other").unwrap(), Wants::Other { id: id() });
    for bad in ["limit=0", "limit=101", "limit=x", "order=up"] {
        assert!(wants("GET", &format!("/v1/responses/resp_1/input_items?{bad}")).is_err(), "{bad}");
    }
}

/// The data of the events of a replay.
fn replayed(answer: &str, after: Option<u64>) -> Vec<Value> {
    let stream = CODEC.replay(answer, after).unwrap();
    let stream = std::str::from_utf8(&stream).unwrap().to_owned();
    let mut events = Vec::new();
    for frame in stream.split_terminator("\n\n") {
        let (kind, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let event = parsed(data);
        assert!(event["type"] == kind && !data.contains(['\n', '\r']), "{frame}");
        events.push(event);
    }
    events
}

/// Every kind of item, as an answer of a provider has it: over several lines, with what no event of ours knows.
fn full() -> String {
    let output = json!([
        { "id": "rs_1", "type": "reasoning", "encrypted_content": "c2VhbGVk", "summary": [{ "type": "summary_text", "text": "First." }],
          "content": [{ "type": "reasoning_text", "text": "Indeed." }] },
        { "id": "ws_1", "type": "web_search_call", "status": "completed", "action": { "type": "search", "query": "x" } },
        { "id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
            { "type": "output_text", "text": "Blue\n\"sky\".", "logprobs": [], "annotations": [
                { "type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 4 }] },
            { "type": "refusal", "refusal": "No more." },
        ] },
        { "id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{\"at\":1}", "status": "completed" },
        { "id": "ct_1", "type": "custom_tool_call", "call_id": "call_2", "name": "run", "input": "ls\n" },
        { "id": "cmp_1", "type": "compaction", "encrypted_content": "c2VhbGVk" },
    ]);
    let answer = json!({ "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "odd": 1.50, "output": output, "usage": { "input_tokens": 1, "output_tokens": 2, "total_tokens": 3 } });
    serde_json::to_string_pretty(&answer).unwrap().replace("1.5,", "1.50,")
}

#[test]
fn a_kept_answer_is_replayed_as_the_stream_it_could_have_been() {
    let answer = full();
    let events = replayed(&answer, None);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    assert!(events[0]["type"] == "response.created" && events[0]["response"]["output"] == json!([]));
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["response"]), (&json!("response.completed"), &parsed(&answer)));
    // What reads along with it keeps the very answer, but for the ends of its lines.
    let stream = CODEC.replay(&answer, None).unwrap();
    let kept = gathered(std::str::from_utf8(&stream).unwrap()).unwrap();
    assert_eq!(kept.text, answer.replace('\n', " "));
    // Whoever decodes the stream has the answer.
    let told: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    for kind in [
        "output_text.annotation.added",
        "refusal.delta",
        "reasoning_summary_text.done",
        "reasoning_text.delta",
        "function_call_arguments.done",
        "custom_tool_call_input.delta",
        "content_part.added",
    ] {
        assert!(told.contains(&&*format!("response.{kind}")), "{kind}");
    }
    for after in 0..events.len() {
        assert_eq!(replayed(&answer, u64::try_from(after).ok()), events[after + 1..]);
    }
    for (status, kind) in [("incomplete", "response.incomplete"), ("failed", "response.failed")] {
        let other = answer.replacen("\"completed\"", &format!("\"{status}\""), 1);
        let of_answer = parsed(&other)["status"] == status;
        assert!(of_answer && replayed(&other, None).last().unwrap()["type"] == kind, "{status}");
    }
    assert_eq!(CODEC.replay(&answer.replacen("\"completed\"", "\"queued\"", 1), None), None);
    // Whatever was kept, nothing breaks.
    for odd in
        ["{}", r#"{"output":3}"#, r#"{"output":[1,{"type":"message","content":4},{"type":"reasoning"}]}"#]
    {
        assert!(CODEC.replay(odd, None).is_some(), "{odd}");
    }
}

#[test]
fn a_replay_decodes_to_the_answer() {
    let answer = full().replace('\n', " ");
    let mut decoder = CODEC.decoder();
    let mut events = Vec::new();
    let stream = CODEC.replay(&answer, None).unwrap();
    let mut framer = shim_wire::frame::Framer::new(shim_wire::frame::Framing::Sse, 1 << 20);
    framer.push(&stream, &mut |frame| decoder.push(frame, &mut events).unwrap()).unwrap();
    decoder.finish(&mut events);
    let (folded, _) = shim_ir::fold(events).unwrap();
    let whole = CODEC.decode_response(&answer).unwrap();
    assert_eq!((folded.candidates, folded.usage, folded.id), (whole.candidates, whole.usage, whole.id));
}

#[test]
fn a_missing_answer_is_told_in_the_providers_own_words() {
    let told = |refusal| {
        let fault = CODEC.refuse(refusal);
        (
            fault.http_status(),
            parsed(std::str::from_utf8(&CODEC.encode_fault(&fault)).unwrap())["error"].clone(),
        )
    };
    let (status, error) = told(Refusal::Previous("resp_x"));
    assert_eq!(status, 400);
    assert_eq!(
        error,
        json!({ "message": "Previous response with id 'resp_x' not found.", "type": "invalid_request_error",
                "param": "previous_response_id", "code": "previous_response_not_found" })
    );
    let (status, error) = told(Refusal::Answer("resp_x"));
    assert_eq!((status, &error["message"]), (404, &json!("Response with id 'resp_x' not found.")));
    assert_eq!(told(Refusal::Item("msg_x")).0, 404);
    assert_eq!(told(Refusal::Cancel).0, 400);
}

prop_compose! {
    fn exchange()(user in "[a-z \"\\\\é]{0,12}", said in "[a-z \"\\\\é]{0,12}", listed in any::<bool>(), own in any::<bool>())
        -> (String, String) {
        let mut item = json!({ "role": "user", "content": user });
        if own {
            item["id"] = json!("msg_own");
        }
        (if listed { json!([item]).to_string() } else { json!(user).to_string() }, said)
    }
}

proptest! {
    /// Law: going on from a chain is the same to a model as sending all of it.
    #[test]
    fn a_chain_means_what_it_would_if_sent_whole(chain in prop::collection::vec(exchange(), 0..6), last in exchange()) {
        let answers: Vec<_> = chain.iter().enumerate().map(|(n, (_, said))| answer(&format!("resp_{n}"), said)).collect();
        let ids: Vec<_> = (0..chain.len()).map(|n| format!("resp_{n}")).collect();
        let links: Vec<_> = chain.iter().zip(&answers).zip(&ids)
            .map(|(((input, _), answer), id)| Link { id, input, answer }).collect();
        let body = format!(r#"{{"model":"m","previous_response_id":"x","input":{}}}"#, last.0);
        let rebuilt = CODEC.rebuild(&body, &links, &Items::new(), false).unwrap();
        let mut whole = Vec::new();
        for (input, answer) in chain.iter().map(|(input, _)| input).zip(answers.iter().map(Some)).chain([(&last.0, None)]) {
            match parsed(input) {
                Value::Array(items) => whole.extend(items),
                text => whole.push(json!({ "role": "user", "content": text })),
            }
            whole.extend(answer.iter().flat_map(|answer| parsed(answer)["output"].as_array().cloned().unwrap()));
        }
        let sent = json!({ "model": "m", "input": whole }).to_string();
        let route = CODEC.route("POST", "/v1/responses", None).unwrap();
        let (rebuilt, sent) = (CODEC.decode_request(&route, &rebuilt).unwrap(), CODEC.decode_request(&route, &sent).unwrap());
        prop_assert_eq!(rebuilt, sent);
    }

    /// Law: pages, one behind the other, are the whole list, each item once, in either order; and each id leads back to
    /// its item.
    #[test]
    fn pages_are_the_whole_list(chain in prop::collection::vec(exchange(), 1..6), items_max in 1..5_usize, newest_first in any::<bool>()) {
        let answers: Vec<_> = chain.iter().enumerate().map(|(n, (_, said))| answer(&format!("resp_{n}"), said)).collect();
        let ids: Vec<_> = (0..chain.len()).map(|n| format!("resp_{n}")).collect();
        // One id twice in one list would be the client's doing.
        let inputs: Vec<_> = chain.iter().enumerate().map(|(n, (input, _))| input.replace("msg_own", &format!("msg_own{n}"))).collect();
        let links: Vec<_> = inputs.iter().zip(&answers).zip(&ids)
            .map(|((input, answer), id)| Link { id, input, answer }).collect();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = CODEC.page(&links, &Items::new(), &Page { items_max, newest_first, after }).unwrap();
            let page = parsed(std::str::from_utf8(&page).unwrap());
            let data = page["data"].as_array().unwrap();
            prop_assert!(data.len() <= items_max && !data.is_empty());
            prop_assert!(data.iter().all(|item| item["content"].is_array()));
            seen.extend(data.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            after = page["last_id"].as_str().map(str::to_owned);
            if page["has_more"] == false {
                break;
            }
        }
        if newest_first {
            seen.reverse();
        }
        let named: Vec<_> = links.iter().flat_map(|link| CODEC.items(link)).map(|(id, _)| id).collect();
        let (last_answer, before) = named.split_last().unwrap();
        prop_assert_eq!(&seen, before);
        prop_assert!(last_answer.starts_with("msg_resp_"));
    }
}
