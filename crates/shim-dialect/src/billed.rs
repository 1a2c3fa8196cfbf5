//! What an answer says of its price beside the tokens.

use shim_ir::{Event, Executor, Part, Response, Rest};
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
}

/// Words for the ordinary class of service: OpenAI's, Anthropic's and Gemini's, Groq's, and those that leave it open.
const ORDINARY: [&str; 5] = ["default", "standard", "on_demand", "auto", "standard_only"];

/// The member that tells that an answer rests on a search, where no call of a tool stands for it (Gemini).
const SEARCHED: &str = "groundingMetadata";

impl Billed {
    /// Takes the word for the class of service.
    pub fn serve(&mut self, word: &str) {
        self.service = (!word.is_empty() && !ORDINARY.contains(&word)).then(|| word.into());
    }

    /// Takes a usage object: Anthropic's and Gemini's tell the class of service, Anthropic's and OpenRouter's the searches.
    pub(crate) fn usage(&mut self, words: &str) {
        let _ = each_member(words, |member| match &*member.key {
            "service_tier" | "serviceTier" => self.serve_as(&member.value),
            "server_tool_use" => {
                let searches = member.value.get("web_search_requests").and_then(|count| count.as_u64());
                self.searches = searches.unwrap_or(self.searches);
            }
            _ => {}
        });
    }

    /// Takes a word that may be no text.
    pub(crate) fn serve_as(&mut self, word: &Value<'_>) {
        if let Some(word) = word.as_str() {
            self.serve(&word);
        }
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
            && ["web_search", "google_search"].iter().any(|name| call.name.starts_with(name))
        {
            self.searches += 1;
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
