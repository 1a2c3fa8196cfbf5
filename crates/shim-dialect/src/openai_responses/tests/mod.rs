//! The laws of the lane over recorded traffic, and what faults look like.

use shim_ir::{Fault, FaultKind};

use super::OpenaiResponses;
use crate::laws::lane_laws;
use crate::{Codec, Operation};

#[test]
fn recorded_traffic_obeys_the_laws_of_the_lane() {
    let families = ["openai.responses", "openai.responses_compact", "openai.responses_input_tokens"];
    lane_laws(&OpenaiResponses, &families, &[], |usage| usage["total_tokens"].as_u64());
}

#[test]
fn kept_answers_are_asked_for_by_id_and_nothing_else() {
    let route = OpenaiResponses.route("GET", "/v1/responses/resp_1", Some("stream=false")).unwrap();
    assert_eq!(
        (route.operation, OpenaiResponses.upstream_path(&route, "-")),
        (Operation::Stored, "/responses/resp_1?stream=false".into())
    );
    for path in ["/v1/responses/../models", "/v1/responses/a/b/c", "/v1/responses/%2e%2e/x", "/v1/responses/"]
    {
        assert_eq!(OpenaiResponses.route("GET", path, None), None, "{path}");
    }
}

#[test]
fn faults_have_the_shape_sdks_raise_on() {
    let fault = Fault::new(FaultKind::UpstreamCut, "cut");
    let told = OpenaiResponses.encode_stream_fault(&fault, shim_wire::frame::Framing::Sse);
    assert!(told.starts_with(b"event: error\ndata: {"));
    let limited =
        OpenaiResponses.decode_fault(429, br#"{"error":{"message":"slow","code":"insufficient_quota"}}"#);
    assert_eq!(limited.kind, FaultKind::QuotaExceeded);
}
