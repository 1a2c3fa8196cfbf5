//! Prints how many cases and recordings there are of each dialect, and how many decode: `cargo xtask corpus`.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use anyhow::Result;
use shim_dialect::{Codec, codec};
use shim_ir::{Dialect, Event};
use shim_testkit::recordings::Recording;
use shim_testkit::{corpus, recordings};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

/// Folder, families of recordings and the usual path of each dialect.
const DIALECTS: [(Dialect, &str, &[&str], &str); 4] = [
    (Dialect::OpenaiChat, "openai_chat", &["openai.chat"], "/v1/chat/completions"),
    (Dialect::OpenaiResponses, "openai_responses", &["openai.responses"], "/v1/responses"),
    (Dialect::Anthropic, "anthropic_messages", &["anthropic.messages"], "/v1/messages"),
    (
        Dialect::Gemini,
        "gemini_generate",
        &["gemini.generate", "gemini.stream"],
        "/v1beta/models/m:generateContent",
    ),
];

/// How many of a kind decoded, and of how many.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, (usize, usize)>);

impl Tally {
    fn count(&mut self, kind: &'static str, decoded: bool) {
        let (good, all) = self.0.entry(kind).or_default();
        *good += usize::from(decoded);
        *all += 1;
    }
}

fn main() -> Result<()> {
    let mut out = io::stdout().lock();
    for (dialect, folder, families, path) in DIALECTS {
        let codec = codec(dialect);
        print(&mut out, folder, "corpus", &own(codec, folder, path)?)?;
        if let Some(found) = recordings::of_families(families)? {
            print(&mut out, folder, "recordings", &recorded(codec, &found, path))?;
        }
    }
    if recordings::folder().is_none() {
        writeln!(out, "no recorded traffic here (SHIM_WIRE_CORPUS says where it is)")?;
    }
    Ok(())
}

fn print(out: &mut impl io::Write, folder: &str, origin: &str, tally: &Tally) -> io::Result<()> {
    let counts: Vec<_> = tally.0.iter().map(|(kind, (good, all))| format!("{kind} {good}/{all}")).collect();
    writeln!(out, "{folder:<20} {origin:<11} {}", counts.join("  "))
}

fn own(codec: &dyn Codec, folder: &str, path: &str) -> Result<Tally> {
    let mut tally = Tally::default();
    for case in corpus::cases(folder)? {
        if let Some(request) = &case.request {
            tally.count(
                "requests",
                request_decodes(codec, case.meta.path.as_deref().unwrap_or(path), request),
            );
        }
        answer(&mut tally, codec, case.meta.status, case.streamed, &case.answer);
    }
    Ok(tally)
}

fn recorded(codec: &dyn Codec, found: &[Recording], path: &str) -> Tally {
    let mut tally = Tally::default();
    for recording in found {
        if let Some(request) = &recording.request {
            let path = if request.path.contains(':') { &request.path } else { path };
            tally.count("requests", request_decodes(codec, path, &request.body));
        }
        let response = &recording.response;
        let status = response.status.or(recording.status).unwrap_or(200);
        if matches!(&*response.framing, "json" | "sse") {
            answer(&mut tally, codec, status, response.framing == "sse", response.body.as_bytes());
        }
    }
    tally
}

fn request_decodes(codec: &dyn Codec, path: &str, body: &str) -> bool {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    codec.route("POST", path, query).is_some_and(|route| codec.decode_request(&route, body).is_ok())
}

fn answer(tally: &mut Tally, codec: &dyn Codec, status: u16, streamed: bool, body: &[u8]) {
    match (status, streamed) {
        (400.., _) => tally.count("errors", !codec.decode_fault(status, body).message.is_empty()),
        (_, true) => tally.count("streams", stream_decodes(codec, body)),
        (_, false) => tally.count("answers", codec.decode_response(&String::from_utf8_lossy(body)).is_ok()),
    }
}

fn stream_decodes(codec: &dyn Codec, body: &[u8]) -> bool {
    let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
    let mut decoder = codec.decoder();
    let mut events = Vec::new();
    let mut failed = false;
    let framed = framer.push(body, &mut |frame| failed |= decoder.push(frame, &mut events).is_err());
    let ended = framer.finish(&mut |frame| failed |= decoder.push(frame, &mut events).is_err());
    decoder.finish(&mut events);
    !failed && framed.is_ok() && ended.is_ok() && matches!(events.last(), Some(Event::Finish(_)))
}
