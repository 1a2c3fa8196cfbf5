//! How far the estimate of a request's tokens is from what providers counted, over recorded traffic.

use shim_dialect::{Decode, Operation, Route, speaker};
use shim_ir::{Dialect, Usage};
use shim_policy::tokens::{Correction, Estimate};
use shim_testkit::recordings::{self, Recording};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

/// What was asked, where it was to answer a conversation.
fn asked(codec: &dyn Decode, recording: &Recording) -> Option<shim_ir::Request> {
    let sent = recording.request.as_ref().filter(|sent| sent.body_encoding == "utf-8")?;
    // Vertex AI and other hosts have paths of their own before these.
    let at = sent.path.find("/models/").filter(|_| codec.dialect() == Dialect::Gemini);
    let path = at.map_or(sent.path.clone(), |at| format!("/v1beta{}", &sent.path[at..]));
    let body = Route {
        operation: Operation::Generate,
        model: None,
        stream: false,
        framing: Framing::Sse,
        query: None,
    };
    let route = codec.route(&sent.method, &path, None).unwrap_or(body);
    (route.operation == Operation::Generate).then(|| codec.decode_request(&route, &sent.body).ok())?
}

/// What the answer says was used.
fn used(codec: &dyn Decode, recording: &Recording) -> Option<Usage> {
    let told = &recording.response;
    let mut meter = codec.meter(Operation::Generate);
    if told.framing == "sse" {
        let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
        framer.push(told.body.as_bytes(), &mut |frame| meter.frame(frame)).ok()?;
        framer.finish(&mut |frame| meter.frame(frame)).ok()?;
    } else {
        meter.whole(&told.body);
    }
    meter.reading().usage.clone().filter(|_| told.status.or(recording.status).unwrap_or(200) == 200)
}

/// The estimate of a recorded request that has text alone over what the provider counted, less one.
fn error(dialect: Dialect, recording: &Recording) -> Option<f64> {
    let codec = speaker(dialect);
    let estimate = Estimate::of(&asked(codec, recording)?);
    let counted = used(codec, recording)?.input_total().0;
    let template = recording.model.as_deref().and_then(shim_catalog::template);
    let known =
        template.map_or_else(Correction::default, |known| Correction::new(known.request, known.tools));
    let real = |tokens: u64| f64::from(u32::try_from(tokens).unwrap());
    let error = || real(estimate.corrected(&known).0) / real(counted) - 1.0;
    (counted > 0 && estimate.teaches()).then(error)
}

/// The most that the median and the 90th percentile of the error may be, without any correction by counts.
const BOUNDS: [(Dialect, &[&str], f64, f64); 4] = [
    (Dialect::OpenaiChat, &["openai.chat"], 0.10, 0.55),
    (Dialect::OpenaiResponses, &["openai.responses"], 0.11, 0.55),
    (Dialect::Anthropic, &["anthropic.messages"], 0.11, 0.45),
    // It counts no part of its template, and writes tools in words of its own.
    (Dialect::Gemini, &["gemini.generate", "gemini.stream"], 0.25, 1.20),
];

#[test]
fn estimates_are_near_what_was_counted() {
    for (dialect, families, median_max, tail_max) in BOUNDS {
        let Some(recordings) = recordings::of_families(families).unwrap() else {
            println!("there are no recordings here");
            return;
        };
        let mut errors: Vec<f64> =
            recordings.iter().filter_map(|recording| error(dialect, recording)).map(f64::abs).collect();
        errors.sort_by(f64::total_cmp);
        let (median, tail) = (errors[errors.len() / 2], errors[errors.len() * 9 / 10]);
        println!("{dialect}: {} exchanges, median {median:.3}, 90th percentile {tail:.3}", errors.len());
        assert!(errors.len() > 100, "{dialect}: {}", errors.len());
        assert!(
            median <= median_max && tail <= tail_max,
            "{dialect}: median {median:.3}, 90th percentile {tail:.3}"
        );
    }
}
