//! How a model is told to reason, and what it does not take: the last column of its row, and `reasoning` in the
//! provider files.

use serde::Deserialize;
use shim_ir::Effort;

/// What a model may be told, beside its abilities.
///
/// As text it is words divided by spaces: `effort=low,high budget=1024..32000 off back=reasoning_content no=schema`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The words for how hard to reason that it knows, the least first; none where it takes none.
    pub effort: Vec<Effort>,
    /// The bounds on reasoning that it takes.
    pub budget: Option<Bounds>,
    /// Whether a switch of its own turns reasoning off.
    pub off: bool,
    /// The member of a message that its reasoning goes back in.
    pub back: Option<String>,
    /// What it is said not to have or to take: `tools`, `reasoning`, `schema`, `temperature`. What is neither here nor
    /// among its abilities is not known.
    pub refuses: Vec<String>,
}

/// The least and the most of a bound on reasoning, in tokens, as far as they are stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The least, beside 0.
    pub min: Option<u64>,
    /// The most.
    pub max: Option<u64>,
}

impl Control {
    /// Parses the text; `None` where a word of it is not known.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut control = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                Some(("effort", words)) => control.effort = words.split(',').map(Effort::parse).collect(),
                Some(("budget", bounds)) => control.budget = Some(Bounds::parse(bounds)?),
                Some(("back", member)) => control.back = Some(member.to_owned()),
                Some(("no", names)) => control.refuses = names.split(',').map(str::to_owned).collect(),
                None if word == "off" => control.off = true,
                Some(_) | None => return None,
            }
        }
        Some(control)
    }

    /// Whether it tells of any way to have the model reason.
    pub(crate) fn has_way(&self) -> bool {
        !self.effort.is_empty() || self.budget.is_some() || self.off
    }
}

impl Bounds {
    /// Parses `1024..32000`, of which either may be left out.
    fn parse(text: &str) -> Option<Self> {
        let (min, max) = text.split_once("..")?;
        let bound = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        Some(Self { min: bound(min)?, max: bound(max)? })
    }
}

/// How an endpoint tells models to reason, where it is not as their rows suggest.
///
/// As text it is one of the words of [`Way`], and behind it a [`Control`] as far as the row's does not hold:
/// `adaptive off`, `effort=low,high` (which is `effort effort=low,high`), `budget=1024..`, `unknown`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Manner {
    /// Which of the ways.
    pub way: Way,
    /// What holds in place of the row's.
    pub control: Control,
}

/// The ways of telling a model to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `unknown`: none is known to be right.
    Unknown,
    /// `none`: it does not reason here.
    None,
    /// `fixed`: it reasons, and is told nothing of it.
    Fixed,
    /// `effort`: by a word.
    Effort,
    /// `budget`: by a bound on tokens.
    Budget,
    /// `adaptive`: as the model sees fit, with a word for how hard.
    Adaptive,
}

impl Manner {
    /// Parses the text; `None` where a word of it is not known.
    fn parse(text: &str) -> Option<Self> {
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (name, short) = first.split_once('=').map_or((first, false), |(name, _)| (name, true));
        let way = match name {
            "unknown" => Way::Unknown,
            "none" => Way::None,
            "fixed" => Way::Fixed,
            "effort" => Way::Effort,
            "budget" => Way::Budget,
            "adaptive" => Way::Adaptive,
            _ => return None,
        };
        Some(Self { way, control: Control::parse(if short { text } else { rest })? })
    }
}

impl TryFrom<String> for Manner {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no way to tell a model to reason"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::Effort;

    use super::{Bounds, Control, Manner, Way};

    #[test]
    fn every_word_is_read() {
        let text = "effort=none,high budget=128..32768 off back=reasoning_content no=schema,temperature";
        let wanted = Control {
            effort: vec![Effort::None, Effort::High],
            budget: Some(Bounds { min: Some(128), max: Some(32_768) }),
            off: true,
            back: Some("reasoning_content".into()),
            refuses: vec!["schema".into(), "temperature".into()],
        };
        assert_eq!(Control::parse(text), Some(wanted));
        assert_eq!(Control::parse(""), Some(Control::default()));
        for text in ["on", "budget=1", "budget=a..", "effort", "off=1"] {
            assert_eq!(Control::parse(text), None, "{text}");
        }
    }

    #[test]
    fn manners_are_a_way_and_a_control() {
        let adaptive = Manner::parse("adaptive off").unwrap();
        assert_eq!((adaptive.way, adaptive.control.off), (Way::Adaptive, true));
        let effort = Manner::parse("effort=low").unwrap();
        assert_eq!((effort.way, effort.control.effort), (Way::Effort, vec![Effort::Low]));
        let budget = Manner::parse("budget=1024.. off").unwrap();
        assert_eq!(budget.control.budget, Some(Bounds { min: Some(1_024), max: None }));
        assert_eq!(Manner::parse("effort").unwrap().control, Control::default());
        for text in ["", "off", "none=1", "adaptive on"] {
            assert_eq!(Manner::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[a-z0-9=., ]*") {
            let _ = (Control::parse(&text), Manner::parse(&text));
        }
    }
}
