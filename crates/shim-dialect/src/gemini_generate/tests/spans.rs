//! Spans of what is cited, in texts of any characters.

use proptest::prelude::*;
use proptest::sample::Index;
use shim_ir::{
    Candidate, Citation, Delta, Event, Finish, FinishReason, Part, PartId, Request, Response, Start, Text,
    fold,
};
use shim_wire::frame::Framing;

use crate::Encode as _;
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{asker, encoded_stream, events, whole_laws};

/// A text, a span of it in characters, and where to cut it in two.
#[derive(Clone, Debug)]
struct Spanned {
    text: String,
    span: (usize, usize),
    cut: usize,
}

impl Spanned {
    /// Where the character numbered `at` begins, in bytes.
    fn byte(&self, at: usize) -> usize {
        self.text.char_indices().nth(at).map_or(self.text.len(), |(byte, _)| byte)
    }

    fn halves(&self) -> (&str, &str) {
        self.text.split_at(self.byte(self.cut))
    }

    fn bytes(&self) -> (usize, usize) {
        (self.byte(self.span.0), self.byte(self.span.1))
    }

    fn characters(&self) -> (Option<u64>, Option<u64>) {
        let number = |at: usize| u64::try_from(at).ok();
        (number(self.span.0), number(self.span.1))
    }
}

fn spanned() -> impl Strategy<Value = Spanned> {
    let text = "[a-zé漢🙂\"\n]{1,12}";
    (text, any::<[Index; 3]>()).prop_map(|(text, [from, to, cut])| {
        let length = text.chars().count();
        let (from, to) = (from.index(length + 1), to.index(length + 1));
        Spanned { span: (from.min(to), from.max(to)), cut: cut.index(length + 1), text }
    })
}

fn citing(part: &Part) -> Vec<(Option<u64>, Option<u64>)> {
    let Part::Text(text) = part else { return Vec::new() };
    text.citations.iter().map(|cited| (cited.start, cited.end)).collect()
}

/// A piece of an answer with these parts, and what stands beside its content.
fn piece(parts: &[&str], beside: &str) -> String {
    format!(r#"{{"candidates":[{{"content":{{"parts":[{}]}}{beside}}}]}}"#, parts.join(","))
}

fn said(text: &str) -> String {
    serde_json::json!({ "text": text }).to_string()
}

fn folded(stream: &str) -> Response {
    fold(events(&GeminiGenerate, &[stream.as_bytes()], Framing::Sse)).expect("it ends well").0
}

proptest! {
    #[test]
    fn spans_in_bytes_are_read_in_characters(before in "[aé🙂]{1,6}", cited in spanned(), metadata in 0..3) {
        let (start, end) = cited.bytes();
        let (from, to) = (before.len() + start, before.len() + end);
        let found = r#""groundingChunks":[{"web":{"uri":"u"}}]"#;
        let metadata = match metadata {
            0 => format!(r#""citationMetadata":{{"citationSources":[{{"startIndex":{from},"endIndex":{to},"uri":"u"}}]}}"#),
            1 => format!(r#""groundingMetadata":{{{found},"groundingSupports":[{{"segment":{{"startIndex":{from},"endIndex":{to}}},"groundingChunkIndices":[0]}}]}}"#),
            _ => format!(r#""citationMetadata":{{"citations":[{{"startIndex":{from},"endIndex":{to},"uri":"u"}}]}}"#),
        };
        let beside = format!(r#","finishReason":"STOP",{metadata}"#);
        let call = r#"{"functionCall":{"name":"f","args":{}}}"#;
        let whole = piece(&[&said(&before), call, &said(&cited.text)], &beside);
        let (first, second) = cited.halves();
        let pieces = [
            piece(&[&said(&before)], ""), piece(&[call], ""),
            piece(&[&said(first)], ""), piece(&[&said(second)], &beside),
        ];
        let stream: String = pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect();
        for response in [whole_laws(&GeminiGenerate, &whole), folded(&stream)] {
            let parts = &response.candidates[0].parts;
            // An empty span where the texts meet is of either.
            let all: Vec<_> = parts.iter().flat_map(citing).collect();
            let at_seam = end == 0;
            prop_assert!(at_seam || citing(&parts[2]) == [cited.characters()], "{parts:?}");
            prop_assert_eq!(all.len(), 1);
        }
    }

    #[test]
    fn spans_in_characters_survive(before in "[aé🙂]{1,6}", cited in spanned()) {
        let (start, end) = cited.characters();
        let citation = Citation { url: Some("u".into()), start, end, ..Citation::default() };
        let text = Text { citations: vec![citation.clone()], ..Text::new(&*cited.text) };
        let finish = Some(Finish { reason: FinishReason::Stop, words: None, sequence: None });
        let parts = vec![Part::Text(Text::new(&*before)), Part::Text(text)];
        let candidate = Candidate { parts, finish: finish.clone(), ..Candidate::default() };
        let answer = Response { candidates: vec![candidate], ..Response::default() };
        let request = Request::default();
        let asker = asker(&request, Framing::Sse);
        let told = GeminiGenerate.encode_response(&answer, &asker);
        prop_assert_eq!(told.losses, []);
        let whole = whole_laws(&GeminiGenerate, std::str::from_utf8(&told.body).expect("UTF-8"));

        let (first, second) = cited.halves();
        let (one, two) = (PartId(0), PartId(1));
        let grow = |id, delta| Event::PartDelta { id, delta };
        let open = |id, text: &str| Event::PartStart { id, candidate: 0, part: Part::Text(Text::new(text)) };
        let told = encoded_stream(&GeminiGenerate, &asker, &[
            Event::Start(Start::default()),
            open(one, &before), Event::PartEnd { id: one },
            open(two, first), grow(two, Delta::Text(second.to_owned())), grow(two, Delta::Citation(citation)),
            Event::PartEnd { id: two },
            Event::Finish(vec![finish]),
        ]);
        for response in [whole, folded(&told)] {
            let parts = &response.candidates[0].parts;
            // In a stream the two texts are one.
            let passed = if parts.len() == 1 { before.chars().count() } else { 0 };
            let shifted = |at: Option<u64>| at.map(|at| at + u64::try_from(passed).unwrap_or_default());
            let all: Vec<_> = parts.iter().flat_map(citing).collect();
            let at_seam = end == Some(0);
            prop_assert!(at_seam || all == [(shifted(start), shifted(end))], "{parts:?} {told}");
        }
    }
}
