//! Where the members of a body stand, and the elements of those that are arrays, found while the body is checked.

use std::ops::Range;

use crate::scan::{Limits, Quoted, ScanError, ScanErrorKind, Scanner};
use crate::view::{name_at, not, step, value};
use crate::{Found, Member, Value, Words};

/// Most elements whose places are kept.
const ELEMENTS_MAX: usize = 1 << 16;

/// Where things stand in a text that is an object.
///
/// ```
/// use shim_wire::{Layout, LayoutAsked, scan::{Limits, ScanError}};
/// let text = r#"{"model":"m","messages":[{"role":"user"},"hm"]}"#;
/// let asked = LayoutAsked { words: None, elements: true };
/// let layout = Layout::read(text, Limits::default(), asked, |_| Ok::<_, ScanError>(()))?;
/// let (name, messages, elements) = layout.members(text.as_bytes()).nth(1).unwrap();
/// assert_eq!((name, &text[messages]), (&b"messages"[..], r#"[{"role":"user"},"hm"]"#));
/// assert_eq!(elements.map(|at| &text[at]).collect::<Vec<_>>(), [r#"{"role":"user"}"#, r#""hm""#]);
/// # Ok::<(), ScanError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    members: Vec<Placed>,
    elements: Vec<Span>,
    found: Option<Found>,
}

/// What a [`Layout`] is to tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayoutAsked {
    /// The words to look for.
    pub words: Option<&'static Words>,
    /// Whether the places of members and elements are kept.
    pub elements: bool,
}

/// A place in a text shorter than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placed {
    /// The name, without its quotes.
    name: Span,
    value: Span,
    /// The end of its elements among all.
    elements_end: u32,
}

impl Span {
    fn of(span: &Range<usize>) -> Option<Self> {
        Some(Self { start: u32::try_from(span.start).ok()?, end: u32::try_from(span.end).ok()? })
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Layout {
    /// Reads the object that is the whole of `text`, and shows each member to `on`.
    ///
    /// # Errors
    /// When `text` is no JSON object, and what `on` says.
    pub fn read<'a, E: From<ScanError>>(
        text: &'a str,
        limits: Limits,
        asked: LayoutAsked,
        mut on: impl FnMut(Member<'a>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut scanner = Scanner::new(text, limits).watching(asked.words);
        scanner.expect(b'{').map_err(|e| not(e, ScanErrorKind::NotObject))?;
        let mut layout = Self::default();
        let mut started = false;
        while step(&mut scanner, &mut started, b'}')? {
            let quoted = scanner.key()?;
            let value =
                if asked.elements { layout.place(&mut scanner, &quoted)? } else { value(&mut scanner)? };
            on(Member { key: name_at(&scanner, quoted), value })?;
        }
        scanner.end()?;
        layout.found = scanner.found();
        Ok(layout)
    }

    /// Reads the value of the member that is named `quoted`.
    fn place<'a>(&mut self, scanner: &mut Scanner<'a>, quoted: &Quoted) -> Result<Value<'a>, ScanError> {
        let value = self.elements_of(scanner)?;
        let name = quoted.span.start + 1..quoted.span.end - 1;
        if let (Some(name), Some(value)) = (Span::of(&name), Span::of(&value.span())) {
            let elements_end = u32::try_from(self.elements.len()).unwrap_or(u32::MAX);
            self.members.push(Placed { name, value, elements_end });
        }
        Ok(value)
    }

    /// Reads a value, with the elements of an array.
    fn elements_of<'a>(&mut self, scanner: &mut Scanner<'a>) -> Result<Value<'a>, ScanError> {
        if scanner.peek() != Some(b'[') {
            return value(scanner);
        }
        let start = scanner.offset();
        scanner.enter()?;
        scanner.advance();
        let mut started = false;
        while step(scanner, &mut started, b']')? {
            let element = value(scanner)?.span();
            if let Some(span) = Span::of(&element).filter(|_| self.elements.len() < ELEMENTS_MAX) {
                self.elements.push(span);
            }
        }
        scanner.leave();
        Ok(Value::at(scanner, start))
    }

    /// The name of each member of the `text` that was read, as it is written, where its value stands, and where the elements
    /// of that stand. None where elements were not asked for.
    pub fn members<'t>(
        &'t self,
        text: &'t [u8],
    ) -> impl Iterator<Item = (&'t [u8], Range<usize>, impl Iterator<Item = Range<usize>> + 't)> + 't {
        let mut before = 0;
        self.members.iter().map(move |member| {
            let end = member.elements_end as usize;
            let elements = self.elements.get(std::mem::replace(&mut before, end)..end).unwrap_or_default();
            let name = text.get(member.name.range()).unwrap_or_default();
            (name, member.value.range(), elements.iter().map(|span| span.range()))
        })
    }

    /// Which words stand in the text; none where none were looked for.
    #[must_use]
    pub fn found(&self) -> Option<Found> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Layout, LayoutAsked};
    use crate::Words;
    use crate::scan::{Limits, ScanError, check};

    static WORDS: Words = Words::new(&["ab", "signature_of_some_length", "a"]);

    fn laid(text: &str) -> Result<Layout, ScanError> {
        let asked = LayoutAsked { words: Some(&WORDS), elements: true };
        Layout::read(text, Limits::default(), asked, |_| Ok(()))
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            "[ab\"\\\\{}\\[\\],: \n]{0,8}".prop_map(Into::into),
            "a|ab|signature_of_some_length".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec(("[a-c]{1,3}", inner), 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Every string in it.
    fn strings(value: &serde_json::Value, all: &mut Vec<String>) {
        match value {
            serde_json::Value::String(text) => all.push(text.clone()),
            serde_json::Value::Array(elements) => elements.iter().for_each(|element| strings(element, all)),
            serde_json::Value::Object(members) => {
                all.extend(members.keys().cloned());
                members.values().for_each(|member| strings(member, all));
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn places_are_where_things_stand(
            members in prop::collection::vec(("[a-z\"]{1,6}", json()), 0..6),
            pretty in any::<bool>(),
        ) {
            let object: serde_json::Map<_, _> = members.into_iter().collect();
            let object = serde_json::Value::Object(object);
            let text = if pretty { serde_json::to_string_pretty(&object).unwrap() } else { object.to_string() };
            let layout = laid(&text).unwrap();
            let found: Vec<_> = layout.members(text.as_bytes()).collect();
            prop_assert_eq!(found.len(), object.as_object().unwrap().len());
            for ((name, value, elements), (key, wanted)) in found.into_iter().zip(object.as_object().unwrap()) {
                prop_assert_eq!(&serde_json::from_slice::<String>(&[b"\"", name, b"\""].concat()).unwrap(), key);
                let read: serde_json::Value = serde_json::from_str(&text[value]).unwrap();
                prop_assert_eq!(&read, wanted);
                let elements: Vec<serde_json::Value> =
                    elements.map(|at| serde_json::from_str(&text[at]).unwrap()).collect();
                prop_assert_eq!(elements.as_slice(), wanted.as_array().map_or(&[][..], Vec::as_slice));
            }
            let mut all = Vec::new();
            strings(&object, &mut all);
            for word in ["ab", "signature_of_some_length", "a"] {
                let found = layout.found().unwrap().may_hold(word);
                prop_assert_eq!(found, all.iter().any(|text| text == word), "{}", word);
            }
        }

        /// Law: what is laid out is what is checked.
        #[test]
        fn the_same_is_refused(text in r#"\{?[\[\]{}\\",:a1 .e-]{0,40}\}?"#) {
            let known = check(text.as_bytes(), Limits::default()).is_ok() && text.trim_ascii().starts_with('{');
            prop_assert_eq!(laid(&text).is_ok(), known, "{}", text);
        }
    }

    #[test]
    fn nesting_is_bounded_alike() {
        for depth in [118, 119, 120, 121] {
            for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
                let text = format!(r#"{{"a":{}1{}}}"#, open.repeat(depth), close.repeat(depth));
                let asked = LayoutAsked::default();
                let flat = Layout::read(&text, Limits::default(), asked, |_| Ok::<_, ScanError>(())).is_ok();
                assert_eq!(laid(&text).is_ok(), flat, "{depth} {open}");
            }
        }
    }
}
