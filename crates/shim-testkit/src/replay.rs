//! Answers from the corpus and the recordings, as the provider would give them.
//!
//! The model asked for names the case: `corpus/<dialect>/<case>`, or a recording's id (`wc-…`). `testkit-replay` serves
//! them over HTTP; tests that bring their own upstream build answers with [`answer`].
//!
//! A case that has a `then.sse` or `then.json` answers with it once the conversation holds a tool's result, so that a
//! client can be led through a whole round. Its `count_tokens.json` and `embed.json` answer those questions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::corpus::{self, Case};
use crate::recordings::{self, Recording};

/// The folders of the corpus, one for each dialect.
pub const FOLDERS: [&str; 4] = ["openai_chat", "openai_responses", "anthropic_messages", "gemini_generate"];

/// The families of recordings that are served.
const FAMILIES: [&str; 7] = [
    "openai.chat",
    "openai.responses",
    "openai.embeddings",
    "anthropic.messages",
    "anthropic.count_tokens",
    "gemini.generate",
    "gemini.stream",
];

type Cases = BTreeMap<(&'static str, String), Case>;

/// What a provider answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, `content-type` among them.
    pub headers: Vec<(String, String)>,
    /// The body, as it would have come in full.
    pub body: Bytes,
    /// Whether the body is a stream.
    pub streamed: bool,
    /// Whether the connection breaks where the body ends.
    pub cut: bool,
}

/// What a request asks of the replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The folder of the dialect that has this path.
    pub folder: &'static str,
    /// The case: what the request names as its model.
    pub case: String,
    /// Whether a stream is wanted as one JSON array (Gemini without `alt=sse`).
    pub array: bool,
    /// Which of the case's answers.
    pub wanted: Wanted,
}

/// Which of a case's answers is wanted. A case without it gives its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The answer to the first request.
    First,
    /// The answer once a tool has answered: `then.sse` or `then.json`.
    Then,
    /// The number of the request's tokens: `count_tokens.json`.
    Count,
    /// Embeddings: `embed.json`.
    Embeddings,
}

/// The answer of the case `case` of `corpus/<folder>`; `None` where there is no such case.
///
/// # Errors
/// When the corpus cannot be read.
pub fn answer(folder: &str, case: &str) -> Result<Option<Answer>> {
    Ok(find(folder, case)?.map(of_case))
}

/// The cases of a folder as a list of models, as OpenAI lists them.
///
/// # Errors
/// When the corpus cannot be read.
pub fn models(folder: &str) -> Result<Answer> {
    let entry = |name: &String| json!({ "id": name, "object": "model", "created": 0, "owned_by": "replay" });
    let names = cases()?.keys().filter(|(of, _)| *of == folder).map(|(_, name)| entry(name));
    let list = json!({ "object": "list", "data": names.collect::<Vec<_>>() });
    Ok(whole(list.to_string()))
}

fn find(folder: &str, case: &str) -> Result<Option<&'static Case>> {
    let folder = FOLDERS.into_iter().find(|known| *known == folder);
    let cases = cases()?;
    Ok(folder.and_then(|folder| cases.get(&(folder, case.to_owned()))))
}

fn cases() -> Result<&'static Cases> {
    static CASES: LazyLock<Result<Cases, String>> =
        LazyLock::new(|| load_cases().map_err(|e| format!("{e:#}")));
    CASES.as_ref().map_err(|e| anyhow!("{e}"))
}

/// The answer of the recording `id`; `None` where there is no such recording, or none at all.
///
/// # Errors
/// When the recordings cannot be read.
pub fn recorded(id: &str) -> Result<Option<Answer>> {
    static FOUND: LazyLock<Result<Vec<Recording>, String>> = LazyLock::new(|| {
        recordings::of_families(&FAMILIES).map(Option::unwrap_or_default).map_err(|e| format!("{e:#}"))
    });
    let found = FOUND.as_ref().map_err(|e| anyhow!("{e}"))?;
    Ok(found.iter().find(|recording| recording.id == id).and_then(of_recording))
}

/// What a request asks for; `None` when its path is no dialect's. Whatever stands before the dialect's own path is
/// passed over, so that a base URL may have any path.
#[must_use]
pub fn asked(method: &str, path: &str, query: Option<&str>, anthropic: bool, body: &[u8]) -> Option<Asked> {
    if let Some((_, named)) = path.rsplit_once("/models/")
        && let Some((model, verb)) = named.split_once(':')
    {
        let sse = query.unwrap_or_default().split('&').any(|pair| pair == "alt=sse");
        let array = verb == "streamGenerateContent" && !sse;
        let wanted = wanted(path, body);
        return Some(Asked { folder: "gemini_generate", case: case_name(model), array, wanted });
    }
    let (folder, case) = if method == "POST" { posted(path, body)? } else { fetched(path, anthropic)? };
    Some(Asked { folder, case, array: false, wanted: wanted(path, body) })
}

impl Asked {
    /// The answer, from the corpus or the recordings.
    ///
    /// # Errors
    /// When neither can be read.
    pub fn answer(&self) -> Result<Option<Answer>> {
        let found = if self.case.starts_with("wc-") { recorded(&self.case)? } else { self.own()? };
        Ok(found.map(|answer| if self.array && answer.streamed { answer.into_array() } else { answer }))
    }
}

impl Asked {
    /// The answer of a case: the one that is wanted, or else its first.
    fn own(&self) -> Result<Option<Answer>> {
        let Some(case) = find(self.folder, &self.case)? else {
            let listed = self.case == "models" && self.folder == "openai_chat";
            return listed.then(|| models(self.folder)).transpose();
        };
        let files: &[&str] = match self.wanted {
            Wanted::First => &[],
            Wanted::Then => &["then.sse", "then.json"],
            Wanted::Count => &["count_tokens.json"],
            Wanted::Embeddings => &["embed.json"],
        };
        let file = files.iter().map(|name| case.folder.join(name)).find(|file| file.exists());
        Ok(Some(file.map(|file| of_file(&file)).transpose()?.unwrap_or_else(|| of_case(case))))
    }
}

impl Answer {
    /// The body as a provider's writes would bring it: one to three frames each, and a whole answer at once.
    #[must_use]
    pub fn pieces(&self) -> Vec<Bytes> {
        if !self.streamed {
            return vec![self.body.clone()];
        }
        let mut pieces = Vec::new();
        let mut rest = self.body.clone();
        for frames in [1, 2, 3].into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let mut end = 0;
            for _ in 0..frames {
                end += frame_len(rest.get(end..).unwrap_or_default());
            }
            pieces.push(rest.split_to(end));
        }
        pieces
    }

    /// The same stream as one JSON array. A cut one lacks the closing bracket.
    #[must_use]
    pub fn into_array(mut self) -> Self {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let elements: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect();
        let close = if self.cut { "" } else { "]" };
        self.body = format!("[{}\n{close}", elements.join("\n,\r\n")).into();
        self.headers.retain(|(name, _)| name != "content-type");
        self.headers.push(("content-type".to_owned(), "application/json; charset=UTF-8".to_owned()));
        self
    }
}

fn load_cases() -> Result<Cases> {
    let mut cases = Cases::new();
    for folder in FOLDERS {
        for case in corpus::cases(folder)? {
            cases.insert((folder, case.name.clone()), case);
        }
    }
    Ok(cases)
}

fn of_case(case: &Case) -> Answer {
    let mut headers: Vec<_> = case.meta.headers.clone().into_iter().collect();
    headers.push(("content-type".to_owned(), case.meta.content_type.clone()));
    Answer {
        status: case.meta.status,
        headers,
        body: case.answer.clone().into(),
        streamed: case.streamed,
        cut: case.streamed && case.meta.malformed,
    }
}

/// An answer that a case has beside its first.
fn of_file(file: &Path) -> Result<Answer> {
    let body = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let streamed = file.extension().is_some_and(|extension| extension == "sse");
    let mut answer = whole(body);
    if streamed {
        answer.streamed = true;
        answer.headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
    }
    Ok(answer)
}

fn whole(body: String) -> Answer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Answer { status: 200, headers, body: body.into(), streamed: false, cut: false }
}

/// The answer of a recording whose body is text on the wire; others (audio, event streams) are no answers of ours.
fn of_recording(recording: &Recording) -> Option<Answer> {
    let response = &recording.response;
    if response.body_encoding != "utf-8" || response.framing == "data-lines" {
        return None;
    }
    Some(Answer {
        status: response.status.or(recording.status).unwrap_or(200),
        headers: response.headers.clone().into_iter().collect(),
        body: response.body.clone().into(),
        streamed: response.framing == "sse",
        cut: false,
    })
}

/// Which answer a request wants, by its path and by what its conversation holds.
fn wanted(path: &str, body: &[u8]) -> Wanted {
    let ends = |ends: &[&str]| ends.iter().any(|end| path.ends_with(end));
    if ends(&["/count_tokens", "/input_tokens", ":countTokens"]) {
        return Wanted::Count;
    }
    if ends(&[":embedContent", ":batchEmbedContents"]) {
        return Wanted::Embeddings;
    }
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    if holds_result(&body) { Wanted::Then } else { Wanted::First }
}

/// Whether a conversation holds what a tool answered, in any dialect.
fn holds_result(body: &Value) -> bool {
    let each = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let kind = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
    let message = |message: &Value| {
        kind(message, "role") == "tool"
            || each(&message["content"]).iter().any(|block| kind(block, "type") == "tool_result")
    };
    let item = |item: &Value| kind(item, "type").ends_with("_call_output");
    let part =
        |part: &Value| part.get("functionResponse").is_some() || part.get("function_response").is_some();
    each(&body["messages"]).iter().any(message)
        || each(&body["input"]).iter().any(item)
        || each(&body["contents"]).iter().any(|content| each(&content["parts"]).iter().any(part))
}

/// Folder and case of a posted body, which names its model.
fn posted(path: &str, body: &[u8]) -> Option<(&'static str, String)> {
    let folder = match () {
        () if path.ends_with("/chat/completions") || path.ends_with("/embeddings") => "openai_chat",
        () if path.ends_with("/responses") || path.contains("/responses/") => "openai_responses",
        () if path.ends_with("/messages") || path.ends_with("/messages/count_tokens") => "anthropic_messages",
        () => return None,
    };
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some((folder, case_name(body.get("model")?.as_str()?)))
}

/// Folder and case of something kept: the list of models is the case `models`.
fn fetched(path: &str, anthropic: bool) -> Option<(&'static str, String)> {
    if let Some((_, id)) = path.rsplit_once("/responses/") {
        return Some(("openai_responses", case_name(id)));
    }
    let folder = match () {
        () if path.contains("/v1beta/") => "gemini_generate",
        () if anthropic => "anthropic_messages",
        () => "openai_chat",
    };
    match path.rsplit_once("/models") {
        Some((_, "")) => Some((folder, "models".to_owned())),
        Some((_, id)) => Some((folder, case_name(id))),
        None => None,
    }
}

/// The last segment of a model's name, which may carry a provider before it, as `org/name` or `org%2Fname`.
fn case_name(model: &str) -> String {
    let model = model.replace("%2F", "/").replace("%2f", "/");
    model.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Length of the first frame of `body`, its blank line included; all of it where no blank line comes.
fn frame_len(body: &[u8]) -> usize {
    let after = |mark: &[u8]| body.windows(mark.len()).position(|w| w == mark).map(|at| at + mark.len());
    [after(b"\n\n"), after(b"\r\n\r\n"), after(b"\n,\r\n")].into_iter().flatten().min().unwrap_or(body.len())
}

#[cfg(test)]
mod tests {
    use super::{Answer, Asked, Wanted, asked};

    #[track_caller]
    fn check(method: &str, path: &str, body: &str, wanted: Option<(&'static str, &str)>) {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let found = asked(method, path, query, path.starts_with("/ant"), body.as_bytes());
        assert_eq!(found.map(|asked| (asked.folder, asked.case)), wanted.map(|(f, c)| (f, c.to_owned())));
    }

    #[test]
    fn the_path_tells_the_dialect_and_the_model_the_case() {
        let body = r#"{"model":"text"}"#;
        check("POST", "/v1/chat/completions", body, Some(("openai_chat", "text")));
        check("POST", "/any/where/embeddings", r#"{"model":"org/text"}"#, Some(("openai_chat", "text")));
        check("POST", "/responses", body, Some(("openai_responses", "text")));
        check("GET", "/v1/responses/resp_1", "", Some(("openai_responses", "resp_1")));
        check("POST", "/ant/v1/messages/count_tokens", body, Some(("anthropic_messages", "text")));
        check("POST", "/v1beta/models/text:countTokens", "{}", Some(("gemini_generate", "text")));
        check("GET", "/ant/v1/models", "", Some(("anthropic_messages", "models")));
        check("GET", "/v1beta/models/text", "", Some(("gemini_generate", "text")));
        check("POST", "/v1/messages", "not JSON", None);
        check("POST", "/v1/elsewhere", body, None);
    }

    #[test]
    fn gemini_without_sse_asks_for_an_array() {
        let array = |query| {
            let asked = asked("POST", "/v1beta/models/a:streamGenerateContent", query, false, b"{}");
            asked.map(|Asked { array, .. }| array)
        };
        assert_eq!([array(None), array(Some("key=x&alt=sse"))], [Some(true), Some(false)]);
    }

    #[test]
    fn a_case_answers_again_once_a_tool_has_answered() {
        let wanted =
            |path: &str, body: &str| asked("POST", path, None, false, body.as_bytes()).unwrap().wanted;
        let chat = |message: &str| format!(r#"{{"model":"a","messages":[{message}]}}"#);
        let user = r#"{"role":"user","content":"Hello"}"#;
        let result = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"b"}]}"#;
        assert_eq!(wanted("/v1/messages", &chat(user)), Wanted::First);
        assert_eq!(wanted("/v1/messages", &chat(result)), Wanted::Then);
        assert_eq!(wanted("/v1/messages/count_tokens", &chat(result)), Wanted::Count);
        assert_eq!(wanted("/v1/chat/completions", &chat(r#"{"role":"tool"}"#)), Wanted::Then);
        let item = r#"{"model":"a","input":[{"type":"function_call_output"}]}"#;
        assert_eq!(wanted("/v1/responses", item), Wanted::Then);
        let part = r#"{"contents":[{"parts":[{"functionResponse":{}}]}]}"#;
        assert_eq!(wanted("/v1beta/models/a:generateContent", part), Wanted::Then);
        assert_eq!(wanted("/v1beta/models/a:batchEmbedContents", "{}"), Wanted::Embeddings);
        let then = asked(
            "POST",
            "/v1/chat/completions",
            None,
            false,
            br#"{"model":"tool_call","messages":[{"role":"tool"}]}"#,
        );
        assert!(
            String::from_utf8_lossy(&then.unwrap().answer().unwrap().unwrap().body).contains("4 degrees")
        );
    }

    fn stream(body: &'static str, cut: bool) -> Answer {
        Answer { status: 200, headers: vec![], body: body.into(), streamed: true, cut }
    }

    #[test]
    fn pieces_are_one_to_three_frames_and_together_the_body() {
        let body = "data: 1\n\ndata: 2\n\ndata: 3\r\n\r\ndata: 4\n\ndata: 5\n\ndata: 6";
        let pieces = stream(body, false).pieces();
        assert_eq!(pieces.concat(), body.as_bytes());
        assert_eq!(
            pieces.iter().map(|p| p.windows(5).filter(|w| w == b"data:").count()).collect::<Vec<_>>(),
            [1, 2, 3]
        );
    }

    #[test]
    fn a_stream_becomes_an_array() {
        let array = |cut| stream("data: {\"a\":1}\n\ndata: {\"b\":2}\n\n", cut).into_array().body;
        assert_eq!(array(false), "[{\"a\":1}\n,\r\n{\"b\":2}\n]");
        assert_eq!(array(true), "[{\"a\":1}\n,\r\n{\"b\":2}\n");
    }
}
