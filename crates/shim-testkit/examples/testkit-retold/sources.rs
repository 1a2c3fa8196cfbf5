//! Where answers come from: our corpus, and recorded traffic where it is present.

use std::fs;

use anyhow::Result;
use shim_dialect::{AnswerError, Operation, speaker};
use shim_ir::{Delta, Dialect, Event, Part, Request, Response, ToolCallKind, unfold};
use shim_testkit::corpus::{self, Case};
use shim_testkit::recordings::{self, Recording};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

/// An answer as a provider gave it.
pub(crate) struct Source {
    /// `plain`, `tool_call then` or `wc-…`.
    pub(crate) name: String,
    /// How the provider speaks.
    pub(crate) dialect: Dialect,
    /// What was asked, where that is known and can be read.
    pub(crate) request: Option<Request>,
    /// The provider's own body.
    pub(crate) body: String,
    /// Whether that is a stream.
    pub(crate) streamed: bool,
}

/// Folder of the corpus and families of recordings.
const fn places(dialect: Dialect) -> (&'static str, &'static [&'static str]) {
    match dialect {
        Dialect::OpenaiChat => ("openai_chat", &["openai.chat"]),
        Dialect::OpenaiResponses => ("openai_responses", &["openai.responses"]),
        Dialect::Anthropic => ("anthropic_messages", &["anthropic.messages"]),
        Dialect::Gemini => ("gemini_generate", &["gemini.generate", "gemini.stream"]),
    }
}

/// The successful answers of providers that speak `dialect`.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn of(dialect: Dialect) -> Result<Vec<Source>> {
    let (folder, families) = places(dialect);
    let mut found = Vec::new();
    for case in corpus::cases(folder)?.iter().filter(|case| case.meta.status < 400) {
        found.extend(of_case(dialect, case)?);
    }
    let recordings = recordings::of_families(families)?.unwrap_or_default();
    found.extend(recordings.into_iter().filter_map(|recording| of_recording(dialect, recording)));
    Ok(found)
}

/// The failures of providers that speak `dialect`: case, status and body.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn failures(dialect: Dialect) -> Result<Vec<(String, u16, Vec<u8>)>> {
    let (folder, families) = places(dialect);
    let cases = corpus::cases(folder)?.into_iter().map(|case| (case.name, case.meta.status, case.answer));
    let recordings = recordings::of_families(families)?.unwrap_or_default().into_iter();
    let recorded = recordings.map(|recording| {
        let answer = recording.response;
        (recording.id, answer.status.unwrap_or_default(), answer.body.into_bytes())
    });
    Ok(cases.chain(recorded).filter(|(_, status, _)| *status >= 400).collect())
}

/// The answer of a case, and the one after the tool's result where it has one. Embeddings are no answers.
fn of_case(dialect: Dialect, case: &Case) -> Result<Vec<Source>> {
    if case.meta.path.as_ref().is_some_and(|path| path.contains("embed")) {
        return Ok(Vec::new());
    }
    let request = case.request.as_deref().and_then(|body| asked(dialect, "/v1/x", body));
    let source = |name: String, body: Vec<u8>, streamed| Source {
        name,
        dialect,
        request: request.clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
        streamed,
    };
    let mut found = vec![source(case.name.clone(), case.answer.clone(), case.streamed)];
    for (file, streamed) in [("then.json", false), ("then.sse", true)] {
        let path = case.folder.join(file);
        if path.exists() {
            found.push(source(format!("{} then", case.name), fs::read(path)?, streamed));
        }
    }
    Ok(found)
}

fn of_recording(dialect: Dialect, recording: Recording) -> Option<Source> {
    let answer = recording.response;
    if answer.body_encoding != "utf-8" || answer.status.is_some_and(|status| status >= 400) {
        return None;
    }
    let streamed = matches!(answer.framing.as_str(), "sse" | "data-lines");
    let body = if answer.framing == "data-lines" { framed(&answer.body) } else { answer.body };
    let sent = recording.request.filter(|sent| sent.body_encoding == "utf-8");
    let request = sent.and_then(|sent| asked(dialect, &sent.path, &sent.body));
    Some(Source { name: recording.id, dialect, request, body, streamed })
}

/// Bare payloads with their frames.
fn framed(lines: &str) -> String {
    lines.lines().filter(|line| !line.is_empty()).map(|line| format!("data: {line}\n\n")).collect()
}

fn asked(dialect: Dialect, path: &str, body: &str) -> Option<Request> {
    let codec = speaker(dialect);
    let at = ["/v1beta/", "/v1alpha/", "/v1/"].iter().find_map(|version| path.find(version));
    let sent = at.and_then(|at| path.get(at..)).and_then(|path| codec.route("POST", path, None));
    let route = sent.unwrap_or_else(|| codec.route_for(Operation::Generate, "model", false));
    codec.decode_request(&route, body).ok()
}

impl Source {
    /// The answer as events, the last of them a fault where it failed; none of what is no answer at all.
    pub(crate) fn answer(&self) -> Option<Vec<Event>> {
        if self.streamed {
            return self.events();
        }
        match speaker(self.dialect).decode_response(&self.body) {
            Ok(response) => Some(slowly(response)),
            Err(AnswerError::Fault(fault)) => Some(vec![Event::Fault(*fault)]),
            Err(AnswerError::Decode(_)) => None,
        }
    }

    fn events(&self) -> Option<Vec<Event>> {
        let (mut decoder, mut events, mut broken) = (speaker(self.dialect).decoder(), Vec::new(), false);
        let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
        let mut on = |frame: shim_wire::frame::Frame<'_>| {
            broken = broken || decoder.push(frame, &mut events).is_err();
        };
        let framed = framer.push(self.body.as_bytes(), &mut on).and_then(|()| framer.finish(&mut on));
        if framed.is_err() || broken {
            return None;
        }
        decoder.finish(&mut events);
        Some(events)
    }
}

/// A whole answer as events, with texts and arguments in two pieces.
fn slowly(response: Response) -> Vec<Event> {
    let mut events = Vec::new();
    for event in unfold(response) {
        let Event::PartStart { id, candidate, mut part } = event else {
            events.push(event);
            continue;
        };
        let deltas = taken_apart(&mut part);
        events.push(Event::PartStart { id, candidate, part });
        events.extend(deltas.into_iter().map(|delta| Event::PartDelta { id, delta }));
    }
    events
}

fn taken_apart(part: &mut Part) -> Vec<Delta> {
    match part {
        Part::Text(text) => {
            let pieces = halves(&mut text.text).into_iter().map(Delta::Text);
            pieces.chain(std::mem::take(&mut text.citations).into_iter().map(Delta::Citation)).collect()
        }
        Part::Refusal(text) => halves(&mut text.text).into_iter().map(Delta::Text).collect(),
        Part::ToolCall(call) if !matches!(call.kind, ToolCallKind::Native(_)) => {
            halves(&mut call.arguments).into_iter().map(Delta::Arguments).collect()
        }
        Part::ToolCall(_)
        | Part::Reasoning(_)
        | Part::Media(_)
        | Part::ToolResult(_)
        | Part::ServerResult(_)
        | Part::Foreign(_) => Vec::new(),
    }
}

/// Takes the text out, in two pieces.
fn halves(text: &mut (impl Default + Into<String>)) -> Vec<String> {
    let text: String = std::mem::take(text).into();
    let at = text.char_indices().nth(text.chars().count() / 2).map_or(text.len(), |(at, _)| at);
    let (first, second) = text.split_at(at);
    [first, second].into_iter().filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}
