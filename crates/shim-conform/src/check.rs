//! What a client was told, held against what the upstream said and the client's dialect allows.

use serde_json::Value;
use shim_dialect::speaker;
use shim_ir::{Dialect, Event, FinishReason, FoldError, Loss, Part, Response, fold};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::case::{Refuses, Says, Used};
use crate::tongue::{Gist, tongue};

/// How an answer is asked for: whole, or as a stream that is framed so.
pub(crate) type Form = Option<Framing>;

/// What came of one request of a client.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: http::HeaderMap,
    /// The body, as far as it came.
    pub(crate) body: Vec<u8>,
    /// Whether the connection broke off before its end.
    pub(crate) broken: bool,
}

/// What an answer says, in the order it says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Essence {
    /// Its parts: kind and content; neighbours of a kind are one.
    pub(crate) parts: Vec<(&'static str, Value)>,
    /// Why it ended.
    pub(crate) end: Option<FinishReason>,
    /// What was used.
    pub(crate) used: Option<Used>,
}

/// The frames of a stream.
///
/// # Errors
/// When it is none.
pub(crate) fn frames(framing: Framing, body: &[u8]) -> Result<Vec<(Option<String>, String)>, String> {
    let mut frames = Vec::new();
    let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
    let mut take = |frame: shim_wire::frame::Frame<'_>| {
        frames.push((frame.event.map(str::to_owned), frame.data.to_owned()));
    };
    framer
        .push(body, &mut take)
        .and_then(|()| framer.finish(&mut take))
        .map_err(|error| error.to_string())?;
    Ok(frames)
}

/// Reads a stream by the client dialect's decoder. The events must obey the grammar.
fn gathered(client: Dialect, framing: Framing, body: &[u8]) -> Result<Response, FoldError> {
    let mut decoder = speaker(client).decoder();
    let mut events: Vec<Event> = Vec::new();
    let mut framer = Framer::new(framing, FRAME_BYTES_MAX);
    let mut malformed = None;
    let mut take = |frame: shim_wire::frame::Frame<'_>| {
        malformed = malformed.take().or(decoder.push(frame, &mut events).err());
    };
    let framed = framer.push(body, &mut take).and_then(|()| framer.finish(&mut take));
    decoder.finish(&mut events);
    let trouble = framed.err().map(|error| error.to_string()).or(malformed.map(|error| error.to_string()));
    match trouble {
        None => fold(events).map(|(response, _)| response),
        Some(why) => {
            let fault = shim_ir::Fault::new(shim_ir::FaultKind::UpstreamMalformed, why);
            Err(FoldError::Failed(Box::new(fault), Box::default()))
        }
    }
}

/// What an answer with status 200 says; what is wrong with its form goes to `faults`.
pub(crate) fn essence(
    client: Dialect,
    form: Form,
    heard: &Heard,
    faults: &mut Vec<String>,
) -> Option<Essence> {
    let text = String::from_utf8_lossy(&heard.body).into_owned();
    if heard.broken {
        faults.push(format!("the connection broke off behind {text}"));
    }
    let response = if let Some(framing) = form {
        match frames(framing, &heard.body) {
            Ok(frames) => faults.extend(tongue(client).stream_faults(&frames)),
            Err(why) => faults.push(why),
        }
        gathered(client, framing, &heard.body).map_err(|error| error.to_string())
    } else {
        speaker(client).decode_response(&text).map_err(|error| error.to_string())
    };
    match response {
        Ok(response) => Some(of_response(&response)),
        Err(why) => {
            faults.push(format!("the answer cannot be read ({why}): {text}"));
            None
        }
    }
}

fn of_response(response: &Response) -> Essence {
    let mut essence = Essence::default();
    let candidate = response.candidates.first();
    for part in candidate.iter().flat_map(|candidate| &candidate.parts) {
        match part {
            Part::Text(text) | Part::Refusal(text) => essence.add("text", &text.text),
            Part::Reasoning(reasoning) => {
                let told = if reasoning.text.is_empty() { &reasoning.summary } else { &reasoning.text };
                essence.add("reasoning", &told.concat());
            }
            Part::ToolCall(call) => {
                let given = serde_json::from_str(&call.arguments).unwrap_or(Value::Null);
                essence.parts.push(("call", serde_json::json!({ "name": call.name, "arguments": given })));
            }
            other => essence.parts.push(("other", format!("{other:?}").into())),
        }
    }
    essence.end =
        candidate.and_then(|candidate| candidate.finish.as_ref()).map(|finish| finish.reason.clone());
    essence.used = response.usage.as_ref().map(|usage| Used {
        input: usage.input_uncached.0 + usage.input_audio.0,
        cache_read: usage.cache_read.0,
        cache_write: usage.cache_write.0 + usage.cache_write_1h.0,
        output: usage.output_text.0 + usage.output_audio.0 + usage.output_image.0,
        reasoning: usage.reasoning.0,
    });
    essence
}

impl Essence {
    fn add(&mut self, kind: &'static str, more: &str) {
        match self.parts.last_mut() {
            Some((own, Value::String(text))) if *own == kind => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.parts.push((kind, more.into())),
        }
    }

    /// What an upstream of `upstream` says.
    fn said(says: &Says, upstream: Dialect) -> Self {
        let mut essence = Self::default();
        essence.add("reasoning", says.reasoning);
        essence.add("text", says.text);
        for (name, arguments) in says.calls {
            let given: Value = serde_json::from_str(arguments).unwrap_or_default();
            essence.parts.push(("call", serde_json::json!({ "name": name, "arguments": given })));
        }
        essence.end = Some(says.end(upstream).clone());
        essence.used = Some(says.used_by(upstream));
        essence
    }
}

/// Whether one of the losses is at a member that `word` names.
fn declared(losses: &[Loss], words: &[&str]) -> bool {
    losses.iter().any(|loss| words.iter().any(|word| loss.path.to_lowercase().contains(word)))
}

fn differs(what: &str, wanted: &impl std::fmt::Debug, found: &impl std::fmt::Debug) -> String {
    format!("{what}: expected {wanted:?}, found {found:?}")
}

/// What of an answer is not what the upstream said, and was not declared as lost.
pub(crate) fn unlike(says: &Says, upstream: Dialect, found: &Essence, losses: &[Loss]) -> Vec<String> {
    let wanted = Essence::said(says, upstream);
    let mut faults = Vec::new();
    if found.parts != wanted.parts {
        faults.push(differs("the answer's parts", &wanted.parts, &found.parts));
    }
    let ends = found.end == wanted.end || found.end.as_ref().is_some_and(|end| says.or.contains(end));
    if !ends {
        faults.push(differs("why it ended", &wanted.end, &found.end));
    }
    let totals = |used: &Option<Used>| {
        used.map(|used| (used.input + used.cache_read + used.cache_write, used.output + used.reasoning))
    };
    let split = found.used == wanted.used || declared(losses, &["usage"]);
    if totals(&found.used) != totals(&wanted.used) || !split {
        faults.push(differs("usage", &wanted.used, &found.used));
    }
    faults
}

/// What of a request did not reach the upstream, and was not declared as lost.
pub(crate) fn unasked(wanted: &Gist, found: &Gist, losses: &[Loss]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |what: &str, words: &[&str], differ: Option<String>| {
        if let Some(differ) = differ.filter(|_| !declared(losses, words)) {
            faults.push(format!("the request's {what}: {differ}"));
        }
    };
    macro_rules! hold {
        ($what:literal, $field:ident, $words:expr) => {
            let differ = (wanted.$field != found.$field)
                .then(|| format!("expected {:?}, found {:?}", wanted.$field, found.$field));
            check($what, $words, differ);
        };
    }
    hold!("instructions", system, &[]);
    let ((said, thought), (reached, returned)) = (wanted.spoken(), found.spoken());
    let differ = (said != reached).then(|| format!("expected {said:?}, found {reached:?}"));
    check("conversation", &[], differ);
    let differ = (thought != returned).then(|| format!("expected {thought:?}, found {returned:?}"));
    check("earlier reasoning", &["content", "parts", "input[", "reasoning"], differ);
    hold!("tools", tools, &["parameters", "schema"]);
    hold!("choice of tools", choice, &["tool_choice", "toolconfig"]);
    hold!("bound on the output", output_max, &["max"]);
    hold!("temperature", temperature, &["temperature"]);
    hold!("top_p", top_p, &["top_p", "topp"]);
    hold!("stop sequences", stop, &["stop"]);
    hold!("schema of the answer", schema, &["format", "schema"]);
    hold!("reasoning", reasons, &["reasoning", "thinking"]);
    hold!("stream", stream, &[]);
    faults
}

/// What is wrong with how a client was told of an upstream's error status.
pub(crate) fn ill_told(
    client: Dialect,
    upstream: Dialect,
    refuses: &Refuses,
    heard: &Heard,
    theirs: &str,
) -> Vec<String> {
    let mut faults = Vec::new();
    let status = if upstream == Dialect::Anthropic { refuses.anthropic } else { refuses.status };
    if heard.status != status {
        faults.push(differs("status", &status, &heard.status));
    }
    let wait =
        heard.headers.get("retry-after").and_then(|value| value.to_str().ok()).and_then(|s| s.parse().ok());
    if wait != refuses.retry_after {
        faults.push(differs("retry-after", &refuses.retry_after, &wait));
    }
    let message = words(client, status, heard, &mut faults);
    if refuses.passes && message != theirs {
        faults.push(differs("the error's message", &theirs, &message));
    }
    faults
}

/// The message of an error in the client's dialect; whether its words fit the status goes to `faults`.
fn words(client: Dialect, status: u16, heard: &Heard, faults: &mut Vec<String>) -> String {
    let text = String::from_utf8_lossy(&heard.body);
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let Some((word, message)) = tongue(client).error(&body) else {
        faults.push(format!("this is no error of {client}: {text}"));
        return String::new();
    };
    let known = tongue(client).error_words(status);
    if !known.contains(&word.as_str()) {
        faults.push(format!("the word of an error of status {status} is one of {known:?}, found {word:?}"));
    }
    message
}

/// What is wrong with how a client was told that an answer failed though its status was 200.
pub(crate) fn too_clean(client: Dialect, form: Form, heard: &Heard) -> Vec<String> {
    let mut faults = Vec::new();
    let text = String::from_utf8_lossy(&heard.body);
    let Some(framing) = form.filter(|_| heard.status == 200) else {
        if !(500..600).contains(&heard.status) {
            faults.push(format!("expected a status of 500 or more, found {}: {text}", heard.status));
        }
        words(client, heard.status, heard, &mut faults);
        return faults;
    };
    if !matches!(gathered(client, framing, &heard.body), Err(FoldError::Failed(..))) {
        faults.push(format!("the stream does not fail: {text}"));
    }
    let last =
        frames(framing, &heard.body).ok().and_then(|frames| frames.last().cloned()).unwrap_or_default();
    let told = serde_json::from_str(&last.1).ok().and_then(|body: Value| tongue(client).error(&body));
    if told.is_none_or(|(_, message)| message.is_empty()) {
        faults.push(format!("the stream does not end with an error of {client}: {text}"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shim_ir::{Loss, LossKind};

    use super::unasked;
    use crate::tongue::{Gist, Said};

    /// What of a request can be lost, and the path of a loss that declares it; none where it never may.
    #[test]
    fn what_does_not_reach_the_upstream_is_found_unless_it_is_declared() {
        let whole = Gist {
            system: "s".to_owned(),
            turns: vec![
                Said::User("u".to_owned()),
                Said::Result(0, json!(1)),
                Said::Reasoning("r".to_owned()),
            ],
            tools: vec![("t".to_owned(), String::new(), json!({ "type": "object" }))],
            choice: Some("required".to_owned()),
            output_max: Some(7),
            temperature: Some(0.5),
            top_p: Some(0.5),
            stop: vec!["w".to_owned()],
            schema: Some(json!({})),
            reasons: true,
            stream: true,
        };
        let without = |change: fn(&mut Gist), path: Option<&str>| {
            let mut less = whole.clone();
            change(&mut less);
            assert_eq!(unasked(&whole, &less, &[]).len(), 1, "{less:?}");
            let declared = [Loss::new(path.unwrap_or("metadata"), LossKind::Dropped, "x")];
            assert_eq!(unasked(&whole, &less, &declared).is_empty(), path.is_some(), "{less:?}");
        };
        without(|gist| gist.system.clear(), None);
        without(|gist| drop(gist.turns.remove(0)), None);
        without(|gist| gist.turns.truncate(2), Some("messages[1].content[0]"));
        without(|gist| gist.turns[1] = Said::Result(1, json!(1)), None);
        without(|gist| gist.tools[0].2 = json!({}), Some("tools[0].parameters"));
        without(|gist| gist.choice = Some("auto".to_owned()), Some("tool_choice"));
        without(|gist| gist.output_max = Some(8), Some("max_tokens"));
        without(|gist| gist.temperature = None, Some("generationConfig.temperature"));
        without(|gist| gist.top_p = None, Some("generationConfig.topP"));
        without(|gist| gist.stop.clear(), Some("stop_sequences"));
        without(|gist| gist.schema = None, Some("response_format"));
        without(|gist| gist.reasons = false, Some("thinking.budget_tokens"));
        without(|gist| gist.stream = false, None);
        assert_eq!(unasked(&whole, &whole, &[]), [""; 0]);
    }
}
