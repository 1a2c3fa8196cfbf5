//! The body that is being read: long strings in it are parts of it instead of copies, and what was checked is not checked
//! again.

use std::cell::RefCell;

use bytes::Bytes;

/// Shorter strings are copied: that costs little, and a part holds on to all of the buffer its body was read into.
pub(crate) const SHARED_MIN: usize = 8 << 10;

thread_local! {
    /// What [`checked`] was given. Wire types borrow from text, of which nobody could tell what it is a part of.
    static SOURCE: RefCell<Option<Bytes>> = const { RefCell::new(None) };
}

/// Has `read` read from `body`, which was found to be JSON and nothing else: long strings in it are kept as parts of it
/// ([`JsonString`]), and what stays raw is passed over and not checked again ([`from_json`]).
///
/// It reads `body` itself; a copy of it is read as any other text. Nothing is lost or shown where it was not JSON, but
/// what is wrong may go unnoticed.
///
/// ```
/// # use bytes::Bytes;
/// let body = Bytes::from_static(br#"["a","b"]"#);
/// let text = std::str::from_utf8(&body).unwrap();
/// let read = shim_wire::checked(&body, || shim_wire::from_json::<Vec<shim_wire::JsonString>>(text));
/// assert_eq!(read.unwrap()[1], "b");
/// ```
///
/// [`JsonString`]: crate::JsonString
/// [`from_json`]: crate::from_json
pub fn checked<T>(body: &Bytes, read: impl FnOnce() -> T) -> T {
    /// Puts back what was there, also when reading panics.
    struct Before(Option<Bytes>);
    impl Drop for Before {
        fn drop(&mut self) {
            SOURCE.set(self.0.take());
        }
    }
    let _before = Before(SOURCE.replace(Some(body.clone())));
    read()
}

/// Whether `text` is all of the body that is being read.
pub(crate) fn is_checked(text: &str) -> bool {
    SOURCE
        .with_borrow(|source| source.as_ref().is_some_and(|source| std::ptr::eq(&**source, text.as_bytes())))
}

/// `text` as a part of the body that is being read; `None` where it is short, or no part of it.
pub(crate) fn part(text: &str) -> Option<Bytes> {
    if text.len() < SHARED_MIN {
        return None;
    }
    SOURCE.with_borrow(|source| {
        let source = source.as_ref()?;
        let (all, part) = (source.as_ptr_range(), text.as_bytes().as_ptr_range());
        (all.start <= part.start && part.end <= all.end).then(|| source.slice_ref(text.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use bytes::Bytes;

    use super::{SHARED_MIN, checked, is_checked, part};

    #[test]
    fn only_long_parts_of_the_body_that_is_read_are_shared() {
        let body = Bytes::from(vec![b'a'; 3 * SHARED_MIN]);
        let text = std::str::from_utf8(&body).unwrap();
        let copy = text.to_owned();
        let long = &text[5..5 + SHARED_MIN];
        assert_eq!((part(long), is_checked(text)), (None, false), "nothing is being read");
        checked(&body, || {
            let shared = part(long).unwrap();
            assert_eq!((shared.as_ptr(), shared.len()), (long.as_ptr(), long.len()));
            assert_eq!(part(text).unwrap().len(), text.len());
            assert_eq!((part(&text[..SHARED_MIN - 1]), part(&copy)), (None, None));
            assert_eq!((is_checked(text), is_checked(long), is_checked(&copy)), (true, false, false));
        });
        assert_eq!((part(long), is_checked(text)), (None, false), "it was read");
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let body = Bytes::from_static(b"{}");
        let read = || checked(&body, || panic!("while reading"));
        assert!(catch_unwind(AssertUnwindSafe(read)).is_err());
        assert!(!is_checked(std::str::from_utf8(&body).unwrap()));
    }
}
