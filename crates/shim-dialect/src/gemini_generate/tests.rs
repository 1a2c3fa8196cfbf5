//! The laws of the lane over recorded traffic, and what faults look like.

use shim_ir::FaultKind;
use shim_wire::frame::Framing;

use super::GeminiGenerate;
use crate::laws::lane_laws;
use crate::{Codec, Operation};

#[test]
fn recorded_traffic_obeys_the_laws_of_the_lane() {
    let families = ["gemini.generate", "gemini.stream", "gemini.count_tokens", "gemini.embed"];
    lane_laws(&GeminiGenerate, &families, &[], |usage| usage["totalTokenCount"].as_u64());
}

#[test]
fn the_path_names_model_and_verb() {
    let route = GeminiGenerate
        .route("POST", "/v1/models/lab%2Fm:streamGenerateContent", Some("alt=sse&key=secret"))
        .unwrap();
    assert_eq!((route.operation, route.stream, route.framing), (Operation::Generate, true, Framing::Sse));
    assert_eq!(route.model.as_deref(), Some("lab/m"));
    let path = GeminiGenerate.upstream_path(&route, "gemini-3-pro");
    assert_eq!(path, "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse");
    assert_eq!(GeminiGenerate.route("GET", "/v1/models", None), None);
    assert!(GeminiGenerate.route("GET", "/v1beta/models", None).is_some());
}

#[test]
fn waiting_times_are_read() {
    let body = br#"[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"13.5s"}]}}]"#;
    let fault = GeminiGenerate.decode_fault(429, body);
    assert_eq!((fault.kind, fault.retry_after_ms), (FaultKind::RateLimited, Some(13_500)));
}
