//! What is asked beside the conversation: sampling, accounts, reasoning, and the form of the answer.

use serde_json::json;
use shim_ir::{
    Effort, LossKind, OutputFormat, ReasoningAsk, ReasoningControl, ReasoningMode, Request, Rest, Schema,
    StreamAsk, Tokens, Traits,
};

use super::super::{function, raw, traits};
use super::{Lost, Seen, asking, odd, row};
use LossKind::{Approximated, Defaulted, Dropped, Noted, Unsupported};
use Seen::{As, Gone, Has};

#[track_caller]
fn asked(change: impl FnOnce(&mut Request), quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]) {
    row(&asking(change), &traits(quirks), &[lost], seen);
}

#[test]
fn sampling_that_is_not_taken_is_told() {
    asked(
        |r| r.sampling.temperature = Some(2.5),
        &[],
        ("sampling.temperature", Approximated, "it is outside of the range here"),
        &[As("/temperature", json!(2.0))],
    );
    asked(
        |r| r.sampling.presence_penalty = Some(-3.0),
        &[],
        ("sampling.presence_penalty", Approximated, "it is outside of the range here"),
        &[As("/presence_penalty", json!(-2.0))],
    );
    asked(
        |r| r.sampling.top_k = Some(40.0),
        &[],
        ("sampling.top_k", Dropped, "OpenAI's dialect has no such member"),
        &[Gone("top_k"), Gone("40")],
    );
    asked(
        |r| r.sampling.stop = vec!["halt".into()],
        &["no_stop"],
        ("sampling.stop", Unsupported, "the model takes no stop sequences"),
        &[Gone("stop"), Gone("halt")],
    );
    asked(
        |r| r.sampling.stop = ["a", "b", "c", "d", "halt"].map(str::to_owned).to_vec(),
        &[],
        ("sampling.stop[4]", Unsupported, "at most four stop sequences are taken"),
        &[As("/stop", json!(["a", "b", "c", "d"]))],
    );
    asked(
        |r| r.sampling.candidates = Some(2),
        &["no_n"],
        ("sampling.candidates", Unsupported, "the provider gives one answer"),
        &[Gone("\"n\"")],
    );
    for quirk in ["no_logprobs", "no_sampling"] {
        asked(
            |r| r.sampling.top_logprobs = Some(3),
            &[quirk],
            ("sampling.logprobs", Unsupported, "the model gives none"),
            &[Gone("logprobs")],
        );
    }
}

type Change = fn(&mut Request);

#[test]
fn members_that_a_provider_refuses_are_told() {
    let cases: [(&str, &str, &str, Change); 10] = [
        ("no_sampling", "sampling.temperature", "temperature", |r| r.sampling.temperature = Some(0.5)),
        ("no_sampling", "sampling.top_p", "top_p", |r| r.sampling.top_p = Some(0.5)),
        ("no_sampling", "sampling.frequency_penalty", "penalty", |r| {
            r.sampling.frequency_penalty = Some(0.5);
        }),
        ("no_sampling", "sampling.presence_penalty", "penalty", |r| r.sampling.presence_penalty = Some(0.5)),
        ("no_seed", "sampling.seed", "seed", |r| r.sampling.seed = Some(7)),
        ("no_user", "user", "user", |r| r.user = Some("me".into())),
        ("no_metadata", "metadata", "metadata", |r| r.metadata = Some(raw(r#"{"a":"b"}"#))),
        ("no_prompt_cache_key", "cache_key", "cache_key", |r| r.cache_key = Some("k".into())),
        ("no_service_tier", "service_tier", "tier", |r| r.service_tier = Some("flex".into())),
        ("no_store", "state.store", "store", |r| r.state.store = Some(true)),
    ];
    for (quirk, path, word, change) in cases {
        let kind = if matches!(path, "user" | "metadata") { Noted } else { Dropped };
        asked(change, &[quirk], (path, kind, "the provider refuses it"), &[Gone(word)]);
    }
}

#[test]
fn what_is_not_kept_or_not_known_is_told() {
    asked(
        |r| r.state.previous = Some("before".into()),
        &[],
        ("state.previous", Unsupported, "no answer is kept that this could go on from"),
        &[Gone("before")],
    );
    asked(
        |r| r.state.conversation = Some(raw("\"talk\"")),
        &[],
        ("state.conversation", Unsupported, "no conversation is kept here"),
        &[Gone("talk")],
    );
    asked(
        |r| r.state.background = Some(true),
        &[],
        ("state.background", Unsupported, "answers are not made in the background"),
        &[Gone("background")],
    );
    asked(
        |r| r.service_tier = Some("gold".into()),
        &[],
        ("service_tier", Dropped, "there is no such class of service here"),
        &[Gone("gold")],
    );
    let long = "u".repeat(65);
    asked(
        |r| r.user = Some(long.clone()),
        &[],
        ("user", Noted, "it is too long, a hash stands for it"),
        &[Gone(&long), Has(r#""user":"user_"#)],
    );
    asked(
        |r| r.modalities = vec!["text".into(), "AUDIO".into()],
        &[],
        ("modalities", Defaulted, "sound needs a voice and a format here"),
        &[As("/audio", json!({ "voice": "alloy", "format": "wav" })), As("/modalities/1", json!("audio"))],
    );
    let other = "no other dialect has it";
    asked(|r| r.rest = odd(), &[], ("odd", Dropped, other), &[Gone("strange")]);
    let stream = || Some(StreamAsk { usage: None, rest: odd() });
    asked(|r| r.stream = stream(), &[], ("stream.odd", Dropped, other), &[Gone("strange")]);
}

/// What is lost of an ask for reasoning.
#[track_caller]
fn thinking(
    ask: ReasoningAsk,
    control: ReasoningControl,
    quirks: &[&str],
    lost: Lost<'_>,
    seen: &[Seen<'_>],
) {
    let request = asking(|request| request.reasoning = Some(ask));
    row(&request, &Traits { reasoning: control, ..traits(quirks) }, &[lost], seen);
}

fn effort(effort: Effort) -> ReasoningAsk {
    ReasoningAsk { effort: Some(effort), ..ReasoningAsk::default() }
}

fn budget(tokens: u64) -> ReasoningAsk {
    ReasoningAsk { budget: Some(Tokens(tokens)), ..ReasoningAsk::default() }
}

#[test]
fn reasoning_by_a_word_is_told_where_it_differs() {
    use ReasoningControl::{Effort as Words, None, Unknown};
    let words = || Words(vec![Effort::Low, Effort::High]);
    thinking(
        effort(Effort::High),
        None,
        &[],
        ("reasoning", Dropped, "the model does not reason"),
        &[Gone("reasoning"), Gone("high")],
    );
    thinking(
        ReasoningAsk { effort: Some(Effort::High), ..budget(5_000) },
        Unknown,
        &[],
        ("reasoning.budget", Dropped, "a word says how hard to reason"),
        &[As("/reasoning_effort", json!("high")), Gone("5000")],
    );
    thinking(
        budget(5_000),
        Unknown,
        &[],
        ("reasoning.budget", Approximated, "a word stands for the bound"),
        &[As("/reasoning_effort", json!("medium")), Gone("5000")],
    );
    thinking(
        ReasoningAsk { mode: Some(ReasoningMode::On), ..ReasoningAsk::default() },
        Unknown,
        &[],
        ("reasoning.mode", Dropped, "the model reasons as it does"),
        &[Gone("reasoning")],
    );
    thinking(
        effort(Effort::Medium),
        words(),
        &[],
        ("reasoning.effort", Approximated, "the model knows other words"),
        &[As("/reasoning_effort", json!("high"))],
    );
    thinking(
        effort(Effort::Other("fierce".into())),
        words(),
        &[],
        ("reasoning.effort", Dropped, "the model does not know the word"),
        &[Gone("reasoning_effort"), Gone("fierce")],
    );
}

#[test]
fn reasoning_by_a_bound_is_told_where_it_differs() {
    let bound = || ReasoningControl::Budget { min: Tokens(128), max: Tokens(50_000), off: true };
    let switch = ["enable_thinking"];
    thinking(
        effort(Effort::High),
        bound(),
        &switch,
        ("reasoning.effort", Approximated, "a bound stands for the word"),
        &[As("/thinking_budget", json!(24_576)), Gone("high")],
    );
    thinking(
        budget(50),
        bound(),
        &switch,
        ("reasoning.budget", Approximated, "it is outside of the model's range"),
        &[As("/thinking_budget", json!(128))],
    );
    let as_it_likes = ("reasoning.effort", Approximated, "the model is told to reason, not how hard");
    thinking(
        effort(Effort::High),
        ReasoningControl::Unknown,
        &switch,
        as_it_likes,
        &[As("/enable_thinking", json!(true)), Gone("high")],
    );
    thinking(
        effort(Effort::Other("fierce".into())),
        bound(),
        &["reasoning_object"],
        as_it_likes,
        &[As("/reasoning", json!({ "enabled": true }))],
    );
    let said_by_bound = ("reasoning.effort", Dropped, "a bound says how hard to reason");
    let both = || ReasoningAsk { effort: Some(Effort::High), ..budget(5_000) };
    let written = [As("/thinking_budget", json!(5_000)), Gone("high")];
    thinking(both(), ReasoningControl::Unknown, &switch, said_by_bound, &written);
    thinking(both(), bound(), &switch, said_by_bound, &written);
    let object = [As("/reasoning", json!({ "max_tokens": 5_000 }))];
    thinking(both(), bound(), &["reasoning_object"], said_by_bound, &object);
}

#[test]
fn how_reasoning_is_shown_is_not_asked() {
    let unknown = || ReasoningControl::Unknown;
    thinking(
        ReasoningAsk { show: Some("detailed".into()), ..ReasoningAsk::default() },
        unknown(),
        &[],
        ("reasoning.show", Dropped, "reasoning is shown as the provider shows it"),
        &[Gone("detailed")],
    );
    thinking(
        ReasoningAsk { encrypted: true, ..ReasoningAsk::default() },
        unknown(),
        &[],
        ("reasoning.encrypted", Dropped, "no encrypted reasoning is given"),
        &[Gone("reasoning"), Gone("encrypted")],
    );
    thinking(
        ReasoningAsk { rest: odd(), ..ReasoningAsk::default() },
        unknown(),
        &[],
        ("reasoning.odd", Dropped, "no other dialect has it"),
        &[Gone("strange")],
    );
}

#[test]
fn the_form_of_the_answer_is_told_where_it_differs() {
    let schema = |name: Option<&str>, rest: Rest| Schema {
        name: name.map(str::to_owned),
        schema: Some(raw(r#"{"type":"object","title":"kept"}"#)),
        rest,
        ..Schema::default()
    };
    let form = |schema| move |r: &mut Request| r.output = Some(OutputFormat::Schema(schema));
    asked(
        form(schema(None, Rest::default())),
        &[],
        ("output.name", Defaulted, "a schema has a name here"),
        &[As("/response_format/json_schema/name", json!("answer")), Has("kept")],
    );
    asked(
        form(schema(Some("s"), odd())),
        &[],
        ("output.odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("kept")],
    );
    asked(
        form(schema(Some("s"), Rest::default())),
        &["json_object_only"],
        ("output", Approximated, "the answer is asked for through a function"),
        &[
            As("/tools/0/function/parameters/title", json!("kept")),
            As("/tool_choice/function/name", json!("json_answer")),
            Gone("response_format"),
        ],
    );
    let without = Traits { tools: Some(false), schema: Some(false), ..Traits::default() };
    row(
        &asking(form(schema(Some("s"), Rest::default()))),
        &without,
        &[("output", Unsupported, "the model keeps to no schema")],
        &[As("/response_format", json!({ "type": "json_object" })), Gone("kept")],
    );
    asked(
        |r| r.output = Some(OutputFormat::Other(raw(r#"{"poem":1}"#))),
        &[],
        ("output", Unsupported, "there is no such form here"),
        &[Gone("poem"), Gone("response_format")],
    );
}

#[test]
fn a_model_that_thinks_or_calls_tools_is_told_not_to_think() {
    asked(
        |r| {
            r.tools = vec![function("f")];
            r.tool_choice = Some(shim_ir::ToolChoice::Required);
        },
        &["no_forced_tools_thinking", "thinking_object"],
        ("reasoning", Approximated, "the model cannot think where it must call a tool"),
        &[As("/thinking/type", json!("disabled")), As("/tool_choice", json!("required"))],
    );
}
