//! What an answer says, in no dialect's words.

use serde_json::{Value, json};
use shim_ir::{Candidate, Citation, Executor, Finish, FinishReason, Part, Response, ToolCallKind, Usage};

/// Texts, calls, reasoning, citations and end of each candidate, and the counts.
pub(crate) fn of(response: &Response) -> Value {
    json!({
        "model": response.model,
        "candidates": response.candidates.iter().map(candidate).collect::<Vec<_>>(),
        "usage": response.usage.as_ref().map(usage),
    })
}

fn candidate(candidate: &Candidate) -> Value {
    let (mut text, mut refusal, mut reasoning) = (String::new(), String::new(), Vec::new());
    let (mut calls, mut citations) = (Vec::new(), Vec::new());
    for part in &candidate.parts {
        match part {
            Part::Text(part) => {
                text.push_str(&part.text);
                citations.extend(part.citations.iter().map(citation));
            }
            Part::Refusal(part) => refusal.push_str(&part.text),
            Part::Reasoning(part) => reasoning.extend(part.text.iter().chain(&part.summary)),
            Part::ToolCall(call) if call.executor == Executor::Client => {
                let own = matches!(call.kind, ToolCallKind::Native(_));
                calls.push(json!([call.name, call.arguments, own]));
            }
            Part::ToolCall(_)
            | Part::Media(_)
            | Part::ToolResult(_)
            | Part::ServerResult(_)
            | Part::Foreign(_) => {}
        }
    }
    json!({
        "text": text, "refusal": refusal, "reasoning": reasoning, "calls": calls, "citations": citations,
        "finish": candidate.finish.as_ref().map(finish),
    })
}

fn citation(citation: &Citation) -> Value {
    json!({ "url": citation.url, "title": citation.title, "cited": citation.cited })
}

fn finish(finish: &Finish) -> &'static str {
    match finish.reason {
        FinishReason::Stop => "stop",
        FinishReason::Sequence => "sequence",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Filter => "filter",
        FinishReason::Refusal => "refusal",
        FinishReason::Pause => "pause",
        FinishReason::BadToolCall => "bad_tool_call",
        FinishReason::Other => "other",
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "input": usage.input_total().0,
        "cache_read": usage.cache_read.0,
        "cache_write": usage.cache_write.0 + usage.cache_write_1h.0,
        "output": usage.output_total().0,
        "reasoning": usage.reasoning.0,
    })
}
