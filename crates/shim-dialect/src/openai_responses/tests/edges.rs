//! Routes and faults.

use shim_ir::{Fault, FaultKind};

use super::OpenaiResponses;
use crate::{AnswerError, Codec, Decode, Operation};

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

#[test]
fn a_failure_inside_a_200_is_a_fault() {
    let bodies = [
        r#"{"id":"r","status":"failed","error":{"code":"server_error","message":"down"},"output":[]}"#,
        r#"{"error":{"code":"server_error","message":"down"}}"#,
    ];
    for body in bodies {
        match OpenaiResponses.decode_response(body) {
            Err(AnswerError::Fault(fault)) => assert_eq!(fault.message, "down"),
            other => panic!("{other:?}"),
        }
    }
}
