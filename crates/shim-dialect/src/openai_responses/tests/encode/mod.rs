//! What is written: laws over the corpus and recorded traffic of every dialect, and tables of cases.

mod answers;
mod laws;
mod losses;
mod requests;
mod streams;
mod tools;

use serde_json::Value;
use shim_ir::{
    CacheMark, Candidate, Executor, Finish, FinishReason, Loss, LossKind, Part, Request, Response, Rest,
    Role, Text, Tokens, ToolCall, ToolCallKind, Traits, Turn, Usage,
};
use shim_wire::RawJson;
use shim_wire::frame::Framing;

pub(super) use self::laws::{comes_back, stream_comes_back};
use super::{OpenaiResponses, route_for};
use crate::laws::asker;
use crate::{Decode, Encode, Encoded, Goal, Operation, Told};

/// Where something is lost, and how.
type Lost<'a> = &'a [(&'a str, LossKind)];

#[track_caller]
fn loses(losses: &[Loss], wanted: Lost<'_>) {
    let told: Vec<_> = losses.iter().map(|loss| (loss.path.as_str(), loss.kind)).collect();
    assert_eq!(told, wanted);
}

fn encode(request: &Request, traits: &Traits) -> (Encoded, Value) {
    let goal = Goal { operation: Operation::Generate, model: "target", traits, seed: "seed" };
    let encoded = OpenaiResponses.encode_request(request, &goal);
    let body = serde_json::from_str(&encoded.body.to_text()).expect("JSON");
    (encoded, body)
}

fn traits(quirks: &[&str]) -> Traits {
    Traits { quirks: quirks.iter().map(|quirk| (*quirk).to_owned()).collect(), ..Traits::default() }
}

fn lost(losses: &[Loss]) -> Vec<(String, LossKind)> {
    losses.iter().map(|loss| (loss.path.clone(), loss.kind)).collect()
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, id: None, name: None, parts, rest: Rest::default() }
}

fn text(words: &str) -> Part {
    Part::Text(Text::new(words))
}

fn raw(json: &str) -> RawJson {
    RawJson::parse(json).expect("JSON")
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        item: None,
        name: name.into(),
        arguments: arguments.into(),
        kind: ToolCallKind::Function,
        executor: Executor::Client,
        opaque: vec![],
        cache: None,
        rest: Rest::default(),
    }
}

/// A request of this dialect.
#[track_caller]
fn own(members: &str) -> Request {
    let route = route_for(Operation::Generate);
    OpenaiResponses.decode_request(&route, &format!(r#"{{"model":"m",{members}}}"#)).expect("it decodes")
}

fn answer(response: &Response) -> (Value, Vec<(String, LossKind)>) {
    let request = own(
        r#""input":"x","tools":[{"type":"function","name":"f","parameters":{},"strict":false}],"temperature":0.5"#,
    );
    let Told { body, losses } = OpenaiResponses.encode_response(response, &asker(&request, Framing::Sse));
    (serde_json::from_slice(&body).expect("JSON"), lost(&losses))
}

fn finish(reason: FinishReason) -> Option<Finish> {
    Some(Finish { reason, words: Some("theirs".into()), sequence: None })
}

fn said(parts: Vec<Part>, reason: FinishReason) -> Response {
    Response {
        candidates: vec![Candidate { parts, finish: finish(reason), ..Candidate::default() }],
        usage: Some(Usage {
            input_uncached: Tokens(1),
            cache_read: Tokens(2),
            output_text: Tokens(3),
            reasoning: Tokens(4),
            ..Usage::default()
        }),
        ..Response::default()
    }
}

fn mark() -> Option<CacheMark> {
    Some(CacheMark { ttl: None, rest: Rest::default() })
}
