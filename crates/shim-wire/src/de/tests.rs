//! What serde_json takes is taken, to the same values, and nothing else: serde_json is the oracle.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{LEVELS_MAX, RAW, Refused, read, read_raw};
use crate::scan::{DEPTH_CEILING, Limits, ScanErrorKind, check};
use crate::{Str, WireError, from_json, from_raw};

crate::object! {
    /// Every mode, and every kind of member that wire types have.
    #[expect(dead_code, reason = "what was read is compared as it is shown")]
    struct Everything<'a> {
        req a: Str<'a>,
        opt b: u64,
        opt c as "type": f64,
        seq d: Vec<Inner<'a>>,
        opt e: &'a RawValue,
        opt f: bool,
        seq g: Vec<&'a RawValue>,
        opt h: i64,
    }
    /// One within it.
    #[expect(dead_code, reason = "what was read is compared as it is shown")]
    struct Inner<'a> {
        opt a: u32,
        opt b: Str<'a>,
    }
}

/// What derives read.
#[expect(dead_code, reason = "what was read is compared as it is shown")]
#[derive(Debug, Deserialize)]
struct Derived<'a> {
    #[serde(borrow)]
    a: Option<Str<'a>>,
    #[serde(default)]
    b: Wrapped,
    #[serde(default)]
    d: (),
    e: Option<(Value, IgnoredAny)>,
    g: Option<Box<RawValue>>,
    #[serde(borrow)]
    f: Option<&'a RawValue>,
}

#[expect(dead_code, reason = "what was read is compared as it is shown")]
#[derive(Debug, Default, Deserialize)]
struct Wrapped(Option<u8>);

#[derive(Debug, Deserialize)]
struct Unit;

/// Reads `text` as serde_json does.
#[track_caller]
fn agrees<'a, T: Deserialize<'a> + Debug>(text: &'a str) {
    let (ours, theirs) = (read::<T>(text), serde_json::from_str::<T>(text));
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{text}"),
        (Err(Refused), Ok(_)) => assert!(is_deep(text), "serde_json takes {text}"),
        (Ok(ours), Err(theirs)) => panic!("{theirs}, but {ours:?} was read from {text}"),
        (Err(Refused), Err(_)) => {}
    }
    if let Ok(raw) = serde_json::from_str::<&RawValue>(text) {
        let (ours, theirs) = (read_raw::<T>(raw).ok(), theirs.ok());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{text}");
    }
}

/// Whether what is only passed over is deeper than the scanner goes: then serde_json reads the text.
fn is_deep(text: &str) -> bool {
    let limits = Limits { depth_max: DEPTH_CEILING };
    check(text.as_bytes(), limits).is_err_and(|error| error.kind == ScanErrorKind::TooDeep)
}

/// The same, whatever is asked for; and where it is refused, path and words are serde_json's.
#[track_caller]
fn all_agree(text: &str) {
    agrees::<Value>(text);
    agrees::<&RawValue>(text);
    agrees::<Box<RawValue>>(text);
    agrees::<Vec<&RawValue>>(text);
    agrees::<BTreeMap<String, &RawValue>>(text);
    agrees::<BTreeMap<String, IgnoredAny>>(text);
    agrees::<IgnoredAny>(text);
    agrees::<Everything<'_>>(text);
    agrees::<Vec<Everything<'_>>>(text);
    agrees::<Derived<'_>>(text);
    agrees::<Option<Str<'_>>>(text);
    agrees::<&str>(text);
    agrees::<String>(text);
    agrees::<char>(text);
    agrees::<bool>(text);
    agrees::<()>(text);
    agrees::<Unit>(text);
    agrees::<(u8, Option<i64>)>(text);
    agrees::<Vec<u64>>(text);
    numbers_agree(text);
    told_alike::<Everything<'_>>(text);
    told_alike::<Vec<Inner<'_>>>(text);
}

#[track_caller]
fn numbers_agree(text: &str) {
    agrees::<u8>(text);
    agrees::<i8>(text);
    agrees::<u16>(text);
    agrees::<i16>(text);
    agrees::<u32>(text);
    agrees::<i32>(text);
    agrees::<u64>(text);
    agrees::<i64>(text);
    agrees::<f64>(text);
}

#[track_caller]
fn told_alike<'a, T: Deserialize<'a> + Debug>(text: &'a str) {
    let wanted = oracle::<T>(text).err();
    assert_eq!(from_json::<T>(text).err(), wanted, "{text}");
    if let Ok(raw) = serde_json::from_str::<&RawValue>(text) {
        assert_eq!(from_raw::<T>(raw).err(), oracle::<T>(raw.get()).err(), "{text}");
    }
}

/// Reads with serde_json alone, and once more for the path of an error.
fn oracle<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|error| {
        let located = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(text));
        match located {
            Err(located) => {
                WireError { path: located.path().to_string(), message: located.inner().to_string() }
            }
            Ok(_) => WireError { path: ".".to_owned(), message: error.to_string() },
        }
    })
}

#[test]
fn what_is_at_the_limits_is_read_as_serde_json_reads_it() {
    for text in [
        "0",
        "-0",
        "-1",
        "255",
        "256",
        "-128",
        "-129",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "9999999999999999999",
        "10000000000000000000",
        "1.5",
        "-1.5e-3",
        "1e308",
        "1e309",
        "-1e309",
        "1e-400",
        "0.1",
        "2.2250738585072014e-308",
        "5e-324",
        "123456789012345678901234567890",
        "0.30000000000000004",
        "1e",
        "1.",
        ".5",
        "+1",
        "01",
        "-",
        "1 2",
        "0x1",
        "NaN",
        "Infinity",
        "1e+5",
        "1E-5",
        "4.0",
        "true",
        "false",
        "null",
        "tru",
        "truex",
        "nul",
        "nulll",
        "",
        " ",
        "\u{feff}1",
        "\u{a0}1",
        r#""""#,
        r#""a""#,
        r#""é""#,
        r#""\"\\\/\b\f\n\r\t""#,
        r#""\u0041\u00e9\ud83d\ude42""#,
        r#""\ud83d""#,
        r#""\ude42\ud83d""#,
        r#""\u12""#,
        r#""\x""#,
        "\"a\nb\"",
        "\"\u{7f}\"",
        "\"a",
        r#""a\"#,
        r#""a\""#,
        r#""sixteen bytes and\\\"more\\""#,
        "[",
        "]",
        "[]",
        "[ ]",
        "[,]",
        "[1,]",
        "[1 2]",
        "[1,,2]",
        "[1]]",
        "[1}",
        "{}",
        "{ }",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#"{1:1}"#,
        r#"{"a":"x","a":"y"}"#,
        r#"{"a":null,"a":"y","a":null}"#,
        r#"{"\u0061":"x","type":1,"\ud800":2}"#,
        r#"{"a":"x","b":7,"type":1,"d":[{"a":1},{"b":"\n"}],"e": {"z" : [ 1 ]} ,"f":true,"g":[1,"\ud800",[]],"h":-1}"#,
        r#"{"a":"x","b":-7}"#,
        r#"{"a":"x","d":[{"a":4294967296}]}"#,
        r#"{"a":"x","d":{}}"#,
        r#"{"a":"x","zz":"\ud800"}"#,
        r#"["x",7,null,[1,2],"g"]"#,
        r#"["x",7,null,[1,2],"g","f"]"#,
        r#"["x",7,null,[1,2],"g","f",1]"#,
        r#"{"b":3,"d":null,"e":[1,2]}"#,
        r#"{"b":3,"d":null,"e":[1,2,3]}"#,
        "[1,null]",
        "[1,-5]",
        "[1]",
        "[1,2,3]",
        "{} x",
        "{}\n\t\r ",
        "{}\u{c}",
        r#"{"$serde_json::private::RawValue":"1"}"#,
    ] {
        all_agree(text);
        all_agree(&format!(" \t\r\n{text} "));
        all_agree(&format!("[{text}]"));
        all_agree(&format!(r#"{{"a":"x","e":{text},"new" : {text}}}"#));
    }
}

#[test]
fn nesting_is_bounded_as_in_serde_json() {
    let levels = usize::from(LEVELS_MAX);
    for depth in
        [levels - 2, levels - 1, levels, levels + 1, DEPTH_CEILING - 1, DEPTH_CEILING, DEPTH_CEILING + 1]
    {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            all_agree(&text);
            all_agree(&format!(r#"{{"a":"x","e":{text}}}"#));
        }
    }
}

/// What is passed over has no bound of its own: serde_json reads what is too deep for the scanner.
#[test]
fn nothing_overflows_however_deep_it_is() {
    let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
    let text = format!(r#"{{"a":"x","e":{open}{close}}}"#);
    let everything: Everything<'_> = from_json(&text).unwrap();
    assert_eq!(everything.e.unwrap().get().len(), 400_000);
    assert!(from_raw::<Vec<&RawValue>>(everything.e.unwrap()).is_ok());
    assert!(read_raw::<Vec<&RawValue>>(everything.e.unwrap()).is_ok());
    assert!(from_json::<Value>(&open).is_err());
    assert!(from_raw::<Value>(everything.e.unwrap()).is_err());
}

/// Were serde_json to call it otherwise, raw values would be read by serde_json alone, slowly.
#[test]
fn raw_values_are_asked_for_by_the_name_that_is_known() {
    assert_eq!(read::<&RawValue>(" [1, 2] ").map(RawValue::get), Ok("[1, 2]"), "{RAW} is not its name");
    let owned = read::<Box<RawValue>>("1").map(|raw| raw.get().to_owned());
    assert_eq!(owned, Ok("1".to_owned()), "{RAW} is not its name");
}

#[test]
fn strings_without_escapes_are_borrowed() {
    let text = r#"{"a":"plain","e":[1],"new":1}"#;
    let within = |part: &str| text.as_bytes().as_ptr_range().contains(&part.as_ptr());
    let everything: Everything<'_> = read(text).unwrap();
    assert!(within(&everything.a) && within(everything.e.unwrap().get()));
    assert!(everything.rest.iter().all(|(key, value)| within(key) && within(value.get())));
}

#[test]
fn a_string_ends_where_it_ends_wherever_its_backslashes_stand() {
    for before in 0..140 {
        for slashes in 0..6 {
            let run = "\\".repeat(slashes);
            agrees::<Vec<&RawValue>>(&format!(r#"["{}{run}","b"]"#, "a".repeat(before)));
            agrees::<Vec<String>>(&format!(r#"["{}{run}"c","b"]"#, "a".repeat(before)));
        }
    }
}

fn space() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", " ", "\n", "\t", "\r", " \r\n\t "])
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z é🙂{}:,\\[\\]]{0,12}",
        2 => prop::sample::select(vec![r"\n", r"\r", r"\t", r"\b", r"\f", r"\/", r"\\", r#"\""#]).prop_map(Into::into),
        1 => r"\\u[0-9a-fA-F]{4}",
        1 => Just(r"\ud83d\ude42".to_owned()),
        1 => prop::sample::select(vec![r"\ud83d", r"\udc00", r"\x", r"\u00", "\n", "\u{0}", "\u{7f}"]).prop_map(Into::into),
        1 => "[a-z]{60,70}",
        1 => r#"(\\\\){1,40}(\\")?"#,
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,21})",
        "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| format!("{f:e}")),
        any::<i64>().prop_map(|n| n.to_string()),
    ]
}

/// JSON, nearly: names that the types know, in any order and more than once.
fn json() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["null", "null", "true", "false"]).prop_map(str::to_owned);
    let leaf = prop_oneof![word, number(), string()];
    leaf.prop_recursive(5, 48, 8, |inner| {
        let name = prop_oneof![4 => "\"([a-h]|type)\"", 1 => string()];
        let member = (space(), name, space(), space(), inner.clone(), space())
            .prop_map(|(a, name, b, c, value, d)| format!("{a}{name}{b}:{c}{value}{d}"));
        let element = (space(), inner, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        prop_oneof![
            prop::collection::vec(element, 0..6).prop_map(|elements| format!("[{}]", elements.join(","))),
            prop::collection::vec(member, 0..9).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// An object that is likely what `Everything` wants.
fn everything() -> impl Strategy<Value = String> {
    let value = json();
    let list = prop::collection::vec(json(), 0..3).prop_map(|all| format!("[{}]", all.join(",")));
    (string(), number(), number(), list, value, any::<bool>(), "[0-9]{1,3}").prop_map(|(a, b, c, g, e, f, n)| {
        format!(r#"{{"g":{g},"a":{a},"type":{c},"e" : {e},"f":{f},"d":[{{"a":{n},"b":{a}}}],"b":{n},"h":{n},"z":{b}}}"#)
    })
}

fn damaged(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let with = prop_oneof![
        prop::sample::select(vec![
            "", "", ",", ":", "\"", "\\", "[", "]", "{", "}", "0", "-", "e", " ", "\n", "null"
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    (text, any::<prop::sample::Index>(), 0_usize..3, with).prop_map(|(text, at, cut, with)| {
        let characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len() + 1);
        let (before, after) = characters.split_at(at);
        before.iter().copied().chain(with.chars()).chain(after.iter().copied().skip(cut)).collect()
    })
}

proptest! {
    #[test]
    fn any_json_is_read_as_serde_json_reads_it(text in json()) {
        all_agree(&text);
    }

    #[test]
    fn a_wire_object_is_read_as_serde_json_reads_it(text in everything()) {
        all_agree(&text);
    }

    #[test]
    fn damaged_json_is_read_as_serde_json_reads_it(text in damaged(prop_oneof![json(), everything()])) {
        all_agree(&text);
    }

    #[test]
    fn any_string_or_number_is_read_as_serde_json_reads_it(text in prop_oneof![string(), number(), any::<String>()]) {
        all_agree(&text);
    }
}
