//! Reading deep into JSON text in one go: each byte is looked at once, however deep it lies.

use crate::scan::{Limits, ScanError, ScanErrorKind, Scanner};
use crate::view::{kind, name, step, value};
use crate::{Value, ValueKind};

/// A walk over JSON text, from front to back.
///
/// An [`ObjectReader`](crate::ObjectReader) checks a member's value before it hands it over, and reading into the value
/// looks at its bytes again, once for every level. A walk hands over the place instead: what is not read into is
/// checked while it is passed over.
///
/// ```
/// use shim_wire::{Walk, scan::Limits};
/// let text = r#"{"choices":[{"index":0,"text":"a"},{"index":1}],"usage":{"total":3}}"#;
/// let (mut indices, mut total) = (Vec::new(), None);
/// Walk::whole(text, Limits::default(), |walk, key| match key {
///     "choices" => walk.array(|walk, _| {
///         walk.object(|walk, key| {
///             if key == "index" {
///                 indices.push(walk.value()?.as_u64());
///             }
///             Ok(())
///         })
///     }),
///     "usage" => Ok(total = Some(walk.value()?)),
///     _ => Ok(()),
/// })?;
/// assert_eq!((indices, total.unwrap().text()), (vec![Some(0), Some(1)], r#"{"total":3}"#));
/// # Ok::<(), shim_wire::scan::ScanError>(())
/// ```
#[derive(Debug)]
pub struct Walk<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Walk<'a> {
    /// Reads the object that is the whole of `text`: calls `on` with each member's name, at its value. A value `on` does
    /// not read is passed over.
    ///
    /// # Errors
    /// When `text` is not JSON, or no object; what was read until then was read. And what `on` says.
    pub fn whole(
        text: &'a str,
        limits: Limits,
        on: impl FnMut(&mut Self, &str) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        let mut walk = Self { scanner: Scanner::new(text, limits) };
        if !matches!(walk.kind(), Some(ValueKind::Object) | None) {
            return Err(walk.scanner.error(ScanErrorKind::NotObject));
        }
        walk.object(on)?;
        walk.scanner.end()
    }

    /// The kind of the value at this place, by its first byte; `None` at the end of the text.
    pub fn kind(&mut self) -> Option<ValueKind> {
        self.scanner.peek().map(kind)
    }

    /// Reads the value at this place, whatever it is.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn value(&mut self) -> Result<Value<'a>, ScanError> {
        value(&mut self.scanner)
    }

    /// Reads into the value at this place by `on`, and returns it as it stands there.
    ///
    /// # Errors
    /// When it is not JSON. And what `on` says.
    pub fn kept(
        &mut self,
        on: impl FnOnce(&mut Self) -> Result<(), ScanError>,
    ) -> Result<Value<'a>, ScanError> {
        self.kind();
        let start = self.scanner.offset();
        self.read(on)?;
        Ok(Value::at(&self.scanner, start))
    }

    /// Reads into the object at this place, as [`Walk::whole`] does. A value of another kind is passed over.
    ///
    /// # Errors
    /// When the value is not JSON. And what `on` says.
    pub fn object(
        &mut self,
        mut on: impl FnMut(&mut Self, &str) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        if self.kind() != Some(ValueKind::Object) {
            return self.value().map(drop);
        }
        self.scanner.enter()?;
        self.scanner.advance();
        let mut started = false;
        while step(&mut self.scanner, &mut started, b'}')? {
            let key = name(&mut self.scanner)?;
            self.read(|walk| on(walk, &key))?;
        }
        self.scanner.leave();
        Ok(())
    }

    /// Reads into the array at this place: calls `on` with the index of each element, at the element. A value of
    /// another kind is passed over.
    ///
    /// # Errors
    /// When the value is not JSON. And what `on` says.
    pub fn array(
        &mut self,
        mut on: impl FnMut(&mut Self, usize) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        if self.kind() != Some(ValueKind::Array) {
            return self.value().map(drop);
        }
        self.scanner.enter()?;
        self.scanner.advance();
        let mut started = false;
        let mut index = 0;
        while step(&mut self.scanner, &mut started, b']')? {
            self.read(|walk| on(walk, index))?;
            index += 1;
        }
        self.scanner.leave();
        Ok(())
    }

    /// Lets `on` read the value at this place, and passes over it if it did not.
    fn read(&mut self, on: impl FnOnce(&mut Self) -> Result<(), ScanError>) -> Result<(), ScanError> {
        let before = self.scanner.offset();
        on(self)?;
        if self.scanner.offset() == before {
            self.value()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Walk;
    use crate::ValueKind;
    use crate::scan::{Limits, ScanError, check};

    /// Walks into everything there is.
    fn everything(walk: &mut Walk<'_>) -> Result<(), ScanError> {
        match walk.kind() {
            Some(ValueKind::Object) => walk.object(|walk, _| everything(walk)),
            Some(ValueKind::Array) => walk.array(|walk, _| everything(walk)),
            _ => walk.value().map(drop),
        }
    }

    /// Law: a walk accepts what the scanner accepts, and says the same of what it does not, however deep it goes.
    #[track_caller]
    fn agrees(text: &str) {
        let limits = Limits { depth_max: 6 };
        let scanned = check(text.as_bytes(), limits).map(drop);
        for deep in [false, true] {
            let walked = Walk::whole(text, limits, |walk, _| if deep { everything(walk) } else { Ok(()) });
            if text.trim_start().starts_with('{') {
                assert_eq!(walked, scanned, "{text}");
            } else {
                assert!(walked.is_err(), "{text}");
            }
        }
    }

    #[test]
    fn agrees_with_the_scanner() {
        for text in [
            "{}",
            " { } ",
            r#"{"a":1}"#,
            r#"{"a":[]}"#,
            r#"{"a":[1,{"b":[null]}],"c":"d"}"#,
            r#"{"a":1,}"#,
            "{",
            r#"{"a":1"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[1}"#,
            r#"{"a" 1}"#,
            r#"{"a":1} x"#,
            "[1]",
            "",
            "3",
            r#"{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}"#,
            r#"{"a":{"a":{"a":{"a":{"a":{}}}}}}"#,
            r#"{"a":"\x"}"#,
        ] {
            agrees(text);
        }
    }

    #[test]
    fn a_value_of_another_kind_is_passed_over() {
        let mut seen = Vec::new();
        Walk::whole(r#"{"a":3,"b":[1],"c":null}"#, Limits::default(), |walk, key| {
            seen.push(key.to_owned());
            walk.object(|_, key| panic!("{key}"))
        })
        .unwrap();
        assert_eq!(seen, ["a", "b", "c"]);
    }

    proptest! {
        #[test]
        fn agrees_on_anything(text in r#"\{?[]\[{}\\",:a1 .e-]{0,40}\}?"#) {
            agrees(&text);
        }
    }
}
