//! What scripted upstreams answer and what clients ask: `data/<dialect>/<case>`, written by hand in the
//! form of the API references; its README says what holds them to it.

use std::collections::BTreeMap;

use shim_ir::Dialect;

/// The ending of the names of scripts of a forced call.
const BY_TOOL: &str = "_by_tool";

/// Files by name.
type Files = &'static [(&'static str, &'static str)];

/// What clients ask and upstreams answer, by dialect and case.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    /// Files that stand for the shipped ones.
    instead: BTreeMap<(Dialect, String), String>,
}

impl Scripts {
    /// Those that are shipped.
    #[must_use]
    pub fn shipped() -> Self {
        Self::default()
    }

    /// The same with `from` replaced by `to` in what the upstream of `dialect` answers in `case`, whole and streamed:
    /// what a proof must then find wrong.
    #[must_use]
    pub fn spoilt(mut self, dialect: Dialect, case: &str, from: &str, to: &str) -> Self {
        for name in [format!("{case}.json"), format!("{case}.sse")] {
            if let Some(file) = self.file(dialect, &name) {
                self.instead.insert((dialect, name), file.replace(from, to));
            }
        }
        self
    }

    /// The same with what the upstream of `dialect` answers in `other` for what it answers in `case`.
    #[must_use]
    pub fn exchanged(mut self, dialect: Dialect, case: &str, other: &str) -> Self {
        for ending in ["json", "sse"] {
            if let Some(file) = self.file(dialect, &format!("{other}.{ending}")) {
                self.instead.insert((dialect, format!("{case}.{ending}")), file);
            }
        }
        self
    }

    /// The body a client of `dialect` sends; `None` where the dialect has no words for what `ask` asks.
    pub(crate) fn request(&self, dialect: Dialect, ask: &str) -> Option<String> {
        self.file(dialect, &format!("{ask}.request.json"))
    }

    /// What an upstream answers that is made to call `tool` instead of saying the same as a text, which some take for a
    /// schema; `None` where there is no script for that.
    pub(crate) fn by_tool(&self, dialect: Dialect, case: &str, tool: &str, stream: bool) -> Option<String> {
        let script = self.answer(dialect, &format!("{case}{BY_TOOL}"), stream)?;
        Some(script.replace("\"TOOL\"", &format!("\"{tool}\"")))
    }

    /// What an upstream of `dialect` answers; `None` where it has no words for it.
    pub(crate) fn answer(&self, dialect: Dialect, case: &str, stream: bool) -> Option<String> {
        let ending = if stream { "sse" } else { "json" };
        self.file(dialect, &format!("{case}.{ending}"))
    }

    fn file(&self, dialect: Dialect, name: &str) -> Option<String> {
        if let Some(own) = self.instead.get(&(dialect, name.to_owned())) {
            return Some(own.clone());
        }
        let files = match dialect {
            Dialect::OpenaiChat => CHAT,
            Dialect::OpenaiResponses => RESPONSES,
            Dialect::Anthropic => MESSAGES,
            Dialect::Gemini => CONTENT,
        };
        files.iter().find(|(own, _)| *own == name).map(|(_, text)| (*text).to_owned())
    }
}

macro_rules! files {
    ($folder:literal, $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../data/", $folder, "/", $name)))),*]
    };
}

/// The files that every dialect has, and its own.
macro_rules! every {
    ($folder:literal, $($own:literal),* $(,)?) => {
        files!(
            $folder,
            "cached.json",
            "cached.sse",
            "cut.sse",
            "document.json",
            "document.request.json",
            "document.sse",
            "failed.json",
            "failed_inside.json",
            "failed_inside.sse",
            "filter.json",
            "filter.sse",
            "image.json",
            "image.request.json",
            "image.sse",
            "invalid.json",
            "length.json",
            "length.sse",
            "overloaded.json",
            "plain.json",
            "plain.request.json",
            "plain.sse",
            "rate_limited.json",
            "reasoning.json",
            "reasoning.request.json",
            "reasoning.sse",
            "reasoning_turn.json",
            "reasoning_turn.request.json",
            "reasoning_turn.sse",
            "stop.json",
            "stop.sse",
            "structured.json",
            "structured.request.json",
            "structured.sse",
            "system.json",
            "system.request.json",
            "system.sse",
            "tool_call.json",
            "tool_call.request.json",
            "tool_call.sse",
            "tool_calls.json",
            "tool_calls.request.json",
            "tool_calls.sse",
            "tool_required.json",
            "tool_required.request.json",
            "tool_required.sse",
            "tool_result.json",
            "tool_result.request.json",
            "tool_result.sse",
            "turns.json",
            "turns.request.json",
            "turns.sse",
            "unauthorized.json",
            "unicode.json",
            "unicode.request.json",
            "unicode.sse",
            $($own),*
        )
    };
}

const CHAT: Files = every!(
    "openai_chat",
    "refusal.json",
    "refusal.sse",
    "stop.request.json",
    "structured_by_tool.json",
    "structured_by_tool.sse",
);

const RESPONSES: Files = every!("openai_responses", "refusal.json", "refusal.sse");

const MESSAGES: Files = every!("anthropic_messages", "stop.request.json");

const CONTENT: Files = every!("gemini_generate", "stop.request.json");

#[cfg(test)]
mod tests {
    use super::{BY_TOOL, CHAT, CONTENT, MESSAGES, RESPONSES};

    #[test]
    fn every_file_is_of_a_case() {
        let known = |name: &str| {
            let (case, ending) = name.split_once('.').unwrap();
            let asks = ending == "request.json";
            let case = case.strip_suffix(BY_TOOL).unwrap_or(case);
            crate::case::CASES
                .iter()
                .any(|own| if asks { own.ask == case } else { own.name == case || own.data == case })
        };
        for (name, _) in [CHAT, RESPONSES, MESSAGES, CONTENT].concat() {
            assert!(known(name), "{name}");
        }
    }

    #[test]
    fn every_file_of_the_folder_is_listed() {
        for (folder, files) in [
            ("openai_chat", CHAT),
            ("openai_responses", RESPONSES),
            ("anthropic_messages", MESSAGES),
            ("gemini_generate", CONTENT),
        ] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(folder);
            assert_eq!(std::fs::read_dir(path).unwrap().count(), files.len(), "{folder}");
        }
    }
}
