//! What is asked beside the conversation: sampling, accounts, reasoning, and the form of the answer.

use serde_json::json;
use shim_ir::{
    Effort, LossKind, OutputFormat, ReasoningAsk, ReasoningControl, ReasoningMode, Request, Rest, Schema,
    StreamAsk, Tokens, Traits,
};

use super::super::{raw, traits};
use super::{Lost, Seen, asking, odd, row};
use LossKind::{Approximated, Defaulted, Dropped, Noted, Unsupported};
use Seen::{As, Gone, Has};

#[track_caller]
fn asked(change: impl FnOnce(&mut Request), quirks: &[&str], lost: Lost<'_>, seen: &[Seen<'_>]) {
    row(&asking(change), &traits(quirks), &[lost], seen);
}

type Change = fn(&mut Request);

#[test]
fn sampling_that_is_not_taken_is_told() {
    let cases: [(&str, &str, &str, Change); 5] = [
        ("fixed_sampling", "sampling.temperature", "temperature", |r| r.sampling.temperature = Some(0.5)),
        ("fixed_sampling", "sampling.top_p", "top_p", |r| r.sampling.top_p = Some(0.5)),
        ("penalties", "sampling.top_k", "top_k", |r| r.sampling.top_k = Some(5.0)),
        ("top_k", "sampling.frequency_penalty", "penalty", |r| r.sampling.frequency_penalty = Some(0.5)),
        ("top_k", "sampling.presence_penalty", "penalty", |r| r.sampling.presence_penalty = Some(0.5)),
    ];
    for (quirk, path, word, change) in cases {
        asked(change, &[quirk], (path, Dropped, "the target does not take it"), &[Gone(word)]);
    }
    asked(
        |r| r.sampling.seed = Some(7),
        &[],
        ("sampling.seed", Dropped, "the target takes no seed"),
        &[Gone("seed")],
    );
    asked(
        |r| r.sampling.stop = vec!["halt".into()],
        &[],
        ("sampling.stop", Unsupported, "the target takes no stop sequences"),
        &[Gone("halt")],
    );
    asked(
        |r| r.sampling.candidates = Some(2),
        &[],
        ("sampling.candidates", Unsupported, "the target gives one answer"),
        &[Gone("2")],
    );
}

#[test]
fn sampling_outside_of_bounds_is_told() {
    for (asked_for, given) in [(3.0, 2.0), (-1.0, 0.0)] {
        asked(
            |r| r.sampling.temperature = Some(asked_for),
            &[],
            ("sampling.temperature", Approximated, "the target takes 0 to 2"),
            &[As("/temperature", json!(given))],
        );
    }
    let bounds = ("sampling.output_max", Approximated, "the model takes other bounds");
    asked(|r| r.sampling.output_max = Some(Tokens(1)), &[], bounds, &[As("/max_output_tokens", json!(16))]);
    let short = Traits { output_max: Some(Tokens(100)), ..Traits::default() };
    let request = asking(|r| r.sampling.output_max = Some(Tokens(1000)));
    row(&request, &short, &[bounds], &[As("/max_output_tokens", json!(100))]);
}

#[test]
fn what_a_client_says_of_itself_is_told_where_it_is_lost() {
    let long = "u".repeat(65);
    asked(
        |r| r.user = Some(long.clone()),
        &[],
        ("user", Noted, "it is longer than the target takes"),
        &[Gone("user"), Gone(&long)],
    );
    asked(
        |r| r.metadata = Some(raw(r#"{"a":1}"#)),
        &[],
        ("metadata", Noted, "the target takes sixteen short texts"),
        &[Gone("metadata")],
    );
    asked(
        |r| r.modalities = vec!["text".into(), "audio".into()],
        &[],
        ("modalities", Unsupported, "the target answers with text"),
        &[Gone("audio")],
    );
    asked(
        |r| r.service_tier = Some("gold".into()),
        &[],
        ("service_tier", Dropped, "the target does not know the word"),
        &[Gone("gold")],
    );
    let other = "no other dialect has it";
    asked(|r| r.rest = odd(), &[], ("odd", Dropped, other), &[Gone("strange")]);
    let stream = || Some(StreamAsk { usage: None, rest: odd() });
    asked(|r| r.stream = stream(), &[], ("stream.odd", Dropped, other), &[Gone("strange")]);
}

/// What is lost of an ask for reasoning.
#[track_caller]
fn thinking(ask: ReasoningAsk, control: ReasoningControl, lost: Lost<'_>, seen: &[Seen<'_>]) {
    let request = asking(|request| request.reasoning = Some(ask));
    row(&request, &Traits { reasoning: control, ..Traits::default() }, &[lost], seen);
}

fn effort(effort: Effort) -> ReasoningAsk {
    ReasoningAsk { effort: Some(effort), ..ReasoningAsk::default() }
}

fn budget(tokens: u64) -> ReasoningAsk {
    ReasoningAsk { budget: Some(Tokens(tokens)), ..ReasoningAsk::default() }
}

fn fierce() -> ReasoningAsk {
    effort(Effort::Other("fierce".into()))
}

fn off() -> ReasoningAsk {
    ReasoningAsk { mode: Some(ReasoningMode::Off), ..ReasoningAsk::default() }
}

#[test]
fn reasoning_by_a_word_is_told_where_it_differs() {
    use ReasoningControl::{Adaptive, Effort as Words, None, Unknown};
    let words = || Words(vec![Effort::Low, Effort::High]);
    thinking(
        effort(Effort::High),
        None,
        ("reasoning", Dropped, "the model does not reason"),
        &[Gone("reasoning"), Gone("high")],
    );
    thinking(
        budget(5_000),
        Unknown,
        ("reasoning.budget", Approximated, "the target takes a word for how hard to reason"),
        &[As("/reasoning/effort", json!("medium")), Gone("5000")],
    );
    thinking(
        ReasoningAsk { effort: Some(Effort::High), ..budget(5_000) },
        Unknown,
        ("reasoning.budget", Dropped, "a word says how hard to reason"),
        &[As("/reasoning/effort", json!("high")), Gone("5000")],
    );
    let unknown = ("reasoning.effort", Dropped, "the target does not know the word");
    thinking(fierce(), Unknown, unknown, &[Gone("fierce"), Gone("effort")]);
    thinking(
        effort(Effort::Medium),
        words(),
        ("reasoning.effort", Approximated, "the model takes other words"),
        &[As("/reasoning/effort", json!("high")), Gone("medium")],
    );
    thinking(
        off(),
        Adaptive(vec![Effort::Low]),
        ("reasoning.mode", Approximated, "the model takes other words"),
        &[As("/reasoning/effort", json!("low"))],
    );
    let no_word = "the model takes no word for how hard to reason";
    thinking(fierce(), words(), ("reasoning.effort", Dropped, no_word), &[Gone("fierce"), Gone("effort")]);
    thinking(off(), Words(vec![]), ("reasoning.mode", Dropped, no_word), &[Gone("effort")]);
}

#[test]
fn reasoning_by_a_bound_is_told_where_it_differs() {
    let bound = |off| ReasoningControl::Budget { min: Tokens(1_024), max: Tokens(8_000), off };
    thinking(
        off(),
        bound(false),
        ("reasoning.mode", Approximated, "the model cannot be told not to reason"),
        &[As("/reasoning", json!({ "max_tokens": 1_024 }))],
    );
    thinking(
        effort(Effort::Low),
        bound(true),
        ("reasoning.effort", Approximated, "the model takes a bound on tokens"),
        &[As("/reasoning", json!({ "max_tokens": 1_024 }))],
    );
    thinking(
        budget(9_000),
        bound(true),
        ("reasoning.budget", Approximated, "the model takes other bounds"),
        &[As("/reasoning", json!({ "max_tokens": 8_000 }))],
    );
    thinking(
        ReasoningAsk { effort: Some(Effort::High), ..budget(5_000) },
        bound(true),
        ("reasoning.effort", Dropped, "a bound says how hard to reason"),
        &[As("/reasoning", json!({ "max_tokens": 5_000 }))],
    );
    let unknown = ("reasoning.effort", Dropped, "the target does not know the word");
    thinking(fierce(), bound(true), unknown, &[Gone("fierce")]);
}

#[test]
fn words_of_other_dialects_for_reasoning_are_told() {
    thinking(
        ReasoningAsk { show: Some("loudly".into()), ..ReasoningAsk::default() },
        ReasoningControl::Unknown,
        ("reasoning.show", Dropped, "the target does not know the word"),
        &[Gone("loudly"), Gone("summary")],
    );
    thinking(
        ReasoningAsk { rest: odd(), ..effort(Effort::High) },
        ReasoningControl::Unknown,
        ("reasoning.odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), As("/reasoning/effort", json!("high"))],
    );
}

#[test]
fn the_form_of_the_answer_is_told_where_it_differs() {
    let schema = |name: Option<&str>, strict, rest: Rest| {
        let name = name.map(str::to_owned);
        let schema = Some(raw(r#"{"type":"object","properties":{"kept":{}}}"#));
        move |r: &mut Request| {
            r.output = Some(OutputFormat::Schema(Schema { name, schema, strict, rest, ..Schema::default() }));
        }
    };
    asked(
        schema(None, None, Rest::default()),
        &[],
        ("output.name", Defaulted, "a schema must have a name"),
        &[As("/text/format/name", json!("answer")), Has("kept")],
    );
    asked(
        schema(Some("s"), Some(true), Rest::default()),
        &[],
        ("output.strict", Approximated, "the target cannot keep to this schema exactly"),
        &[As("/text/format/strict", json!(false)), Has("kept")],
    );
    asked(
        schema(Some("s"), None, odd()),
        &[],
        ("output.odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), Has("kept")],
    );
    row(
        &asking(schema(Some("s"), None, Rest::default())),
        &Traits { schema: Some(false), ..Traits::default() },
        &[("output.schema", Unsupported, "the model keeps to no schema")],
        &[As("/text/format", json!({ "type": "json_object" })), Gone("kept")],
    );
    asked(
        |r| r.output = Some(OutputFormat::Other(raw(r#"{"poem":1}"#))),
        &[],
        ("output", Unsupported, "the target has no form like it"),
        &[Gone("poem"), Gone("format")],
    );
}
