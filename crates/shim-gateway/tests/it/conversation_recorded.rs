//! Recorded conversations with signed or encrypted reasoning, turn by turn through every other dialect of clients and back
//! to their own provider. The recordings are read where they are.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use shim_dialect::{Goal, Operation, speaker};
use shim_ir::{Dialect, Part, Request, Traits};
use shim_testkit::recordings::{Recording, of_families};

use crate::lab::{Lab, Told, post, read};
use crate::talk::streamed;

/// The families of the recordings, and their dialect.
const FAMILIES: [(&str, Dialect); 4] = [
    ("anthropic.messages", Dialect::Anthropic),
    ("openai.responses", Dialect::OpenaiResponses),
    ("gemini.generate", Dialect::Gemini),
    ("gemini.stream", Dialect::Gemini),
];

fn dialect_of(recording: &Recording) -> Dialect {
    FAMILIES.iter().find(|(family, _)| *family == recording.family).map(|(_, dialect)| *dialect).unwrap()
}

/// A recorded request; `None` where it is none of a conversation.
fn asked(recording: &Recording) -> Option<Request> {
    let (sent, codec) = (recording.request.as_ref()?, speaker(dialect_of(recording)));
    let route = codec.route("POST", &sent.path, sent.query.as_deref())?;
    (route.operation == Operation::Generate).then(|| codec.decode_request(&route, &sent.body).ok()).flatten()
}

/// The states in parts.
fn states<'p>(parts: impl Iterator<Item = &'p Part>) -> Vec<String> {
    let opaque = parts.flat_map(|part| match part {
        Part::Text(text) => text.opaque.clone(),
        Part::Reasoning(reasoning) => reasoning.opaque.clone(),
        Part::ToolCall(call) => call.opaque.clone(),
        _ => Vec::new(),
    });
    opaque.map(|opaque| opaque.value).filter(|value| !value.is_empty()).collect()
}

fn in_request(request: &Request) -> Vec<String> {
    states(request.turns.iter().flat_map(|turn| &turn.parts))
}

fn in_answer(recording: &Recording) -> Vec<String> {
    let (body, dialect) = (&recording.response.body, dialect_of(recording));
    let response = match recording.response.framing.as_str() {
        "sse" => streamed(dialect, body),
        _ => speaker(dialect).decode_response(body).ok(),
    };
    let parts =
        response.map(|response| response.candidates.into_iter().flat_map(|c| c.parts).collect::<Vec<_>>());
    states(parts.unwrap_or_default().iter())
}

/// What a client of `dialect` that knows nothing of state sends in place of a recorded request.
fn sent(mut request: Request, dialect: Dialect) -> (String, Vec<u8>) {
    request.model = "lab/m".to_owned();
    for turn in &mut request.turns {
        turn.parts.retain(|part| !matches!(part, Part::Reasoning(_)));
        for part in &mut turn.parts {
            match part {
                Part::Text(text) => text.opaque.clear(),
                Part::ToolCall(call) => call.opaque.clear(),
                _ => {}
            }
        }
    }
    request.turns.retain(|turn| !turn.parts.is_empty());
    let (traits, codec) = (Traits::default(), speaker(dialect));
    let goal = Goal { operation: Operation::Generate, model: "lab/m", traits: &traits, seed: "s" };
    let stream = request.stream.is_some();
    let body = codec.encode_request(&request, &goal).body.into_bytes().into();
    let path = codec.upstream_path(&codec.route_for(Operation::Generate, "lab/m", stream), "lab/m");
    (if path.starts_with("/v1") { path } else { format!("/v1{path}") }, body)
}

/// The conversations: those of more than one request, in order.
fn conversations() -> Option<Vec<Vec<Recording>>> {
    let families: Vec<_> = FAMILIES.iter().map(|(family, _)| *family).collect();
    let mut by_source: BTreeMap<String, Vec<(usize, Recording)>> = BTreeMap::new();
    for recording in of_families(&families).unwrap()? {
        let (source, number) = recording.source.rsplit_once('#').unwrap();
        let number = number.parse().unwrap();
        by_source.entry(source.to_owned()).or_default().push((number, recording));
    }
    let ordered = |mut list: Vec<(usize, Recording)>| {
        list.sort_by_key(|(number, _)| *number);
        list.into_iter().map(|(_, recording)| recording).collect::<Vec<_>>()
    };
    Some(by_source.into_values().map(ordered).filter(|list| list.len() > 1).collect())
}

/// Replays a conversation through a client of `client`; gives how many states came back, and what did not.
async fn replayed(conversation: &[Recording], client: Dialect) -> (usize, Vec<String>) {
    let own = dialect_of(&conversation[0]);
    let version = if own == Dialect::OpenaiResponses { "/v1" } else { "" };
    let config = format!("[providers.lab]\ndialect = \"{own}\"\nbase_url = \"http://lab.test{version}\"\n");
    let next: Arc<Mutex<Option<Told>>> = Arc::default();
    let reply = next.clone();
    let lab = Lab::new(&config, move |_| reply.lock().unwrap().take());
    let (mut given, mut back, mut missing) = (HashSet::new(), 0, Vec::new());
    for recording in conversation.iter().filter(|recording| recording.status == Some(200)) {
        let Some(request) = asked(recording) else { continue };
        let wanted: Vec<_> = in_request(&request).into_iter().filter(|state| given.contains(state)).collect();
        let kind = if recording.response.framing == "sse" { "text/event-stream" } else { "application/json" };
        *next.lock().unwrap() = Some(Told::whole(200, kind, &recording.response.body));
        let (path, body) = sent(request, client);
        let (status, told) = read(lab.send(post(&path, body)).await).await;
        given.extend(in_answer(recording));
        let Some(got) = lab.net.got.lock().unwrap().pop() else {
            // What the client's dialect cannot ask of this provider never came to it.
            assert!(status == 400 && told.contains("cannot be asked"), "{} {client:?}: {told}", recording.id);
            continue;
        };
        let text = String::from_utf8(got.body.to_vec()).unwrap();
        let codec = speaker(own);
        let (path, query) = got.path.split_once('?').unwrap_or((&got.path, ""));
        let route = codec.route("POST", path, Some(query)).unwrap();
        let seen = in_request(&codec.decode_request(&route, &text).unwrap());
        for state in wanted {
            if seen.contains(&state) {
                back += 1;
            } else {
                missing.push(format!(
                    "{} {client:?}: {}",
                    recording.id,
                    state.chars().take(40).collect::<String>()
                ));
            }
        }
    }
    (back, missing)
}

#[tokio::test(start_paused = true)]
async fn recorded_conversations_get_their_state_back_through_every_other_dialect() {
    let Some(conversations) = conversations() else {
        eprintln!("the recorded traffic is not here: recorded conversations were not replayed");
        return;
    };
    let (mut back, mut missing) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for conversation in &conversations {
        for client in Dialect::ALL.into_iter().filter(|client| *client != dialect_of(&conversation[0])) {
            let (came, lost) = replayed(conversation, client).await;
            *back.entry(dialect_of(&conversation[0]).name()).or_default() += came;
            missing.extend(lost);
        }
    }
    eprintln!("states that came back, by provider's dialect: {back:?}; missing: {}", missing.len());
    assert!(missing.is_empty(), "{back:?}\n{}", missing.join("\n"));
    assert!(["anthropic", "openai-responses", "gemini"].iter().all(|name| back[name] > 0), "{back:?}");
}
