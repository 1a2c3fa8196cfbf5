//! What an answer says of its price beside the tokens.

use shim_ir::{Event, Executor, Part, Request, Response, Rest};
use shim_wire::{RawJson, Value, ValueKind};

use crate::common::{each_member, member};

/// What an answer says of its price beside the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// The class of service by the upstream's word; `None` where it is the ordinary one, or not told.
    pub service: Option<Box<str>>,
    /// How often the provider searched the web, which is billed beside the tokens. At least that often: some only tell
    /// that they did.
    pub searches: u64,
    /// Where it was processed, by the upstream's word; `None` where that was anywhere, or is not told.
    pub region: Option<Box<str>>,
    /// Whether the provider ran tools that are billed beside the tokens, at a price that the answer does not tell.
    pub tools: bool,
}

/// Tools of OpenAI that are billed by the call, by the container or by the image.
/// Source: <https://platform.openai.com/docs/pricing>, read 2026-11-26.
pub(crate) const TOOLS: [&str; 3] = ["file_search", "code_interpreter", "image_generation"];

/// Words for the ordinary class of service: OpenAI's, Anthropic's and Gemini's, Groq's, and those that leave it open.
const ORDINARY: [&str; 5] = ["default", "standard", "on_demand", "auto", "standard_only"];

/// The class of service of an answer that Anthropic gave at another speed, which it tells apart from its tier.
/// Source: <https://platform.claude.com/docs/en/build-with-claude/fast-mode>, read 2026-11-26.
const SPEEDY: &str = "fast";

/// Words for anywhere, and for a model that has no such choice (Anthropic).
/// Source: <https://platform.claude.com/docs/en/build-with-claude/data-residency>, read 2026-11-26.
const ANYWHERE: [&str; 2] = ["global", "not_available"];

/// The member that tells that an answer rests on a search, where no call of a tool stands for it (Gemini).
const SEARCHED: &str = "groundingMetadata";

impl Billed {
    /// Takes the word for the class of service.
    pub fn serve(&mut self, word: &str) {
        self.service = (!word.is_empty() && !ORDINARY.contains(&word)).then(|| word.into());
    }

    /// Takes the word for where it was processed.
    pub fn place(&mut self, word: &str) {
        self.region = (!word.is_empty() && !ANYWHERE.contains(&word)).then(|| word.into());
    }

    /// Takes a usage object: Anthropic's and Gemini's tell the class of service, Anthropic's and OpenRouter's the searches,
    /// Anthropic's the speed and the region too.
    pub(crate) fn usage(&mut self, words: &str) {
        // Most tell of tokens alone. A name that is written with escapes counts as one that tells more.
        if !["serv", "speed", "inference_geo", "\\u"].iter().any(|hint| words.contains(hint)) {
            return;
        }
        let mut speedy = false;
        let _ = each_member(words, |member| match &*member.key {
            "service_tier" | "serviceTier" => self.serve_as(&member.value),
            "speed" => speedy = member.value.as_str().is_some_and(|word| word == SPEEDY),
            "inference_geo" => {
                if let Some(word) = member.value.as_str() {
                    self.place(&word);
                }
            }
            "server_tool_use" => {
                let searches = member.value.get("web_search_requests").and_then(|count| count.as_u64());
                self.searches = searches.unwrap_or(self.searches);
            }
            _ => {}
        });
        // Whichever of the two members comes first.
        if speedy {
            self.serve(SPEEDY);
        }
    }

    /// Takes a word that may be no text.
    pub(crate) fn serve_as(&mut self, word: &Value<'_>) {
        if let Some(word) = word.as_str() {
            self.serve(&word);
        }
    }

    /// What a request asks for, in the words its answer would tell it in.
    #[must_use]
    pub fn asked(request: &Request) -> Self {
        let mut billed = Self::default();
        billed.serve(request.service_tier.as_deref().unwrap_or_default());
        let word = |name| request.rest.get(name).map(|raw| raw.get().trim_matches('"'));
        if word("speed") == Some(SPEEDY) {
            billed.serve(SPEEDY);
        }
        billed.place(word("inference_geo").unwrap_or_default());
        billed
    }

    /// Reads a whole answer.
    #[must_use]
    pub fn of(response: &Response) -> Self {
        let mut billed = Self::default();
        billed.serve(response.service_tier.as_deref().unwrap_or_default());
        for candidate in &response.candidates {
            candidate.parts.iter().for_each(|part| billed.part(part));
            billed.rest(&candidate.rest);
        }
        if let Some(words) = response.usage.as_ref().and_then(|usage| usage.words.as_ref()) {
            billed.usage(words.get());
        }
        billed
    }

    /// Reads along with a stream.
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::Start(start) => self.serve(start.service_tier.as_deref().unwrap_or_default()),
            Event::PartStart { part, .. } => self.part(part),
            Event::Rest(rest) => self.rest(rest),
            Event::Usage(usage) => {
                if let Some(words) = &usage.words {
                    self.usage(words.get());
                }
            }
            Event::Foreign(foreign) => {
                let metadata = member(foreign.raw.get(), SEARCHED);
                self.searches += u64::from(metadata.is_some_and(|metadata| searched(metadata.text())));
            }
            Event::PartDelta { .. } | Event::PartEnd { .. } | Event::Finish(_) | Event::Fault(_) => {}
        }
    }

    fn part(&mut self, part: &Part) {
        if let Part::ToolCall(call) = part
            && call.executor == Executor::Provider
        {
            let searches = ["web_search", "google_search"].iter().any(|name| call.name.starts_with(name));
            self.searches += u64::from(searches);
            self.tools |= TOOLS.contains(&&*call.name);
        }
    }

    /// Takes members that a dialect keeps verbatim.
    fn rest(&mut self, rest: &Rest) {
        if rest.get(SEARCHED).is_some_and(|raw| searched(raw.get())) {
            self.searches += 1;
        }
    }
}

/// Whether `groundingMetadata` tells of a search.
pub(crate) fn searched(metadata: &str) -> bool {
    member(metadata, "webSearchQueries").is_some_and(|queries| {
        queries.kind() == ValueKind::Array && queries.text().bytes().any(|byte| byte == b'"')
    })
}

/// The text of the number at a path of member names divided by dots; `None` where there is none.
#[must_use]
pub fn number_at<'a>(object: &'a RawJson, path: &str) -> Option<&'a str> {
    let mut names = path.split('.');
    let first = member(object.get(), names.next()?)?;
    let found = names.try_fold(first, |value, name| value.get(name))?;
    (found.kind() == ValueKind::Number).then(|| found.text())
}

/// Whether a member is there and `true`.
#[must_use]
pub fn is_set(object: &RawJson, name: &str) -> bool {
    member(object.get(), name).is_some_and(|value| value.text() == "true")
}

#[cfg(test)]
mod tests {
    use shim_wire::RawJson;

    use super::{Billed, number_at, searched};

    #[test]
    fn ordinary_service_is_nothing_to_tell() {
        let mut billed = Billed::default();
        for (word, told) in
            [("default", None), ("flex", Some("flex")), ("", None), ("priority", Some("priority"))]
        {
            billed.serve(word);
            assert_eq!(billed.service.as_deref(), told, "{word}");
        }
    }

    #[test]
    fn a_usage_object_tells_tier_speed_and_region() {
        let check = |usage: &str, service: Option<&str>, region: Option<&str>| {
            let mut billed = Billed::default();
            billed.usage(usage);
            assert_eq!((billed.service.as_deref(), billed.region.as_deref()), (service, region), "{usage}");
        };
        check(r#"{"service_tier":"batch","inference_geo":"us"}"#, Some("batch"), Some("us"));
        check(r#"{"speed":"fast","service_tier":"standard","inference_geo":"global"}"#, Some("fast"), None);
        check(r#"{"service_tier":"standard","speed":"standard"}"#, None, None);
        check(r#"{"serviceTier":"flex","inference_geo":"not_available"}"#, Some("flex"), None);
        check(r#"{"speed":1,"inference_geo":null,"service_tier":[]}"#, None, None);
    }

    #[test]
    fn a_number_is_found_where_it_stands() {
        let words = RawJson::parse(r#"{"cost":{"total_cost":0.25,"name":"x"},"ticks":12}"#).unwrap();
        for (path, found) in [
            ("cost.total_cost", Some("0.25")),
            ("ticks", Some("12")),
            ("cost", None),
            ("cost.name", None),
            ("cost.total_cost.more", None),
            ("", None),
        ] {
            assert_eq!(number_at(&words, path), found, "{path}");
        }
    }

    #[test]
    fn a_search_is_told_by_what_was_looked_for() {
        assert!(searched(r#"{"webSearchQueries":["a"]}"#));
        assert!(!searched(r#"{"webSearchQueries":[ ]}"#) && !searched("{}"));
    }
}
