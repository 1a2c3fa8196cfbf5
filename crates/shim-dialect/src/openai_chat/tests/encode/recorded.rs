//! Recorded traffic of every dialect, told to clients of this one and sent to targets of it.

use serde_json::Value;
use shim_ir::{Part, Traits, fold};
use shim_testkit::recordings::Recording;

use super::answers::{streamed_is_whole, told_slowly};
use super::{encode, traits};
use crate::Decode;
use crate::laws::{as_stream, each, events, recorded};
use crate::openai_chat::OpenaiChat;

/// Tells a recorded answer of any dialect to a client of this one.
fn retold(codec: &dyn Decode, recording: &Recording) {
    // The second is a stream that was recorded up to the middle of a frame.
    if recording.response.status.is_some_and(|status| status >= 400) || recording.id == "wc-c5e67571e952" {
        return;
    }
    if let Some((framing, stream)) = as_stream(recording) {
        let told = events(codec, &[stream.as_bytes()], framing);
        if let Ok((folded, _)) = fold(told.iter().cloned()) {
            streamed_is_whole(&told, &folded);
        }
    } else if let Ok(response) = codec.decode_response(&recording.response.body)
        && !response.candidates.is_empty()
    {
        streamed_is_whole(&told_slowly(&response), &response);
    }
}

type Codec = &'static (dyn Decode + std::panic::RefUnwindSafe);

fn dialects() -> [(Codec, &'static [&'static str]); 4] {
    [
        (&OpenaiChat, &["openai.chat"]),
        (&crate::openai_responses::OpenaiResponses, &["openai.responses"]),
        (&crate::anthropic_messages::AnthropicMessages, &["anthropic.messages"]),
        (&crate::gemini_generate::GeminiGenerate, &["gemini.generate", "gemini.stream"]),
    ]
}

#[test]
fn recorded_answers_of_every_dialect_are_told() {
    for (codec, families) in dialects() {
        let Some(recordings) = recorded(families) else { return };
        each(&recordings, |recording| recording.id.clone(), |recording| retold(codec, recording));
    }
}

/// Sends a recorded request of any dialect to a target of this one.
fn sent_on(codec: &dyn Decode, recording: &Recording, traits: &Traits) {
    let Some(sent) = recording.request.as_ref().filter(|sent| sent.body_encoding == "utf-8") else { return };
    let at = ["/v1beta/", "/v1alpha/", "/v1/"].iter().find_map(|version| sent.path.find(version));
    let path = at.and_then(|at| sent.path.get(at..)).unwrap_or(&sent.path);
    let Some(route) = codec.route(&sent.method, path, sent.query.as_deref()) else { return };
    let Ok(request) = codec.decode_request(&route, &sent.body) else { return };
    let (body, encoded) = encode(&request, traits);
    let messages = body["messages"].as_array().expect("messages");
    results_follow_their_calls(messages);
    for loss in &encoded.losses {
        assert!(!loss.path.is_empty() && !loss.path.starts_with('.'), "{loss:?}");
    }
    let written: Vec<_> = messages.iter().flat_map(strings).collect();
    let parts = request.system.iter().chain(request.turns.iter().flat_map(|turn| &turn.parts));
    for part in parts {
        if let Part::Text(text) = part {
            assert!(
                written.iter().any(|written| written.contains(&*text.text)),
                "{} is lost: {body}",
                text.text
            );
        }
    }
}

/// Law: what tools gave comes at once behind the message that called them.
#[track_caller]
fn results_follow_their_calls(messages: &[Value]) {
    let mut open: Vec<&str> = Vec::new();
    let mut called = Vec::new();
    for message in messages {
        match message["role"].as_str().expect("a role") {
            "tool" => {
                let id = message["tool_call_id"].as_str().expect("an id");
                // A conversation may begin in the middle; else a result answers an open call.
                assert!(open.contains(&id) || !called.contains(&id), "{id}: {messages:?}");
                open.retain(|call| *call != id);
            }
            _ => {
                let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
                open = calls.iter().filter_map(|call| call["id"].as_str()).collect();
                called.extend(open.iter().copied());
            }
        }
    }
}

/// The strings a message says.
fn strings(message: &Value) -> Vec<String> {
    match &message["content"] {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn recorded_requests_of_every_dialect_are_written() {
    let plain = traits(&[]);
    let odd = traits(&[
        "no_developer_role",
        "no_custom_tools",
        "single_content_string",
        "call_ids_of_9",
        "no_stop",
    ]);
    for (codec, families) in dialects() {
        let Some(recordings) = recorded(families) else { return };
        each(
            &recordings,
            |recording| recording.id.clone(),
            |recording| {
                sent_on(codec, recording, &plain);
                sent_on(codec, recording, &odd);
            },
        );
    }
}
