//! Reading along: usage, finish, faults, without building the answer.

use std::borrow::Cow;

use shim_ir::{Fault, FaultKind, Usage};
use shim_wire::frame::Frame;
use shim_wire::{Value, ValueKind};

use super::stream::is_inside;
use super::{decode, errors};
use crate::billed::TOOLS;
use crate::common::{each_element, each_member, is_closed};
use crate::{Meter, Operation, Reading};

/// Reads along with a stream or a whole answer.
pub(super) struct ResponseMeter {
    reading: Reading,
    operation: Operation,
    /// Whether an item was told of that is a call the client has to run. Some providers leave the output out of the
    /// last event.
    calls: bool,
    /// Whether the answer has begun: only what it says of itself then is its model.
    begun: bool,
}

/// What a `response` object says.
#[derive(Default)]
struct Said<'a> {
    model: Option<Cow<'a, str>>,
    status: Option<Cow<'a, str>>,
    /// Why it is incomplete.
    reason: Option<Cow<'a, str>>,
    error: Option<Value<'a>>,
    used: Option<Usage>,
    /// Whether it has the member a count of tokens has.
    counts: bool,
    /// Whether it has an output.
    output: bool,
    /// Whether a call stands in it that the client has to run.
    calls: bool,
    /// How many searches of the web stand in it.
    searches: u64,
}

/// Whether an item is a search of the web, which is billed beside the tokens; opening a page it found is not.
/// Source: <https://platform.openai.com/docs/guides/tools-web-search>, read 2026-11-26.
fn is_search(item: &Value<'_>) -> bool {
    let kind = |value: &Value<'_>| value.get("type").and_then(|kind| kind.as_str().map(Cow::into_owned));
    let action = item.get("action").and_then(|action| kind(&action));
    kind(item).as_deref() == Some("web_search_call") && action.is_none_or(|action| action == "search")
}

/// Whether an item is a call of another tool that is billed beside the tokens.
fn is_billed(item: &Value<'_>) -> bool {
    let of = |word: &str| word.strip_suffix("_call").is_some_and(|tool| TOOLS.contains(&tool));
    item.get("type").is_some_and(|kind| kind.as_str().is_some_and(|word| of(&word)))
}

/// Whether what stands in the place of an error is one. In an event only an object is; alone, whatever is said.
fn is_error(value: &Value<'_>, alone: bool) -> bool {
    value.kind() == ValueKind::Object || alone && value.kind() != ValueKind::Null
}

fn malformed(message: &str) -> Fault {
    Fault::new(FaultKind::UpstreamMalformed, message)
}

/// Whether a whole answer has the look of an object with output, and speaks of no error but one that is `null`.
pub(super) fn is_plainly_good(body: &str) -> bool {
    let mut errors = body.split("\"error\"").skip(1);
    let is_null = |after: &str| {
        let value = after.trim_ascii_start().strip_prefix(':').unwrap_or_default();
        value.trim_ascii_start().starts_with("null")
    };
    is_closed(body) && body.contains("\"output\"") && !body.contains("\"failed\"") && errors.all(is_null)
}

impl ResponseMeter {
    pub(super) fn new(operation: Operation) -> Self {
        Self { reading: Reading::default(), operation, calls: false, begun: false }
    }

    fn fail(&mut self, fault: Fault) {
        self.reading.fault = Some(fault);
        self.reading.complete = false;
    }

    /// Reads a `response` object, and bills what stands in its output.
    fn said<'a>(&mut self, text: &'a str) -> Option<Said<'a>> {
        let mut said = Said::default();
        let scanned = each_member(text, |member| match &*member.key {
            "model" => said.model = member.value.as_str().filter(|model| !model.is_empty()),
            "usage" => said.used = decode::usage(member.value.text()),
            "service_tier" => self.reading.billed.serve_as(&member.value),
            "status" => said.status = member.value.as_str(),
            "incomplete_details" => said.reason = member.value.get("reason").and_then(|r| r.as_str()),
            "error" => said.error = said.error.or(Some(member.value)),
            "input_tokens" => said.counts = true,
            "output" => {
                // Of a member that comes twice the last one counts.
                said.output = member.value.kind() != ValueKind::Null;
                (said.calls, said.searches) = (false, 0);
                let _ = each_element(member.value.text(), |_, item| {
                    self.reading.content = true;
                    said.calls |= decode::calls_client(item.text());
                    said.searches += u64::from(is_search(&item));
                    self.reading.billed.tools |= is_billed(&item);
                });
            }
            _ => {}
        });
        scanned.is_ok().then_some(said)
    }

    /// Takes a `response` object, as it stands in an event or `alone`.
    fn response(&mut self, text: &str, alone: bool) {
        let Some(said) = self.said(text) else {
            return self.fail(malformed("the upstream's answer is not JSON"));
        };
        let error = said.error.filter(|error| is_error(error, alone));
        // A count of tokens, which has no output and no end.
        let counted = alone && said.counts && !said.output;
        let used = said.used.or_else(|| counted.then(|| decode::usage(text)).flatten());
        self.reading.usage = used.or(self.reading.usage.take());
        // The last event repeats the items, with most providers.
        self.reading.billed.searches = self.reading.billed.searches.max(said.searches);
        if !std::mem::replace(&mut self.begun, true) {
            self.reading.model = said.model.map(Into::into);
        }
        let calls = self.calls || said.calls;
        match (said.status.as_deref(), error) {
            (Some("failed"), error) => self.fail(errors::told(None, error.map_or("{}", |e| e.text()))),
            (None, Some(error)) => self.fail(errors::told(None, error.text())),
            (_, _) if counted => {}
            (status, _) => self.reading.finish = decode::finish(status, said.reason.as_deref(), calls),
        }
    }
}

impl Meter for ResponseMeter {
    fn frame(&mut self, frame: Frame<'_>) {
        if self.reading.complete
            || self.reading.fault.is_some()
            || frame.data.is_empty()
            || frame.data == "[DONE]"
        {
            return;
        }
        let (mut kind, mut response, mut error, mut item) = (None, None, None, None);
        let scanned = each_member(frame.data, |member| match &*member.key {
            "type" => kind = member.value.as_str(),
            "response" => response = Some(member.value),
            "item" => item = Some(member.value),
            "error" if member.value.kind() == ValueKind::Object => error = Some(member.value),
            _ => {}
        });
        if scanned.is_err() {
            return self.fail(malformed("the upstream's stream holds a frame that is not JSON"));
        }
        let kind = kind.as_deref().or(frame.event).unwrap_or_default();
        self.begun |= is_inside(kind);
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.response(response.map_or("{}", |r| r.text()), false);
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.response(response.map_or("{}", |r| r.text()), false);
                self.reading.complete = self.reading.fault.is_none();
            }
            "error" => self.fail(errors::told(None, error.map_or(frame.data, |e| e.text()))),
            "response.output_item.added" | "response.output_item.done" => {
                self.calls |= item.is_some_and(|item| decode::calls_client(item.text()));
                let searched = kind.ends_with("done") && item.is_some_and(|item| is_search(&item));
                self.reading.billed.searches += u64::from(searched);
                self.reading.billed.tools |= item.is_some_and(|item| is_billed(&item));
            }
            _ if kind.ends_with(".delta") => self.reading.content = true,
            _ => {}
        }
    }

    fn whole(&mut self, body: &str) {
        if self.operation == Operation::Generate {
            self.response(body, true);
        }
        self.reading.complete = self.reading.fault.is_none();
    }

    fn reading(&self) -> &Reading {
        &self.reading
    }
}

#[cfg(test)]
mod tests {
    use shim_wire::frame::Frame;

    use super::ResponseMeter;
    use crate::{Meter as _, Operation};

    #[test]
    fn tools_that_are_billed_beside_the_tokens_are_told_of() {
        let check = |item: &str, told: bool| {
            let mut whole = ResponseMeter::new(Operation::Generate);
            whole.whole(&format!(r#"{{"status":"completed","output":[{item}]}}"#));
            assert_eq!(whole.reading().billed.tools, told, "{item}");
            let mut stream = ResponseMeter::new(Operation::Generate);
            let data = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#);
            stream.frame(Frame { event: None, data: &data });
            assert_eq!(stream.reading().billed.tools, told, "{item}");
        };
        check(r#"{"type":"file_search_call","id":"f","queries":["a"]}"#, true);
        check(r#"{"type":"code_interpreter_call","id":"c"}"#, true);
        check(r#"{"type":"image_generation_call","id":"i"}"#, true);
        check(r#"{"type":"web_search_call","id":"w"}"#, false);
        check(r#"{"type":"function_call","id":"n","name":"file_search"}"#, false);
        check(r#"{"type":"message","content":[]}"#, false);
        check(r#"{"type":7}"#, false);
    }
}
