//! Gemini generateContent.
//! The members are those that the official SDK (google-genai 2.34.0) has for this API; the page of the reference was not read again:
//! <https://ai.google.dev/api/generate-content>.

use serde_json::Value;

use super::grammar;
use super::json::{call_of, each, must, only, own_state, text};
use super::{Asked, Gist, Said, Tongue};

pub(super) struct Content;

const MEMBERS: [&str; 8] = [
    "contents",
    "tools",
    "toolConfig",
    "safetySettings",
    "systemInstruction",
    "generationConfig",
    "cachedContent",
    "serviceTier",
];

const CONFIG_MEMBERS: [&str; 25] = [
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "candidateCount",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "enableEnhancedCivicAnswers",
    "speechConfig",
    "thinkingConfig",
    "imageConfig",
    "mediaResolution",
    "audioTranscriptionConfig",
    "enableAffectiveDialog",
    "modelSelectionConfig",
    "responseFormat",
    "translationConfig",
];

/// The signature of all thoughts in these scripts.
const SIGNATURE: &str = "Z2VtaW5pLXNpZ25hdHVyZQ==";

impl Tongue for Content {
    fn asked(&self, body: Value, model: &str, stream: bool, key: &str) -> Asked {
        let path = self.path(&model.replace('/', "%2F"), stream);
        Asked { path, credential: ("x-goog-api-key", key.to_owned()), body }
    }

    fn path(&self, model: &str, stream: bool) -> String {
        let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        format!("/v1beta/models/{model}:{verb}")
    }

    fn read(&self, body: &Value, faults: &mut Vec<String>) -> Gist {
        only(body, "the request", &MEMBERS, faults);
        let config = &body["generationConfig"];
        if !config.is_null() {
            only(config, "generationConfig", &CONFIG_MEMBERS, faults);
        }
        let schema = config.get("responseJsonSchema").or(config.get("responseSchema")).cloned();
        if schema.is_some() && config["responseMimeType"] != "application/json" {
            faults.push("a schema needs responseMimeType application/json".to_owned());
        }
        let mut gist = Gist {
            system: each(&body["systemInstruction"]["parts"]).map(|part| text(&part["text"])).collect(),
            output_max: config["maxOutputTokens"].as_u64(),
            temperature: config["temperature"].as_f64(),
            top_p: config["topP"].as_f64(),
            stop: each(&config["stopSequences"]).map(text).collect(),
            schema: schema.map(lower),
            reasons: !config["thinkingConfig"].is_null(),
            ..Gist::default()
        };
        for declared in each(&body["tools"]).flat_map(|tool| each(&tool["functionDeclarations"])) {
            let schema = declared.get("parameters").or(declared.get("parametersJsonSchema"));
            let name = must(declared, "name", "a function declaration", faults);
            let schema = schema.cloned().map(lower).unwrap_or_default();
            gist.tools.push((name, text(&declared["description"]), schema));
        }
        conversation(&body["contents"], &mut gist, faults);
        let choice = &body["toolConfig"]["functionCallingConfig"];
        let told = choice["mode"].as_str().map(|mode| match mode {
            "ANY" => choice["allowedFunctionNames"][0].as_str().unwrap_or("required").to_owned(),
            other => other.to_lowercase(),
        });
        gist.chosen(told.as_deref())
    }

    fn stream_faults(&self, frames: &[(Option<String>, String)]) -> Vec<String> {
        grammar::content(frames)
    }

    fn error(&self, body: &Value) -> Option<(String, String)> {
        let error = body.get("error").filter(|error| error["code"].is_u64())?;
        Some((error["status"].as_str()?.to_owned(), error["message"].as_str()?.to_owned()))
    }

    /// Source: <https://ai.google.dev/gemini-api/docs/generate-content/api-errors>, read 2026-11-25 in a stored copy. It
    /// has no 401, whose word is that of `google.rpc.Code`.
    fn error_words(&self, status: u16) -> &'static [&'static str] {
        match status {
            400 => &["INVALID_ARGUMENT", "FAILED_PRECONDITION"],
            401 => &["UNAUTHENTICATED"],
            429 => &["RESOURCE_EXHAUSTED"],
            503 | 529 => &["UNAVAILABLE"],
            _ => &["INTERNAL", "UNAVAILABLE", "UNKNOWN"],
        }
    }
}

/// A schema with its types in small letters: the OpenAPI flavour writes them in capitals.
fn lower(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            for (key, value) in members.iter_mut() {
                match value.as_str().filter(|_| key == "type") {
                    Some(kind) => *value = kind.to_lowercase().into(),
                    None => *value = lower(value.take()),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|value| *value = lower(value.take())),
        _ => {}
    }
    schema
}

fn conversation(contents: &Value, gist: &mut Gist, faults: &mut Vec<String>) {
    // Name and, where there is one, id of each call; and which of them were answered.
    let mut calls = Calls::default();
    for content in each(contents) {
        only(content, "a content", &["role", "parts"], faults);
        let role = content["role"].as_str().unwrap_or("user");
        if !["user", "model"].contains(&role) {
            faults.push(format!("there is no role {role:?}"));
        }
        for part in each(&content["parts"]) {
            gist.turns.extend(part_of(role, part, &mut calls, faults));
        }
    }
}

#[derive(Default)]
struct Calls {
    names: Vec<String>,
    ids: Vec<String>,
    answered: Vec<usize>,
}

impl Calls {
    /// The call that a result is of: the one of its id, or the first of its name that was not answered.
    fn of(&mut self, result: &Value, faults: &mut Vec<String>) -> usize {
        let name = text(&result["name"]);
        let call = match result["id"].as_str() {
            Some(id) => call_of(&self.ids, id, "a functionResponse", faults),
            None => {
                let mut open = (0..self.names.len()).filter(|at| !self.answered.contains(at));
                open.find(|at| self.names.get(*at) == Some(&name)).unwrap_or(usize::MAX)
            }
        };
        if self.names.get(call) != Some(&name) {
            faults.push(format!("a functionResponse answers {name:?}, which nobody called"));
        }
        self.answered.push(call);
        call
    }
}

fn part_of(role: &str, part: &Value, calls: &mut Calls, faults: &mut Vec<String>) -> Option<Said> {
    own_state(part, "thoughtSignature", SIGNATURE, faults);
    if let Some(call) = part.get("functionCall") {
        let name = must(call, "name", "a functionCall", faults);
        calls.names.push(name.clone());
        calls.ids.push(text(&call["id"]));
        return Some(Said::Call(name, call["args"].clone()));
    }
    if let Some(result) = part.get("functionResponse") {
        if !result["response"].is_object() {
            faults
                .push(format!("the response of a function must be an object and is {}", result["response"]));
        }
        return Some(Said::Result(calls.of(result, faults), result["response"].clone()));
    }
    if let Some(data) = part.get("inlineData") {
        let mime = must(data, "mimeType", "inlineData", faults);
        return Some(Said::Media(mime, must(data, "data", "inlineData", faults)));
    }
    let said = must(part, "text", "a part", faults);
    if part["thought"] == true {
        return Some(Said::Reasoning(said));
    }
    Some(if role == "model" { Said::Model(said) } else { Said::User(said) })
}
