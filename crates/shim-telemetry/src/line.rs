//! One line per exchange: text for people, JSON for machines.
//!
//! The line is written by hand into a buffer that is reused: it is on the path of every request, and a tree of values
//! would cost more than all else the gateway does.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Write as _;

use shim_ir::{FaultKind, PicoUsd};

use crate::Settled;
use crate::settled::finish_word;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Appends the line of `settled`, with its line feed, to `out`.
pub fn write_line(format: Format, settled: &Settled, out: &mut Vec<u8>) {
    match format {
        Format::Text => text(settled, out),
        Format::Json => json(settled, out),
    }
    out.push(b'\n');
}

/// RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn timestamp(at_ms: u64) -> String {
    let mut out = Vec::new();
    put_timestamp(at_ms, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

thread_local! {
    /// The last second that was written, and how: the next line is nearly always of the same.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

fn put_timestamp(at_ms: u64, out: &mut Vec<u8>) {
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != at_ms / 1000 {
            *second = at_ms / 1000;
            let at = jiff::Timestamp::from_second(i64::try_from(*second).unwrap_or(i64::MAX));
            *text = format!("{:.0}", at.unwrap_or_default());
        }
        out.extend_from_slice(text.trim_end_matches('Z').as_bytes());
    });
    let ms = at_ms % 1000;
    let digit = |of: u64| b'0' + u8::try_from(of % 10).unwrap_or_default();
    out.extend_from_slice(&[b'.', digit(ms / 100), digit(ms / 10), digit(ms), b'Z']);
}

fn text(s: &Settled, out: &mut Vec<u8>) {
    let seconds = s.duration_us as f64 / 1e6;
    let target = s.target.as_deref().unwrap_or("-");
    let _ = write!(out, "{} {} ", timestamp(s.at_ms), s.status);
    if s.model.is_empty() {
        let _ = write!(out, "({})", s.operation);
    } else {
        out.extend_from_slice(clean(&s.model).as_bytes());
    }
    out.extend_from_slice(" → ".as_bytes());
    out.extend_from_slice(clean(target).as_bytes());
    let _ = write!(out, " {}", s.dialect.name());
    if s.streamed {
        out.extend_from_slice(b" stream");
    }
    used(s, out);
    if let Some(first) = s.first_token_us {
        let _ = write!(out, " first={:.3}s", first as f64 / 1e6);
    }
    let _ = write!(out, " {seconds:.3}s");
    if s.attempts > 1 {
        let _ = write!(out, " attempts={}", s.attempts);
    }
    if let Some(losses) = &s.losses {
        let _ = write!(out, " mapped losses={}", losses.len());
    }
    went_wrong(s, out);
    let _ = write!(out, " {}", s.id);
}

/// What it used, and what that cost.
fn used(s: &Settled, out: &mut Vec<u8>) {
    if let Some(usage) = &s.usage {
        let _ = write!(out, " in={} out={}", usage.input_total(), usage.output_total());
        if usage.cache_read.0 > 0 {
            let _ = write!(out, " cached={}", usage.cache_read);
        }
    }
    if let Some(cost) = s.cost {
        out.extend_from_slice(b" $");
        put_usd(cost, out);
    }
}

/// What went wrong, if anything did.
fn went_wrong(s: &Settled, out: &mut Vec<u8>) {
    if let Some(fault) = s.fault {
        let _ = write!(out, " {}", fault.code());
    } else if s.outcome == crate::Outcome::Abandoned {
        out.extend_from_slice(b" abandoned");
    }
    if let Some(detail) = &s.detail {
        out.extend_from_slice(b": ");
        out.extend_from_slice(clean(detail).as_bytes());
    }
}

/// Text from outside as a terminal or a log is shown it: on one line, and with nothing in it that moves the cursor or turns
/// the direction of writing.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b < 0x20 || b == 0x7f || b >= 0x80) {
        text.chars().map(|c| if commands(c) { '\u{fffd}' } else { c }).collect()
    } else {
        text.into()
    }
}

/// Whether a character is not shown and does something: controls, line and paragraph separators, marks of direction.
fn commands(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control()
}

fn json(s: &Settled, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"at":""#);
    put_timestamp(s.at_ms, out);
    word(r#"","exchange":""#, s.id.print(&mut [0; 36]), out);
    number(r#"","generation":"#, s.generation.0, out);
    word(r#","dialect":""#, s.dialect.name(), out);
    word(r#"","operation":""#, s.operation, out);
    out.extend_from_slice(br#"","model":"#);
    string(&s.model, out);
    if let Some(target) = &s.target {
        out.extend_from_slice(br#","target":"#);
        string(target, out);
    }
    if let Some(key) = &s.key {
        out.extend_from_slice(br#","key":"#);
        string(key.as_str(), out);
    }
    number(r#","attempts":"#, s.attempts.into(), out);
    number(r#","status":"#, s.status.into(), out);
    word(r#","outcome":""#, s.outcome.name(), out);
    word(r#"","streamed":"#, if s.streamed { "true" } else { "false" }, out);
    number(r#","request_bytes":"#, s.request_bytes, out);
    number(r#","answer_bytes":"#, s.answer_bytes, out);
    number(r#","duration_us":"#, s.duration_us, out);
    optional(s, out);
    out.push(b'}');
}

/// Writes `before`, which is JSON, and a word that needs no escapes.
#[inline]
fn word(before: &str, word: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(word.as_bytes());
}

/// Writes `before`, which is JSON, and a number.
#[inline]
fn number(before: &str, number: u64, out: &mut Vec<u8>) {
    word(before, itoa::Buffer::new().format(number), out);
}

fn optional(s: &Settled, out: &mut Vec<u8>) {
    if let Some(first) = s.first_token_us {
        number(r#","first_token_us":"#, first, out);
    }
    if let Some(u) = &s.usage {
        number(r#","tokens":{"input_uncached":"#, u.input_uncached.0, out);
        number(r#","input_audio":"#, u.input_audio.0, out);
        number(r#","cache_read":"#, u.cache_read.0, out);
        number(r#","cache_write":"#, u.cache_write.0, out);
        number(r#","cache_write_1h":"#, u.cache_write_1h.0, out);
        number(r#","output_text":"#, u.output_text.0, out);
        number(r#","reasoning":"#, u.reasoning.0, out);
        number(r#","output_audio":"#, u.output_audio.0, out);
        number(r#","output_image":"#, u.output_image.0, out);
        out.push(b'}');
    }
    if let Some(cost) = s.cost {
        out.extend_from_slice(br#","cost_usd":"#);
        put_usd(cost, out);
        word(r#","cost_basis":""#, s.basis.name(), out);
        out.push(b'"');
    }
    if let Some(losses) = &s.losses {
        let _ = write!(out, r#","fidelity":"mapped","losses":{}"#, losses.len());
    }
    if let Some(finish) = &s.finish {
        let _ = write!(out, r#","finish":"{}""#, finish_word(finish));
    }
    if let Some(fault) = s.fault.map(FaultKind::code) {
        let _ = write!(out, r#","fault":"{fault}""#);
    }
    if let Some(detail) = &s.detail {
        out.extend_from_slice(br#","detail":"#);
        string(detail, out);
    }
}

/// Dollars as an exact decimal.
fn put_usd(cost: PicoUsd, out: &mut Vec<u8>) {
    const PICO: u64 = 1_000_000_000_000;
    let from = out.len();
    let _ = write!(out, "{}.{:012}", cost.0 / PICO, cost.0 % PICO);
    while out.len() > from && out.last() == Some(&b'0') {
        out.pop();
    }
    if out.last() == Some(&b'.') {
        out.pop();
    }
}

/// A JSON string; names without anything to escape, which is nearly all, are copied.
fn string(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\') {
        let _ = serde_json::to_writer(&mut *out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
pub(crate) mod tests {
    use shim_ir::{
        Basis, Dialect, ExchangeId, FaultKind, FinishReason, Generation, KeyId, PicoUsd, Tokens, Usage,
    };

    use super::{Format, clean, put_usd, write_line};
    use crate::{Outcome, Settled};

    pub(crate) fn settled() -> Settled {
        Settled {
            id: ExchangeId(0x0192_3456_789a_7bcd_8123_4567_89ab_cdef),
            at_ms: 1_795_000_000_123,
            generation: Generation(7),
            dialect: Dialect::Anthropic,
            operation: "generate",
            key: Some(KeyId::new("app").unwrap()),
            client_id: None,
            model: "chat".into(),
            target: Some("lab/m".into()),
            attempts: 2,
            status: 200,
            outcome: Outcome::Delivered,
            fault: None,
            detail: None,
            streamed: true,
            usage: Some(Usage { input_uncached: Tokens(3), output_text: Tokens(4), ..Usage::default() }),
            cost: Some(PicoUsd(250_000_000_000)),
            basis: Basis::Listed,
            terms: None,
            reserved: None,
            charged: None,
            failed: Vec::new(),
            finish: Some(FinishReason::Stop),
            losses: None,
            request_bytes: 10,
            answer_bytes: 20,
            first_token_us: Some(1500),
            duration_us: 2500,
        }
    }

    fn line(format: Format, settled: &Settled) -> String {
        let mut out = Vec::new();
        write_line(format, settled, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_text_line_reads_well() {
        assert_eq!(
            line(Format::Text, &settled()),
            "2026-11-18T11:06:40.123Z 200 chat → lab/m anthropic stream in=3 out=4 $0.25 first=0.002s 0.003s attempts=2 \
             01923456-789a-7bcd-8123-456789abcdef\n"
        );
    }

    #[test]
    fn what_asks_for_no_model_is_told_by_its_operation() {
        let list = Settled { model: "".into(), target: None, operation: "models", ..settled() };
        assert!(line(Format::Text, &list).contains(" 200 (models) → - "), "{}", line(Format::Text, &list));
    }

    #[test]
    fn dollars_are_told_to_the_last_pico() {
        for (pico, told) in
            [(0, "0"), (1, "0.000000000001"), (1_410_000_000, "0.00141"), (12_000_000_000_000, "12")]
        {
            let mut out = Vec::new();
            put_usd(PicoUsd(pico), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), told);
        }
    }

    #[test]
    fn a_json_line_is_json_whatever_the_names() {
        let mut hostile = settled();
        hostile.model = "a\"\n\u{1b}[31m\u{202e}\\".into();
        hostile.detail = Some("x\"y".into());
        hostile.fault = Some(FaultKind::UpstreamCut);
        let json: serde_json::Value = serde_json::from_str(&line(Format::Json, &hostile)).unwrap();
        assert_eq!(json["model"], "a\"\n\u{1b}[31m\u{202e}\\");
        assert_eq!(
            (json["fault"].as_str(), json["tokens"]["output_text"].as_u64()),
            (Some("upstream_cut"), Some(4))
        );
        let text = line(Format::Text, &hostile);
        assert!(!text.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        assert_eq!(clean("größer → 日本語"), "größer → 日本語", "what is only foreign stays");
    }
}
