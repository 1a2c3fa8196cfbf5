//! Log probabilities: the dialect's own, and as others list them.

use serde_json::{Value, json};
use shim_ir::{Candidate, Delta, Event, Finish, FinishReason, Part, Request, Response, Text, fold};
use shim_wire::RawJson;
use shim_wire::frame::Framing;

use crate::Encode as _;
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{asker, events, stream_laws, whole_laws, whole_round_trip};

/// A whole answer of one text with this `logprobsResult`.
fn answer(result: &Value) -> String {
    let content = json!({ "parts": [{ "text": "hi" }], "role": "model" });
    json!({ "candidates": [{ "content": content, "finishReason": "STOP", "index": 0, "logprobsResult": result }] })
        .to_string()
}

fn text_of(response: &Response) -> &Text {
    let [Part::Text(text)] = &response.candidates[0].parts[..] else { panic!("{response:?}") };
    text
}

/// What is read of `result`, whole and streamed; written again it is the same.
#[track_caller]
fn reads(result: &Value, list: &Value) {
    let body = answer(result);
    let whole = whole_laws(&GeminiGenerate, &body);
    whole_round_trip(&GeminiGenerate, &whole);
    let request = Request::default();
    let again = GeminiGenerate.encode_response(&whole, &asker(&request, Framing::Sse)).body;
    let again: Value = serde_json::from_slice(&again).unwrap();
    assert_eq!(&again["candidates"][0]["logprobsResult"], result);
    let (streamed, _) =
        fold(stream_laws(&GeminiGenerate, format!("data: {body}\n\n").as_bytes(), Framing::Sse)).unwrap();
    for response in [&whole, &streamed] {
        let read = text_of(response).logprobs.as_ref().map_or("null", RawJson::get);
        assert_eq!(&serde_json::from_str::<Value>(read).unwrap(), list);
    }
}

#[test]
fn tokens_are_listed_as_others_list_them() {
    let token = |token: &str, id: u32, number: f64| json!({ "token": token, "tokenId": id, "logProbability": number });
    let entry =
        |token: &str, id: u32, number: f64| json!({ "token": token, "logprob": number, "tokenId": id });
    let chosen = [token("h", 1, -0.25), token("i", 2, -1.5)];
    let alone = [entry("h", 1, -0.25), entry("i", 2, -1.5)];
    reads(&json!({ "chosenCandidates": chosen }), &json!(alone));
    let top = json!([{ "candidates": [token("h", 1, -0.25), token("H", 3, -4.0)] }, { "candidates": [] }]);
    let mut listed = json!(alone);
    listed[0]["top_logprobs"] = json!([entry("h", 1, -0.25), entry("H", 3, -4.0)]);
    listed[1]["top_logprobs"] = json!([]);
    reads(&json!({ "topCandidates": top, "chosenCandidates": chosen }), &listed);
    // What is beside the tokens stays with the dialect.
    reads(&json!({ "chosenCandidates": chosen, "logProbabilitySum": -1.75 }), &json!(alone));
}

#[test]
fn what_is_no_list_of_tokens_stays_as_it_came() {
    for odd in [
        json!({ "chosenCandidates": [{ "tokenId": 1 }] }),
        json!({ "chosenCandidates": [{ "token": "a", "logProbability": "much" }] }),
        json!({ "chosenCandidates": [{ "token": "a" }], "topCandidates": [] }),
        json!({ "topCandidates": [{ "candidates": [] }] }),
    ] {
        reads(&odd, &json!([odd]));
    }
    reads(&json!({ "logProbabilitySum": -1.75 }), &Value::Null);
}

#[test]
fn lists_of_others_are_told() {
    let list = r#"[{"token":"h","logprob":-0.5,"bytes":[104],"top_logprobs":[{"token":"H","logprob":-1,"bytes":null}]}]"#;
    let list = RawJson::parse(list).unwrap();
    let wanted = json!({
        "topCandidates": [{ "candidates": [{ "token": "H", "logProbability": -1 }] }],
        "chosenCandidates": [{ "token": "h", "logProbability": -0.5 }],
    });
    let finish = Some(Finish { reason: FinishReason::Stop, words: None, sequence: None });
    let parts = vec![Part::Text(Text { logprobs: Some(list.clone()), ..Text::new("h") })];
    let candidates = vec![Candidate { parts: parts.clone(), finish: finish.clone(), ..Candidate::default() }];
    let request = Request::default();
    let asker = asker(&request, Framing::Sse);
    let told = GeminiGenerate.encode_response(&Response { candidates, ..Response::default() }, &asker);
    assert_eq!(told.losses, []);
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(body["candidates"][0]["logprobsResult"], wanted);
    let mut encoder = GeminiGenerate.encoder(&asker);
    let mut out = Vec::new();
    let id = shim_ir::PartId(0);
    [
        Event::Start(shim_ir::Start::default()),
        Event::PartStart { id, candidate: 0, part: Part::Text(Text::default()) },
        Event::PartDelta { id, delta: Delta::Text("h".into()) },
        Event::PartDelta { id, delta: Delta::Logprobs(list) },
        Event::PartEnd { id },
        Event::Finish(vec![finish]),
    ]
    .iter()
    .for_each(|event| encoder.push(event, &mut out));
    assert_eq!(encoder.losses(), []);
    let (response, _) = fold(events(&GeminiGenerate, &[&out], Framing::Sse)).unwrap();
    let read: Value = serde_json::from_str(text_of(&response).logprobs.as_ref().unwrap().get()).unwrap();
    let others = json!([{ "token": "H", "logprob": -1 }]);
    assert_eq!(read, json!([{ "token": "h", "logprob": -0.5, "top_logprobs": others }]));
}
