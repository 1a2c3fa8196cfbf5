//! What is asked of an answer: how tokens are chosen, how hard to think, in what form, and what stands beside.

use serde_json::{Value, json};
use shim_ir::{
    Dialect, Effort, OutputFormat, ReasoningAsk, ReasoningControl, ReasoningMode, Request, Rest, Schema,
    StreamAsk, Tokens, Traits,
};

use super::tools::{function, sent};
use super::{
    APPROXIMATED, CACHES, DROPPED, Lost, NO_OTHER, NOTED, UNSUPPORTED, check, others, plain, quirky, raw,
    request,
};

/// What is sent of a request with these settings.
#[track_caller]
fn set(traits: &Traits, change: fn(&mut Request), config: Value, lost: &[Lost<'_>]) {
    let mut request = request();
    change(&mut request);
    let sent = if config == json!({}) { config } else { json!({ "generationConfig": config }) };
    check(traits, &request, sent, lost);
}

#[test]
fn numbers_have_bounds() {
    let check = |change, config, path: &str, why: &str| {
        set(&Traits::default(), change, config, &[(path, APPROXIMATED, why)]);
    };
    let answers = |r: &mut Request| r.sampling.candidates = Some(9);
    check(answers, json!({ "candidateCount": 8 }), "sampling.candidates", "at most 8 answers");
    let stops =
        |r: &mut Request| r.sampling.stop = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec();
    let five = json!({ "stopSequences": ["a", "b", "c", "d", "e"] });
    check(stops, five, "sampling.stop", "at most 5 stop sequences");
    let seed = |r: &mut Request| r.sampling.seed = Some(1 << 40 | 7);
    check(seed, json!({ "seed": 7 }), "sampling.seed", "seeds have 32 bits");
}

fn formed(output: OutputFormat) -> Request {
    Request { output: Some(output), ..request() }
}

fn config(members: Value) -> Value {
    json!({ "generationConfig": members })
}

#[test]
fn the_form_of_an_answer() {
    let other = ("output", UNSUPPORTED, "the provider knows no such form");
    plain(&formed(OutputFormat::Other(raw(&json!({ "type": "grammar" })))), json!({}), &[other]);
    let beside = Request { tools: vec![function("f")], ..formed(OutputFormat::JsonObject) };
    let tools = json!({ "tools": [{ "functionDeclarations": [sent("f")] }] });
    let json_beside = ("output", UNSUPPORTED, "the model writes no JSON beside functions");
    check(&quirky("no_schema_with_tools"), &beside, tools, &[json_beside]);
}

#[test]
fn the_schema_of_an_answer() {
    let object = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
    let of = |schema: &Value| Schema { schema: Some(raw(schema)), ..Schema::default() };
    let fits = json!({ "responseMimeType": "application/json", "responseJsonSchema": object });
    let check = |schema, lost| plain(&formed(OutputFormat::Schema(schema)), config(fits.clone()), &[lost]);
    let named = Schema { name: Some("n".into()), ..of(&object) };
    check(named, ("output.name", DROPPED, "schemas have no names"));
    let described = Schema { description: Some("d".into()), ..of(&object) };
    check(described, ("output.description", DROPPED, "schemas are described inside"));
    check(Schema { rest: others(), ..of(&object) }, ("output.odd", DROPPED, NO_OTHER));
    let loose = Traits { schema: Some(false), ..Traits::default() };
    let json_alone = config(json!({ "responseMimeType": "application/json" }));
    let none = ("output.schema", UNSUPPORTED, "the model keeps to no schema");
    super::check(&loose, &formed(OutputFormat::Schema(of(&object))), json_alone, &[none]);
    let unlike = json!({ "type": "object", "properties": { "n": { "type": "integer", "not": {} } } });
    let open = json!({
        "responseMimeType": "application/json",
        "responseSchema": { "type": "OBJECT", "properties": { "n": { "type": "INTEGER" } } },
    });
    let part = ("output.schema", APPROXIMATED, "a part of JSON Schema is not in OpenAPI");
    super::check(
        &quirky("openapi_schema"),
        &formed(OutputFormat::Schema(of(&unlike))),
        config(open),
        &[part],
    );
}

fn effort(effort: Effort) -> ReasoningAsk {
    ReasoningAsk { effort: Some(effort), ..ReasoningAsk::default() }
}

fn budget(tokens: u64) -> ReasoningAsk {
    ReasoningAsk { budget: Some(Tokens(tokens)), ..ReasoningAsk::default() }
}

fn off() -> ReasoningAsk {
    ReasoningAsk { mode: Some(ReasoningMode::Off), ..ReasoningAsk::default() }
}

/// What is sent to a model that is told so how to reason.
#[track_caller]
fn reasons(control: &ReasoningControl, ask: ReasoningAsk, thinking: Value, lost: &[Lost<'_>]) {
    let traits = Traits { reasoning: control.clone(), ..Traits::default() };
    let sent = if thinking == json!({}) { thinking } else { config(json!({ "thinkingConfig": thinking })) };
    check(&traits, &Request { reasoning: Some(ask), ..request() }, sent, lost);
}

const EFFORT: &str = "reasoning.effort";
const BUDGET: &str = "reasoning.budget";

#[test]
fn reasoning_of_which_nothing_is_known() {
    let check = |ask, thinking, lost| reasons(&ReasoningControl::Unknown, ask, thinking, &[lost]);
    let both = ReasoningAsk { effort: Some(Effort::Low), ..budget(2_000) };
    check(both, json!({ "thinkingBudget": 2_000 }), (EFFORT, DROPPED, "a budget says it already"));
    let such = (EFFORT, APPROXIMATED, "there is no such level");
    check(effort(Effort::Max), json!({ "thinkingLevel": "HIGH" }), such);
    let odd = ReasoningAsk { rest: others(), ..budget(2_000) };
    check(odd, json!({ "thinkingBudget": 2_000 }), ("reasoning.odd", DROPPED, NO_OTHER));
    let shown = ReasoningAsk { show: Some("detailed".into()), ..budget(2_000) };
    let thoughts = ("reasoning.show", APPROXIMATED, "thoughts are shown, or they are not");
    check(shown, json!({ "thinkingBudget": 2_000, "includeThoughts": true }), thoughts);
}

#[test]
fn reasoning_by_words() {
    let none = ("reasoning", DROPPED, "the model does not reason");
    reasons(&ReasoningControl::None, effort(Effort::Low), json!({}), &[none]);
    for ask in [off(), effort(Effort::None), budget(0)] {
        reasons(&ReasoningControl::None, ask, json!({}), &[]);
    }
    let words = ReasoningControl::Effort(vec![Effort::Low, Effort::High]);
    let check = |ask, thinking, lost| reasons(&words, ask, thinking, &[lost]);
    let odd = effort(Effort::Other("odd".into()));
    check(odd, json!({}), (EFFORT, DROPPED, "the model takes no such word"));
    let nearest = "the nearest level of the model stands for it";
    let high = || json!({ "thinkingLevel": "HIGH" });
    check(effort(Effort::Medium), high(), (EFFORT, APPROXIMATED, nearest));
    check(budget(9_000), high(), (BUDGET, APPROXIMATED, nearest));
    let both = ReasoningAsk { effort: Some(Effort::High), ..budget(2_000) };
    check(both, high(), (BUDGET, DROPPED, "a level says it already"));
}

#[test]
fn reasoning_by_a_budget() {
    let bound = |off| ReasoningControl::Budget { min: Tokens(128), max: Tokens(4_096), off };
    let check = |ask, thinking, lost| reasons(&bound(true), ask, thinking, &[lost]);
    let bounded = |budget: u64| json!({ "thinkingBudget": budget });
    check(budget(5_000), bounded(4_096), (BUDGET, APPROXIMATED, "outside what the model takes"));
    let stands = (EFFORT, APPROXIMATED, "a bound on tokens stands for it");
    check(effort(Effort::Low), bounded(1_024), stands);
    let odd = effort(Effort::Other("odd".into()));
    check(odd, json!({}), (EFFORT, DROPPED, "the model takes no such word"));
    let both = ReasoningAsk { effort: Some(Effort::High), ..budget(2_000) };
    check(both, bounded(2_000), (EFFORT, DROPPED, "a budget says it already"));
    let always = ("reasoning.mode", APPROXIMATED, "the model always reasons");
    reasons(&bound(false), off(), bounded(128), &[always]);
}

#[test]
fn what_stands_beside() {
    let check = |change, path: &str, kind, why: &str| {
        set(&Traits::default(), change, json!({}), &[(path, kind, why)]);
    };
    let keeps = "the provider keeps no answers";
    check(|r| r.state.previous = Some("r".into()), "state.previous", UNSUPPORTED, keeps);
    let conversation = |r: &mut Request| r.state.conversation = Some(raw(&json!("c")));
    check(conversation, "state.conversation", UNSUPPORTED, keeps);
    check(|r| r.state.background = Some(true), "state.background", UNSUPPORTED, keeps);
    check(|r| r.state.store = Some(true), "state.store", DROPPED, keeps);
    check(|r| r.user = Some("u".into()), "user", NOTED, "the provider is not told of users");
    let labels = "only Vertex AI has labels, of its own form";
    check(|r| r.metadata = Some(raw(&json!({ "a": "b" }))), "metadata", NOTED, labels);
    check(|r| r.cache_key = Some("k".into()), "cache_key", DROPPED, CACHES);
    let single = "calls cannot be kept to one at once";
    check(|r| r.parallel_tool_calls = Some(false), "parallel_tool_calls", DROPPED, single);
    let class = "there is no such class of service";
    check(|r| r.service_tier = Some("scale".into()), "service_tier", DROPPED, class);
    check(|r| r.rest = others(), "odd", DROPPED, NO_OTHER);
    let stream = |r: &mut Request| r.stream = Some(StreamAsk { usage: None, rest: others() });
    check(stream, "stream.odd", DROPPED, NO_OTHER);
}

#[test]
fn what_is_refused_is_told_behind_any_number_of_losses() {
    let many = (0..300).map(|number| (format!("odd{number}").into(), raw(&json!(1)))).collect();
    let mut request = Request { rest: Rest::from_owned(Dialect::OpenaiChat, many), ..request() };
    request.state.previous = Some("r".into());
    let encoded = super::encode(&request, &Traits::default());
    assert!(encoded.losses.len() < 300, "{}", encoded.losses.len());
    let refused: Vec<_> = encoded.losses.iter().filter(|loss| loss.kind == UNSUPPORTED).cloned().collect();
    let keeps = ("state.previous", UNSUPPORTED, "the provider keeps no answers");
    super::told_exactly(&refused, &[keeps]);
}
