use proptest::prelude::*;
use shim_ir::{
    Dialect, Executor, Foreign, Opaque, OpaqueKind, Part, Reasoning, Request, Rest, Role, ServerResult, Text,
    ToolCall, ToolCallKind, ToolResult, Turn,
};
use shim_wire::RawJson;

use super::{DUMMY, UNTOLD, give};
use crate::vault::kept::is_provider_run;
use crate::vault::{Kept, Names, Origin, Partition, Rules, spans};

fn opaque(kind: OpaqueKind, value: &str) -> Vec<Opaque> {
    vec![Opaque { kind, value: value.to_owned() }]
}

fn thought(text: &str, kind: OpaqueKind, state: &str) -> Part {
    let text = vec![text.to_owned()];
    Part::Reasoning(Reasoning { text, opaque: opaque(kind, state), ..Reasoning::default() })
}

fn call(id: &str, name: &str, state: Vec<Opaque>) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        item: None,
        name: name.into(),
        arguments: r#"{"a": 1}"#.into(),
        kind: ToolCallKind::Function,
        executor: Executor::Client,
        opaque: state,
        cache: None,
        rest: Rest::default(),
    })
}

/// A search that the provider ran.
fn search(id: &str) -> Part {
    let Part::ToolCall(call) = call(id, "web_search", Vec::new()) else { unreachable!() };
    let kind = ToolCallKind::Native("server_tool_use".into());
    Part::ToolCall(ToolCall { kind, executor: Executor::Provider, ..call })
}

/// What it gave.
fn searched(id: &str) -> Part {
    let raw =
        format!(r#"{{"type":"web_search_tool_result","tool_use_id":"{id}","encrypted_content": "Eq=="}}"#);
    let (call, kind) = (id.to_owned(), "web_search_tool_result".to_owned());
    let raw = RawJson::parse(&raw).unwrap();
    Part::ServerResult(ServerResult { call, kind, raw, origin: Dialect::Anthropic })
}

/// A conversation's beginning, compacted.
fn compacted(state: &str) -> Part {
    let raw = RawJson::parse(&format!(r#"{{"type":"compaction","encrypted_content":"{state}"}}"#)).unwrap();
    Part::Foreign(Foreign { dialect: Dialect::OpenaiResponses, kind: "compaction".into(), raw })
}

fn gave(id: &str) -> Part {
    Part::ToolResult(ToolResult {
        call: id.into(),
        name: None,
        content: vec![Part::Text(Text::new("42"))],
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: Rest::default(),
    })
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, id: None, name: None, parts, rest: Rest::default() }
}

fn asked() -> Turn {
    turn(Role::User, vec![Part::Text(Text::new("what is it?"))])
}

fn origin(provider: &str) -> Origin {
    Origin::new(provider, "0a1b", "claude-opus-5")
}

/// An answer with signed thinking, a text and two calls, as its upstream gave it.
fn answer() -> Vec<Part> {
    vec![
        thought("hm", OpaqueKind::Signature, "sig=="),
        Part::Text(Text::new("let me see")),
        call("c1", "look", Vec::new()),
        thought("and", OpaqueKind::Signature, "sig2"),
        call("c2", "look", Vec::new()),
    ]
}

/// The conversation after `answer`, as a client sends it that keeps nothing of reasoning.
fn stripped(answer: &[Part]) -> Request {
    let is_kept = |part: &&Part| !matches!(part, Part::Reasoning(_)) && !is_provider_run(part);
    let mut parts: Vec<_> = answer.iter().filter(is_kept).cloned().collect();
    for part in &mut parts {
        if let Part::ToolCall(call) = part {
            call.opaque.clear();
        }
    }
    let results = turn(Role::User, vec![gave("c1"), gave("c2")]);
    Request { turns: vec![asked(), turn(Role::Assistant, parts), results], ..Request::default() }
}

fn nobodys(_: &Opaque) -> bool {
    false
}

/// What the assistant says in what is given, and the kinds of losses.
#[track_caller]
fn given(request: &Request, kept: Option<&Kept>, to: &Origin, rules: Rules) -> (Vec<Part>, usize) {
    let found: Vec<_> = spans(request).into_iter().map(|span| (span, kept)).collect();
    let given = give(request, Dialect::OpenaiChat, &found, to, rules, &nobodys);
    let request = given.request.unwrap_or_else(|| request.clone());
    let said = request.turns.iter().filter(|turn| turn.role == Role::Assistant);
    (said.flat_map(|turn| turn.parts.clone()).collect(), given.losses.len())
}

#[test]
fn state_comes_back_to_its_origin_as_it_was() {
    let answer = answer();
    let kept = Kept::of(&origin("anthropic"), &answer).unwrap();
    let rules = Rules { signed: true, ..Rules::default() };
    for request in [stripped(&answer), Request { turns: whole(&answer), ..Request::default() }] {
        assert_eq!(given(&request, Some(&kept), &origin("anthropic"), rules), (answer.clone(), 0));
    }
}

/// The same conversation, as a client sends it that keeps everything.
fn whole(answer: &[Part]) -> Vec<Turn> {
    let mut turns = stripped(answer).turns;
    turns[1].parts = answer.to_vec();
    turns
}

#[test]
fn another_origin_gets_no_state_and_what_can_be_read_where_it_takes_it() {
    let answer = answer();
    let kept = Kept::of(&origin("anthropic"), &answer).unwrap();
    let request = stripped(&answer);
    for other in [origin("other"), Origin { account: "ffff".into(), ..origin("anthropic") }] {
        let (parts, losses) =
            given(&request, Some(&kept), &other, Rules { signed: true, ..Rules::default() });
        assert_eq!((parts, losses), (request.turns[1].parts.clone(), 1));
        let rules = Rules { readable: true, ..Rules::default() };
        let (parts, losses) = given(&request, Some(&kept), &other, rules);
        let Part::Reasoning(told) = &parts[0] else { panic!("{parts:?}") };
        assert_eq!((told.text.concat().as_str(), &told.opaque, parts.len(), losses), ("hm", &vec![], 5, 1));
    }
}

/// The same conversation, as a client of Chat Completions sends it: what was said is one text, before the calls.
fn joined(answer: &[Part]) -> Request {
    let mut request = stripped(answer);
    let said: String =
        crate::vault::spans::texts(request.turns[1].parts.iter()).map(|text| &*text.text).collect();
    let calls = std::mem::take(&mut request.turns[1].parts).into_iter();
    let text = (!said.is_empty()).then(|| Part::Text(Text::new(said)));
    let calls = calls.filter(|part| matches!(part, Part::ToolCall(_)));
    request.turns[1].parts = text.into_iter().chain(calls).collect();
    request
}

#[test]
fn what_a_provider_ran_itself_comes_back_to_it_and_to_nobody_else() {
    let answer = vec![
        compacted("c2VhbGVk"),
        thought("hm", OpaqueKind::Signature, "sig=="),
        Part::Text(Text::new("I search. ")),
        search("s1"),
        searched("s1"),
        thought("so", OpaqueKind::Signature, "sig2"),
        Part::Text(Text::new("It is blue.")),
        call("c1", "look", Vec::new()),
    ];
    let (home, rules) = (origin("anthropic"), Rules { signed: true, ..Rules::default() });
    let kept = Kept::of(&home, &answer).unwrap();
    let all = Request { turns: whole(&answer), ..Request::default() };
    for request in [stripped(&answer), joined(&answer), all.clone()] {
        assert_eq!(given(&request, Some(&kept), &home, rules), (answer.clone(), 0));
    }
    for request in [stripped(&answer), all] {
        let (parts, losses) = given(&request, Some(&kept), &origin("other"), rules);
        assert_eq!((&parts, losses), (&stripped(&answer).turns[1].parts, 1));
    }
    // Alone it is state as well, and a text that is another one now is left as it is.
    let alone =
        [search("s1"), searched("s1"), Part::Text(Text::new("It is ")), Part::Text(Text::new("blue."))];
    let kept = Kept::of(&home, &alone).unwrap();
    let mut request = joined(&alone);
    request.turns[1].parts = vec![Part::Text(Text::new("It is red."))];
    let (parts, _) = given(&request, Some(&kept), &home, rules);
    assert_eq!(parts, [alone[0].clone(), alone[1].clone(), Part::Text(Text::new("It is red."))]);
}

#[test]
fn a_signature_hangs_on_the_call_it_came_with() {
    let signed = opaque(OpaqueKind::ThoughtSignature, "abc");
    let end = Part::Text(Text { opaque: signed.clone(), ..Text::default() });
    let answer = vec![
        Part::Text(Text::new("look")),
        call("c1", "look", signed.clone()),
        call("c2", "look", Vec::new()),
        end.clone(),
    ];
    let kept = Kept::of(&origin("google"), &answer).unwrap();
    let mut request = stripped(&answer);
    request.turns[1].parts.pop();
    let rules = Rules { signs: true, ..Rules::default() };
    assert_eq!(given(&request, Some(&kept), &origin("google"), rules), (answer, 0));
    let (parts, _) = given(&request, Some(&kept), &origin("vertex"), rules);
    let Part::ToolCall(first) = &parts[1] else { panic!("{parts:?}") };
    let Part::ToolCall(second) = &parts[2] else { panic!("{parts:?}") };
    assert_eq!((first.opaque[0].value.as_str(), second.opaque.len(), parts.len()), (DUMMY, 0, 3));
}

#[test]
fn what_a_target_insists_on_is_put_in() {
    let request = stripped(&answer());
    let rules = Rules { wants: true, readable: true, ..Rules::default() };
    let (parts, losses) = given(&request, None, &origin("deepseek"), rules);
    let Part::Reasoning(untold) = &parts[0] else { panic!("{parts:?}") };
    assert_eq!((untold.text.concat().as_str(), losses), (UNTOLD, 1));
    let thinks_not = Request {
        reasoning: Some(shim_ir::ReasoningAsk {
            mode: Some(shim_ir::ReasoningMode::Off),
            ..Default::default()
        }),
        ..request.clone()
    };
    assert_eq!(given(&thinks_not, None, &origin("deepseek"), rules), (request.turns[1].parts.clone(), 0));
}

#[test]
fn state_of_a_known_other_origin_goes_also_where_nothing_is_kept() {
    let answer = answer();
    let request = Request { turns: whole(&answer), ..Request::default() };
    let found: Vec<_> = spans(&request).into_iter().map(|span| (span, None)).collect();
    let rules = Rules { signed: true, ..Rules::default() };
    let foreign = |opaque: &Opaque| opaque.value == "sig==";
    let given = give(&request, Dialect::Anthropic, &found, &origin("b"), rules, &foreign);
    let turns = given.request.unwrap().turns;
    assert_eq!((&turns[1].parts[..], given.losses.len()), (&answer[1..], 1));
}

#[test]
fn items_are_turns_of_their_own_and_none_is_left_empty() {
    let answer = answer();
    let kept = Kept::of(&origin("openai"), &answer).unwrap();
    let items: Vec<_> =
        stripped(&answer).turns[1].parts.iter().cloned().map(|p| turn(Role::Assistant, vec![p])).collect();
    let mut turns = vec![asked()];
    turns.extend(items);
    let request = Request { turns, ..Request::default() };
    let found: Vec<_> = spans(&request).into_iter().map(|span| (span, Some(&kept))).collect();
    let given =
        give(&request, Dialect::OpenaiResponses, &found, &origin("openai"), Rules::default(), &nobodys);
    let turns = given.request.unwrap().turns;
    assert!(turns.iter().all(|turn| turn.parts.len() == 1), "{turns:?}");
    assert_eq!(turns.len(), 6);
    assert_eq!(given.turns, [0, 1, 1, 2, 3, 3]);
}

proptest! {
    /// The law of the vault: whatever of its reasoning and state a client drops from an answer, it is found again, and its
    /// origin gets the answer it gave.
    #[test]
    fn an_answer_comes_back_whole(
        kinds in proptest::collection::vec((0_u8..6, "[a-zé]{1,6}", any::<bool>()), 1..8),
        habit in 0_u8..3,
    ) {
        let parts: Vec<_> = kinds.iter().enumerate().map(|(at, (kind, word, sealed))| match kind {
            0 => thought(word, OpaqueKind::Encrypted, &format!("{word}{at}")),
            1 => Part::Text(Text::new(word.as_str())),
            2 => search(&format!("s{at}")),
            3 => searched(&format!("s{at}")),
            4 => compacted(word),
            _ => {
                let state = if *sealed { opaque(OpaqueKind::ThoughtSignature, word) } else { Vec::new() };
                call(&format!("c{at}"), &format!("tool{at}"), state)
            }
        }).collect();
        // An answer of reasoning alone is none to go on from.
        let mut parts = parts;
        parts.push(call("last", "last", Vec::new()));
        let partition = Partition::of(Some("key"));
        let before = Request { turns: vec![asked()], ..Request::default() };
        let names = Names::of(&partition, &before).of_answer("0198c0ffee007abc8def0123456789ab", &parts);
        let request = match habit {
            0 => stripped(&parts),
            1 => joined(&parts),
            _ => Request { turns: whole(&parts), ..Request::default() },
        };
        let span = spans(&request).remove(0);
        let again = Names::of(&partition, &request).of_span(&span);
        prop_assert!(again.iter().all(|name| names.contains(name)), "{names:?} {again:?}");
        prop_assert!(!again.is_empty());
        let other = Partition::of(Some("other"));
        prop_assert!(!Names::of(&other, &request).of_span(&span).iter().any(|name| names.contains(name)));
        if let Some(kept) = Kept::of(&origin("a"), &parts) {
            prop_assert_eq!(given(&request, Some(&kept), &origin("a"), Rules::default()), (parts, 0));
        }
    }
}
