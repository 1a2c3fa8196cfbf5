//! What is written: requests for targets of this dialect, and answers for its clients.

mod answers;
mod losses;
mod recorded;
mod requests;

use serde_json::Value;
use shim_ir::{
    Executor, Media, MediaKind, Part, Request, Rest, Role, Source, Text, Tool, ToolCall, ToolCallKind,
    ToolKind, ToolResult, Traits, Turn,
};
use shim_wire::RawJson;

use super::route_for;
use crate::openai_chat::OpenaiChat;
use crate::{Decode, Encode, Encoded, Goal, Operation};

fn raw(text: &str) -> RawJson {
    RawJson::parse(text).expect("JSON")
}

fn text(text: &str) -> Part {
    Part::Text(Text::new(text))
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, id: None, name: None, parts, rest: Rest::default() }
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

fn result(call: &str, name: Option<&str>, content: Vec<Part>) -> ToolResult {
    ToolResult {
        call: call.into(),
        name: name.map(str::to_owned),
        content,
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: Rest::default(),
    }
}

fn media(kind: MediaKind, source: Source, mime: Option<&str>) -> Media {
    Media {
        kind,
        source,
        mime: mime.map(str::to_owned),
        name: None,
        detail: None,
        cache: None,
        opaque: vec![],
        rest: Rest::default(),
    }
}

fn function(name: &str) -> Tool {
    let parameters = Some(raw(r#"{"type":"object"}"#));
    let kind = ToolKind::Function { parameters, strict: None };
    Tool { name: name.into(), description: None, kind, cache: None, rest: Rest::default() }
}

fn of_turns(turns: Vec<Turn>) -> Request {
    Request { model: "alias".into(), turns, ..Request::default() }
}

fn traits(quirks: &[&str]) -> Traits {
    Traits { quirks: quirks.iter().map(|quirk| (*quirk).to_owned()).collect(), ..Traits::default() }
}

fn encode(request: &Request, traits: &Traits) -> (Value, Encoded) {
    let goal = Goal { operation: Operation::Generate, model: "m", traits, seed: "s" };
    let encoded = OpenaiChat.encode_request(request, &goal);
    let body = &*encoded.body.to_text();
    let read = OpenaiChat.decode_request(&route_for(Operation::Generate), body);
    read.unwrap_or_else(|error| panic!("{error}: {body}"));
    (serde_json::from_str(body).expect("JSON"), encoded)
}

fn losses(encoded: &Encoded) -> Vec<String> {
    encoded.losses.iter().map(|loss| format!("{} {}", loss.path, loss.kind.name())).collect()
}

/// The member `key` of what is sent, and what is lost.
#[track_caller]
fn check(request: &Request, traits: &Traits, key: &str, wanted: &Value, lost: &[&str]) {
    let (body, encoded) = encode(request, traits);
    assert_eq!(&body[key], wanted, "{body}");
    assert_eq!(losses(&encoded), lost, "{body}");
}
