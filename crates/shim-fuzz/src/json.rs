//! The scanner, the views and the reader of wire types of `shim-wire`, beside serde_json.

use std::fmt::Debug;

use serde::Deserialize;
use serde_json::value::RawValue;
use shim_wire::law_support::{read, read_raw};
use shim_wire::scan::{self, DEPTH_CEILING, Limits, ScanError, ScanErrorKind};
use shim_wire::{ArrayReader, ObjectReader, RawJson, Str, Value, ValueKind, Walk, object};

object! {
    /// A member of each kind that wire types have.
    struct Wire<'a> {
        req model: Str<'a>,
        opt id: Str<'a>,
        opt max_tokens: u64,
        opt temperature: f64,
        opt stream: bool,
        opt system: &'a RawValue,
        seq messages: Vec<Turn<'a>>,
        seq content: Vec<&'a RawValue>,
        seq choices: Vec<Turn<'a>>,
    }

    /// One of a list.
    struct Turn<'a> {
        opt role: Str<'a>,
        opt index: i64,
        opt content: &'a RawValue,
    }
}

/// The scanner accepts what serde_json accepts, the views agree with both, and what they read is what serde_json reads.
pub(crate) fn check(data: &[u8]) {
    let scanned = scan::check(data, Limits::default());
    let theirs = serde_json::from_slice::<&RawValue>(data);
    match &scanned {
        Ok(_) => assert!(theirs.is_ok(), "serde_json says {:?}", theirs.err()),
        Err(error) => {
            assert!(error.offset <= data.len());
            assert!(theirs.is_err() || error.kind == ScanErrorKind::TooDeep, "serde_json accepts: {error}");
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let kept = RawJson::parse(text);
    assert_eq!(kept.as_ref().err(), scanned.as_ref().err());
    if let (Ok(kept), Ok(theirs)) = (kept, theirs) {
        assert_eq!(kept.get(), theirs.get());
    }
    let scanned = scanned.map(drop);
    walks(text, &scanned);
    views(text, &scanned);
    wire::<Wire<'_>>(text);
    wire::<serde_json::Value>(text);
    wire::<Vec<&RawValue>>(text);
    wire::<Str<'_>>(text);
    wire::<f64>(text);
    wire::<u64>(text);
}

/// Wire types are read as serde_json reads them, and from the same texts, of which those that are JSON are also read as
/// such. What is passed over may be deeper there.
fn wire<'a, T: Deserialize<'a> + Debug>(text: &'a str) {
    let theirs = serde_json::from_str::<T>(text).ok();
    let wanted = format!("{theirs:?}");
    let ours = read::<T>(text).ok();
    let checked = scan::check(text.as_bytes(), Limits { depth_max: DEPTH_CEILING });
    if ours.is_some() || !checked.is_err_and(|error| error.kind == ScanErrorKind::TooDeep) {
        assert_eq!(format!("{ours:?}"), wanted);
    }
    if let Ok(raw) = serde_json::from_str::<&RawValue>(text) {
        assert_eq!(format!("{:?}", read_raw::<T>(raw).ok()), wanted);
    }
}

/// A walk says what the scanner says, whether it reads into everything or into nothing.
fn walks(text: &str, scanned: &Result<(), ScanError>) {
    for deep in [false, true] {
        let walked =
            Walk::whole(text, Limits::default(), |walk, _| if deep { everything(walk) } else { Ok(()) });
        if text.trim_start_matches([' ', '\n', '\r', '\t']).starts_with('{') {
            assert_eq!(&walked, scanned, "deep: {deep}");
        } else {
            assert!(walked.is_err());
        }
    }
}

fn everything(walk: &mut Walk<'_>) -> Result<(), ScanError> {
    match walk.kind() {
        Some(ValueKind::Object) => walk.object(|walk, _| everything(walk)),
        Some(ValueKind::Array) => walk.array(|walk, _| everything(walk)),
        _ => walk.value().map(drop),
    }
}

/// Reading member by member accepts what the scanner accepts, and gives each value as it stands.
fn views(text: &str, scanned: &Result<(), ScanError>) {
    let read = match text.trim_start_matches([' ', '\n', '\r', '\t']).as_bytes().first() {
        Some(b'{') => members(text),
        Some(b'[') => elements(text),
        _ => return,
    };
    // A view counts the levels from each value anew, so it may go deeper by one.
    let deep = |result: &Result<(), ScanError>| result.is_err_and(|e| e.kind == ScanErrorKind::TooDeep);
    assert!(read.is_ok() == scanned.is_ok() || deep(scanned), "{read:?} is not {scanned:?}");
}

fn members(text: &str) -> Result<(), ScanError> {
    let mut object = ObjectReader::new(text, Limits::default())?;
    while let Some(member) = object.next_member()? {
        assert_eq!(text.get(member.value.span()), Some(member.value.text()));
        value(&member.value);
    }
    Ok(())
}

fn elements(text: &str) -> Result<(), ScanError> {
    let mut array = ArrayReader::new(text, Limits::default())?;
    while let Some(element) = array.next_element()? {
        assert_eq!(text.get(element.span()), Some(element.text()));
        value(&element);
    }
    Ok(())
}

/// A value reads as serde_json reads it, but for lone surrogates, which it refuses.
fn value(value: &Value<'_>) {
    let theirs = serde_json::from_str::<serde_json::Value>(value.text());
    let Ok(theirs) = theirs else { return };
    assert_eq!(value.as_str().as_deref(), theirs.as_str());
    assert_eq!(value.as_bool(), theirs.as_bool());
    // `-0` is a float there.
    assert_eq!(value.as_u64(), theirs.as_u64(), "{}", value.text());
    if let (Some(key), Some(map)) = (theirs.as_object().and_then(|map| map.keys().next()), theirs.as_object())
        && map.len() == 1
        && value.text().matches(key.as_str()).count() == 1
    {
        let found = value.get(key).map(|member| serde_json::from_str::<serde_json::Value>(member.text()));
        assert_eq!(found.and_then(Result::ok).as_ref(), map.get(key));
    }
}
