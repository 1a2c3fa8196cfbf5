//! Arguments that come value by value, each with its path, written as the text of one JSON object.

use super::super::message::is_name;
use super::super::types::PartialArg;
use crate::DecodeError;
use crate::common::quoted;

/// Deeper than any arguments are.
const DEPTH_MAX: usize = 128;

/// What was written so far. Values come in the order they stand in the text, so nothing is held back.
#[derive(Default)]
pub(super) struct Arguments {
    /// The containers that are open, outermost first.
    open: Vec<Container>,
    /// Whether a string is open.
    in_text: bool,
    /// Whether the arguments came at once.
    whole: bool,
}

/// A container and what was written in it. The last entry is the one the path goes through.
enum Container {
    /// The names of its members.
    Object(Vec<String>),
    /// The number of its elements.
    Array(usize),
}

/// A step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

impl Arguments {
    /// Takes arguments that came at once.
    pub(super) fn whole(&mut self, arguments: &str, text: &mut String) -> Result<(), DecodeError> {
        if self.whole || !self.open.is_empty() {
            return Err(DecodeError::shape("functionCall.args", "the arguments come twice"));
        }
        self.whole = true;
        text.push_str(arguments);
        Ok(())
    }

    /// Takes one value, or a piece of a string, and adds what it says to `text`.
    pub(super) fn add(&mut self, value: &PartialArg<'_>, text: &mut String) -> Result<(), DecodeError> {
        let path = value.json_path.as_deref().unwrap_or_default();
        let steps =
            steps(path).ok_or_else(|| DecodeError::shape("jsonPath", "expected a path to a value"))?;
        let goes_on = self.in_text && self.shared(&steps) == steps.len() && steps.len() == self.open.len();
        if !goes_on {
            self.end_text(text);
            self.go(steps, text)?;
        }
        let Some(piece) = &value.string_value else {
            text.push_str(bare(value)?);
            return Ok(());
        };
        self.add_text(piece, text);
        if value.will_continue != Some(true) {
            self.end_text(text);
        }
        Ok(())
    }

    /// Adds a piece of a string, which is open from then on.
    fn add_text(&mut self, piece: &str, text: &mut String) {
        if !std::mem::replace(&mut self.in_text, true) {
            text.push('"');
        }
        let piece = quoted(piece);
        text.push_str(piece.get(1..piece.len() - 1).unwrap_or_default());
    }

    /// What closes all that is open. Arguments that never came are none.
    pub(super) fn finish(mut self) -> String {
        let mut text = String::new();
        self.end_text(&mut text);
        if self.open.is_empty() && !self.whole {
            text.push_str("{}");
        }
        self.close_to(0, &mut text);
        text
    }

    fn end_text(&mut self, text: &mut String) {
        if std::mem::take(&mut self.in_text) {
            text.push('"');
        }
    }

    /// How many steps lead through what is open.
    fn shared(&self, steps: &[Step]) -> usize {
        self.open.iter().zip(steps).take_while(|(container, step)| container.is_at(step)).count()
    }

    /// Goes to a new value: closes and opens the containers between.
    fn go(&mut self, steps: Vec<Step>, text: &mut String) -> Result<(), DecodeError> {
        let shared = self.shared(&steps);
        if self.whole || shared == steps.len() || (shared > 0 && shared == self.open.len()) {
            return Err(DecodeError::shape("jsonPath", "a value comes twice"));
        }
        self.close_to(shared + 1, text);
        for (depth, step) in steps.into_iter().enumerate().skip(shared) {
            match self.open.get_mut(depth) {
                Some(container) => container.go_on(step, text)?,
                None => self.open.push(Container::begin(step, text)?),
            }
        }
        Ok(())
    }

    fn close_to(&mut self, depth: usize, text: &mut String) {
        while self.open.len() > depth {
            text.push(match self.open.pop() {
                Some(Container::Array(_)) => ']',
                Some(Container::Object(_)) | None => '}',
            });
        }
    }
}

impl Container {
    fn is_at(&self, step: &Step) -> bool {
        match (self, step) {
            (Self::Object(names), Step::Name(name)) => names.last() == Some(name),
            (Self::Array(count), Step::Index(index)) => *count == index + 1,
            (Self::Object(_), Step::Index(_)) | (Self::Array(_), Step::Name(_)) => false,
        }
    }

    fn begin(step: Step, text: &mut String) -> Result<Self, DecodeError> {
        let mut container = match step {
            Step::Name(_) => Self::Object(Vec::new()),
            Step::Index(_) => Self::Array(0),
        };
        text.push(if matches!(container, Self::Array(_)) { '[' } else { '{' });
        container.enter(step, text)?;
        Ok(container)
    }

    fn go_on(&mut self, step: Step, text: &mut String) -> Result<(), DecodeError> {
        text.push(',');
        self.enter(step, text)
    }

    /// Enters the next member or element; one that was left cannot be entered again.
    fn enter(&mut self, step: Step, text: &mut String) -> Result<(), DecodeError> {
        match (self, step) {
            (Self::Object(names), Step::Name(name)) if !names.contains(&name) => {
                text.push_str(&quoted(&name));
                text.push(':');
                names.push(name);
                Ok(())
            }
            (Self::Array(count), Step::Index(index)) if index == *count => {
                *count += 1;
                Ok(())
            }
            _ => Err(DecodeError::shape("jsonPath", "the values are out of order")),
        }
    }
}

/// A value that is no string.
fn bare<'a>(value: &PartialArg<'a>) -> Result<&'a str, DecodeError> {
    match value.number_value.or(value.bool_value) {
        Some(raw) => Ok(raw.get()),
        None if value.rest.iter().all(|(key, _)| is_name(key, "null_value")) => Ok("null"),
        None => Err(DecodeError::shape(".", "expected a value of a known kind")),
    }
}

/// The steps of a path such as `$.items[0]['a b']`; `None` when it is none, or leads to no value inside an object.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut left = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !left.is_empty() {
        let (step, rest) = match left.strip_prefix('.') {
            Some(rest) => named(rest)?,
            None => bracketed(left.strip_prefix('[')?)?,
        };
        steps.push(step);
        left = rest;
    }
    (matches!(steps.first(), Some(Step::Name(_))) && steps.len() <= DEPTH_MAX).then_some(steps)
}

fn named(text: &str) -> Option<(Step, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty()).then(|| (Step::Name(name.to_owned()), rest))
}

fn bracketed(text: &str) -> Option<(Step, &str)> {
    if let Some(quote @ ('\'' | '"')) = text.chars().next() {
        return quoted_name(text, quote);
    }
    let (index, rest) = text.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), rest))
}

fn quoted_name(text: &str, quote: char) -> Option<(Step, &str)> {
    let mut name = String::new();
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '\\' if !escaped => escaped = true,
            _ if letter == quote && !escaped => {
                return Some((Step::Name(name), text.get(at + 1..)?.strip_prefix(']')?));
            }
            _ => {
                name.push(letter);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Step, steps};

    #[test]
    fn a_path_has_steps() {
        let name = |name: &str| Step::Name(name.to_owned());
        assert_eq!(steps("$.a.b[3].c"), Some(vec![name("a"), name("b"), Step::Index(3), name("c")]));
        assert_eq!(steps(r#"$['a b']["c\"]"]"#), Some(vec![name("a b"), name("c\"]")]));
        for wrong in ["", "$", "a", "$.", "$[0]", "$.a[", "$.a[x]", "$['a", "$..a"] {
            assert_eq!(steps(wrong), None, "{wrong}");
        }
    }
}
