//! What tools of the client gave.

use shim_ir::{LossKind, Media, Part, Source, ToolResult};
use shim_wire::{JsonWriter, RawJson};

use super::content::{Scribe, write_beside, write_inside};
use super::losses::At;
use super::media::Form;
use super::own::own;

/// The name of a tool whose call is not in the conversation.
const NAMELESS: &str = "tool";

impl Scribe<'_> {
    /// `functionResponse`, and behind it the media it has no place for.
    pub(super) fn result(&mut self, w: &mut JsonWriter<'_>, result: &ToolResult, at: At) {
        let members = own(&result.rest, || at.path(), &mut self.losses);
        self.cache(result.cache.as_ref(), at);
        let (inside, behind): (Vec<_>, Vec<_>) =
            media_of(result).into_iter().partition(|(_, media)| self.fits_inside(result, media));
        w.element().object(|w| {
            w.nested("functionResponse", |w| {
                self.response(w, result, &inside, at);
                write_inside(w, members);
            });
            write_beside(w, members);
        });
        for (part, media) in behind {
            self.behind(w, media, At { inside: Some(part), ..at });
        }
        self.others(result, at);
    }

    /// The members of a response, with the media that stand in it.
    fn response(&mut self, w: &mut JsonWriter<'_>, result: &ToolResult, inside: &[(usize, &Media)], at: At) {
        let name = self.name_of(result, at);
        w.maybe("id", self.id(&result.call), JsonWriter::string);
        w.maybe("name", name.as_deref(), JsonWriter::string);
        w.maybe("response", response(result).as_ref(), JsonWriter::raw);
        if !inside.is_empty() {
            w.array("parts", |w| inside.iter().for_each(|(part, media)| self.inside(w, media, at, *part)));
        }
    }

    /// A result says what was called: by itself, or by the call it answers.
    fn name_of(&mut self, result: &ToolResult, at: At) -> Option<String> {
        let called = self.called.get(result.call.as_str()).filter(|_| !result.call.is_empty());
        if let Some(name) = called {
            return Some(name.clone());
        }
        match (&result.name, result.json) {
            (Some(name), true) => Some(name.clone()),
            (Some(name), false) => Some(self.names.sent(name, None)),
            (None, true) => None,
            (None, false) => {
                let why = "the call is not in the conversation";
                self.losses.tell(at.member("name"), LossKind::Defaulted, why);
                Some(NAMELESS.to_owned())
            }
        }
    }

    /// Whether media can stand in the response: all of the dialect's own, and bytes where the model takes them.
    fn fits_inside(&self, result: &ToolResult, media: &Media) -> bool {
        let inline = matches!(media.source, Source::Inline(_)) && !self.traits.has("no_result_media");
        result.json || inline
    }

    fn inside(&mut self, w: &mut JsonWriter<'_>, media: &Media, at: At, part: usize) {
        let at = At { inside: Some(part), ..at };
        match self.located(media) {
            Ok(Form::Inline(..) | Form::File(..)) => self.media(w, media, at),
            Ok(Form::Text(_) | Form::Parts(_)) => {}
            Err((kind, why)) => self.losses.tell(at.path(), kind, why),
        }
    }

    fn behind(&mut self, w: &mut JsonWriter<'_>, media: &Media, at: At) {
        match self.located(media) {
            Ok(_) => {
                self.losses.near(at.path(), "media stand behind the response");
                self.media(w, media, at);
            }
            Err((kind, why)) => self.losses.tell(at.path(), kind, why),
        }
    }

    /// Tells of the parts of a result that are neither text nor media.
    fn others(&mut self, result: &ToolResult, at: At) {
        for (inside, part) in result.content.iter().enumerate() {
            let at = At { inside: Some(inside), ..at };
            match part {
                Part::Text(text) => {
                    own(&text.rest, || at.path(), &mut self.losses);
                    self.cache(text.cache.as_ref(), at);
                    self.answers_alone(text, at);
                    // A response has no place for a signature, its own neither.
                    self.signature(&text.opaque, at);
                }
                Part::Media(_) => {}
                Part::Refusal(_)
                | Part::Reasoning(_)
                | Part::ToolCall(_)
                | Part::ToolResult(_)
                | Part::ServerResult(_)
                | Part::Foreign(_) => self.losses.dropped(at.path(), "a response has no place for it"),
            }
        }
    }
}

fn media_of(result: &ToolResult) -> Vec<(usize, &Media)> {
    let listed = result.content.iter().enumerate();
    listed
        .filter_map(|(at, part)| if let Part::Media(media) = part { Some((at, media)) } else { None })
        .collect()
}

/// What a tool gave, as the object the dialect asks for: a JSON object as it is, else `result` or `error`.
fn response(result: &ToolResult) -> Option<RawJson> {
    let texts =
        result.content.iter().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
    let texts: Vec<_> = texts.map(|text| &*text.text).collect();
    if result.json {
        return RawJson::parse(texts.first()?).ok();
    }
    let text = texts.join("\n");
    let object = || RawJson::parse(&text).ok().filter(|raw| raw.get().starts_with('{'));
    if let Some(object) = object().filter(|_| !result.error) {
        return Some(object);
    }
    let mut out = Vec::new();
    let key = if result.error { "error" } else { "result" };
    JsonWriter::new(&mut out).object(|w| w.string(key, &text));
    RawJson::parse(std::str::from_utf8(&out).ok()?).ok()
}
