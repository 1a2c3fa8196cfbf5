//! What chat templates add to a request, as data.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::fits;

/// What the chat template of a model family adds, in tokens: role markers, a preamble, how to call tools.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The names of the models, `*` standing for any text.
    pub models: Vec<String>,
    /// To every request.
    pub request: i32,
    /// Beside that, to one that offers tools.
    pub tools: i32,
    /// From how many exchanges this was measured.
    pub exchanges: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    templates: Vec<Template>,
}

const FILE: &str = include_str!("../data/templates.toml");

/// The template of a model, where it is known, whoever serves it.
#[must_use]
pub fn template(model: &str) -> Option<&'static Template> {
    static TEMPLATES: OnceLock<Vec<Template>> = OnceLock::new();
    // A file that does not parse fails the test below.
    let all =
        TEMPLATES.get_or_init(|| toml::from_str::<File>(FILE).map_or_else(|_| Vec::new(), |f| f.templates));
    all.iter().find(|template| template.models.iter().any(|pattern| fits(pattern, model)))
}

#[cfg(test)]
mod tests {
    use super::{FILE, File, template};

    #[test]
    fn the_file_is_sound_and_each_entry_is_reached() {
        let file: File = toml::from_str(FILE).expect("it parses");
        for entry in &file.templates {
            assert!(!entry.models.is_empty() && entry.exchanges > 0, "{entry:?}");
            assert!(
                (-64..1_024).contains(&entry.request) && (-64..1_024).contains(&entry.tools),
                "{entry:?}"
            );
            for pattern in &entry.models {
                assert_eq!(template(&pattern.replace('*', "")), Some(entry), "{pattern}");
            }
        }
    }

    #[test]
    fn a_model_has_its_template_whoever_serves_it() {
        let of = |model| template(model).map(|template| template.request);
        assert_eq!(of("openai/gpt-oss-120b"), of("gpt-oss:20b"));
        assert!(of("gpt-oss:20b").is_some_and(|tokens| tokens > 0));
        assert_eq!(of("gpt-4o"), None);
    }
}
