//! Every kind of part, with a word in each of its members.

use shim_ir::{
    CacheMark, Citation, Executor, Foreign, Media, MediaKind, Opaque, OpaqueKind, Part, Reasoning, Rest,
    ServerResult, Source, Text, ToolCall, ToolCallKind, ToolResult,
};

use crate::carried::Words;

type Say = fn(&mut Words) -> Part;

/// Every kind of part, and its name.
pub(crate) const ALL: [(&str, Say); 30] = [
    ("text", |w| Part::Text(text(w))),
    // A refusal cites nothing.
    ("refusal", |w| {
        let text = text(w);
        w.unsay("citations");
        Part::Refusal(Text { citations: vec![], ..text })
    }),
    ("reasoning", |w| Part::Reasoning(reasoning(w, OpaqueKind::Signature))),
    ("redacted reasoning", |w| Part::Reasoning(reasoning(w, OpaqueKind::Redacted))),
    ("encrypted reasoning", |w| Part::Reasoning(reasoning(w, OpaqueKind::Encrypted))),
    ("signed thought", |w| Part::Reasoning(reasoning(w, OpaqueKind::ThoughtSignature))),
    ("image", |w| media(w, MediaKind::Image, Source::Inline, "image/png")),
    ("linked image", |w| media(w, MediaKind::Image, url, "image/png")),
    ("kept image", |w| media(w, MediaKind::Image, Source::Handle, "image/png")),
    ("file", |w| media(w, MediaKind::File, Source::Inline, "application/pdf")),
    ("linked file", |w| media(w, MediaKind::File, url, "application/pdf")),
    ("kept file", |w| media(w, MediaKind::File, Source::Handle, "application/pdf")),
    ("text file", |w| media(w, MediaKind::File, Source::Plain, "text/plain")),
    ("file of parts", |w| media(w, MediaKind::File, pieces, "text/plain")),
    ("sound", |w| media(w, MediaKind::Audio, Source::Inline, "audio/wav")),
    ("linked sound", |w| media(w, MediaKind::Audio, url, "audio/wav")),
    ("kept sound", |w| media(w, MediaKind::Audio, Source::Handle, "audio/wav")),
    ("video", |w| media(w, MediaKind::Video, Source::Inline, "video/mp4")),
    ("linked video", |w| media(w, MediaKind::Video, url, "video/mp4")),
    ("kept video", |w| media(w, MediaKind::Video, Source::Handle, "video/mp4")),
    ("call", |w| call(w, ToolCallKind::Function, Executor::Client)),
    ("free call", |w| call(w, ToolCallKind::Custom, Executor::Client)),
    ("native call", |w| call(w, ToolCallKind::Native("odd_use".into()), Executor::Client)),
    ("provider's call", |w| call(w, ToolCallKind::Native("odd_use".into()), Executor::Provider)),
    ("result", |w| result(w, |w| Part::Text(text(w)))),
    ("result of an image", |w| result(w, |w| media(w, MediaKind::Image, Source::Inline, "image/png"))),
    ("result of a file", |w| result(w, |w| media(w, MediaKind::File, url, "application/pdf"))),
    ("result of a strange part", |w| result(w, foreign)),
    ("provider's result", |w| {
        let (call, raw) = (String::new(), w.raw("raw"));
        Part::ServerResult(ServerResult { call, kind: "odd_result".into(), raw, origin: w.origin })
    }),
    ("strange part", foreign),
];

/// A marker of a cached prefix.
pub(crate) fn mark(w: &mut Words) -> CacheMark {
    CacheMark { ttl: Some(w.word("cache.ttl")), rest: Rest::default() }
}

fn opaque(w: &mut Words, kind: OpaqueKind) -> Vec<Opaque> {
    vec![Opaque { kind, value: w.word("opaque") }]
}

fn text(w: &mut Words) -> Text {
    Text {
        text: w.word("text").into(),
        citations: vec![Citation {
            url: Some(w.word("citations")),
            title: Some(w.word("citations.title")),
            cited: Some(w.word("citations.cited")),
            ..Citation::default()
        }],
        logprobs: Some(w.raw("logprobs")),
        cache: Some(mark(w)),
        opaque: opaque(w, OpaqueKind::Details),
        rest: w.rest(),
    }
}

fn reasoning(w: &mut Words, kind: OpaqueKind) -> Reasoning {
    Reasoning {
        id: Some(w.word("id")),
        text: vec![w.word("text")],
        summary: vec![w.word("summary")],
        opaque: opaque(w, kind),
        rest: w.rest(),
    }
}

fn url(mut word: String) -> Source {
    word.insert_str(0, "https://");
    word.push_str(".example/a");
    Source::Url(word)
}

fn pieces(word: String) -> Source {
    Source::Parts(vec![Part::Text(Text::new(word))])
}

fn media(w: &mut Words, kind: MediaKind, source: fn(String) -> Source, mime: &str) -> Part {
    Part::Media(Media {
        kind,
        source: source(w.word("source")),
        mime: Some(mime.to_owned()),
        name: Some(w.word("name")),
        detail: (kind == MediaKind::Image).then(|| w.word("detail")),
        cache: Some(mark(w)),
        opaque: opaque(w, OpaqueKind::Details),
        rest: w.rest(),
    })
}

fn call(w: &mut Words, kind: ToolCallKind, executor: Executor) -> Part {
    Part::ToolCall(ToolCall {
        id: w.word("call"),
        item: Some(w.word("item")),
        name: w.word("name"),
        arguments: w.raw("arguments").get().to_owned(),
        kind,
        executor,
        opaque: opaque(w, OpaqueKind::Details),
        cache: Some(mark(w)),
        rest: w.rest(),
    })
}

fn result(w: &mut Words, content: Say) -> Part {
    Part::ToolResult(ToolResult {
        call: w.word("call"),
        name: Some(w.word("name_of_call")),
        content: vec![w.inside("content[0]", content)],
        json: false,
        error: false,
        kind: ToolCallKind::Function,
        cache: Some(mark(w)),
        rest: w.rest(),
    })
}

fn foreign(w: &mut Words) -> Part {
    Part::Foreign(Foreign { dialect: w.origin, kind: "odd".into(), raw: w.raw("raw") })
}
