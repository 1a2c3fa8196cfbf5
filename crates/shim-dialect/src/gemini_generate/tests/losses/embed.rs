//! Embeddings.

use serde_json::{Value, json};
use shim_ir::{
    EmbedContent, EmbedInput, EmbedRequest, Embedding, Embeddings, Part, Rest, Text, Traits, Vector,
};

use super::{
    APPROXIMATED, CACHES, DROPPED, Lost, NO_OTHER, NOTED, UNSUPPORTED, check_all, mark, others, text,
};
use crate::gemini_generate::GeminiGenerate;
use crate::{Embed as _, Goal, Operation};

fn input(content: EmbedContent) -> EmbedInput {
    EmbedInput { content, task: None, title: None, rest: Rest::default() }
}

fn word(text: Text) -> EmbedInput {
    input(EmbedContent::Parts(vec![Part::Text(text)]))
}

fn asking(input: EmbedInput) -> EmbedRequest {
    EmbedRequest { model: "alias".into(), inputs: vec![input], ..EmbedRequest::default() }
}

/// What is sent: these parts.
#[track_caller]
fn asks(request: &EmbedRequest, parts: Value, lost: &[Lost<'_>]) {
    let goal = Goal { operation: Operation::Embed, model: "m", traits: &Traits::default(), seed: "s" };
    let encoded = GeminiGenerate.encode_embed(request, &goal);
    let wanted = json!({ "requests": [{ "model": "models/m", "content": { "parts": parts } }] });
    check_all(encoded.body.to_text().as_bytes(), &encoded.losses, &wanted, lost);
}

#[test]
fn what_is_asked() {
    let hi = || word(Text::new("hi"));
    let user = EmbedRequest { user: Some("u".into()), ..asking(hi()) };
    asks(&user, json!([text("hi")]), &[("user", NOTED, "no user is named here")]);
    let odd = EmbedRequest { rest: others(), ..asking(hi()) };
    asks(&odd, json!([text("hi")]), &[("odd", DROPPED, NO_OTHER)]);
    let beside = asking(EmbedInput { rest: others(), ..hi() });
    asks(&beside, json!([text("hi")]), &[("inputs[0].odd", DROPPED, NO_OTHER)]);
    let marked = asking(word(Text { cache: mark(), ..Text::new("hi") }));
    asks(&marked, json!([text("hi")]), &[("inputs[0].parts[0].cache", DROPPED, CACHES)]);
    let tokens = asking(input(EmbedContent::Tokens(vec![1, 2])));
    asks(&tokens, json!([]), &[("inputs[0]", UNSUPPORTED, "tokens of another model mean nothing here")]);
}

/// What is told of a vector, in a list of one.
#[track_caller]
fn tells(embedding: Embedding, answer_rest: Rest, told: Value, lost: &[Lost<'_>]) {
    let answer = Embeddings { vectors: vec![embedding], rest: answer_rest, ..Embeddings::default() };
    let encoded = GeminiGenerate.encode_embeddings(&answer, &EmbedRequest::default());
    check_all(&encoded.body, &encoded.losses, &json!({ "embeddings": [told] }), lost);
}

#[test]
fn what_is_answered() {
    let half = || Embedding { values: Vector::Base64("AAAAPw==".into()), rest: Rest::default() };
    let values = || json!({ "values": [0.5] });
    tells(
        Embedding { rest: others(), ..half() },
        Rest::default(),
        values(),
        &[("vectors[0].odd", DROPPED, NO_OTHER)],
    );
    tells(half(), others(), values(), &[("odd", DROPPED, NO_OTHER)]);
    let broken = Embedding { values: Vector::Base64("AAA".into()), rest: Rest::default() };
    let came = ("vectors[0]", APPROXIMATED, "its numbers are in the form they came in");
    tells(broken, Rest::default(), json!({ "values": "AAA" }), &[came]);
}
