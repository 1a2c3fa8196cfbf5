//! The dialects as their API references describe them: how clients ask, what providers read, what answers and errors
//! look like. Nothing here uses the gateway's own codecs, so that they are not tested against themselves.

mod content;
mod grammar;
mod json;
mod messages;
mod openai;

use serde_json::Value;
use shim_ir::Dialect;

/// A request, as whoever answers it understands it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Gist {
    /// Instructions, joined by line feeds.
    pub(crate) system: String,
    /// The conversation, in order; results of tools in the order of their calls.
    pub(crate) turns: Vec<Said>,
    /// Tools: name, description, JSON Schema of the arguments.
    pub(crate) tools: Vec<(String, String, Value)>,
    /// Which of them may or must be called: `auto`, `none`, `required`, or a tool's name; none without tools.
    pub(crate) choice: Option<String>,
    /// Bound on the output, in tokens.
    pub(crate) output_max: Option<u64>,
    /// Softmax temperature.
    pub(crate) temperature: Option<f64>,
    /// Nucleus mass.
    pub(crate) top_p: Option<f64>,
    /// Words that end the answer.
    pub(crate) stop: Vec<String>,
    /// JSON Schema of the answer.
    pub(crate) schema: Option<Value>,
    /// Whether reasoning is asked for.
    pub(crate) reasons: bool,
    /// Whether a stream is asked for; in Gemini the path says so.
    pub(crate) stream: bool,
}

/// One thing said in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// By the user.
    User(String),
    /// By the model.
    Model(String),
    /// The model's reasoning, as far as it can be read.
    Reasoning(String),
    /// An image or a document: media type and base64.
    Media(String, String),
    /// A call of a tool.
    Call(String, Value),
    /// What a tool gave for the call of this number, from 0.
    Result(usize, Value),
}

/// What a request of a client needs beside its body.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Path and query.
    pub(crate) path: String,
    /// Name and value of the header with the credential.
    pub(crate) credential: (&'static str, String),
    /// The body.
    pub(crate) body: Value,
}

/// A dialect as its API reference describes it.
pub(crate) trait Tongue: Sync {
    /// A client's request for `model`.
    fn asked(&self, body: Value, model: &str, stream: bool, key: &str) -> Asked;

    /// The path behind a provider's base URL that a request for `model` goes to.
    fn path(&self, model: &str, stream: bool) -> String;

    /// The header without which the provider refuses a request, beside the credential's.
    fn must_header(&self) -> Option<&'static str> {
        None
    }

    /// Reads a request, and says what of it is not as the API reference has it.
    fn read(&self, body: &Value, faults: &mut Vec<String>) -> Gist;

    /// The tool that a request forces the model to call instead of an answer in words; it stands for a schema.
    fn forced(&self, _: &Value) -> Option<String> {
        None
    }

    /// What is wrong with a stream that ended well: its frames as event name and data.
    fn stream_faults(&self, frames: &[(Option<String>, String)]) -> Vec<String>;

    /// The error inside a body or the data of a frame: its words and its message.
    fn error(&self, body: &Value) -> Option<(String, String)>;

    /// The words an error of this status may have.
    fn error_words(&self, status: u16) -> &'static [&'static str];
}

/// The dialect as its reference describes it.
pub(crate) fn tongue(dialect: Dialect) -> &'static dyn Tongue {
    match dialect {
        Dialect::OpenaiChat => &openai::Chat,
        Dialect::OpenaiResponses => &openai::Responses,
        Dialect::Anthropic => &messages::Messages,
        Dialect::Gemini => &content::Content,
    }
}

impl Gist {
    /// The same with the choice that stands where none is told, or none where there are no tools.
    pub(crate) fn chosen(mut self, choice: Option<&str>) -> Self {
        self.choice = (!self.tools.is_empty()).then(|| choice.unwrap_or("auto").to_owned());
        self
    }

    /// The conversation, and the reasoning in it apart: not every provider takes that back.
    pub(crate) fn spoken(&self) -> (Vec<&Said>, String) {
        let reasoning = |said: &&Said| matches!(said, Said::Reasoning(_));
        let (thought, said): (Vec<&Said>, Vec<&Said>) = self.turns.iter().partition(reasoning);
        let text = |said: &Said| if let Said::Reasoning(text) = said { text.clone() } else { String::new() };
        (said, thought.into_iter().map(text).collect())
    }

    /// Puts results that follow one another in the order of their calls: dialects differ in whether that order is free.
    pub(crate) fn in_order(mut self) -> Self {
        let number = |said: &Said| if let Said::Result(call, _) = said { Some(*call) } else { None };
        for run in self.turns.chunk_by_mut(|a, b| number(a).is_some() && number(b).is_some()) {
            run.sort_by_key(|said| number(said));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use shim_ir::Dialect;

    use super::{Gist, tongue};
    use crate::case::CASES;
    use crate::data::Scripts;

    fn gist(dialect: Dialect, ask: &str) -> Option<Gist> {
        let text = Scripts::shipped().request(dialect, ask)?;
        let body: Value = serde_json::from_str(&text).unwrap();
        let mut faults = Vec::new();
        let mut gist = tongue(dialect).read(&body, &mut faults).in_order();
        assert_eq!(faults, [""; 0], "{dialect} {ask}");
        if ask == "plain" {
            // Anthropic wants a bound in every request.
            gist.output_max = None;
        }
        Some(gist)
    }

    #[test]
    fn the_requests_of_a_case_say_the_same_in_every_dialect() {
        for case in CASES {
            let gists = Dialect::ALL.map(|dialect| gist(dialect, case.ask));
            let first = gists.iter().flatten().next().unwrap();
            assert!(!first.turns.is_empty(), "{}", case.name);
            for (gist, dialect) in gists.iter().zip(Dialect::ALL) {
                assert!(
                    gist.as_ref().is_none_or(|gist| gist == first),
                    "{dialect} {}: {gists:#?}",
                    case.name
                );
            }
        }
    }

    #[test]
    fn what_is_not_in_the_reference_is_found() {
        for (dialect, body) in [
            (
                Dialect::OpenaiChat,
                r#"{"model":"m","messages":[{"role":"tool","tool_call_id":"x","content":""}]}"#,
            ),
            (
                Dialect::OpenaiResponses,
                r#"{"model":"m","input":[{"type":"function_call_output","call_id":"x","output":""}]}"#,
            ),
            (Dialect::Anthropic, r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#),
            (
                Dialect::OpenaiResponses,
                r#"{"model":"m","input":[{"type":"reasoning","summary":[],"encrypted_content":"other"}]}"#,
            ),
            (
                Dialect::Anthropic,
                r#"{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"other"}]}]}"#,
            ),
            (
                Dialect::Anthropic,
                r#"{"model":"m","max_tokens":2048,"thinking":{"type":"enabled","budget_tokens":1024},
                "messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{}}]},
                {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":""}]}]}"#,
            ),
            (
                Dialect::Gemini,
                r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"n","args":{}},"thoughtSignature":"other"}]}]}"#,
            ),
            (Dialect::Gemini, r#"{"contents":[{"role":"assistant","parts":[{"text":"x"}]}]}"#),
        ] {
            let mut faults = Vec::new();
            tongue(dialect).read(&serde_json::from_str(body).unwrap(), &mut faults);
            assert_eq!(faults.len(), 1, "{dialect}: {faults:?}");
        }
    }
}
