//! Embeddings.

use serde_json::json;
use shim_ir::{
    EmbedContent, EmbedInput, EmbedRequest, Embedding, Embeddings, LossKind, MediaKind, Part, Rest, Source,
    Tokens, Traits, Usage, Vector, VectorForm,
};

use super::super::{media, raw, text};
use super::{Lost, Seen, lost, odd};
use crate::openai_chat::OpenaiChat;
use crate::{Embed, Goal, Operation};
use LossKind::{Approximated, Defaulted, Dropped, Unsupported};
use Seen::{As, Gone};

#[track_caller]
fn asked(input: EmbedInput, rest: Rest, told: Lost<'_>, seen: &[Seen<'_>]) {
    let request = EmbedRequest { inputs: vec![input], alone: true, rest, ..EmbedRequest::default() };
    let goal = Goal { operation: Operation::Embed, model: "m", traits: &Traits::default(), seed: "s" };
    let encoded = OpenaiChat.encode_embed(&request, &goal);
    lost::check(encoded.body.to_text().as_bytes(), &encoded.losses, &[told], seen);
}

fn input(parts: Vec<Part>) -> EmbedInput {
    EmbedInput { content: EmbedContent::Parts(parts), task: None, title: None, rest: Rest::default() }
}

#[test]
fn what_cannot_be_asked_of_embeddings_is_told() {
    let words = || input(vec![text("words")]);
    let purpose = "what the vector is for cannot be said here";
    asked(
        EmbedInput { task: Some("RETRIEVAL_QUERY".into()), ..words() },
        Rest::default(),
        ("inputs[0].task", Dropped, purpose),
        &[As("/input", json!("words")), Gone("RETRIEVAL")],
    );
    asked(
        EmbedInput { title: Some("heading".into()), ..words() },
        Rest::default(),
        ("inputs[0].title", Dropped, purpose),
        &[As("/input", json!("words")), Gone("heading")],
    );
    let image = media(MediaKind::Image, Source::Inline("QUJD".into()), None);
    asked(
        input(vec![Part::Media(image)]),
        Rest::default(),
        ("inputs[0].parts[0]", Unsupported, "only text is embedded here"),
        &[As("/input", json!("")), Gone("QUJD")],
    );
    asked(
        input(vec![text("one "), text("two")]),
        Rest::default(),
        ("inputs[0]", Approximated, "its parts are one text"),
        &[As("/input", json!("one two"))],
    );
    let other = "no other dialect has it";
    let seen = [Gone("strange"), As("/input", json!("words"))];
    asked(EmbedInput { rest: odd(), ..words() }, Rest::default(), ("inputs[0].odd", Dropped, other), &seen);
    asked(words(), odd(), ("odd", Dropped, other), &seen);
}

#[track_caller]
fn answered(answer: &Embeddings, form: Option<VectorForm>, told: Lost<'_>, seen: &[Seen<'_>]) {
    let request = EmbedRequest { form, ..EmbedRequest::default() };
    let answer = OpenaiChat.encode_embeddings(answer, &request);
    lost::check(&answer.body, &answer.losses, &[told], seen);
}

#[test]
fn what_an_answer_of_embeddings_does_not_tell_is_told() {
    let used = || Some(Usage { input_uncached: Tokens(3), ..Usage::default() });
    let answer = |values, rest, usage| Embeddings {
        vectors: vec![Embedding { values, rest }],
        usage,
        ..Embeddings::default()
    };
    let floats = || Vector::Floats(raw("[0.5]"));
    let form = "its numbers are in the form they came in";
    answered(
        &answer(Vector::Base64("!".into()), Rest::default(), used()),
        Some(VectorForm::Floats),
        ("vectors[0]", Approximated, form),
        &[As("/data/0/embedding", json!("!"))],
    );
    answered(
        &answer(Vector::Floats(raw(r#"["half"]"#)), Rest::default(), used()),
        Some(VectorForm::Base64),
        ("vectors[0]", Approximated, form),
        &[As("/data/0/embedding", json!(["half"]))],
    );
    answered(
        &answer(floats(), Rest::default(), None),
        None,
        ("usage", Defaulted, "the provider does not say what was used"),
        &[As("/usage", json!({ "prompt_tokens": 0, "total_tokens": 0 }))],
    );
    answered(
        &answer(floats(), odd(), used()),
        None,
        ("vectors[0].odd", Dropped, "no other dialect has it"),
        &[Gone("strange"), As("/data/0/embedding", json!([0.5]))],
    );
}
