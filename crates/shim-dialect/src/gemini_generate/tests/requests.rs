//! Requests, member by member.

use shim_ir::{
    Effort, MediaKind, OpaqueKind, OutputFormat, Part, ReasoningMode, Request, Rest, Role, Source, Tokens,
    ToolCallKind, ToolChoice, ToolKind,
};

use super::{part_told, route_for};
use crate::Decode;
use crate::gemini_generate::GeminiGenerate;
use crate::laws::{embed_laws, request_laws};

#[track_caller]
fn generate(members: &str) -> Request {
    request_laws(&GeminiGenerate, &route_for("generateContent"), &format!("{{{members}}}"))
}

/// A request with these members beside empty contents.
#[track_caller]
fn asking(members: &str) -> Request {
    generate(&format!(r#""contents":[],{members}"#))
}

#[track_caller]
fn parts(parts: &str) -> Vec<Part> {
    generate(&format!(r#""contents":[{{"parts":[{parts}]}}]"#)).turns.remove(0).parts
}

fn kept(rest: &Rest) -> Vec<String> {
    rest.members().iter().map(|(key, value)| format!("{key}={}", value.get())).collect()
}

#[test]
fn sampling_and_switches() {
    let request = asking(
        r#""generationConfig":{"temperature":0.5,"topP":1,"top_k":3,"seed":7,"stopSequences":["END"],
        "candidateCount":2,"max_output_tokens":9,"responseLogprobs":true,"logprobs":4,"presencePenalty":1,
        "frequencyPenalty":-1,"responseModalities":["TEXT","IMAGE"],"speechConfig":{"a": 1},"imageConfig":null},
        "labels":{"a": "b"},"serviceTier":"flex","store":false,"cachedContent":"cachedContents/7",
        "safetySettings":[{"category":"C","threshold":"OFF"}]"#,
    );
    let sampling = &request.sampling;
    assert_eq!((sampling.temperature, sampling.top_p, sampling.top_k), (Some(0.5), Some(1.0), Some(3.0)));
    assert_eq!((sampling.stop.as_slice(), sampling.output_max), (&["END".to_owned()][..], Some(Tokens(9))));
    assert_eq!((sampling.candidates, sampling.seed, sampling.top_logprobs), (Some(2), Some(7), Some(4)));
    assert_eq!((sampling.presence_penalty, sampling.frequency_penalty), (Some(1.0), Some(-1.0)));
    assert_eq!(request.modalities, ["TEXT", "IMAGE"]);
    assert_eq!(request.metadata.as_ref().unwrap().get(), r#"{"a": "b"}"#);
    assert_eq!((request.service_tier.as_deref(), request.state.store), (Some("flex"), Some(false)));
    let wanted = [
        r#"cachedContent="cachedContents/7""#,
        r#"safetySettings=[{"category":"C","threshold":"OFF"}]"#,
        r#"labels={"a": "b"}"#,
        "store=false",
        r#"generationConfig={"speechConfig":{"a": 1}}"#,
    ];
    assert_eq!(kept(&request.rest), wanted);
}

#[test]
fn reasoning_is_asked_for() {
    let ask = |members: &str| {
        asking(&format!(r#""generation_config":{{"thinkingConfig":{{{members}}}}}"#)).reasoning.unwrap()
    };
    let budget = |members: &str| (ask(members).mode, ask(members).budget);
    assert_eq!(budget(r#""thinkingBudget":-1"#), (Some(ReasoningMode::Adaptive), None));
    assert_eq!(budget(r#""thinking_budget":0"#), (Some(ReasoningMode::Off), None));
    assert_eq!(budget(r#""thinkingBudget":5"#), (Some(ReasoningMode::On), Some(Tokens(5))));
    let level = ask(r#""thinkingLevel":"HIGH","includeThoughts":true"#);
    assert_eq!((level.effort, level.show.as_deref()), (Some(Effort::High), Some("true")));
}

#[test]
fn the_form_of_the_answer() {
    let output = |members: &str| asking(&format!(r#""generationConfig":{{{members}}}"#)).output;
    let schema = |members: &str| match output(members) {
        Some(OutputFormat::Schema(schema)) => schema.schema.unwrap().get().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(output(r#""responseMimeType":"application/json""#), Some(OutputFormat::JsonObject));
    assert_eq!(output(r#""responseMimeType":"text/plain""#), Some(OutputFormat::Text));
    assert_eq!(output(""), None);
    let json = r#""responseMimeType":"application/json""#;
    assert_eq!(schema(&format!(r#"{json},"responseSchema":{{"type": "OBJECT"}}"#)), r#"{"type":"object"}"#);
    assert_eq!(schema(r#""response_json_schema":{"a":1.0}"#), r#"{"a":1.0}"#);
    let Some(OutputFormat::Other(raw)) = output(r#""responseMimeType":"text/x.enum","responseSchema":{}"#)
    else {
        panic!()
    };
    assert_eq!(raw.get(), r#"{"responseMimeType":"text/x.enum","responseSchema":{}}"#);
}

#[test]
fn turns_have_roles() {
    let request = generate(
        r#""contents":[{"parts":{"text":"a"}},{"role":"user","parts":[]},{"role":"model"},{"role":"function"},
        {"role":"critic","mood":"fine"}],"systemInstruction":{"role":"system","parts":[{"text":"s"}]}"#,
    );
    let roles: Vec<_> = request.turns.iter().map(|turn| turn.role.clone()).collect();
    let wanted = [Role::User, Role::User, Role::Assistant, Role::Tool, Role::Other("critic".to_owned())];
    assert_eq!(roles, wanted);
    assert_eq!(request.turns[0].parts.len(), 1, "one value is a list of one");
    assert_eq!(kept(&request.turns[4].rest), [r#"mood="fine""#, r#"role="critic""#]);
    // A role that others do not have, or that says the same as the one before, is kept.
    let roles: Vec<_> = request.turns.iter().map(|turn| kept(&turn.rest).pop()).collect();
    let role = |word: &str| Some(format!("role=\"{word}\""));
    assert_eq!(roles, [None, role("user"), role("model"), role("function"), role("critic")]);
    assert_eq!(part_told(&request.system[0]), "text s|0|0");
    assert_eq!(kept(&request.rest), [r#"systemInstruction={"role":"system"}"#]);
    let bare = generate(r#""contents":{"parts":[{"text":"a"}]},"system_instruction":"s""#);
    assert_eq!((bare.turns.len(), part_told(&bare.system[0]).as_str()), (1, "text s|0|0"));
}

#[test]
fn media_of_every_kind() {
    let parts = parts(
        r#"{"inlineData":{"mimeType":"image/png","data":"AA==","displayName":"f.png"},
            "mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}},
        {"inline_data":{"mime_type":"audio/wav","data":"BB=="},"thought_signature":"s1"},
        {"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/x","mimeType":"application/pdf"}},
        {"file_data":{"file_uri":"https://youtu.be/x"},"videoMetadata":{"fps":2}},
        {"fileData":{"fileUri":"gs://b/v.mp4","mimeType":"video/mp4"},"mediaResolution":{"level":"L","numTokens":5}}"#,
    );
    let media =
        |at: usize| if let Part::Media(media) = &parts[at] { media } else { panic!("{:?}", parts[at]) };
    let told = |at: usize| (media(at).kind, media(at).source.clone());
    assert_eq!(told(0), (MediaKind::Image, Source::Inline("AA==".into())));
    assert_eq!(media(0).detail.as_deref(), Some("MEDIA_RESOLUTION_HIGH"));
    assert_eq!(media(0).name.as_deref(), Some("f.png"));
    assert_eq!(kept(&media(0).rest), [r#"displayName="f.png""#]);
    assert_eq!(told(1), (MediaKind::Audio, Source::Inline("BB==".into())));
    assert_eq!(media(1).opaque[0].value, "s1");
    let uploaded = "https://generativelanguage.googleapis.com/v1beta/files/x";
    assert_eq!(told(2), (MediaKind::File, Source::Handle(uploaded.into())));
    assert_eq!(told(3), (MediaKind::Video, Source::Url("https://youtu.be/x".into())));
    assert_eq!(kept(&media(3).rest), [r#"videoMetadata={"fps":2}"#]);
    assert_eq!(told(4), (MediaKind::Video, Source::Url("gs://b/v.mp4".into())));
    assert_eq!(kept(&media(4).rest), [r#"mediaResolution={"level":"L","numTokens":5}"#]);
}

#[test]
fn thoughts_and_calls_keep_their_signatures() {
    let parts = parts(
        r#"{"text":"hm","thought":true,"thoughtSignature":"a+/="},{"text":"so","thought":false},
        {"functionCall":{"id":"1","name":"f","args":{"x": 1.0}},"thoughtSignature":"b\u002b"},
        {"functionCall":{"name":"g"}},
        {"executableCode":{"id":"c","language":"PYTHON","code":"1"},"thoughtSignature":"d"},
        {"codeExecutionResult":{"id":"c","outcome":"OUTCOME_OK"}},
        {"toolCall":{"id":"t","tool_type":"FILE_SEARCH","args":{}}},
        {"toolResponse":{"id":"t","toolType":"FILE_SEARCH"},"thoughtSignature":"e"},
        {"hologram":{"a":1}},{"thoughtSignature":"f"},{}"#,
    );
    let told: Vec<_> = parts.iter().take(8).map(part_told).collect();
    let wanted = [
        "thought hm|1",
        "text so|0|0",
        r#"call 1 f {"x": 1.0}|1"#,
        "call  g {}|0",
        r#"call c codeExecution {"id":"c","language":"PYTHON","code":"1"}|1"#,
        "result codeExecutionResult c",
        "call t FILE_SEARCH {}|0",
        "result toolResponse t",
    ];
    assert_eq!(told, wanted);
    let Part::ToolCall(call) = &parts[2] else { panic!() };
    assert_eq!((call.opaque[0].kind, call.opaque[0].value.as_str()), (OpaqueKind::ThoughtSignature, "b+"));
    let Part::ToolCall(call) = &parts[6] else { panic!() };
    assert_eq!(call.kind, ToolCallKind::Native("toolCall".to_owned()));
    let Part::ServerResult(result) = &parts[7] else { panic!() };
    assert!(result.raw.get().contains(r#""thoughtSignature":"e""#));
    let kinds: Vec<_> = parts[8..]
        .iter()
        .map(
            |part| if let Part::Foreign(foreign) = part { foreign.kind.as_str() } else { panic!("{part:?}") },
        )
        .collect();
    assert_eq!(kinds, ["hologram", "thoughtSignature", ""]);
}

#[test]
fn what_a_tool_gave() {
    let parts = parts(
        r#"{"functionResponse":{"id":"1","name":"f","response":{"output": 1},"scheduling":"SILENT",
            "willContinue":true,"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}},
        {"function_response":{"name":"g","response":{"error":"boom"}},"thoughtSignature":"s"}"#,
    );
    let [Part::ToolResult(first), Part::ToolResult(second)] = &parts[..] else { panic!("{parts:?}") };
    let told: Vec<_> = first.content.iter().map(part_told).collect();
    assert_eq!(told, [r#"text {"output": 1}|0|0"#, r#"Image Inline("AA==")"#]);
    assert_eq!(
        (first.call.as_str(), first.name.as_deref(), first.json, first.error),
        ("1", Some("f"), true, false)
    );
    assert_eq!(kept(&first.rest), [r#"scheduling="SILENT""#, "willContinue=true"]);
    assert_eq!((second.call.as_str(), second.error), ("", true));
    assert_eq!(kept(&second.rest), [r#"thoughtSignature="s""#]);
}

#[test]
fn tools_of_every_kind() {
    let request = asking(
        r#""tools":[{"functionDeclarations":[
            {"name":"f","description":"d","parameters":{"type": "OBJECT"},"response":{"type":"STRING"}},
            {"name":"g","parametersJsonSchema":{"type":"object"},"behavior":"NON_BLOCKING"}],"googleSearch":{}},
            {"url_context":{}},{"codeExecution":null},{"fileSearch":{"fileSearchStoreNames":["a"]}},
            {"mcpServers":[{"name":"s"}]},{"computerUse":{"environment":"ENVIRONMENT_BROWSER"}}]"#,
    );
    let names: Vec<_> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["f", "g", "googleSearch", "urlContext", "fileSearch", "mcpServers", "computerUse"]);
    let ToolKind::Function { parameters: Some(parameters), .. } = &request.tools[0].kind else { panic!() };
    assert_eq!(parameters.get(), r#"{"type":"object"}"#);
    let beside = [r#"response={"type":"STRING"}"#, r#"parameters={"type": "OBJECT"}"#];
    assert_eq!(kept(&request.tools[0].rest), beside);
    assert_eq!(kept(&request.tools[1].rest), [r#"behavior="NON_BLOCKING""#]);
    assert_eq!(request.tools[3].kind, ToolKind::Native("urlContext".to_owned()));
    assert_eq!(kept(&request.tools[4].rest), [r#"fileSearchStoreNames=["a"]"#]);
    assert_eq!(kept(&request.tools[5].rest), [r#"mcpServers=[{"name":"s"}]"#]);
    // One tool is a list of one.
    assert_eq!(asking(r#""tools":{"function_declarations":{"name":"f"}}"#).tools.len(), 1);
}

#[test]
fn the_choice_of_tools() {
    let choose = |members: &str| {
        let request = asking(&format!(r#""toolConfig":{{"functionCallingConfig":{{{members}}}}}"#));
        (request.tool_choice, kept(&request.rest).pop().unwrap_or_default())
    };
    let names = || vec!["f".to_owned(), "g".to_owned()];
    let beside = |members: &str| format!(r#"toolConfig={{"functionCallingConfig":{{{members}}}}}"#);
    assert_eq!(choose(r#""mode":"AUTO""#), (Some(ToolChoice::Auto), String::new()));
    assert_eq!(choose(r#""mode":"any""#), (Some(ToolChoice::Required), String::new()));
    assert_eq!(choose(r#""mode":"NONE""#), (Some(ToolChoice::None), String::new()));
    let one = r#""mode":"ANY","allowedFunctionNames":["f"]"#;
    assert_eq!(choose(one), (Some(ToolChoice::Named("f".into())), String::new()));
    let some = r#""mode":"ANY","allowed_function_names":["f","g"]"#;
    assert_eq!(choose(some), (Some(ToolChoice::Allowed { names: names(), required: true }), String::new()));
    let validated = r#""mode":"VALIDATED","allowedFunctionNames":["f","g"]"#;
    let allowed = Some(ToolChoice::Allowed { names: names(), required: false });
    assert_eq!(choose(validated), (allowed, String::new()));
    assert_eq!(choose(r#""mode":"VALIDATED""#), (Some(ToolChoice::Auto), beside(r#""mode":"VALIDATED""#)));
    let unknown = r#""allowedFunctionNames":["f"],"mode":"NEW""#;
    assert_eq!(choose(unknown), (None, beside(unknown)));
    let streamed = r#""streamFunctionCallArguments":true"#;
    assert_eq!(choose(streamed), (None, beside(streamed)));
}

#[test]
fn what_must_be_there_is_missed_by_its_path() {
    let check = |body: &str, wanted: &str| {
        let error = GeminiGenerate.decode_request(&route_for("generateContent"), body).unwrap_err();
        assert_eq!(error.to_string().split(" at line").next().unwrap(), wanted);
    };
    check(r#"{"tools":[]}"#, ".: missing field `contents`");
    check(r#"{"contents":7}"#, "contents: invalid type: integer `7`, expected an object");
    check(
        r#"{"contents":[{"parts":[{"text":7}]}]}"#,
        "contents[0].parts[0].text: invalid type: integer `7`, expected a string",
    );
    check(
        r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png"}}]}]}"#,
        "contents[0].parts[0].inlineData: missing field `data`",
    );
    check(
        r#"{"contents":[{"parts":[{"file_data":{}}]}]}"#,
        "contents[0].parts[0].fileData: missing field `fileUri`",
    );
    check(
        r#"{"contents":[],"tools":[{"functionDeclarations":[{}]}]}"#,
        "tools[0].functionDeclarations[0]: missing field `name`",
    );
    check(
        r#"{"contents":[],"generationConfig":{"topK":"x"}}"#,
        "generationConfig.topK: invalid type: string \"x\", expected f64",
    );
}

#[test]
fn embeddings_and_counts_are_requests_too() {
    let embed = |verb: &str, body: &str| embed_laws(&GeminiGenerate, &route_for(verb), body);
    let body = r#"{"model":"models/m","content":{"parts":[{"text":"a"}],"role":"x"},"taskType":"T","title":"t",
        "outputDimensionality":3,"odd":1}"#;
    let one = embed("embedContent", body);
    let input = &one.inputs[0];
    assert_eq!((one.alone, one.dimensions, input.task.as_deref()), (true, Some(3), Some("T")));
    assert_eq!(
        (input.title.as_deref(), kept(&input.rest)),
        (Some("t"), vec![r#"role="x""#.into(), "odd=1".into()])
    );
    let body = r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]},"outputDimensionality":3},
        {"content":{"parts":[{"text":"b"}]},"model":"models/m"}]}"#;
    let batch = embed("batchEmbedContents", body);
    let different = kept(&batch.inputs[0].rest);
    assert_eq!(
        (batch.inputs.len(), different, batch.dimensions),
        (2, vec!["outputDimensionality=3".into()], None)
    );
    let body = r#"{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":3}]}"#;
    assert_eq!(embed("batchEmbedContents", body).dimensions, Some(3));
    let embed = |verb: &str, body: &str| request_laws(&GeminiGenerate, &route_for(verb), body);
    let body = r#"{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"a"}]}]}}"#;
    assert_eq!(embed("countTokens", body).turns.len(), 1);
    assert_eq!(embed("countTokens", r#"{"contents":[]}"#).turns.len(), 0);
    let other = r#"{"contents":[],"model":"models/other"}"#;
    let request = GeminiGenerate.decode_request(&route_for("countTokens"), other).unwrap();
    assert_eq!(kept(&request.rest), [r#"model="models/other""#]);
}

#[test]
fn bytes_in_the_url_safe_alphabet_are_everybodys() {
    let check = |data: &str, wanted: &str| {
        let body = format!(
            r#"{{"contents":[{{"parts":[{{"inlineData":{{"mimeType":"image/png","data":"{data}"}}}}]}}]}}"#
        );
        let request = request_laws(&GeminiGenerate, &route_for("generateContent"), &body);
        let Part::Media(media) = &request.turns[0].parts[0] else { panic!("{request:?}") };
        assert_eq!(media.source, Source::Inline(wanted.to_owned()));
    };
    check("-_8A", "+/8A");
    check("-_8", "+/8=");
    check("-_", "+/==");
    check("+/8=", "+/8=");
}
