//! What is asked of an answer: how tokens are chosen, how hard to think, in what form, and what stands beside.

use serde_json::{Value, json};
use shim_ir::{
    Dialect, Effort, OutputFormat, ReasoningAsk, ReasoningControl, ReasoningMode, Request, Rest, Role,
    Sampling, Schema, StreamAsk, Tokens, ToolChoice, Traits,
};

use super::super::told::call;
use super::tools::{function, sent};
use super::{
    APPROXIMATED, DEFAULTED, DROPPED, Lost, NOTED, UNSUPPORTED, check, others, plain, quirky, raw, request,
    says, turn,
};
use shim_ir::{Part, Text, ToolCallKind, ToolResult};

fn sampled(set: impl FnOnce(&mut Sampling)) -> Request {
    let mut request = request();
    set(&mut request.sampling);
    request
}

#[test]
fn the_bound_on_the_output() {
    let known = Traits { output_max: Some(Tokens(64_000)), ..Traits::default() };
    let path = "sampling.output_max";
    check(
        &known,
        &sampled(|s| s.output_max = Some(Tokens(99_999))),
        json!({ "max_tokens": 64_000 }),
        &[(path, APPROXIMATED, "the model's own bound on the output is lower")],
    );
    let unsaid = sampled(|s| s.output_max = None);
    let own = (path, DEFAULTED, "a bound is required: the model's own");
    check(&known, &unsaid, json!({ "max_tokens": 64_000 }), &[own]);
    let usual = (path, DEFAULTED, "a bound is required: 8192, beside the budget to think");
    plain(&unsaid, json!({ "max_tokens": 8_192 }), &[usual]);
    let thinking = Request { reasoning: Some(budget(2_000)), ..unsaid };
    let thinks = json!({ "type": "enabled", "budget_tokens": 2_000 });
    plain(&thinking, json!({ "max_tokens": 10_192, "thinking": thinks }), &[usual]);
}

#[test]
fn numbers_have_ranges() {
    let temperature = ("sampling.temperature", APPROXIMATED, "a temperature is 0 to 1");
    plain(&sampled(|s| s.temperature = Some(1.5)), json!({ "temperature": 1.0 }), &[temperature]);
    let top_p = ("sampling.top_p", APPROXIMATED, "it is 0 to 1");
    plain(&sampled(|s| s.top_p = Some(1.5)), json!({ "top_p": 1.0 }), &[top_p]);
    let top_k = ("sampling.top_k", APPROXIMATED, "it is a whole number");
    plain(&sampled(|s| s.top_k = Some(2.6)), json!({ "top_k": 3 }), &[top_k]);
    plain(&sampled(|s| s.top_k = Some(-1.0)), json!({ "top_k": 0 }), &[top_k]);
    let stop = ("sampling.stop[0]", UNSUPPORTED, "a stop sequence has more than white space");
    let stops = sampled(|s| s.stop = vec!["\n".into(), "END".into()]);
    plain(&stops, json!({ "stop_sequences": ["END"] }), &[stop]);
    plain(&sampled(|s| s.stop = vec![" ".into()]), json!({}), &[stop]);
}

#[test]
fn a_model_may_take_no_sampling() {
    let temperature = ("sampling.temperature", DROPPED, "the model takes none");
    check(&quirky("no_sampling"), &sampled(|s| s.temperature = Some(0.5)), json!({}), &[temperature]);
    let top_p = ("sampling.top_p", DROPPED, "the model takes none, or none beside a temperature");
    check(&quirky("no_sampling"), &sampled(|s| s.top_p = Some(0.5)), json!({}), &[top_p]);
    let both = sampled(|s| (s.temperature, s.top_p) = (Some(0.5), Some(0.5)));
    check(&quirky("one_sampler"), &both, json!({ "temperature": 0.5 }), &[top_p]);
    let top_k = ("sampling.top_k", DROPPED, "the model takes none, or none where it thinks");
    check(&quirky("no_sampling"), &sampled(|s| s.top_k = Some(3.0)), json!({}), &[top_k]);
}

#[test]
fn a_model_that_thinks_takes_less() {
    let check = |set: fn(&mut Sampling), more: Value, lost: Lost<'_>| {
        let adaptive = ReasoningAsk { mode: Some(ReasoningMode::Adaptive), ..ReasoningAsk::default() };
        let request = Request { reasoning: Some(adaptive), ..sampled(set) };
        plain(&request, super::with(json!({ "thinking": { "type": "adaptive" } }), more), &[lost]);
    };
    let temperature = ("sampling.temperature", DROPPED, "a model that thinks takes none");
    check(|s| s.temperature = Some(0.5), json!({}), temperature);
    let top_p = ("sampling.top_p", APPROXIMATED, "a model that thinks takes 0.95 to 1");
    check(|s| s.top_p = Some(0.5), json!({ "top_p": 0.95 }), top_p);
    let top_k = ("sampling.top_k", DROPPED, "the model takes none, or none where it thinks");
    check(|s| s.top_k = Some(3.0), json!({}), top_k);
}

#[test]
fn settings_that_only_others_have() {
    let check = |set: fn(&mut Sampling), path: &str, kind, why| {
        plain(&sampled(set), json!({}), &[(path, kind, why)]);
    };
    let none = "there is no such setting";
    check(|s| s.frequency_penalty = Some(0.5), "sampling.frequency_penalty", DROPPED, none);
    check(|s| s.presence_penalty = Some(0.5), "sampling.presence_penalty", DROPPED, none);
    check(|s| s.seed = Some(7), "sampling.seed", DROPPED, none);
    let one = "there is one answer to a request";
    check(|s| s.candidates = Some(2), "sampling.candidates", UNSUPPORTED, one);
    let logprobs = "there are no log probabilities";
    check(|s| s.logprobs = Some(true), "sampling.logprobs", UNSUPPORTED, logprobs);
}

fn effort(effort: Effort) -> ReasoningAsk {
    ReasoningAsk { effort: Some(effort), ..ReasoningAsk::default() }
}

fn budget(tokens: u64) -> ReasoningAsk {
    ReasoningAsk { budget: Some(Tokens(tokens)), ..ReasoningAsk::default() }
}

fn mode(mode: ReasoningMode) -> ReasoningAsk {
    ReasoningAsk { mode: Some(mode), ..ReasoningAsk::default() }
}

/// What is sent to a model that is told so how to reason.
#[track_caller]
fn reasons(control: ReasoningControl, ask: ReasoningAsk, sent: Value, lost: Lost<'_>) {
    let traits = Traits { reasoning: control, ..Traits::default() };
    check(&traits, &Request { reasoning: Some(ask), ..request() }, sent, &[lost]);
}

fn enabled(budget: u64) -> Value {
    json!({ "thinking": { "type": "enabled", "budget_tokens": budget } })
}

fn trying(effort: &str) -> Value {
    json!({ "output_config": { "effort": effort } })
}

#[test]
fn reasoning_of_which_nothing_is_known() {
    let check = |ask, sent, lost| reasons(ReasoningControl::Unknown, ask, sent, lost);
    let least = ("reasoning.effort", APPROXIMATED, "the least effort is low");
    check(effort(Effort::Minimal), trying("low"), least);
    let off = ReasoningAsk { mode: Some(ReasoningMode::Off), ..budget(2_000) };
    let only = ("reasoning.budget", DROPPED, "there is a budget only where thinking is on");
    check(off, json!({ "thinking": { "type": "disabled" } }), only);
    let shown = |show: &str, ask| ReasoningAsk { show: Some(show.into()), ..ask };
    let nothing = ("reasoning.show", DROPPED, "nothing is asked of thinking");
    check(shown("auto", ReasoningAsk::default()), json!({}), nothing);
    let summary = ("reasoning.show", DROPPED, "thinking is shown as a summary or not at all");
    let adaptive = json!({ "thinking": { "type": "adaptive" } });
    check(shown("backwards", mode(ReasoningMode::Adaptive)), adaptive, summary);
    let length = ("reasoning.show", APPROXIMATED, "summaries have one length");
    let summarized = json!({ "thinking": { "type": "adaptive", "display": "summarized" } });
    check(shown("detailed", mode(ReasoningMode::Adaptive)), summarized, length);
    let rest = ReasoningAsk { rest: others(), ..budget(2_000) };
    check(rest, enabled(2_000), ("reasoning.odd", DROPPED, "no other dialect has it"));
}

#[test]
fn reasoning_by_words() {
    use ReasoningControl::{Adaptive, Effort as Words};
    let words = || vec![Effort::Low, Effort::High];
    let none = ("reasoning", DROPPED, "the model does not reason");
    reasons(ReasoningControl::None, effort(Effort::High), json!({}), none);
    let unknown = "the model knows no such word for how hard to think";
    let odd = effort(Effort::Other("odd".into()));
    reasons(Words(words()), odd, json!({}), ("reasoning.effort", DROPPED, unknown));
    let thinks = |more| super::with(json!({ "thinking": { "type": "adaptive" } }), more);
    let unsaid = ("reasoning.budget", DROPPED, unknown);
    reasons(Adaptive(vec![]), budget(2_000), thinks(json!({})), unsaid);
    let another = "the model is told how hard to think by another word";
    let path = "reasoning.effort";
    reasons(Words(words()), effort(Effort::Medium), trying("high"), (path, APPROXIMATED, another));
    let by_word = ("reasoning.budget", APPROXIMATED, another);
    reasons(Adaptive(words()), budget(9_000), thinks(trying("high")), by_word);
    let both = ReasoningAsk { budget: Some(Tokens(9_000)), ..effort(Effort::Low) };
    let said = ("reasoning.budget", DROPPED, "the effort says it");
    reasons(Words(words()), both.clone(), trying("low"), said);
    reasons(Adaptive(words()), both, thinks(trying("low")), said);
}

#[test]
fn reasoning_by_a_budget() {
    let bound = |off| ReasoningControl::Budget { min: Tokens(1_024), max: Tokens(4_096), off };
    let check = |ask, sent, lost| reasons(bound(true), ask, sent, lost);
    let bounds = ("reasoning.budget", APPROXIMATED, "the model's bounds on the budget");
    check(budget(5_000), enabled(4_096), bounds);
    let both = ReasoningAsk { effort: Some(Effort::High), ..budget(2_000) };
    check(both, enabled(2_000), ("reasoning.effort", DROPPED, "the budget says it"));
    let told = ("reasoning.effort", APPROXIMATED, "the model is told by a budget");
    check(effort(Effort::Medium), enabled(4_096), told);
    let needs = ("reasoning.budget", DEFAULTED, "the model needs a budget: that of medium effort");
    check(mode(ReasoningMode::On), enabled(4_096), needs);
    let least = ("reasoning.mode", APPROXIMATED, "the model always thinks: as little as it can");
    reasons(bound(false), mode(ReasoningMode::Off), enabled(1_024), least);
    let off = Request { reasoning: Some(mode(ReasoningMode::Off)), ..request() };
    super::check(&quirky("always_thinks"), &off, trying("low"), &[least]);
}

#[test]
fn thinking_needs_room() {
    let thinking = |tokens, most| Request {
        reasoning: Some(budget(tokens)),
        ..sampled(|s| s.output_max = Some(Tokens(most)))
    };
    let path = "reasoning.budget";
    let within = (path, APPROXIMATED, "a budget is 1024 or more, and below the output's bound");
    plain(&thinking(100, 9_000), enabled(1_024), &[within]);
    plain(&thinking(20_000, 9_000), enabled(8_999), &[within]);
    let off = json!({ "type": "disabled" });
    let none = ("reasoning", APPROXIMATED, "the bound on the output leaves no room to think");
    plain(&thinking(2_000, 1_000), json!({ "max_tokens": 1_000, "thinking": off }), &[none]);
    let tool_choice = Some(ToolChoice::Required);
    let forced = Request { tools: vec![function("f")], tool_choice, ..thinking(2_000, 9_000) };
    let must = ("reasoning", APPROXIMATED, "a tool that must be called leaves no room to think");
    let wanted = json!({ "tools": [sent("f")], "tool_choice": { "type": "any" }, "thinking": off });
    plain(&forced, wanted, &[must]);
}

#[test]
fn a_turn_goes_on_as_it_began() {
    let result = ToolResult {
        call: "c".into(),
        name: None,
        content: vec![Part::Text(Text::new("done"))],
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: None,
        rest: Rest::default(),
    };
    let called = Part::ToolCall(call("c", "f", ToolCallKind::Function, "{}"));
    let turns = vec![
        says(Role::User, "hi"),
        turn(Role::Assistant, vec![called]),
        turn(Role::Tool, vec![Part::ToolResult(result)]),
    ];
    let request = Request { turns, reasoning: Some(budget(2_000)), ..request() };
    let sent = json!({ "thinking": { "type": "disabled" }, "messages": [
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "c", "name": "f", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c", "content": "done" }] },
    ] });
    let why = "the turn in progress did not begin with signed thinking";
    plain(&request, sent, &[("reasoning", APPROXIMATED, why)]);
}

fn formed(output: OutputFormat) -> Request {
    Request { output: Some(output), ..request() }
}

/// What is sent where a call of a function with this schema stands for the answer.
fn by_call(schema: Value) -> Value {
    let description = "Gives the answer. Call this once, with the whole answer.";
    let tool = json!({ "name": "answer_in_json", "description": description, "input_schema": schema });
    let choice = json!({ "type": "tool", "name": "answer_in_json", "disable_parallel_tool_use": true });
    json!({ "tools": [tool], "tool_choice": choice })
}

#[test]
fn the_form_of_an_answer() {
    let any = by_call(json!({ "type": "object", "additionalProperties": true }));
    let object = ("output", APPROXIMATED, "an object is asked for as the call of a function");
    plain(&formed(OutputFormat::JsonObject), any, &[object]);
    let other = ("output", UNSUPPORTED, "there is no such form of an answer");
    plain(&formed(OutputFormat::Other(raw(&json!({ "type": "grammar" })))), json!({}), &[other]);
    let none = ("output", UNSUPPORTED, "there is no schema to fit");
    plain(&formed(OutputFormat::Schema(Schema::default())), json!({}), &[none]);
}

#[test]
fn the_schema_of_an_answer() {
    let object = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let of = |schema: &Value| Schema { schema: Some(raw(schema)), ..Schema::default() };
    let fits =
        |schema: Value| json!({ "output_config": { "format": { "type": "json_schema", "schema": schema } } });
    let check = |schema: Schema, sent, lost| plain(&formed(OutputFormat::Schema(schema)), sent, &[lost]);
    let named = Schema { name: Some("n".into()), ..of(&object) };
    check(named, fits(object.clone()), ("output.name", DROPPED, "a schema has no name"));
    let described = Schema { description: Some("d".into()), ..of(&object) };
    let inside = ("output.description", DROPPED, "a schema is described in itself alone");
    check(described, fits(object.clone()), inside);
    let odd = Schema { rest: others(), ..of(&object) };
    check(odd, fits(object.clone()), ("output.odd", DROPPED, "no other dialect has it"));
    let least = |number| super::with(object.clone(), json!({ "properties": { "n": number } }));
    let beyond = least(json!({ "type": "integer", "minimum": 1 }));
    let told = least(json!({ "type": "integer", "description": "{minimum: 1}" }));
    let words = "what cannot be made to fit is told in the description";
    check(of(&beyond), fits(told), ("output.schema", APPROXIMATED, words));
}

#[test]
fn a_schema_as_the_arguments_of_a_function() {
    let object = json!({ "type": "object", "properties": {} });
    let schema = Schema { schema: Some(raw(&object)), rest: others(), ..Schema::default() };
    let none = Traits { schema: Some(false), ..Traits::default() };
    let lost = [
        ("output", APPROXIMATED, "the schema is asked for as the arguments of a function"),
        ("output.odd", DROPPED, "no other dialect has it"),
    ];
    check(&none, &formed(OutputFormat::Schema(schema)), by_call(object), &lost);
}

#[test]
fn what_stands_beside() {
    let check = |set: fn(&mut Request), path: &str, kind, why| {
        let mut request = request();
        set(&mut request);
        plain(&request, json!({}), &[(path, kind, why)]);
    };
    let user = "only the id of a user is taken";
    check(|r| r.metadata = Some(raw(&json!({ "a": "b" }))), "metadata", NOTED, user);
    check(|r| r.modalities = vec!["audio".into()], "modalities", UNSUPPORTED, "answers are text");
    let class = "there is no such class of service";
    check(|r| r.service_tier = Some("flex".into()), "service_tier", DROPPED, class);
    let kept = "no conversation is kept";
    check(|r| r.state.previous = Some("r".into()), "state.previous", UNSUPPORTED, kept);
    let conversation = |r: &mut Request| r.state.conversation = Some(raw(&json!("c")));
    check(conversation, "state.conversation", UNSUPPORTED, kept);
    let later = "answers are not made in the background";
    check(|r| r.state.background = Some(true), "state.background", UNSUPPORTED, later);
    check(|r| r.state.store = Some(true), "state.store", DROPPED, kept);
    let begins = "prompts are cached by what they begin with";
    check(|r| r.cache_key = Some("k".into()), "cache_key", DROPPED, begins);
}

#[test]
fn what_only_others_ask() {
    let check = |key: &str, value: Value, kind| {
        let rest = Rest::from_owned(Dialect::OpenaiChat, vec![(key.into(), raw(&value))]);
        plain(&Request { rest, ..request() }, json!({}), &[(key, kind, "no other dialect has it")]);
    };
    check("verbosity", json!("low"), DROPPED);
    check("plugins", json!([{ "id": "web" }]), UNSUPPORTED);
    let stream = Some(StreamAsk { usage: None, rest: others() });
    let odd = ("stream.odd", DROPPED, "no other dialect has it");
    plain(&Request { stream, ..request() }, json!({ "stream": true }), &[odd]);
}
