//! Answers, whole and streamed, as they are seldom recorded.

use shim_ir::{Delta, Event, FaultKind, FinishReason, FoldError, Grammar, Part, Response, fold};
use shim_testkit::recordings::Recording;
use shim_wire::frame::{Frame, Framing};

use super::{FAMILIES, answer, classes, part_told, told};
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{events, recorded, stream_laws, whole_laws};
use crate::{AnswerError, Codec, Decode, Operation};

/// A stream of these pieces, each on one line.
fn sse(pieces: &[&str]) -> Vec<u8> {
    let framed = pieces.iter().map(|piece| format!("data: {}\r\n\r\n", piece.replace('\n', " ")));
    framed.collect::<String>().into_bytes()
}

/// A piece of the first answer with these parts.
fn say(parts: &str) -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{parts}],"role":"model"}},"index":0}}],"modelVersion":"m"}}"#
    )
}

const STOP: &str = r#"{"candidates":[{"finishReason":"STOP"}],"modelVersion":"m"}"#;

#[track_caller]
fn folded(pieces: &[&str]) -> Response {
    let response = fold(stream_laws(&GeminiGenerate, &sse(pieces), Framing::Sse)).expect("a clean stream").0;
    let list = format!("[{}]", pieces.join(",").replace('\n', " "));
    assert_eq!(whole_laws(&GeminiGenerate, &list), response);
    response
}

#[track_caller]
fn fault(pieces: &[&str]) -> (FaultKind, String) {
    match fold(stream_laws(&GeminiGenerate, &sse(pieces), Framing::Sse)) {
        Err(FoldError::Failed(fault, _)) => (fault.kind, fault.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_and_thoughts_join_until_the_other_begins() {
    let pieces = [
        say(r#"{"text":"th","thought":true}"#),
        say(r#"{"text":"ought","thought":true},{"text":"an"}"#),
        say(r#"{"text":"swer"},{"text":""}"#),
        say(r#"{"text":" once","thoughtSignature":"s1"}"#),
        say(r#"{"text":" more"}"#),
        say(r#"{"text":"","thoughtSignature":"s2"}"#),
        say(r#"{"text":"!"}"#),
        STOP.to_owned(),
    ];
    let response = folded(&pieces.each_ref().map(String::as_str));
    let wanted = [
        "thought thought|0",
        "text answer|0|0",
        "text  once|0|1",
        "text  more|0|0",
        "text |0|1",
        "text !|0|0",
    ];
    assert_eq!(told(&response), wanted);
}

#[test]
fn several_answers_interleave() {
    let piece = |index: u32, rest: &str| format!(r#"{{"candidates":[{{"index":{index},{rest}}}]}}"#);
    let text =
        |index: u32, text: &str| piece(index, &format!(r#""content":{{"parts":[{{"text":"{text}"}}]}}"#));
    let end = |index: u32| piece(index, r#""finishReason":"MAX_TOKENS""#);
    let pieces = [text(1, "b"), text(0, "a"), text(1, "B"), text(0, "A"), end(1), end(0)];
    let response = folded(&pieces.each_ref().map(String::as_str));
    let texts: Vec<_> = response.candidates.iter().map(|candidate| part_told(&candidate.parts[0])).collect();
    assert_eq!(texts, ["text aA|0|0", "text bB|0|0"]);
    assert_eq!(fault(&pieces.each_ref().map(String::as_str)[..5]).0, FaultKind::UpstreamCut);
}

#[track_caller]
fn calls(pieces: &[&str], wanted: &[&str]) {
    let mut all: Vec<_> = pieces.iter().map(|piece| say(&format!(r#"{{"functionCall":{piece}}}"#))).collect();
    all.push(STOP.to_owned());
    let response = folded(&all.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(told(&response), wanted);
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
}

#[test]
fn calls_come_at_once_or_in_pieces() {
    calls(&[r#"{"id":"1","name":"f","args":{"x": 1}}"#], &[r#"call 1 f {"x": 1}|0"#]);
    calls(&[r#"{"name":"f"}"#, r#"{"name":"g","args":{}}"#], &["call  f {}|0", "call  g {}|0"]);
    let begin = r#"{"name":"f","willContinue":true}"#;
    let piece = |values: &str| format!(r#"{{"partialArgs":[{values}],"willContinue":true}}"#);
    let text = |path: &str, text: &str, more: bool| {
        piece(&format!(r#"{{"jsonPath":"{path}","stringValue":"{text}","willContinue":{more}}}"#))
    };
    calls(
        &[begin, &text("$.a", "x\\n", true), &text("$.a", "\\\"y", true), &text("$.a", "", false), "{}"],
        &[r#"call  f {"a":"x\n\"y"}|0"#],
    );
    let values = r#"{"jsonPath":"$.a.b[0].c","numberValue":1.50},{"jsonPath":"$.a.b[0].d","boolValue":true},
        {"jsonPath":"$.a.b[1]","nullValue":"NULL_VALUE"},{"jsonPath":"$['e f']","nullValue":null}"#;
    let wanted = r#"call  f {"a":{"b":[{"c":1.50,"d":true},null]},"e f":null}|0"#;
    calls(&[begin, &piece(values), "{}"], &[wanted]);
    // Nothing came, the answer ended first, another began, all came at once.
    calls(&[begin, "{}"], &["call  f {}|0"]);
    calls(&[begin, &text("$.a", "x", true)], &[r#"call  f {"a":"x"}|0"#]);
    calls(&[begin, begin, "{}", "{}"], &["call  f {}|0", "call  f {}|0"]);
    calls(&[begin, r#"{"args":{"x": 1}}"#], &[r#"call  f {"x": 1}|0"#]);
    let alone = r#"{"name":"f","partialArgs":[{"jsonPath":"$.a","numberValue":1}]}"#;
    calls(&[alone], &[r#"call  f {"a":1}|0"#]);
}

#[test]
fn arguments_out_of_order_are_refused() {
    let refused = |values: &str| {
        let body = say(&format!(
            r#"{{"functionCall":{{"name":"f","partialArgs":[{values}],"willContinue":true}}}}"#
        ));
        let mut decoder = GeminiGenerate.decoder();
        let mut out = Vec::new();
        let error = decoder.push(Frame { event: None, data: &body }, &mut out).unwrap_err();
        decoder.finish(&mut out);
        assert!(
            matches!(out.last(), Some(Event::Fault(fault)) if fault.kind == FaultKind::UpstreamMalformed)
        );
        error.to_string()
    };
    let number = |path: &str| format!(r#"{{"jsonPath":"{path}","numberValue":1}}"#);
    let all = |paths: &[&str]| refused(&paths.iter().map(|path| number(path)).collect::<Vec<_>>().join(","));
    let order = "candidates[0].functionCall.partialArgs[2].jsonPath: the values are out of order";
    assert_eq!(all(&["$.a.b", "$.c", "$.a.d"]), order);
    let second = |says: &str| format!("candidates[0].functionCall.partialArgs[1].jsonPath: {says}");
    assert_eq!(all(&["$.a[0]", "$.a[2]"]), second("the values are out of order"));
    assert_eq!(all(&["$.a[0]", "$.a.b"]), second("the values are out of order"));
    assert_eq!(all(&["$.a", "$.a"]), second("a value comes twice"));
    assert_eq!(all(&["$.a", "$.a.b"]), second("a value comes twice"));
    assert_eq!(all(&["$.a", "$"]), second("expected a path to a value"));
    let unknown = refused(r#"{"jsonPath":"$.a","structValue":{}}"#);
    assert_eq!(unknown, "candidates[0].functionCall.partialArgs[0]: expected a value of a known kind");
}

#[test]
fn sound_goes_on() {
    let sound = |data: &str| say(&format!(r#"{{"inlineData":{{"mimeType":"audio/pcm","data":"{data}"}}}}"#));
    let image = say(r#"{"inlineData":{"mimeType":"image/png","data":"CCCC"}}"#);
    let response = folded(&[&sound("AAAA"), &sound("BBBB"), &image, &image, STOP]);
    let image = r#"Image Inline("CCCC")"#;
    assert_eq!(told(&response), [r#"Audio Inline("AAAABBBB")"#, image, image]);
}

#[test]
fn a_cut_is_no_stop() {
    let text = say(r#"{"text":"hi"}"#);
    assert_eq!(fault(&[]).0, FaultKind::UpstreamCut);
    assert_eq!(fault(&[&text]).0, FaultKind::UpstreamCut);
    assert_eq!(fault(&[&text, "[DONE]"]).0, FaultKind::UpstreamCut);
    let unsaid = r#"{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}"#;
    assert_eq!(fault(&[&text, unsaid]).0, FaultKind::UpstreamCut);
    assert_eq!(fault(&[r#"{"usageMetadata":{"promptTokenCount":1}}"#]).0, FaultKind::UpstreamCut);
    let clean = stream_laws(&GeminiGenerate, &sse(&[&text, STOP, "[DONE]"]), Framing::Sse);
    assert!(matches!(clean.last(), Some(Event::Finish(_))));
    let Err(AnswerError::Fault(cut)) = GeminiGenerate.decode_response(&format!("[{text}]")) else { panic!() };
    assert_eq!(cut.kind, FaultKind::UpstreamCut);
    let error = r#"{"error":{"code":500,"message":"m","status":"INTERNAL"}}"#;
    assert_eq!(fault(&[&text, error, STOP]), (FaultKind::UpstreamError, "m".to_owned()));
}

#[test]
fn a_blocked_prompt_is_an_empty_answer() {
    let body = r#"{"promptFeedback":{"blockReason":"SAFETY","safetyRatings":[]},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}"#;
    for response in [folded(&[body]), whole_laws(&GeminiGenerate, body)] {
        let [candidate] = &response.candidates[..] else { panic!("{response:?}") };
        let finish = candidate.finish.as_ref().unwrap();
        assert_eq!((&finish.reason, finish.words.as_deref()), (&FinishReason::Filter, Some("SAFETY")));
        assert_eq!(classes(&response), [4, 0, 0, 0]);
        assert!(candidate.parts.is_empty() && response.rest.get("promptFeedback").is_some());
    }
}

#[test]
fn the_reasons_of_an_end() {
    let check = |words: &[&str], wanted: FinishReason| {
        for word in words {
            let body = format!(r#"{{"candidates":[{{"content":{{}},"finishReason":"{word}"}}]}}"#);
            let response = whole_laws(&GeminiGenerate, &body);
            let finish = response.candidates[0].finish.as_ref().unwrap();
            assert_eq!((&finish.reason, finish.words.as_deref()), (&wanted, Some(*word)));
        }
    };
    check(&["STOP"], FinishReason::Stop);
    check(&["MAX_TOKENS"], FinishReason::Length);
    check(&["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT"], FinishReason::Filter);
    check(&["SPII", "MODEL_ARMOR", "IMAGE_SAFETY", "IMAGE_RECITATION"], FinishReason::Filter);
    check(&["IMAGE_PROHIBITED_CONTENT"], FinishReason::Filter);
    check(&["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"], FinishReason::BadToolCall);
    check(&["TOO_MANY_TOOL_CALLS"], FinishReason::BadToolCall);
    check(&["OTHER", "NO_IMAGE", "IMAGE_OTHER", "MISSING_THOUGHT_SIGNATURE"], FinishReason::Other);
    check(&["MALFORMED_RESPONSE", "A_NEW_ONE"], FinishReason::Other);
}

#[test]
fn usage_is_taken_apart() {
    let counts = r#"{"promptTokenCount":100,"cachedContentTokenCount":30,"candidatesTokenCount":50,"toolUsePromptTokenCount":7,
        "thoughtsTokenCount":9,"totalTokenCount":166,"promptTokensDetails":[{"modality":"TEXT","tokenCount":60},{"modality":"AUDIO","tokenCount":40}],
        "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":10},{"modality":"TEXT","tokenCount":20}],
        "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":20},{"modality":"AUDIO","tokenCount":5}],"serviceTier":"flex"}"#;
    let body = format!(r#"{{"candidates":[{{"finishReason":"STOP"}}],"usageMetadata":{counts}}}"#);
    // Usage behind the reason counts, and the last word on it.
    let late = format!(r#"{{"usageMetadata":{counts}}}"#);
    let early = r#"{"usageMetadata":{"promptTokenCount":100,"trafficType":"T"}}"#;
    for response in [whole_laws(&GeminiGenerate, &body), folded(&[early, STOP, &late])] {
        let usage = response.usage.as_ref().unwrap();
        assert_eq!(classes(&response), [47, 30, 25, 9]);
        let media = (usage.input_audio.0, usage.output_image.0, usage.output_audio.0);
        assert_eq!(media, (30, 20, 5));
        assert_eq!((usage.input_total() + usage.output_total()).0, 166);
    }
    assert_eq!(whole_laws(&GeminiGenerate, &body).service_tier.as_deref(), Some("flex"));
}

const GROUNDED: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Paris."}]},"finishReason":"STOP","safetyRatings":[{"a":1}],
    "citationMetadata":{"citationSources":[{"endIndex":3,"uri":"u"}]},"avgLogprobs":-1.0,
    "logprobsResult":{"chosenCandidates":[{"token":"Paris"}]},"urlContextMetadata":{"urlMetadata":[]},
    "groundingMetadata":{"groundingChunks":[{"web":{"uri":"w","title":"t"}},{"retrievedContext":{"title":"r"}},{"odd":{}}],
    "groundingSupports":[{"segment":{"endIndex":6,"text":"Paris."},"groundingChunkIndices":[0,1,2,9]}]}}],
    "createTime":"2026-05-27T16:53:45.443719Z","responseId":"i","modelVersion":"m","extra":[1]}"#;

#[test]
fn what_an_answer_rests_on_hangs_on_its_text() {
    for response in [whole_laws(&GeminiGenerate, GROUNDED), folded(&[GROUNDED])] {
        let Part::Text(text) = &response.candidates[0].parts[0] else { panic!() };
        let cited: Vec<_> = text
            .citations
            .iter()
            .map(|c| (c.url.as_deref(), c.title.as_deref(), c.start, c.end, c.words.is_some()))
            .collect();
        assert_eq!(cited.len(), 3);
        assert!(cited.contains(&(Some("u"), None, Some(0), Some(3), true)));
        assert!(cited.contains(&(Some("w"), Some("t"), Some(0), Some(6), false)));
        assert!(cited.contains(&(None, Some("r"), Some(0), Some(6), false)));
        assert_eq!(text.logprobs.as_ref().unwrap().get(), r#"[{"token":"Paris","logprob":0}]"#);
        assert_eq!((response.id.as_deref(), response.created), (Some("i"), Some(1_779_900_825)));
        assert_eq!(response.rest.get("extra").unwrap().get(), "[1]");
    }
}

#[test]
fn spans_are_in_characters_whatever_came_before_them() {
    let pieces = |first: &str, second: &str, ground: &str| {
        let piece = |text: &str, more: &str| {
            format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}]}}{more}}}]}}"#)
        };
        let end = format!(r#","finishReason":"STOP","groundingMetadata":{ground}"#);
        [piece(&format!("{first}{second}"), &end), piece(first, ""), piece(second, &end)]
    };
    let ground = |start: u64, end: u64| {
        format!(
            r#"{{"groundingChunks":[{{"web":{{"uri":"w"}}}}],"groundingSupports":[{{"segment":
            {{"startIndex":{start},"endIndex":{end}}},"groundingChunkIndices":[0]}}]}}"#
        )
    };
    let check = |start, end, wanted: Option<(u64, u64)>| {
        let [whole, first, second] = pieces("Große ", "Städte.", &ground(start, end));
        for response in [whole_laws(&GeminiGenerate, &whole), folded(&[&first, &second])] {
            let Part::Text(text) = &response.candidates[0].parts[0] else { panic!() };
            let [cited] = &text.citations[..] else { panic!("{text:?}") };
            assert_eq!(cited.start.zip(cited.end), wanted, "{text:?}");
        }
    };
    check(7, 15, Some((6, 13)));
    check(0, 6, Some((0, 5)));
    // No span of this text.
    check(4, 99, None);
}

#[test]
fn nothing_unknown_is_lost() {
    let whole = whole_laws(&GeminiGenerate, GROUNDED);
    let rest: Vec<_> = whole.candidates[0].rest.members().iter().map(|(key, _)| &**key).collect();
    assert_eq!(rest, ["safetyRatings", "avgLogprobs", "urlContextMetadata", "groundingMetadata"]);
    let empty = r#"{"candidates":[{"index":0,"groundingMetadata":{},"tokenCount":null}]}"#;
    let all = events(&GeminiGenerate, &[&sse(&[empty, GROUNDED, GROUNDED])], Framing::Sse);
    let foreign: Vec<_> = all
        .iter()
        .filter_map(|event| if let Event::Foreign(foreign) = event { Some(foreign) } else { None })
        .collect();
    // Repeated members are told once, and `{}` says nothing.
    assert_eq!((foreign.len(), foreign[0].kind.as_str()), (1, "candidate"));
    assert!(foreign[0].raw.get().starts_with(r#"{"index":0,"safetyRatings":[{"a":1}],"#));
    let citations = all.iter().filter(|e| matches!(e, Event::PartDelta { delta: Delta::Citation(_), .. }));
    assert_eq!(citations.count(), 3);
}

#[test]
fn both_spellings_are_read() {
    let body = r#"{"candidates":[{"content":{"parts":[{"function_call":{"name":"f"}}]},"finish_reason":"STOP"}],
        "usage_metadata":{"prompt_token_count":3,"candidates_token_count":2},"model_version":"m","response_id":"i"}"#;
    let response = whole_laws(&GeminiGenerate, body);
    assert_eq!((told(&response), classes(&response)), (vec!["call  f {}|0".to_owned()], [3, 0, 2, 0]));
    assert_eq!((response.model.as_deref(), response.id.as_deref()), (Some("m"), Some("i")));
}

#[test]
fn content_marks_the_first_token() {
    let check = |piece: &str, wanted: bool| {
        let mut meter = GeminiGenerate.meter(Operation::Generate);
        meter.frame(Frame { event: None, data: piece });
        assert_eq!(meter.reading().content, wanted, "{piece}");
    };
    check(&say(r#"{"text":""}"#), false);
    check(&say(r#"{"text":"","thoughtSignature":"s"}"#), false);
    check(&say(r#"{"text":"a","thought":true}"#), true);
    check(&say(r#"{"functionCall":{"name":"f"}}"#), true);
    check(STOP, false);
}

#[track_caller]
fn reads(recordings: &[Recording], id: &str, parts: &[&str], wanted: [u64; 4]) {
    let recording = recordings.iter().find(|recording| recording.id == id).expect("the recording is there");
    let response = answer(recording).expect("it is an answer");
    let short = |line: &String| line.chars().take(60).collect::<String>();
    assert_eq!(told(&response).iter().map(short).collect::<Vec<_>>(), parts, "{id}");
    assert_eq!(classes(&response), wanted, "{id}");
}

#[test]
fn recorded_oddities_are_read() {
    let Some(recordings) = recorded(&FAMILIES) else { return };
    let reads = |id, parts: &[&str], classes| reads(&recordings, id, parts, classes);
    // Model Armor blocks a prompt, then an answer.
    reads("wc-9de1430ac167", &[], [0, 0, 0, 0]);
    reads("wc-064316d6ad44", &[], [19, 0, 6, 27]);
    // Cached input; what tools read.
    reads("wc-3b80127dcec9", &["text Paris.|0|0"], [8, 3512, 2, 42]);
    reads("wc-c0b5450eafba", &["text OK|0|1"], [5, 0, 1, 100]);
    // A tool the provider runs, with signatures on call, result and text; and beside a function.
    let paris = "text The capital of France is **Paris**. It is the country's";
    let search = ["call j425u3dm FILE_SEARCH {}|1", "result toolResponse j425u3dm", paris];
    reads("wc-465c85c57b61", &search, [534, 0, 66, 132]);
    let mexico = r#"call 4f244mfi GOOGLE_SEARCH_WEB {"queries":["largest city in"#;
    let city = r#"call 4jh89wlf final_result {"city":"Mexico City","country":""#;
    reads("wc-4b15314e5b67", &[mexico, "result toolResponse 4f244mfi", city], [510, 0, 0, 18]);
    // The same in a stream, where an empty text behind the answer bears the signature.
    let paris = "text The capital of France is **Paris**.\n\nParis is not only ";
    let search = ["call tju3qkc9 FILE_SEARCH {}|1", "result toolResponse tju3qkc9", paris, "text |0|1"];
    reads("wc-fc9a88dc1ca4", &search, [1198, 0, 122, 447]);
    // Calls in pieces.
    let thought = "thought **Processing User Requests**\n\nI've started by unders";
    let read = |id: &str| format!(r#"call  read_screen {{"id":"{id}"}}|0"#);
    let screens = [read("A"), read("B"), read("C")];
    let all = [thought, "call  read_theme {}|1", &screens[0], &screens[1], &screens[2]];
    reads("wc-da2d8efa26ba", &all, [249, 0, 58, 183]);
    let recipe = r#"call  cookRecipe {"recipe":{"ingredients":[{"amount":"16 oz""#;
    reads("wc-3f8bf3735f8b", &[recipe], [31, 0, 684, 1026]);
}

#[test]
fn hostile_frames_are_read_or_refused() {
    let whole = r#"{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$.a[0]","stringValue":"x"}],"willContinue":true}}],"role":"model"},"finishReason":"STOP","index":0,"groundingMetadata":{"groundingChunks":[{"web":{}}]}}],"usageMetadata":{"promptTokenCount":1},"createTime":"2026-05-27T16:53:45Z"}"#;
    for at in 0..whole.len() {
        for hostile in ["null", "7", "\"", "[", "}", ""] {
            let data = format!("{}{hostile}{}", &whole[..at], &whole[at + 1..]);
            let frame = Frame { event: None, data: data.trim() };
            let mut meter = GeminiGenerate.meter(Operation::Generate);
            meter.frame(frame);
            meter.whole(frame.data);
            let mut out = Vec::new();
            let mut decoder = GeminiGenerate.decoder();
            let _ = decoder.push(frame, &mut out);
            decoder.finish(&mut out);
            let mut grammar = Grammar::default();
            let ordered = out.iter().try_for_each(|event| grammar.take(event));
            ordered.and_then(|()| grammar.finish()).expect("a grammar");
            let _ = fold(out);
            let _ = GeminiGenerate.decode_response(frame.data);
            GeminiGenerate.decode_fault(500, frame.data.as_bytes());
        }
    }
}
