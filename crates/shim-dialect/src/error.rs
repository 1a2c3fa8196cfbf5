//! Why something could not be read.

use shim_ir::{Fault, FaultKind};
use shim_wire::WireError;
use shim_wire::scan::{ScanError, ScanErrorKind};
use thiserror::Error;

/// Why a text could not be decoded.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// It is not JSON.
    #[error("{0}")]
    Json(#[from] ScanError),
    /// It is JSON and does not fit.
    #[error("{path}: {message}")]
    Shape {
        /// Where, as `messages[2].content`.
        path: String,
        /// What was expected and what was found.
        message: String,
    },
}

/// Why a whole answer gives no response.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AnswerError {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It tells of a failure.
    #[error("{0}")]
    Fault(Box<Fault>),
}

impl DecodeError {
    /// An error of shape at `path`.
    #[must_use]
    pub fn shape(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Shape { path: path.into(), message: message.into() }
    }

    /// The same error seen from outside: `prefix` is where the text was found. Who reads says where from the place it was
    /// given, and whoever gave it adds that on the way out: a path is only made where something is wrong.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        match self {
            Self::Json(error) => Self::shape(prefix, error.to_string()),
            Self::Shape { path, message } if path == "." || path.is_empty() => Self::shape(prefix, message),
            Self::Shape { path, message } if path.starts_with('[') => {
                Self::shape(format!("{prefix}{path}"), message)
            }
            Self::Shape { path, message } => Self::shape(format!("{prefix}.{path}"), message),
        }
    }

    /// The fault a client gets whose request this is.
    #[must_use]
    pub fn into_request_fault(self) -> Fault {
        let invalid = |message: String| Fault::new(FaultKind::InvalidRequest, message);
        match self {
            Self::Json(ScanError { kind: ScanErrorKind::NotObject, .. }) => {
                invalid("the request body is not a JSON object".to_owned())
            }
            Self::Json(error) => invalid(format!("the request body is not valid JSON: {error}")),
            Self::Shape { path, message } => match plain(path, &message) {
                (path, words) if path == "." || path.is_empty() => {
                    invalid(format!("the request body: {words}"))
                }
                (path, words) => invalid(format!("{path}: {words}")).at(path),
            },
        }
    }
}

impl From<WireError> for DecodeError {
    fn from(error: WireError) -> Self {
        Self::Shape { path: error.path, message: error.message }
    }
}

/// Where something is wrong, and what, in plain words: without the types of this program, and without a place that is one in
/// a piece of the body. A member that is missing is named by its own path.
fn plain(path: String, message: &str) -> (String, String) {
    let message = unplaced(message);
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return (member_of(path, name), "the member is missing".to_owned());
    }
    if message.contains("surrogate") || message.contains("hex escape") {
        return (path, NO_TEXT.to_owned());
    }
    let kinds = ["invalid type: ", "invalid value: "];
    let unfit = kinds.iter().find_map(|kind| message.strip_prefix(kind)?.rsplit_once(", expected "));
    let words = unfit.map(|(found, wanted)| format!("expected {}, found {}", kind_of(wanted), value(found)));
    (path, words.unwrap_or_else(|| message.to_owned()))
}

/// Why a string is no text.
pub(crate) const NO_TEXT: &str = "it is no text: half of a character is escaped in it";

/// A message without the place at its end.
fn unplaced(message: &str) -> &str {
    let place = |tail: &str| {
        tail.split(' ').all(|word| word == "column" || word.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let cut = [" at line ", " at byte "].iter().find_map(|before| message.rsplit_once(before));
    cut.filter(|(_, tail)| place(tail)).map_or(message, |(words, _)| words)
}

/// The path of the member `name` of what stands at `path`, which may name the member already.
fn member_of(path: String, name: &str) -> String {
    match path.strip_suffix(name) {
        Some(before) if before.is_empty() || before.ends_with('.') => path,
        Some(_) | None if path == "." || path.is_empty() => name.to_owned(),
        Some(_) | None => format!("{path}.{name}"),
    }
}

/// What was wanted, in words of JSON.
fn kind_of(wanted: &str) -> &str {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        other => other,
    }
}

/// Longest value that is told of, in characters.
const TOLD_CHARS_MAX: usize = 60;

/// What was found, in words of JSON.
fn value(found: &str) -> String {
    let bare = found.split_once('`').and_then(|(_, rest)| rest.strip_suffix('`'));
    match (found, bare) {
        ("map", _) => "an object".to_owned(),
        ("sequence", _) => "a list".to_owned(),
        (_, Some(bare)) => bare.to_owned(),
        (found, None) if found.chars().count() > TOLD_CHARS_MAX => {
            found.chars().take(TOLD_CHARS_MAX).chain("…".chars()).collect()
        }
        (found, None) => found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use shim_ir::Dialect;

    use crate::speaker;

    /// What the client of a body is told, and the member that is named to it.
    #[track_caller]
    fn told(dialect: Dialect, path: &str, body: &str, param: Option<&str>, message: &str) {
        let codec = speaker(dialect);
        let route = codec.route("POST", path, None).unwrap();
        let head = codec.head(&route, body).err();
        let error = head.or_else(|| codec.decode_request(&route, body).err()).expect("an error");
        let fault = error.into_request_fault();
        assert_eq!((fault.path.as_deref(), &*fault.message), (param, message), "{body}");
    }

    #[test]
    fn what_is_wrong_with_a_request_is_told_in_plain_words() {
        let chat = |body: &str, param, message: &str| {
            told(Dialect::OpenaiChat, "/v1/chat/completions", body, param, message);
        };
        chat("[]", None, "the request body is not a JSON object");
        chat("{", None, "the request body is not valid JSON: the JSON text ends too early at byte 1");
        chat(r#"{"model":"m"}"#, Some("messages"), "messages: the member is missing");
        chat(r#"{"messages":[]}"#, Some("model"), "model: the member is missing");
        let asks = |members: &str| format!(r#"{{"model":"m","messages":[],{members}}}"#);
        let many = r#"max_tokens: expected a whole number that is not negative, found string "many""#;
        chat(&asks(r#""max_tokens":"many""#), Some("max_tokens"), many);
        let negative = "max_tokens: expected a whole number that is not negative, found -1";
        chat(&asks(r#""max_tokens":-1"#), Some("max_tokens"), negative);
        chat(
            &asks(r#""temperature":[]"#),
            Some("temperature"),
            "temperature: expected a number, found a list",
        );
        let half = "user: it is no text: half of a character is escaped in it";
        chat(&asks(r#""user":"\ud800""#), Some("user"), half);
        let long = format!(
            "seed: expected a whole number, found string \"{}…",
            "s".repeat(super::TOLD_CHARS_MAX - "string \"".len())
        );
        chat(&asks(&format!(r#""seed":"{}""#, "s".repeat(9_000))), Some("seed"), &long);
        let role = r#"{"model":"m","messages":[{"content":"a"}]}"#;
        chat(role, Some("messages[0].role"), "messages[0].role: the member is missing");
    }

    #[test]
    fn the_same_in_every_dialect() {
        let messages = r#"{"model":"m","max_tokens":1}"#;
        let missing = "messages: the member is missing";
        told(Dialect::Anthropic, "/v1/messages", messages, Some("messages"), missing);
        let at = Some("messages[0].content");
        for (content, why) in [
            ("5", "expected text or a list of blocks"),
            (r#""\ud800""#, "it is no text: half of a character is escaped in it"),
        ] {
            let asked = format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}]}}"#);
            told(Dialect::Anthropic, "/v1/messages", &asked, at, &format!("messages[0].content: {why}"));
        }
        let input = r#"{"model":"m","input":5}"#;
        let wanted = "input: expected a string or an array";
        told(Dialect::OpenaiResponses, "/v1/responses", input, Some("input"), wanted);
        let path = "/v1beta/models/m:generateContent";
        told(Dialect::Gemini, path, "{}", Some("contents"), "contents: the member is missing");
        let top_k = r#"{"contents":[],"generationConfig":{"topK":"x"}}"#;
        let at = "generationConfig.topK";
        let wanted = r#"generationConfig.topK: expected a number, found string "x""#;
        told(Dialect::Gemini, path, top_k, Some(at), wanted);
    }
}
