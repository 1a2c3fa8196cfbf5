//! Reading JSON values, with a word on each that is not as it should be.

use serde_json::Value;

/// The elements of an array; nothing where it is none.
pub(super) fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text; empty where it is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Notes members that are not among `known`.
pub(super) fn only(value: &Value, at: &str, known: &[&str], faults: &mut Vec<String>) {
    let Some(object) = value.as_object() else {
        faults.push(format!("{at} is no object: {value}"));
        return;
    };
    let unknown = object.keys().filter(|key| !known.contains(&key.as_str()));
    faults.extend(unknown.map(|key| format!("{at} has a member the API reference does not: {key}")));
}

/// A text that must be there.
pub(super) fn must(value: &Value, key: &str, at: &str, faults: &mut Vec<String>) -> String {
    match value[key].as_str() {
        Some(text) => text.to_owned(),
        None => {
            faults.push(format!("{at}.{key} must be a text and is {}", value[key]));
            String::new()
        }
    }
}

/// A value told as text: the JSON it holds, or the text itself.
pub(super) fn told(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// Arguments told as JSON text.
pub(super) fn arguments(text: &str, at: &str, faults: &mut Vec<String>) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| {
        faults.push(format!("{at} must be JSON and is {text:?}"));
        Value::Null
    })
}

/// An image told as a data URL: media type and base64.
pub(super) fn data_url(url: &str) -> Option<(String, String)> {
    let (mime, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some((mime.to_owned(), data.to_owned()))
}

/// The number of the call that `id` is of. A result for a call nobody made is noted.
pub(super) fn call_of(calls: &[String], id: &str, at: &str, faults: &mut Vec<String>) -> usize {
    calls.iter().position(|call| call == id).unwrap_or_else(|| {
        faults.push(format!("{at} answers the call {id:?}, which nobody made"));
        usize::MAX
    })
}

/// Notes state that its provider did not make: it would refuse the request.
pub(super) fn own_state(value: &Value, key: &str, own: &str, faults: &mut Vec<String>) {
    if let Some(state) = value[key].as_str().filter(|state| *state != own) {
        faults.push(format!("{key} is not what this provider made: {state}"));
    }
}
