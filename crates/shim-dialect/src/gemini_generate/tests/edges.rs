//! Routes, heads, errors, and what the gateway answers by itself.

use shim_ir::{Fault, FaultKind, Tokens, Usage, fold};
use shim_wire::frame::Framing;

use super::{route_for, told};
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{stream_laws, whole_laws};
use crate::{AnswerError, Codec, Decode, ModelEntry, Operation, Plain};

#[track_caller]
fn goes(method: &str, path: &str, wanted: Option<(Operation, Option<&str>)>) {
    let route = GeminiGenerate.route(method, path, Some("alt=sse&key=secret"));
    assert_eq!(route.as_ref().map(|route| (route.operation, route.model.as_deref())), wanted, "{path}");
    let Some(route) = route else { return };
    let back = GeminiGenerate.upstream_path(&route, route.model.as_deref().unwrap_or("m"));
    assert_eq!(back, format!("{}?alt=sse", path.replace("%2F", "/").replace("/models/lab/", "/lab/")));
}

#[test]
fn the_path_names_version_model_and_verb() {
    for version in ["/v1beta", "/v1alpha", "/v1"] {
        let asked = |rest: &str, wanted| goes("POST", &format!("{version}{rest}"), Some(wanted));
        asked("/models/m:generateContent", (Operation::Generate, Some("m")));
        asked("/models/m:streamGenerateContent", (Operation::Generate, Some("m")));
        asked("/models/lab%2Fm:countTokens", (Operation::CountTokens, Some("lab/m")));
        asked("/tunedModels/m:generateContent", (Operation::Generate, Some("tunedModels/m")));
        asked("/models/m:embedContent", (Operation::Embed, Some("m")));
        asked("/models/m:batchEmbedContents", (Operation::Embed, Some("m")));
        goes("GET", &format!("{version}/models"), Some((Operation::Models, None)));
        goes("GET", &format!("{version}/models/m"), Some((Operation::Models, Some("m"))));
    }
    goes("POST", "/v1beta/models/m:predict", None);
    goes("POST", "/v2/models/m:generateContent", None);
    let route = GeminiGenerate.route("POST", "/v1/models/m:streamGenerateContent", None).unwrap();
    assert_eq!((route.stream, route.framing), (true, Framing::JsonArray));
    assert_eq!(route_for("streamGenerateContent").framing, Framing::Sse);
}

#[track_caller]
fn sent(verb: &str, body: &str, wanted: &str) {
    let head = GeminiGenerate.head(&route_for(verb), body).expect("a head");
    let splices = GeminiGenerate.retarget(&head, "n", true);
    let body = bytes::Bytes::copy_from_slice(body.as_bytes());
    let pieces = shim_wire::splice(&body, splices).expect("splices fit");
    assert_eq!(String::from_utf8(pieces.concat()).expect("UTF-8"), wanted);
    assert_eq!(GeminiGenerate.retarget(&head, "m", true).len(), 0);
}

#[test]
fn every_name_of_the_model_is_changed() {
    sent("generateContent", r#"{"contents":[{"model":"m"}]}"#, r#"{"contents":[{"model":"m"}]}"#);
    sent("generateContent", r#"{ "model" : "m" }"#, r#"{ "model" : "models/n" }"#);
    sent(
        "batchEmbedContents",
        r#"{"requests": [ {"model":"models/m","content":{"model":1}}, {}, {"content":{}, "model" : "m"} ]}"#,
        r#"{"requests": [ {"model":"models/n","content":{"model":1}}, {}, {"content":{}, "model" : "models/n"} ]}"#,
    );
    sent(
        "countTokens",
        r#"{"generateContentRequest": {"contents":[],"model":"models/m"},"model":"m"}"#,
        r#"{"generateContentRequest": {"contents":[],"model":"models/n"},"model":"models/n"}"#,
    );
    // Elsewhere these names mean nothing.
    let body = r#"{"generateContentRequest":{"model":"m"},"requests":[{"model":"m"}]}"#;
    sent("generateContent", body, body);
    for body in ["", "[]", r#"{"requests":[}"#, r#"{"requests":[{"model":"m"]}"#] {
        assert!(GeminiGenerate.head(&route_for("batchEmbedContents"), body).is_err(), "{body}");
    }
}

#[test]
fn waiting_times_are_read() {
    let body = br#"[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"13.5s"}]}}]"#;
    let fault = GeminiGenerate.decode_fault(429, body);
    assert_eq!((fault.kind, fault.retry_after_ms), (FaultKind::RateLimited, Some(13_500)));
}

#[test]
fn an_upstreams_error_is_read() {
    #[track_caller]
    fn check(status: u16, body: &str, kind: FaultKind, message: &str, words: Option<&str>) {
        let fault = GeminiGenerate.decode_fault(status, body.as_bytes());
        assert_eq!((fault.kind, fault.message.as_str(), fault.words.as_deref()), (kind, message, words));
        assert_eq!(fault.status, Some(status));
    }
    let google = |status: &str| format!(r#"{{"error":{{"code":1,"message":"m","status":"{status}"}}}}"#);
    let check_word = |status, word: &str, kind| check(status, &google(word), kind, "m", Some(word));
    check_word(400, "INVALID_ARGUMENT", FaultKind::UpstreamInvalid);
    check_word(403, "PERMISSION_DENIED", FaultKind::UpstreamCredential);
    check_word(404, "NOT_FOUND", FaultKind::UpstreamNotFound);
    check_word(429, "RESOURCE_EXHAUSTED", FaultKind::RateLimited);
    check_word(503, "UNAVAILABLE", FaultKind::UpstreamOverloaded);
    check_word(504, "DEADLINE_EXCEEDED", FaultKind::UpstreamTimeout);
    let key =
        r#"{"error":{"message":"m","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#;
    let refused = "the upstream refused the gateway's credential";
    check(400, key, FaultKind::UpstreamCredential, refused, Some("INVALID_ARGUMENT"));
    check(429, r#"{"error":"m"}"#, FaultKind::RateLimited, "m", None);
    check(400, r#"{"detail":"m"}"#, FaultKind::UpstreamInvalid, "m", None);
    check(401, r#"{"message":"m"}"#, FaultKind::UpstreamCredential, "m", None);
    check(503, "try\nlater", FaultKind::UpstreamOverloaded, "try later", None);
    for body in ["", "<html>502</html>", "{}"] {
        let none = "the upstream answered with status 502 and no reason";
        check(502, body, FaultKind::UpstreamError, none, None);
    }
}

#[track_caller]
fn fails(body: &str, kind: FaultKind, message: &str) {
    let Err(AnswerError::Fault(fault)) = GeminiGenerate.decode_response(body) else { panic!("{body}") };
    assert_eq!((fault.kind, fault.message.as_str()), (kind, message));
    let mut meter = GeminiGenerate.meter(Operation::Generate);
    meter.whole(body);
    assert_eq!(meter.reading().fault.as_ref().map(|fault| fault.kind), Some(kind));
    assert!(!meter.reading().complete);
}

#[test]
fn a_failure_inside_a_good_answer_is_told() {
    let error = r#"{"error":{"code":503,"message":"full","status":"UNAVAILABLE"}}"#;
    fails(error, FaultKind::UpstreamOverloaded, "full");
    fails(&format!("[{error}]"), FaultKind::UpstreamOverloaded, "full");
    fails(r#"{"error":"no"}"#, FaultKind::UpstreamError, "no");
}

#[test]
fn a_fault_is_told_as_google_does() {
    for kind in FaultKind::ALL {
        let body = GeminiGenerate.encode_fault(&Fault::new(kind, "m"));
        let told = GeminiGenerate.decode_fault(kind.status(), &body);
        assert_eq!((told.message.as_str(), told.status), ("m", Some(kind.status())));
        let end = GeminiGenerate.encode_stream_fault(&Fault::new(kind, "m"), Framing::Sse);
        assert_eq!(end, format!("data: {}\n\n", std::str::from_utf8(&body).unwrap()));
    }
}

#[test]
fn a_plain_text_is_an_answer() {
    let usage = Usage { input_uncached: Tokens(5), output_text: Tokens(4), ..Usage::default() };
    let plain = Plain {
        id: "7",
        model: "demo/hello",
        text: "hi \"you\"\u{2028}",
        created: 9,
        usage: &usage,
        previous: None,
    };
    let whole = GeminiGenerate.encode_plain(&plain, None);
    let mut all = vec![whole_laws(&GeminiGenerate, std::str::from_utf8(&whole).unwrap())];
    for framing in [Framing::Sse, Framing::JsonArray] {
        let stream = GeminiGenerate.encode_plain(&plain, Some(framing));
        all.push(fold(stream_laws(&GeminiGenerate, &stream, framing)).unwrap().0);
    }
    for response in &all {
        assert_eq!(told(response), ["text hi \"you\"\u{2028}|0|0"]);
        assert_eq!((response.id.as_deref(), response.model.as_deref()), (Some("7"), Some("demo/hello")));
        assert!(response.usage.as_ref().unwrap().same_counts(&usage));
    }
}

#[test]
fn models_are_listed_with_their_limits() {
    let entry = |id: &str| ModelEntry {
        id: id.to_owned(),
        display: "Chat".to_owned(),
        owner: "lab".to_owned(),
        created: 1,
        context_max: Some(100),
        output_max: None,
    };
    let route = GeminiGenerate.route("GET", "/v1beta/models", None).unwrap();
    let list = GeminiGenerate.encode_models(&[entry("a/b")], &route);
    let one = r#"{"name":"models/a/b","displayName":"Chat","inputTokenLimit":100,"outputTokenLimit":null,"supportedGenerationMethods":["generateContent","countTokens"]}"#;
    assert_eq!(list, format!(r#"{{"models":[{one}]}}"#));
    let route = GeminiGenerate.route("GET", "/v1beta/models/a%2Fb", None).unwrap();
    assert_eq!(GeminiGenerate.encode_models(&[entry("a/b")], &route), one);
}
