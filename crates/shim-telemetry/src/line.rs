//! One line per exchange: text for people, JSON for machines.
//!
//! The line is written by hand into a buffer that is reused: it is on the path of every request, and a tree of values
//! would cost more than all else the gateway does.

use std::io::Write as _;

use shim_ir::FaultKind;

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
pub(crate) fn timestamp(at_ms: u64) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at_ms).unwrap_or(i64::MAX)).unwrap_or_default();
    format!("{at:.3}")
}

fn text(s: &Settled, out: &mut Vec<u8>) {
    let seconds = s.duration_us as f64 / 1e6;
    let target = s.target.as_deref().unwrap_or("-");
    let _ = write!(out, "{} {} ", timestamp(s.at_ms), s.status);
    clean(&s.model, out);
    out.extend_from_slice(" → ".as_bytes());
    clean(target, out);
    let _ = write!(out, " {}", s.dialect.name());
    if s.streamed {
        out.extend_from_slice(b" stream");
    }
    if let Some(usage) = &s.usage {
        let _ = write!(out, " in={} out={}", usage.input_total(), usage.output_total());
        if usage.cache_read.0 > 0 {
            let _ = write!(out, " cached={}", usage.cache_read);
        }
    }
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
    if let Some(fault) = s.fault {
        let _ = write!(out, " {}", fault.code());
    } else if s.outcome == crate::Outcome::Abandoned {
        out.extend_from_slice(b" abandoned");
    }
    if let Some(detail) = &s.detail {
        out.extend_from_slice(b": ");
        clean(detail, out);
    }
    let _ = write!(out, " {}", s.id);
}

/// Names and messages come from outside: control characters must not reach a terminal.
fn clean(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|b| b < 0x20 || b == 0x7f || b >= 0x80) {
        let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

fn json(s: &Settled, out: &mut Vec<u8>) {
    let _ = write!(
        out,
        r#"{{"at":"{}","exchange":"{}","generation":{},"dialect":"{}","operation":"{}","model":"#,
        timestamp(s.at_ms),
        s.id,
        s.generation,
        s.dialect.name(),
        s.operation
    );
    string(&s.model, out);
    if let Some(target) = &s.target {
        out.extend_from_slice(br#","target":"#);
        string(target, out);
    }
    if let Some(key) = &s.key {
        out.extend_from_slice(br#","key":"#);
        string(key.as_str(), out);
    }
    let _ = write!(
        out,
        r#","attempts":{},"status":{},"outcome":"{}","streamed":{},"request_bytes":{},"answer_bytes":{},"duration_us":{}"#,
        s.attempts,
        s.status,
        s.outcome.name(),
        s.streamed,
        s.request_bytes,
        s.answer_bytes,
        s.duration_us
    );
    optional(s, out);
    out.push(b'}');
}

fn optional(s: &Settled, out: &mut Vec<u8>) {
    if let Some(first) = s.first_token_us {
        let _ = write!(out, r#","first_token_us":{first}"#);
    }
    if let Some(u) = &s.usage {
        let _ = write!(
            out,
            r#","tokens":{{"input_uncached":{},"input_audio":{},"cache_read":{},"cache_write":{},"cache_write_1h":{},"output_text":{},"reasoning":{},"output_audio":{},"output_image":{}}}"#,
            u.input_uncached,
            u.input_audio,
            u.cache_read,
            u.cache_write,
            u.cache_write_1h,
            u.output_text,
            u.reasoning,
            u.output_audio,
            u.output_image
        );
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
    use shim_ir::{Dialect, ExchangeId, FaultKind, FinishReason, Generation, KeyId, Tokens, Usage};

    use super::{Format, write_line};
    use crate::{Outcome, Settled};

    pub(crate) fn settled() -> Settled {
        Settled {
            id: ExchangeId(0x0192_3456_789a_7bcd_8123_4567_89ab_cdef),
            at_ms: 1_795_000_000_123,
            generation: Generation(7),
            dialect: Dialect::Anthropic,
            operation: "generate",
            key: Some(KeyId::new("app").unwrap()),
            model: "chat".into(),
            target: Some("lab/m".into()),
            attempts: 2,
            status: 200,
            outcome: Outcome::Delivered,
            fault: None,
            detail: None,
            streamed: true,
            usage: Some(Usage { input_uncached: Tokens(3), output_text: Tokens(4), ..Usage::default() }),
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
            "2026-11-18T11:06:40.123Z 200 chat → lab/m anthropic stream in=3 out=4 first=0.002s 0.003s attempts=2 \
             01923456-789a-7bcd-8123-456789abcdef\n"
        );
    }

    #[test]
    fn a_json_line_is_json_whatever_the_names() {
        let mut hostile = settled();
        hostile.model = "a\"\n\u{1b}[31m\\".into();
        hostile.detail = Some("x\"y".into());
        hostile.fault = Some(FaultKind::UpstreamCut);
        let json: serde_json::Value = serde_json::from_str(&line(Format::Json, &hostile)).unwrap();
        assert_eq!(json["model"], "a\"\n\u{1b}[31m\\");
        assert_eq!(
            (json["fault"].as_str(), json["tokens"]["output_text"].as_u64()),
            (Some("upstream_cut"), Some(4))
        );
        let text = line(Format::Text, &hostile);
        assert!(!text.trim_end().contains(|c: char| c.is_control()), "{text:?}");
    }
}
