//! Clients that hold a conversation with tools, as their dialect's SDKs do: some send back all that they were given, some
//! only what their types know.

use serde_json::{Value, json};
use shim_dialect::{Asker, Operation, speaker};
use shim_ir::{Dialect, Request, Response, fold};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::lab::{Lab, post, read};

/// What a client sends back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Everything it was given.
    Keeps,
    /// What the oldest types of its dialect know: text, and calls by id, name and arguments.
    Strips,
}

/// A conversation from the client's side.
pub(crate) struct Talk {
    pub(crate) dialect: Dialect,
    pub(crate) habit: Habit,
    pub(crate) stream: bool,
    /// The key the client sends.
    pub(crate) key: &'static str,
    /// The messages, items or contents so far.
    pub(crate) said: Vec<Value>,
    /// The calls of the last answer: id and name.
    calls: Vec<(String, String)>,
    questions: usize,
    opening: String,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) target: String,
    pub(crate) fidelity: String,
    pub(crate) affinity: Option<String>,
    /// The answer's text.
    pub(crate) text: String,
}

impl Talk {
    pub(crate) fn new(dialect: Dialect, habit: Habit, stream: bool) -> Self {
        Self {
            dialect,
            habit,
            stream,
            key: "client-secret",
            said: Vec::new(),
            calls: Vec::new(),
            questions: 0,
            opening: "Question".to_owned(),
        }
    }

    /// The next request: the results of the last calls, or where there are none, the next question.
    pub(crate) async fn turn(&mut self, lab: &Lab, model: &str) -> Turned {
        let calls = std::mem::take(&mut self.calls);
        if calls.is_empty() {
            self.questions += 1;
            self.asks(&format!("{} {}?", self.opening, self.questions));
        } else {
            self.answers(&calls);
        }
        let (path, body) = self.request(model);
        let mut request = post(&path, body.to_string());
        let key = format!("Bearer {}", self.key).parse().unwrap();
        request.headers_mut().insert("authorization", key);
        let response = lab.send(request).await;
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (target, fidelity) = (header("x-shim-target"), header("x-shim-fidelity"));
        let affinity = header("x-shim-affinity");
        let (status, told) = read(response).await;
        let place = format!("{:?} {:?} stream={} over {target:?}", self.dialect, self.habit, self.stream);
        assert_eq!(status, 200, "{place}: {told}\n{body:#}");
        let answer = self.read(&told).unwrap_or_else(|| panic!("{place}: {told}"));
        let text = self.hears(&answer);
        Turned { target: target.unwrap(), fidelity: fidelity.unwrap(), affinity, text }
    }

    /// Begins its questions with other words.
    pub(crate) fn opens(&mut self, words: &str) {
        words.clone_into(&mut self.opening);
    }

    /// Whether the last answer was the end of a turn.
    pub(crate) fn is_answered(&self) -> bool {
        self.calls.is_empty()
    }

    fn asks(&mut self, text: &str) {
        self.said.push(match self.dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic => {
                json!({ "role": "user", "content": text })
            }
            Dialect::Gemini => json!({ "role": "user", "parts": [{ "text": text }] }),
        });
    }

    fn answers(&mut self, calls: &[(String, String)]) {
        let gave = |at: usize| format!("result {at}");
        let results = calls.iter().enumerate().map(|(at, (id, name))| match self.dialect {
            Dialect::OpenaiChat => json!({ "role": "tool", "tool_call_id": id, "content": gave(at) }),
            Dialect::OpenaiResponses => {
                json!({ "type": "function_call_output", "call_id": id, "output": gave(at) })
            }
            Dialect::Anthropic => json!({ "type": "tool_result", "tool_use_id": id, "content": gave(at) }),
            Dialect::Gemini => {
                let mut response = json!({ "name": name, "response": { "output": gave(at) } });
                if self.habit == Habit::Keeps && !id.is_empty() {
                    response["id"] = json!(id);
                }
                json!({ "functionResponse": response })
            }
        });
        let results: Vec<Value> = results.collect();
        match self.dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => self.said.extend(results),
            Dialect::Anthropic => self.said.push(json!({ "role": "user", "content": results })),
            Dialect::Gemini => self.said.push(json!({ "role": "user", "parts": results })),
        }
    }

    /// Path and body of a request with all that was said.
    fn request(&self, model: &str) -> (String, Value) {
        let schema = json!({ "type": "object", "properties": {} });
        let tool = |name: &str| match self.dialect {
            Dialect::OpenaiChat => {
                json!({ "type": "function", "function": { "name": name, "parameters": schema } })
            }
            Dialect::OpenaiResponses => {
                json!({ "type": "function", "name": name, "parameters": schema, "strict": false })
            }
            Dialect::Anthropic => json!({ "name": name, "input_schema": schema }),
            Dialect::Gemini => json!({ "name": name, "parametersJsonSchema": schema }),
        };
        let tools = [tool("look"), tool("note")];
        let stream = self.stream;
        match self.dialect {
            Dialect::OpenaiChat => (
                "/v1/chat/completions".into(),
                json!({
                    "model": model, "stream": stream, "messages": self.said, "tools": tools, "reasoning_effort": "high",
                }),
            ),
            Dialect::OpenaiResponses => (
                "/v1/responses".into(),
                json!({
                    "model": model, "stream": stream, "store": false, "input": self.said, "tools": tools,
                    "include": ["reasoning.encrypted_content"], "reasoning": { "effort": "high", "summary": "auto" },
                }),
            ),
            Dialect::Anthropic => (
                "/v1/messages".into(),
                json!({
                    "model": model, "stream": stream, "max_tokens": 4096, "messages": self.said, "tools": tools,
                    "thinking": { "type": "adaptive" },
                }),
            ),
            Dialect::Gemini => {
                let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                (
                    format!("/v1beta/models/{model}:{verb}"),
                    json!({
                        "contents": self.said, "tools": [{ "functionDeclarations": tools }],
                        "generationConfig": { "thinkingConfig": { "includeThoughts": true, "thinkingLevel": "high" } },
                    }),
                )
            }
        }
    }

    /// The answer, as its dialect tells it whole.
    fn read(&self, told: &str) -> Option<Value> {
        if self.stream {
            return serde_json::from_slice(&whole(self.dialect, &streamed(self.dialect, told)?)).ok();
        }
        serde_json::from_str(told).ok()
    }

    /// Takes an answer into the conversation; gives its text.
    fn hears(&mut self, answer: &Value) -> String {
        match self.dialect {
            Dialect::OpenaiChat => self.hears_message(&answer["choices"][0]["message"]),
            Dialect::OpenaiResponses => self.hears_items(answer["output"].as_array().unwrap()),
            Dialect::Anthropic => self.hears_blocks(answer["content"].as_array().unwrap()),
            Dialect::Gemini => {
                self.hears_parts(answer["candidates"][0]["content"]["parts"].as_array().unwrap())
            }
        }
    }

    fn hears_message(&mut self, message: &Value) -> String {
        let mut kept = message.clone();
        let calls: Vec<_> = message["tool_calls"].as_array().cloned().unwrap_or_default();
        if self.habit == Habit::Strips {
            kept = json!({ "role": "assistant", "content": message["content"] });
            let bare =
                |call: &Value| json!({ "id": call["id"], "type": "function", "function": call["function"] });
            if !calls.is_empty() {
                kept["tool_calls"] = calls.iter().map(bare).collect();
            }
        }
        self.said.push(kept);
        self.calls =
            calls.iter().map(|call| (string(&call["id"]), string(&call["function"]["name"]))).collect();
        string(&message["content"])
    }

    fn hears_items(&mut self, output: &[Value]) -> String {
        let mut text = String::new();
        for item in output {
            let mut kept = item.clone();
            let kind = string(&item["type"]);
            match kind.as_str() {
                "function_call" => {
                    self.calls.push((string(&item["call_id"]), string(&item["name"])));
                    if self.habit == Habit::Strips {
                        kept = json!({
                            "type": "function_call", "call_id": item["call_id"], "name": item["name"],
                            "arguments": item["arguments"],
                        });
                    }
                }
                "message" => {
                    text += &string(&item["content"][0]["text"]);
                    if self.habit == Habit::Strips {
                        kept = json!({ "role": "assistant", "content": item["content"][0]["text"] });
                    }
                }
                "reasoning" | "web_search_call" if self.habit == Habit::Strips => continue,
                _ => {}
            }
            self.said.push(kept);
        }
        text
    }

    fn hears_blocks(&mut self, blocks: &[Value]) -> String {
        let is_known = |block: &&Value| matches!(block["type"].as_str(), Some("text" | "tool_use"));
        let kept: Vec<_> = match self.habit {
            Habit::Keeps => blocks.to_vec(),
            Habit::Strips => blocks.iter().filter(is_known).cloned().collect(),
        };
        self.said.push(json!({ "role": "assistant", "content": kept }));
        let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
        self.calls = calls.map(|call| (string(&call["id"]), string(&call["name"]))).collect();
        blocks.iter().map(|block| string(&block["text"])).collect()
    }

    fn hears_parts(&mut self, parts: &[Value]) -> String {
        let mut kept = Vec::new();
        let mut text = String::new();
        for part in parts {
            let thought = part["thought"] == true;
            if let Some(call) = part.get("functionCall") {
                self.calls.push((string(&call["id"]), string(&call["name"])));
            } else if !thought {
                text += &string(&part["text"]);
            }
            match (self.habit, part.get("functionCall")) {
                (Habit::Keeps, _) => kept.push(part.clone()),
                (Habit::Strips, Some(call)) => {
                    kept.push(json!({ "functionCall": { "name": call["name"], "args": call["args"] } }));
                }
                (Habit::Strips, None)
                    if !thought && part["text"].as_str().is_some_and(|text| !text.is_empty()) =>
                {
                    kept.push(json!({ "text": part["text"] }))
                }
                (Habit::Strips, None) => {}
            }
        }
        self.said.push(json!({ "role": "model", "parts": kept }));
        text
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What a stream tells.
pub(crate) fn streamed(dialect: Dialect, told: &str) -> Option<Response> {
    let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
    let (mut decoder, mut events) = (speaker(dialect).decoder(), Vec::new());
    framer.push(told.as_bytes(), &mut |frame| decoder.push(frame, &mut events).unwrap()).ok()?;
    framer.finish(&mut |frame| decoder.push(frame, &mut events).unwrap()).ok()?;
    decoder.finish(&mut events);
    fold(events).ok().map(|(response, _)| response)
}

fn with_asker<T>(write: impl FnOnce(&Asker<'_>) -> T) -> T {
    let request = Request::default();
    write(&Asker {
        operation: Operation::Generate,
        id: "x",
        created: 1,
        framing: Framing::Sse,
        request: &request,
    })
}

/// An answer as its dialect tells it whole.
pub(crate) fn whole(dialect: Dialect, response: &Response) -> Vec<u8> {
    with_asker(|asker| speaker(dialect).encode_response(response, asker).body)
}
