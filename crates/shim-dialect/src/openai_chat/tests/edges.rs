//! Routes, heads, errors, and what the gateway answers by itself.

use shim_ir::{Fault, FaultKind, Tokens, Usage, fold};
use shim_wire::frame::Framing;

use super::{route_for, told};
use crate::laws::{stream_laws, whole_laws};
use crate::openai_chat::OpenaiChat;
use crate::{Codec, ModelEntry, Operation, Plain};

#[track_caller]
fn goes(method: &str, path: &str, wanted: Option<(Operation, Option<&str>, &str)>) {
    let route = OpenaiChat.route(method, path, Some("key=secret&api-version=7"));
    let found = route.as_ref().map(|route| {
        let model = route.model.as_deref();
        (route.operation, model, OpenaiChat.upstream_path(route, model.unwrap_or("m")))
    });
    let wanted = wanted.map(|(operation, model, path)| (operation, model, format!("{path}?api-version=7")));
    assert_eq!(found, wanted, "{method} {path}");
}

#[test]
fn request_lines_find_their_operation() {
    let chat = Some((Operation::Generate, None, "/chat/completions"));
    goes("POST", "/v1/chat/completions", chat);
    goes("POST", "/chat/completions", chat);
    goes("POST", "/v1/embeddings", Some((Operation::Embed, None, "/embeddings")));
    goes("GET", "/v1/models", Some((Operation::Models, None, "/models")));
    let slashed = Some((Operation::Models, Some("openai/gpt 5"), "/models/openai/gpt%205"));
    goes("GET", "/v1/models/openai/gpt%205", slashed);
    goes("GET", "/v1/models/openai%2Fgpt%205", slashed);
    goes("GET", "/v1/chat/completions", None);
    goes("POST", "/v1/messages", None);
    goes("POST", "/v1chat/completions", None);
}

/// What becomes of `body` when it is sent to model `n` and is to tell its usage.
fn sent(body: &str) -> String {
    let head = OpenaiChat.head(&route_for(Operation::Generate), body).expect("a head");
    let splices = OpenaiChat.retarget(&head, "n", true);
    let pieces =
        shim_wire::splice(&bytes::Bytes::copy_from_slice(body.as_bytes()), splices).expect("splices fit");
    String::from_utf8(pieces.concat()).expect("UTF-8")
}

#[test]
fn a_stream_is_asked_for_its_usage_once() {
    let check = |body: &str, wanted: &str| assert_eq!(sent(body), wanted);
    let asked = r#""stream_options":{"include_usage":true}"#;
    check(r#"{"model":"m","messages":[]}"#, r#"{"model":"n","messages":[]}"#);
    check(r#"{"stream":true,"model": "m" }"#, &format!(r#"{{"stream":true,"model": "n",{asked} }}"#));
    check(
        r#"{"model":"m","stream":true,"stream_options":null}"#,
        &format!(r#"{{"model":"n","stream":true,{asked}}}"#),
    );
    check(
        r#"{"model":"m","stream":true,"stream_options":{ }}"#,
        &format!(r#"{{"model":"n","stream":true,{asked}}}"#),
    );
    check(
        r#"{"stream_options":{"include_obfuscation":false},"stream":true,"model":"m"}"#,
        r#"{"stream_options":{"include_usage":true,"include_obfuscation":false},"stream":true,"model":"n"}"#,
    );
    check(
        r#"{"stream_options":{"a":1, "include_usage": null},"stream":true,"model":"m"}"#,
        r#"{"stream_options":{"a":1, "include_usage": true},"stream":true,"model":"n"}"#,
    );
    for said in ["true", "false"] {
        let body = format!(r#"{{"model":"n","stream":true,"stream_options":{{"include_usage":{said}}}}}"#);
        check(&body, &body);
    }
}

#[test]
fn an_upstreams_error_is_read() {
    #[track_caller]
    fn check(
        status: u16,
        body: &str,
        kind: FaultKind,
        message: &str,
        words: Option<&str>,
        path: Option<&str>,
    ) {
        let fault = OpenaiChat.decode_fault(status, body.as_bytes());
        let found = (fault.kind, fault.message.as_str(), fault.words.as_deref(), fault.path.as_deref());
        assert_eq!(found, (kind, message, words, path), "{body}");
    }
    let context = r#"{"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
    check(400, context, FaultKind::UpstreamInvalid, "m", Some("context_length_exceeded"), Some("messages"));
    let quota =
        r#"{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    check(429, quota, FaultKind::QuotaExceeded, "m", Some("insufficient_quota"), None);
    let deepseek = r#"{"error":{"message":"m","type":"authentication_error","param":null,"code":"invalid_request_error"}}"#;
    check(401, deepseek, FaultKind::UpstreamCredential, "m", Some("invalid_request_error"), None);
    let openrouter = r#"{"error":{"code":429,"message":"m","metadata":{"raw":"r"}},"user_id":"u"}"#;
    check(429, openrouter, FaultKind::RateLimited, "m", None, None);
    check(400, r#"{"code":"c","error":"m"}"#, FaultKind::UpstreamInvalid, "m", Some("c"), None);
    check(401, r#"{"detail":"m"}"#, FaultKind::UpstreamCredential, "m", None, None);
    let fastapi = r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"m","type":"t"}]}"#;
    check(422, fastapi, FaultKind::UpstreamInvalid, "m", None, Some("messages[0].role"));
    let mistral = r#"{"object":"error","message":{"detail":[{"loc":["body","n"],"msg":"m"}]},"type":"invalid_request_error","code":"3051"}"#;
    check(422, mistral, FaultKind::UpstreamInvalid, "m", Some("3051"), Some("n"));
    check(
        400,
        r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#,
        FaultKind::UpstreamInvalid,
        "m",
        Some("INVALID_ARGUMENT"),
        None,
    );
    check(
        502,
        "<html>Bad Gateway</html>",
        FaultKind::UpstreamError,
        "the upstream answered with status 502 and no reason",
        None,
        None,
    );
    check(503, "try later\n", FaultKind::UpstreamOverloaded, "try later", None, None);
    check(
        500,
        "",
        FaultKind::UpstreamError,
        "the upstream answered with status 500 and no reason",
        None,
        None,
    );
    check(500, "{\"error\":{}}", FaultKind::UpstreamError, "{\"error\":{}}", None, None);
}

#[test]
fn a_fault_is_told_as_openai_does() {
    let mut fault =
        Fault::new(FaultKind::UnknownModel, "there is no model \"x\"").at("model").detail("secret");
    let body = OpenaiChat.encode_fault(&fault);
    let wanted = r#"{"error":{"message":"there is no model \"x\"","type":"invalid_request_error","param":"model","code":"unknown_model"}}"#;
    assert_eq!(body, wanted);
    assert_eq!(OpenaiChat.encode_stream_fault(&fault, Framing::Sse), format!("data: {wanted}\n\n"));
    fault.words = Some("model_not_found".to_owned());
    assert!(
        std::str::from_utf8(&OpenaiChat.encode_fault(&fault))
            .unwrap()
            .contains(r#""code":"model_not_found""#)
    );
    let mut refused = Fault::new(FaultKind::UpstreamCredential, "m");
    for (status, word) in [(401, "authentication_error"), (502, "server_error")] {
        refused.status = Some(status);
        let told: serde_json::Value = serde_json::from_slice(&OpenaiChat.encode_fault(&refused)).unwrap();
        assert_eq!(told["error"]["type"], word);
    }
    for kind in FaultKind::ALL {
        let told = OpenaiChat.decode_fault(kind.status(), &OpenaiChat.encode_fault(&Fault::new(kind, "m")));
        assert_eq!((told.message.as_str(), told.words.as_deref()), ("m", Some(kind.code())));
    }
}

#[test]
fn a_plain_text_is_an_answer() {
    let usage = Usage {
        input_uncached: Tokens(3),
        cache_read: Tokens(2),
        output_text: Tokens(4),
        ..Usage::default()
    };
    let plain =
        Plain { id: "7", model: "demo/hello", text: "hi \"you\"", created: 9, usage: &usage, previous: None };
    let whole = OpenaiChat.encode_plain(&plain, None);
    let whole = whole_laws(&OpenaiChat, std::str::from_utf8(&whole).unwrap());
    let streamed = OpenaiChat.encode_plain(&plain, Some(Framing::Sse));
    let (streamed, foreign) = fold(stream_laws(&OpenaiChat, &streamed, Framing::Sse)).unwrap();
    assert_eq!(foreign, []);
    for response in [&whole, &streamed] {
        assert_eq!(told(response), ["text hi \"you\""]);
        assert_eq!((response.id.as_deref(), response.created), (Some("chatcmpl-7"), Some(9)));
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
    let one = r#"{"id":"a/b","object":"model","created":1,"owned_by":"lab","name":"Chat","context_window":100,"context_length":100,"max_model_len":100}"#;
    let models = [entry("chat"), entry("a/b")];
    let mut route = route_for(Operation::Models);
    let list = OpenaiChat.encode_models(&models[1..], &route);
    assert_eq!(list, format!(r#"{{"object":"list","data":[{one}]}}"#));
    route.model = Some("a/b".to_owned());
    assert_eq!(OpenaiChat.encode_models(&models, &route), one);
    route.model = Some("c".to_owned());
    assert!(OpenaiChat.encode_models(&models, &route).starts_with(b"{\"error\""));
}
