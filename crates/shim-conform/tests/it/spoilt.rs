//! A proof finds what is wrong: each script is spoilt in one place, and the cells of its upstream must fail.

use shim_conform::{Cell, Scripts, Verdict, Wish, matrix, prove};
use shim_ir::Dialect;

use crate::square;

const TARGETS: [(Dialect, &str); 4] = [
    (Dialect::OpenaiChat, "a-chat"),
    (Dialect::OpenaiResponses, "b-responses"),
    (Dialect::Anthropic, "c-messages"),
    (Dialect::Gemini, "d-content"),
];

/// Spoils a case of an upstream; every cell of it must fail with a reason that holds `reason`, and no other may.
async fn check(upstream: Dialect, case: &str, from: &str, to: &str, reason: &str) {
    let scripts = Scripts::shipped().spoilt(upstream, case, from, to);
    let place = format!("{upstream} {case}: {from} as {to}");
    assert_eq!(failed(upstream, case, &scripts, reason, &place).await, 4, "{place}");
}

/// How many cells of a case of an upstream fail, each with a reason that holds `reason`; no other may.
async fn failed(upstream: Dialect, case: &str, scripts: &Scripts, reason: &str, place: &str) -> usize {
    let target = TARGETS.iter().find(|(dialect, _)| *dialect == upstream).unwrap().1;
    let cases = [case, "image", "overloaded"].map(str::to_owned).to_vec();
    let wish = Wish { targets: vec![target.to_owned()], cases, ..Wish::default() };
    let report = prove(square(), &wish, scripts).await.unwrap();
    let rows = &report.tried[0].rows;
    let told = |cell: &Cell| cell.reasons.iter().any(|told| told.contains(reason));
    let fails = |cell: &&Cell| cell.verdict == Verdict::Fail;
    let others = rows.iter().filter(|row| row.case != case).flat_map(|row| &row.cells).filter(fails).count();
    assert_eq!(others, 0, "{place}: {}", matrix(&report));
    let row = rows.iter().find(|row| row.case == case).unwrap();
    row.cells.iter().filter(fails).inspect(|cell| assert!(told(cell), "{place}: {:?}", cell.reasons)).count()
}

#[tokio::test]
async fn a_wrong_text_is_found() {
    for (upstream, _) in TARGETS {
        check(upstream, "plain", "calm", "wild", "the answer's parts").await;
    }
}

#[tokio::test]
async fn wrong_arguments_are_found() {
    for (upstream, _) in TARGETS {
        check(upstream, "tool_calls", "Oslo", "Rome", "the answer's parts").await;
    }
}

#[tokio::test]
async fn reasoning_that_is_lost_is_found() {
    for (upstream, _) in TARGETS {
        check(upstream, "reasoning", "lass is steady", "", "the answer's parts").await;
    }
}

#[tokio::test]
async fn a_wrong_usage_is_found() {
    let members = ["prompt_tokens", "input_tokens", "input_tokens", "promptTokenCount"];
    for ((upstream, _), member) in TARGETS.into_iter().zip(members) {
        // The scripts are indented where they are whole, and are not where they are streamed.
        for space in ["", " "] {
            let from = format!("\"{member}\":{space}34");
            check(upstream, "system", &from, &from.replace("34", "35"), "usage").await;
        }
    }
}

#[tokio::test]
async fn a_wrong_end_is_found() {
    let words = [
        ("length", "stop"),
        ("max_output_tokens", "content_filter"),
        ("max_tokens", "end_turn"),
        ("MAX_TOKENS", "STOP"),
    ];
    for ((upstream, _), (from, to)) in TARGETS.into_iter().zip(words) {
        let (from, to) = (format!("\"{from}\""), format!("\"{to}\""));
        check(upstream, "length", &from, &to, "why it ended").await;
    }
}

#[tokio::test]
async fn a_stream_without_its_end_is_found() {
    let ends = [
        ("\"finish_reason\":\"stop\"", "\"finish_reason\":null"),
        ("\"type\":\"response.completed\"", "\"type\":\"response.ended\""),
        ("data: {\"type\":\"message_stop\"}", "data: {\"type\":\"ping\"}"),
        ("\"finishReason\":\"STOP\",", ""),
    ];
    for ((upstream, _), (from, to)) in TARGETS.into_iter().zip(ends) {
        let scripts = Scripts::shipped().spoilt(upstream, "plain", from, to);
        let place = format!("{upstream} without {from}");
        assert_eq!(failed(upstream, "plain", &scripts, "streamed", &place).await, 4, "{place}");
    }
}

#[tokio::test]
async fn a_good_answer_where_none_may_be_is_found() {
    for (upstream, _) in TARGETS {
        for case in ["failed_inside", "rate_limited"] {
            let scripts = Scripts::shipped().exchanged(upstream, case, "plain");
            let place = format!("{upstream} {case} as plain");
            assert_eq!(failed(upstream, case, &scripts, "whole", &place).await, 4, "{place}");
        }
    }
}

#[tokio::test]
async fn another_error_than_the_one_that_is_told_is_found() {
    for (upstream, _) in TARGETS {
        check(upstream, "invalid", "\"message\"", "\"massage\"", "error").await;
    }
}

#[tokio::test]
async fn each_form_of_an_answer_is_looked_at() {
    for (upstream, target) in TARGETS {
        let wish = Wish {
            targets: vec![target.to_owned()],
            dialects: vec![Dialect::Gemini],
            cases: vec!["plain".to_owned()],
        };
        let scripts = Scripts::shipped().spoilt(upstream, "plain", "calm", "wild");
        let report = prove(square(), &wish, &scripts).await.unwrap();
        let reasons = &report.tried[0].rows[0].cells[0].reasons;
        for form in ["whole: ", "streamed: ", "streamed as an array: "] {
            let told = reasons.iter().any(|reason| reason.starts_with(form));
            assert!(told, "{upstream}: nothing is found {form}: {reasons:?}");
        }
    }
}
