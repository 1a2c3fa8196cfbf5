//! Helpers every dialect uses and none owns.

use bytes::Bytes;
use shim_ir::{Dialect, Fault, FaultKind, Foreign, Loss, LossKind, Rest, Retry};
use shim_wire::scan::{Limits, ScanError};
use shim_wire::{
    ArrayReader, JsonWriter, Layout, LayoutAsked, Member, Members, ObjectReader, RawJson, Splice, Value,
    ValueKind, Words,
};

use crate::error::NO_TEXT;
use crate::{DecodeError, Head};

/// Why a part of a request that nobody else has cannot be told. What stands for something kept by its provider, the client
/// can send whole instead; what is no object is no part of any dialect.
pub(crate) fn why_foreign(foreign: &Foreign) -> &'static str {
    match foreign.raw.get().bytes().next() {
        Some(b'"') => return NO_TEXT,
        Some(b'{') | None => {}
        Some(_) => return "expected text or a list of parts",
    }
    if foreign.kind.ends_with("_reference") {
        "only the provider that keeps what it names has it; send that whole"
    } else {
        "no other dialect has it"
    }
}

/// The `type` of a tagged object; `None` when it has none that is a string.
pub(crate) fn tag(object: &str) -> Option<std::borrow::Cow<'_, str>> {
    member(object, "type")?.as_str()
}

/// The member `name` of the object that is the whole of `text`.
pub(crate) fn member<'a>(text: &'a str, name: &str) -> Option<Value<'a>> {
    let mut object = ObjectReader::new(text, Limits::default()).ok()?;
    while let Some(member) = object.next_member().ok()? {
        if member.key == name {
            return Some(member.value);
        }
    }
    None
}

/// Calls `on` for each member of the object that is the whole of `text`.
pub(crate) fn each_member<'a>(text: &'a str, mut on: impl FnMut(Member<'a>)) -> Result<(), ScanError> {
    let mut object = ObjectReader::new(text, Limits::default())?;
    while let Some(member) = object.next_member()? {
        on(member);
    }
    Ok(())
}

/// Whether a text begins and ends as an object does.
pub(crate) fn is_closed(text: &str) -> bool {
    let text = text.trim_ascii();
    text.starts_with('{') && text.ends_with('}')
}

/// Calls `on` for each element of the array that is the whole of `text`, with its index.
pub(crate) fn each_element<'a>(text: &'a str, mut on: impl FnMut(usize, Value<'a>)) -> Result<(), ScanError> {
    let mut array = ArrayReader::new(text, Limits::default())?;
    let mut index = 0;
    while let Some(value) = array.next_element()? {
        on(index, value);
        index += 1;
    }
    Ok(())
}

/// Bodies from this size on are laid out while they are read: for smaller ones nobody asks where what stands.
const LAID_OUT_BYTES_MIN: usize = 4 << 10;

/// Reads a body and shows each member to `on`; looks for `words` on the way.
pub(crate) fn lay_out<'b>(
    body: &'b str,
    words: &'static Words,
    on: impl FnMut(Member<'b>) -> Result<(), DecodeError>,
) -> Result<Layout, DecodeError> {
    let asked = LayoutAsked { words: Some(words), elements: body.len() >= LAID_OUT_BYTES_MIN };
    Layout::read(body, Limits::default(), asked, on)
}

/// Reads the `model` and `stream` members every body dialect has, and hands every other member to `other`.
///
/// # Errors
/// When the body is not JSON, `model` is absent, twice there or no string, or `stream` is no boolean.
pub(crate) fn body_head(
    body: &str,
    words: &'static Words,
    mut other: impl FnMut(Member<'_>),
) -> Result<Head, DecodeError> {
    let mut head = Head::default();
    let mut streams = 0;
    head.layout = lay_out(body, words, |member| {
        match &*member.key {
            "model" if head.model_span.is_some() => {
                return Err(DecodeError::shape("model", "the member is there twice"));
            }
            "model" => {
                let name =
                    member.value.as_str().ok_or_else(|| DecodeError::shape("model", "expected a string"))?;
                head.model = name.into_owned();
                head.model_span = Some(member.value.span());
            }
            "stream" => {
                streams += 1;
                head.stream =
                    flag(&member.value).ok_or_else(|| DecodeError::shape("stream", "expected a boolean"))?;
            }
            _ => other(member),
        }
        Ok(())
    })?;
    if head.model_span.is_none() {
        return Err(DecodeError::shape("model", "missing field `model`"));
    }
    if streams > 1 {
        return Err(DecodeError::shape("stream", "the member is there twice"));
    }
    Ok(head)
}

/// A boolean, where `null` counts as false.
fn flag(value: &Value<'_>) -> Option<bool> {
    if value.kind() == ValueKind::Null { Some(false) } else { value.as_bool() }
}

/// The splice that puts another model into a body.
pub(crate) fn model_splice(head: &Head, model: &str) -> Option<Splice> {
    let span = head.model_span.clone()?;
    (head.model != model).then(|| Splice { span, with: Bytes::from(quoted(model)) })
}

/// `text` as a JSON string, with its quotes.
pub(crate) fn quoted(text: &str) -> String {
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        return serde_json::Value::from(text).to_string();
    }
    ["\"", text, "\""].concat()
}

/// The kind of fault an upstream's status tells of, where its body says no more.
pub(crate) fn fault_of_status(status: u16) -> FaultKind {
    match status {
        401 | 403 => FaultKind::UpstreamCredential,
        402 => FaultKind::QuotaExceeded,
        404 => FaultKind::UpstreamNotFound,
        408 | 504 => FaultKind::UpstreamTimeout,
        413 => FaultKind::TooLarge,
        429 => FaultKind::RateLimited,
        503 | 529 => FaultKind::UpstreamOverloaded,
        400..=499 => FaultKind::UpstreamInvalid,
        _ => FaultKind::UpstreamError,
    }
}

/// A fault for a stream that closed without its terminal frame.
pub(crate) fn cut() -> Fault {
    Fault::new(FaultKind::UpstreamCut, "the upstream closed the stream before the answer was complete")
}

/// A fault with the status an upstream answered with, and the retry its status allows.
pub(crate) fn upstream_fault(status: u16, kind: FaultKind, message: impl Into<String>) -> Fault {
    let mut fault = Fault::new(kind, message);
    fault.status = Some(status);
    if kind == FaultKind::UpstreamInvalid {
        fault.retry = Retry::Never;
    }
    fault
}

/// What to tell of an error body that has no message: its beginning, as text, on one line.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..body.len().min(500)).unwrap_or_default());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where the user is, as a search of the web is told: OpenAI's chat has one more object in it than all others. What is not
/// known of the place may be `null`.
/// Source: <https://platform.openai.com/docs/api-reference/chat/create>, read 2026-11-25.
pub(crate) fn user_location(value: &RawJson) -> RawJson {
    let inner = member(value.get(), "approximate").filter(|inner| inner.kind() == ValueKind::Object);
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(|w| {
        if inner.is_some() {
            w.string("type", "approximate");
        }
        let _ = each_member(inner.as_ref().map_or(value.get(), Value::text), |member| {
            if member.value.kind() != ValueKind::Null {
                w.raw(&member.key, &RawJson::from(member.value));
            }
        });
    });
    let written = std::str::from_utf8(&out).ok().filter(|_| is_closed(value.get()));
    written.and_then(|text| RawJson::parse(text).ok()).unwrap_or_else(|| value.clone())
}

/// The error of reading as a conversation what is none.
pub(crate) fn no_conversation() -> DecodeError {
    DecodeError::shape(".", "embeddings are no conversation")
}

/// Percent-decodes a path segment; invalid escapes stay as they are.
pub(crate) fn percent_decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = (*byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let hex = hex.filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let decoded =
            hex.and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        out.push(decoded.unwrap_or(*byte));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Percent-encodes what may not stand in a path segment; slashes are kept when `slashes` is set.
pub(crate) fn percent_encode(text: &str, slashes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' => {
                out.push(byte.into())
            }
            b'/' if slashes => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The query without the members named in `without`; `None` when nothing is left.
pub(crate) fn query_without(query: Option<&str>, without: &[&str]) -> Option<String> {
    let kept: Vec<_> = query?
        .split('&')
        .filter(|pair| !pair.is_empty() && !without.contains(&pair.split('=').next().unwrap_or_default()))
        .collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// Whether a member says anything: `null` does not, nor does an empty list, an empty object, or an object whose members say
/// nothing. Clients send them for what was not set, and who leaves them out loses nothing.
pub(crate) fn says(value: &str) -> bool {
    match value.trim_ascii() {
        "null" | "[]" | "{}" => false,
        object if object.starts_with('{') => any_says(object),
        _ => true,
    }
}

/// Whether a member of an object says anything; what cannot be read is taken to.
fn any_says(object: &str) -> bool {
    let Ok(mut members) = ObjectReader::new(object, Limits::default()) else { return true };
    loop {
        match members.next_member() {
            Ok(Some(member)) if !says(member.value.text()) => {}
            Ok(None) => return false,
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

/// Whether there is no member but such as are `null`.
pub(crate) fn is_silent(members: &Members<'_>) -> bool {
    members.iter().all(|(_, value)| value.get() == "null")
}

/// Members of requests that no model reads: who asks, the client's own data, and how long a cache is kept.
const UNREAD: [&str; 7] = [
    "client_metadata",
    "diagnostics",
    "metadata",
    "prompt_cache_retention",
    "safety_identifier",
    "user",
    "user_profile_id",
];

/// The losses of a request: those of what no model reads are told and refuse nothing. Frameworks send such members with every
/// request, and a strict alias would be of no use to them.
pub(crate) fn of_request(mut losses: Vec<Loss>) -> Vec<Loss> {
    let unread = |loss: &&mut Loss| UNREAD.contains(&&*loss.path) && loss.kind != LossKind::Unsupported;
    losses.iter_mut().filter(unread).for_each(|loss| loss.kind = LossKind::Noted);
    losses
}

/// The members of `rest` that this dialect can write, being its own; those of another are told as left out.
pub(crate) fn own_rest<'r>(
    rest: &'r Rest,
    own: Dialect,
    path: &str,
    losses: &mut Vec<Loss>,
) -> &'r [(Box<str>, RawJson)] {
    if rest.origin() == Some(own) {
        return rest.members();
    }
    let saying = rest.members().iter().filter(|(_, value)| says(value.get()));
    let dropped = saying.map(|(key, _)| {
        let dot = if path.is_empty() { "" } else { "." };
        Loss::new(format!("{path}{dot}{key}"), LossKind::Dropped, "no other dialect has it")
    });
    losses.extend(dropped);
    &[]
}
