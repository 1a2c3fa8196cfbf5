//! What a row of a table of losses says, and the check of it: what was told as lost, and that it is.

use serde_json::Value;
use shim_ir::{Loss, LossKind};

/// A loss, by where it stands, what became of it, and why.
pub(crate) type Lost<'a> = (&'a str, LossKind, &'a str);

pub(crate) const APPROXIMATED: LossKind = LossKind::Approximated;
pub(crate) const DEFAULTED: LossKind = LossKind::Defaulted;
pub(crate) const DROPPED: LossKind = LossKind::Dropped;
pub(crate) const NOTED: LossKind = LossKind::Noted;
pub(crate) const UNSUPPORTED: LossKind = LossKind::Unsupported;

/// What is seen of it in what was written.
#[derive(Clone, Debug)]
pub(crate) enum Seen<'a> {
    /// It is not there: nothing of what was written holds this.
    Gone(&'a str),
    /// Something else is there for it: what was written holds this.
    Has(&'a str),
    /// Something else is there for it: the value at a JSON pointer is this.
    As(&'a str, Value),
}

/// The losses told are these, in this order, and what was written shows it.
#[track_caller]
pub(crate) fn check(written: &[u8], told: &[Loss], lost: &[Lost<'_>], seen: &[Seen<'_>]) {
    let text = std::str::from_utf8(written).expect("UTF-8");
    assert_eq!(rows(told), lost, "{text}");
    assert!(!seen.is_empty() || lost.is_empty(), "a loss shows in what is written");
    for sight in seen {
        match sight {
            Seen::Gone(words) => assert!(!text.contains(words), "{words} is in {text}"),
            Seen::Has(words) => assert!(text.contains(words), "{words} is not in {text}"),
            Seen::As(pointer, wanted) => {
                let body: Value = serde_json::from_str(text).expect("JSON");
                assert_eq!(body.pointer(pointer), Some(wanted), "{pointer} of {text}");
            }
        }
    }
}

/// The losses told are these, in this order.
#[track_caller]
pub(crate) fn told_exactly(told: &[Loss], lost: &[Lost<'_>]) {
    assert_eq!(rows(told), lost);
}

fn rows(told: &[Loss]) -> Vec<Lost<'_>> {
    told.iter().map(|loss| (&*loss.path, loss.kind, &*loss.why)).collect()
}

/// All that was written is this, and the losses told are these, in this order.
#[track_caller]
pub(crate) fn check_all(written: &[u8], told: &[Loss], wanted: &Value, lost: &[Lost<'_>]) {
    let body: Value = serde_json::from_slice(written).expect("JSON");
    assert_eq!(&body, wanted);
    told_exactly(told, lost);
}

/// `value` with the members of `more`, the same ones replaced.
pub(crate) fn with(mut value: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more} is no object") };
    more.into_iter().for_each(|(key, member)| value[key] = member);
    value
}
