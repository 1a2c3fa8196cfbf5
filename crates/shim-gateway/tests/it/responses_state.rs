//! Responses that go on from one another, over every dialect of upstreams: the chain.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use shim_testkit::replay;
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::lab::{Got, Lab, Told, post, read};

/// A dialect's word, the folder of its cases, and what stands behind the host of its base URL.
pub(crate) const DIALECTS: [(&str, &str, &str); 4] = [
    ("openai-chat", "openai_chat", "/v1"),
    ("openai-responses", "openai_responses", "/v1"),
    ("anthropic", "anthropic_messages", ""),
    ("gemini", "gemini_generate", ""),
];

/// A provider for each dialect, named as it, and an alias on the first.
pub(crate) fn config(first: &str, more: &str) -> String {
    let provider = |(word, _, version): &(&str, &str, &str)| {
        format!("[providers.{word}]\ndialect = \"{word}\"\nbase_url = \"http://{word}.test{version}\"\n")
    };
    let providers: String = DIALECTS.iter().map(provider).collect();
    format!("{providers}[aliases.chat]\ntarget = \"{first}/one\"\n{more}")
}

/// A call where the request's last word is the user's and asks for the weather, else a text; whole or streamed as asked.
/// Each answer of Responses has an id of its own.
pub(crate) fn answers(number: usize, got: &Got) -> Told {
    let (_, folder, _) = DIALECTS.iter().find(|(word, ..)| got.host == format!("{word}.test")).unwrap();
    let body: Value = serde_json::from_slice(&got.body).unwrap_or_default();
    let list = ["messages", "input", "contents"].iter().find_map(|key| body[*key].as_array());
    let last = list.and_then(|list| list.last()).map(Value::to_string).unwrap_or_default();
    let calls = last.contains("weather") && last.contains("user") && !last.contains("result");
    let streamed = body["stream"] == true || got.path.contains("streamGenerate");
    let case = match (calls, streamed) {
        (true, false) => "tool_call",
        (true, true) => "tool_calls_stream",
        (false, false) => "plain",
        (false, true) => "plain_stream",
    };
    let answer = replay::answer(folder, case).unwrap().unwrap();
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let text = text.replace("resp_own", &format!("resp_u{number}_"));
    Told::whole(200, if streamed { "text/event-stream" } else { "application/json" }, &text)
}

/// A gateway over upstreams that answer so.
pub(crate) fn lab(first: &str, more: &str) -> Lab {
    let number = AtomicUsize::new(0);
    Lab::new(&config(first, more), move |got| Some(answers(number.fetch_add(1, Ordering::Relaxed), got)))
}

/// The answer in a body, whole or streamed.
pub(crate) fn response(body: &str) -> Value {
    if body.starts_with('{') {
        return serde_json::from_str(body).unwrap();
    }
    let mut last = Value::Null;
    let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
    let mut on =
        |frame: shim_wire::frame::Frame<'_>| last = serde_json::from_str(frame.data).unwrap_or_default();
    framer.push(body.as_bytes(), &mut on).unwrap();
    framer.finish(&mut on).unwrap();
    assert_eq!(last["type"], "response.completed", "{body}");
    last["response"].clone()
}

/// Asks, and gives the answer.
#[track_caller]
pub(crate) fn ok((status, body): (u16, String)) -> Value {
    assert_eq!(status, 200, "{body}");
    response(&body)
}

/// What the client of `turn` says, given what the model said last.
fn says(turn: usize, before: &Value) -> Value {
    let calls =
        before["output"].as_array().into_iter().flatten().filter(|item| item["type"] == "function_call");
    let results: Vec<_> = calls
        .map(|call| json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "rain" }))
        .collect();
    match (results.is_empty(), turn) {
        (false, _) => Value::Array(results),
        (true, 0) => json!("What is the weather?"),
        (true, 3) => {
            json!([{ "role": "user", "content": [{ "type": "input_text", "text": "the weather again?" }] }])
        }
        (true, turn) => json!([{ "role": "user", "content": format!("and {turn}?") }]),
    }
}

fn items(input: &Value) -> Vec<Value> {
    match input {
        Value::Array(items) => items.clone(),
        text => vec![json!({ "role": "user", "content": text })],
    }
}

const TOOLS: &str = r#"[{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}]"#;

fn body(input: &Value, stream: bool, previous: Option<&Value>) -> Value {
    let mut body = json!({ "model": "chat", "instructions": "Be brief.", "tools": [], "input": input });
    body["tools"] = serde_json::from_str(TOOLS).unwrap();
    if stream {
        body["stream"] = json!(true);
    }
    if let Some(previous) = previous {
        body["previous_response_id"] = previous.clone();
    }
    body
}

const TURNS: usize = 6;

/// Law: going on from an answer asks the upstream what sending all of it would, in every turn.
async fn check(dialect: &str, stream: bool) {
    let (chained, whole) = (lab(dialect, ""), lab(dialect, ""));
    let (mut before, mut all) = (Value::Null, Vec::new());
    let mut called = 0;
    for turn in 0..TURNS {
        let place = format!("{dialect}, streamed {stream}, turn {turn}");
        let input = says(turn, &before);
        let previous = (turn > 0).then(|| &before["id"]);
        let answer = ok(chained.told("/v1/responses", &body(&input, stream, previous).to_string()).await);
        all.extend(items(&input));
        let mut sent = body(&Value::Array(all.clone()), stream, None);
        sent["store"] = json!(false);
        ok(whole.told("/v1/responses", &sent.to_string()).await);
        let last = |lab: &Lab| lab.net.got.lock().unwrap().last().unwrap().body.clone();
        let (got, wanted) = (last(&chained), last(&whole));
        let mut got: Value = serde_json::from_slice(&got).unwrap();
        let mut wanted: Value = serde_json::from_slice(&wanted).unwrap();
        // Whether it is kept is another wish.
        got.as_object_mut().unwrap().remove("store");
        wanted.as_object_mut().unwrap().remove("store");
        if dialect == "openai-responses" && turn == 0 {
            // In the same dialect a text passes as it came, until something is put before it.
            wanted["input"] = got["input"].clone();
        }
        assert_eq!(got, wanted, "{place}");
        all.extend(answer["output"].as_array().unwrap().iter().cloned());
        called += usize::from(answer["output"].to_string().contains("function_call"));
        if dialect != "openai-responses" {
            assert_eq!(answer["store"], true, "{place}: {answer}");
            let told = if turn > 0 { before["id"].clone() } else { Value::Null };
            assert_eq!(answer["previous_response_id"], told, "{place}");
        }
        before = answer;
    }
    assert!(called >= 1, "{dialect}: no turn with calls");
}

#[tokio::test(start_paused = true)]
async fn a_chain_asks_every_upstream_what_sending_all_of_it_would() {
    for (dialect, ..) in DIALECTS {
        for stream in [false, true] {
            check(dialect, stream).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_chain_goes_on_whatever_dialect_the_alias_is_swapped_to() {
    let lab = lab("openai-chat", "");
    let (mut before, mut said) = (Value::Null, 0);
    for turn in 0..12 {
        let (dialect, ..) = DIALECTS[turn % 4];
        if turn > 0 {
            let target = shim_ir::TargetId::parse(&format!("{dialect}/one")).unwrap();
            lab.control.swap("chat", target, true).unwrap();
        }
        let previous = (turn > 0).then(|| &before["id"]);
        let input = says(turn, &before);
        let answer = ok(lab.told("/v1/responses", &body(&input, turn % 3 == 0, previous).to_string()).await);
        let got = lab.net.got.lock().unwrap().last().unwrap().clone();
        assert_eq!(got.host, format!("{dialect}.test"));
        let text = String::from_utf8(got.body.to_vec()).unwrap();
        assert_eq!(text.matches("What is the weather?").count(), 1, "{dialect}: {text}");
        assert!(!text.contains("previous_response_id"), "{text}");
        said += items(&input).len() + answer["output"].as_array().unwrap().len();
        before = answer;
    }
    let path = format!("/v1/responses/{}/input_items?limit=100&order=asc", before["id"].as_str().unwrap());
    let (status, list) = get(&lab, "GET", &path, None).await;
    let list: Value = serde_json::from_str(&list).unwrap();
    let listed = list["data"].as_array().unwrap_or_else(|| panic!("{status} {list}")).len();
    assert_eq!(listed + before["output"].as_array().unwrap().len(), said);
    assert_eq!((&list["object"], &list["has_more"]), (&json!("list"), &json!(false)));
}

/// A request about a kept answer.
pub(crate) async fn get(lab: &Lab, method: &str, path: &str, key: Option<&str>) -> (u16, String) {
    let mut request = post(path, "");
    *request.method_mut() = method.parse().unwrap();
    if let Some(key) = key {
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    }
    read(lab.send(request).await).await
}

#[tokio::test(start_paused = true)]
async fn a_fallback_of_another_dialect_is_told_the_chain() {
    let number = AtomicUsize::new(0);
    let text = config("openai-responses", "fallback = [\"anthropic/two\"]\n");
    let lab = Lab::new(&text, move |got| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        if number == 1 {
            return Some(Told::whole(500, "application/json", r#"{"error":{"message":"down"}}"#));
        }
        Some(keeping(answers(number, got)).1)
    });
    let first = ok(lab.told("/v1/responses", r#"{"model":"chat","input":"one"}"#).await);
    let next = json!({ "model": "chat", "input": "two", "previous_response_id": first["id"] }).to_string();
    let second = ok(lab.told("/v1/responses", &next).await);
    let got = lab.net.got.lock().unwrap().clone();
    assert_eq!(got.len(), 3);
    // The provider that keeps it got the client's bytes, but for the model.
    assert_eq!(got[1].body, next.replace("\"chat\"", "\"one\""));
    let told: Value = serde_json::from_slice(&got[2].body).unwrap();
    assert_eq!(told["messages"].as_array().unwrap().len(), 3, "{told}");
    assert_eq!(second["previous_response_id"], first["id"]);
}

/// The same answer, of a provider that says it keeps it; and its body.
pub(crate) fn keeping(mut told: Told) -> (String, Told) {
    let body = told.pieces.try_recv().unwrap().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let body = match serde_json::from_str::<Value>(&body) {
        Ok(mut answer) if answer["object"] == "response" => {
            answer["store"] = json!(true);
            answer.to_string()
        }
        _ => body,
    };
    let kind = told.headers[0].1;
    (body.clone(), Told::whole(told.status, kind, &body))
}
