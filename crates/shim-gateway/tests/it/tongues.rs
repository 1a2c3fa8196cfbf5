//! The dialects as clients speak them: how each asks, what a good answer is, and what an error must look like.

use serde_json::Value;

/// One dialect, in one of its framings.
#[derive(Debug)]
pub(crate) struct Tongue {
    pub(crate) name: &'static str,
    /// Path and body of a request for a whole answer.
    pub(crate) whole: (&'static str, &'static str),
    /// Path and body of a request for a stream.
    pub(crate) stream: (&'static str, &'static str),
    /// A whole answer.
    pub(crate) good: &'static str,
    /// How a stream begins.
    pub(crate) begin: &'static str,
    /// How it ends.
    pub(crate) end: &'static str,
    /// A failure inside a whole answer with status 200, and an error answer.
    pub(crate) failed: &'static str,
    pub(crate) error: &'static str,
    /// A failure as the last event of a stream.
    pub(crate) stream_error: &'static str,
}

pub(crate) const CHAT: Tongue = Tongue {
    name: "chat",
    whole: ("/v1/chat/completions", r#"{"model":"chat"}"#),
    stream: ("/v1/chat/completions", r#"{"model":"chat","stream":true}"#),
    good: r#"{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}"#,
    begin: "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
    end: "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    failed: r#"{"error":{"message":"boom","type":"server_error","code":"server_error"}}"#,
    error: r#"{"error":{"message":"boom","type":"server_error","code":"server_error"}}"#,
    stream_error: "data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\"}}\n\n",
};

pub(crate) const RESPONSES: Tongue = Tongue {
    name: "responses",
    whole: ("/v1/responses", r#"{"model":"chat"}"#),
    stream: ("/v1/responses", r#"{"model":"chat","stream":true}"#),
    good: r#"{"object":"response","status":"completed","output":[]}"#,
    begin: "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"status\":\"in_progress\"}}\n\n",
    end: "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n",
    failed: r#"{"object":"response","status":"failed","error":{"code":"server_error","message":"boom"}}"#,
    error: r#"{"error":{"message":"boom","type":"server_error","code":"server_error"}}"#,
    stream_error: "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"boom\"}\n\n",
};

pub(crate) const MESSAGES: Tongue = Tongue {
    name: "messages",
    whole: ("/v1/messages", r#"{"model":"chat"}"#),
    stream: ("/v1/messages", r#"{"model":"chat","stream":true}"#),
    good: r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#,
    begin: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[]}}\n\n",
    end: "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    failed: r#"{"type":"error","error":{"type":"api_error","message":"boom"}}"#,
    error: r#"{"type":"error","error":{"type":"api_error","message":"boom"}}"#,
    stream_error: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"boom\"}}\n\n",
};

pub(crate) const GEMINI: Tongue = Tongue {
    name: "gemini",
    whole: ("/v1beta/models/chat:generateContent", "{}"),
    stream: ("/v1beta/models/chat:streamGenerateContent?alt=sse", "{}"),
    good: r#"{"candidates":[{"finishReason":"STOP"}]}"#,
    begin: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n",
    end: "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n",
    failed: r#"{"error":{"code":502,"message":"boom","status":"INTERNAL"}}"#,
    error: r#"{"error":{"code":500,"message":"boom","status":"INTERNAL"}}"#,
    stream_error: "data: {\"error\":{\"code\":500,\"message\":\"boom\",\"status\":\"INTERNAL\"}}\n\n",
};

/// Gemini without `alt=sse`: one array that grows.
pub(crate) const ARRAY: Tongue = Tongue {
    name: "gemini array",
    stream: ("/v1beta/models/chat:streamGenerateContent", "{}"),
    begin: "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}",
    end: ",\n{\"candidates\":[{\"finishReason\":\"STOP\"}]}]",
    stream_error: ",\n{\"error\":{\"code\":500,\"message\":\"boom\",\"status\":\"INTERNAL\"}}]",
    ..GEMINI
};

/// All of them.
pub(crate) const ALL: [&Tongue; 4] = [&CHAT, &RESPONSES, &MESSAGES, &GEMINI];

/// All of them in all their framings of streams.
pub(crate) const STREAMS: [&Tongue; 5] = [&CHAT, &RESPONSES, &MESSAGES, &GEMINI, &ARRAY];

impl Tongue {
    /// The content type of its streams.
    pub(crate) fn kind(&self) -> &'static str {
        if self.name == ARRAY.name { "application/json" } else { "text/event-stream" }
    }

    /// Checks that `body` is an error of this dialect that says `says`.
    #[track_caller]
    pub(crate) fn check_fault(&self, case: &str, body: &str, says: &str) {
        let told: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{case}: {e} in {body}"));
        let error = &told["error"];
        let fits = match self.name {
            "messages" => told["type"] == "error" && error["type"].is_string(),
            "gemini" | "gemini array" => error["code"].is_u64() && error["status"].is_string(),
            _ => error["type"].is_string() && error["code"].is_string(),
        };
        assert!(fits, "{case}: no error of {}: {body}", self.name);
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{case}: no message in {body}"));
        assert!(message.contains(says), "{case}, {}: {says:?} is not in {message:?}", self.name);
    }

    /// Checks that a stream ends with such an error, and with nothing that ends a good one.
    #[track_caller]
    pub(crate) fn check_stream_fault(&self, case: &str, stream: &str, says: &str) {
        assert!(!stream.ends_with(self.end), "{case}, {}: a clean end of {stream}", self.name);
        let last = if self.name == ARRAY.name {
            let list: Vec<Value> =
                serde_json::from_str(stream).unwrap_or_else(|e| panic!("{case}: {e} in {stream}"));
            list.last().map(Value::to_string)
        } else {
            assert!(stream.ends_with("\n\n"), "{case}, {}: an open frame in {stream:?}", self.name);
            let frame = stream.trim_end().rsplit("\n\n").next().unwrap_or_default();
            frame.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned)
        };
        self.check_fault(case, &last.unwrap_or_else(|| panic!("{case}: {stream}")), says);
    }
}
