//! Streams, event by event.

use serde_json::json;
use shim_ir::{Delta, Event, Fault, FaultKind, FinishReason, LossKind, Part, PartId, Start};
use shim_wire::frame::Framing;

use super::laws::{crosses, frames, well_told};
use super::{call, finish, lost, own, text};
use crate::Encode;
use crate::laws::asker;
use crate::openai_responses::OpenaiResponses;

fn told_in(events: &[Event]) -> (String, Vec<(String, LossKind)>) {
    let request = own(r#""input":"x""#);
    let mut encoder = OpenaiResponses.encoder(&asker(&request, Framing::Sse));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    (String::from_utf8(out).expect("UTF-8"), lost(encoder.losses()))
}

fn stream_of(inside: Vec<Event>, end: Event) -> Vec<Event> {
    let mut events = vec![Event::Start(Start::default())];
    events.extend(inside);
    events.push(end);
    events
}

fn begin(id: u32, candidate: u32, part: Part) -> Event {
    Event::PartStart { id: PartId(id), candidate, part }
}

fn grow(id: u32, delta: Delta) -> Event {
    Event::PartDelta { id: PartId(id), delta }
}

fn end(id: u32) -> Event {
    Event::PartEnd { id: PartId(id) }
}

#[test]
fn parts_may_be_open_beside_each_other() {
    let inside = vec![
        begin(0, 0, Part::ToolCall(call("a", "f", ""))),
        begin(1, 0, text("")),
        begin(2, 0, Part::ToolCall(call("b", "g", ""))),
        grow(0, Delta::Arguments("{".into())),
        grow(2, Delta::Arguments("[".into())),
        grow(1, Delta::Text("so".into())),
        grow(0, Delta::Arguments("}".into())),
        grow(2, Delta::Arguments("]".into())),
        end(2),
        end(0),
        end(1),
    ];
    crosses(&stream_of(inside, Event::Finish(vec![finish(FinishReason::ToolCalls)])));
}

#[test]
fn arguments_of_calls_do_not_come_by_turns() {
    let inside = vec![
        begin(0, 0, Part::ToolCall(call("a", "f", ""))),
        grow(0, Delta::Arguments("{\"a\":".into())),
        begin(1, 0, Part::ToolCall(call("b", "g", "[1"))),
        begin(2, 0, text("so")),
        grow(1, Delta::Arguments("]".into())),
        grow(0, Delta::Arguments("1}".into())),
        grow(2, Delta::Text(" it is".into())),
        end(1),
        end(0),
        end(2),
    ];
    let events = stream_of(inside, Event::Finish(vec![finish(FinishReason::ToolCalls)]));
    crosses(&events);
    let (stream, _) = told_in(&events);
    let told: Vec<_> = frames(&stream)
        .iter()
        .filter_map(|frame| Some((frame["output_index"].as_u64()?, frame.get("delta")?.as_str()?.to_owned())))
        .collect();
    let wanted = [(0, "{\"a\":"), (0, "1}"), (1, "[1"), (1, "]"), (2, "so"), (2, " it is")];
    assert_eq!(told, wanted.map(|(item, text)| (item, text.to_owned())));
    let (early, _) = told_in(&events[..7]);
    assert!(
        early.contains(" it is") || early.contains("\"so\""),
        "nothing waits once arguments are complete"
    );
}

#[test]
fn text_leaves_when_it_comes() {
    let events =
        stream_of(vec![begin(0, 0, text("")), grow(0, Delta::Text("now".into()))], Event::Finish(vec![None]));
    let (so_far, _) = told_in(&events[..3]);
    let last = frames(&so_far).pop().unwrap();
    assert_eq!(
        (last["type"].as_str(), last["delta"].as_str(), last["logprobs"].clone()),
        (Some("response.output_text.delta"), Some("now"), json!([]))
    );
}

#[test]
fn a_whole_part_adds_what_is_missing() {
    let whole = |words: &str| grow(0, Delta::Whole(Box::new(text(words))));
    let told = |delta: Event| {
        let inside = vec![begin(0, 0, text("")), grow(0, Delta::Text("Hel".into())), delta, end(0)];
        told_in(&stream_of(inside, Event::Finish(vec![finish(FinishReason::Stop)])))
    };
    let (stream, losses) = told(whole("Hello"));
    let deltas: Vec<_> =
        frames(&stream).into_iter().filter(|frame| frame["type"] == "response.output_text.delta").collect();
    assert_eq!((deltas.len(), deltas[1]["delta"].as_str(), losses), (2, Some("lo"), vec![]));
    let (stream, losses) = told(whole("Other"));
    assert_eq!(losses, [("candidates[0].parts[0]".to_owned(), LossKind::Approximated)]);
    assert!(stream.contains(r#""text":"Other""#));
}

#[test]
fn a_failure_is_told_to_sdks_and_to_agents() {
    let fault = Event::Fault(Fault::new(FaultKind::UpstreamCut, "cut"));
    for events in [vec![fault.clone()], stream_of(vec![begin(0, 0, text("half"))], fault)] {
        let (stream, _) = told_in(&events);
        well_told(&stream);
        let frames = frames(&stream);
        let [.., error, failed] = &frames[..] else { panic!("{stream}") };
        assert_eq!(
            (error["type"].as_str(), error["error"]["message"].as_str()),
            (Some("error"), Some("cut"))
        );
        assert_eq!(
            (failed["type"].as_str(), failed["response"]["error"]["message"].as_str()),
            (Some("response.failed"), Some("cut"))
        );
    }
}

#[test]
fn a_second_candidate_is_reported_once() {
    let inside = vec![
        begin(0, 0, text("a")),
        begin(1, 1, text("b")),
        grow(1, Delta::Text("c".into())),
        end(1),
        end(0),
    ];
    let (stream, losses) = told_in(&stream_of(
        inside,
        Event::Finish(vec![finish(FinishReason::Stop), finish(FinishReason::Stop)]),
    ));
    assert_eq!(losses, [("candidates[1]".to_owned(), LossKind::Dropped)]);
    assert!(!stream.contains('c') || !stream.contains(r#""delta":"c""#));
}
