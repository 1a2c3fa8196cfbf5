//! Requests: every kind of item, and what is asked beside them.

use shim_ir::{Part, Request, Role, ToolCallKind, ToolChoice};

use super::{OpenaiResponses, part_told, route_for};
use crate::laws::request_laws;
use crate::{Decode, Operation};

#[track_caller]
fn request(members: &str) -> Request {
    request_laws(&OpenaiResponses, &route_for(Operation::Generate), &format!(r#"{{"model":"m",{members}}}"#))
}

fn turns(request: &Request) -> Vec<(Role, Vec<String>)> {
    request.turns.iter().map(|turn| (turn.role.clone(), turn.parts.iter().map(part_told).collect())).collect()
}

#[test]
fn input_is_text_or_items() {
    let user = |text: &str| (Role::User, vec![format!("text[0] {text}")]);
    assert_eq!(turns(&request(r#""input":"hi""#)), [user("hi")]);
    assert_eq!(turns(&request(r#""input":[{"role":"user","content":"hi"}]"#)), [user("hi")]);
    let long = r#""input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}]"#;
    assert_eq!(turns(&request(long)), [user("hi")]);
}

#[test]
fn an_agents_history_keeps_reasoning_calls_and_results_in_order() {
    let history = request(
        r#""instructions":"be brief","store":false,"include":["reasoning.encrypted_content"],"input":[
        {"type":"message","role":"developer","content":[{"type":"input_text","text":"rules"}]},
        {"type":"message","role":"user","content":[{"type":"input_text","text":"go"}]},
        {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"enc"},
        {"type":"function_call","call_id":"c1","name":"look","arguments":"{}","id":"fc_1"},
        {"type":"function_call_output","call_id":"c1","output":"seen"},
        {"type":"custom_tool_call","call_id":"c2","name":"patch","input":"*** Begin"},
        {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"done"}]}]"#,
    );
    let roles: Vec<_> =
        turns(&history).into_iter().flat_map(|(role, parts)| vec![role; parts.len()]).collect();
    use Role::{Assistant, Developer, Tool, User};
    assert_eq!(roles, [Developer, User, Assistant, Assistant, Tool, Assistant, Tool]);
    let parts: Vec<_> = history.turns.iter().flat_map(|turn| &turn.parts).collect();
    let Part::Reasoning(reasoning) = parts[2] else { panic!("{:?}", parts[2]) };
    assert_eq!(reasoning.opaque[0].value, "enc");
    let Part::ToolCall(call) = parts[3] else { panic!("{:?}", parts[3]) };
    assert_eq!(
        (call.id.as_str(), call.item.as_deref(), &call.kind),
        ("c1", Some("fc_1"), &ToolCallKind::Function)
    );
    let Part::ToolCall(call) = parts[5] else { panic!("{:?}", parts[5]) };
    assert_eq!((call.arguments.as_str(), &call.kind), ("*** Begin", &ToolCallKind::Custom));
    let Part::ToolResult(result) = parts[6] else { panic!("{:?}", parts[6]) };
    assert_eq!(result.content.iter().map(part_told).collect::<Vec<_>>(), ["text[0] done"]);
    assert_eq!(history.state.store, Some(false));
}

#[test]
fn tools_and_choices_are_read() {
    let asked = request(
        r#""input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true},
        {"type":"web_search"},{"type":"custom","name":"c","format":{"type":"text"}}],
        "tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false"#,
    );
    assert_eq!(asked.tools.len(), 3);
    assert_eq!(asked.parallel_tool_calls, Some(false));
    assert_eq!(asked.tool_choice, Some(ToolChoice::Named("f".into())));
}

#[test]
fn bad_requests_say_where() {
    let bad = [
        (r#"{"model":"m","input":[{"type":"message","content":"x"}]}"#, "input[0]"),
        (r#"{"model":"m","input":[{"type":"function_call_output","output":"x"}]}"#, "input[0]"),
        (r#"{"model":"m","temperature":"hot","input":"x"}"#, "temperature"),
        (r#"{"input":"x"}"#, "model"),
    ];
    for (body, path) in bad {
        let error = OpenaiResponses.decode_request(&route_for(Operation::Generate), body).expect_err(body);
        assert!(error.to_string().contains(path), "{error}");
    }
}
