//! Counts of tokens over targets without a counter.

use http_body_util::Full;
use serde_json::{Value, json};

use crate::lab::{Got, Lab, Told, post, read};

const TEXT: &str =
    "Please write three short sentences about the harbour of Lisbon, and say in which year it was rebuilt.";

/// A gateway whose one provider speaks `dialect`.
fn lab(dialect: &str, behave: impl Fn(&Got) -> Option<Told> + Send + Sync + 'static) -> Lab {
    let version = if dialect.starts_with("openai") { "/v1" } else { "" };
    let config = format!(
        "[providers.lab]\ndialect = \"{dialect}\"\nbase_url = \"http://lab.test{version}\"\n\
         [aliases.chat]\ntarget = \"lab/one\"\n[aliases.strict]\ntarget = \"lab/one\"\nfidelity = \"strict\"\n\
         [aliases.eased]\ntarget = \"lab/one\"\nfidelity = \"strict\"\n\
         losses = {{ \"response.input_tokens\" = \"map\", \"response.totalTokens\" = \"map\" }}\n"
    );
    Lab::new(&config, behave)
}

/// Path and body of a count, as a client of each dialect that has one asks for it, and the member that answers.
fn asks(model: &str) -> [(String, Value, &'static str); 3] {
    let messages = json!({ "model": model, "messages": [{ "role": "user", "content": TEXT }] });
    let gemini = json!({ "contents": [{ "role": "user", "parts": [{ "text": TEXT }] }] });
    let responses = json!({ "model": model, "input": TEXT });
    [
        ("/v1/messages/count_tokens".to_owned(), messages, "input_tokens"),
        (format!("/v1beta/models/{model}:countTokens"), gemini, "totalTokens"),
        ("/v1/responses/input_tokens".to_owned(), responses, "input_tokens"),
    ]
}

/// Status, mark of fidelity and body of an answer.
async fn told(lab: &Lab, path: &str, body: &Value) -> (u16, String, Value) {
    let response = lab.send(post(path, body.to_string())).await;
    let mark =
        response.headers().get("x-shim-fidelity").map_or("", |value| value.to_str().unwrap()).to_owned();
    let (status, body) = read(response).await;
    (status, mark, serde_json::from_str(&body).unwrap())
}

/// The losses of the last exchange: path, kind and reason.
fn losses(lab: &Lab) -> Vec<(String, &'static str, String)> {
    let last = lab.control.shared().latest(1).remove(0);
    assert!(last.usage.is_none(), "an estimate is not billed");
    let losses = last.losses.unwrap_or_default();
    losses.iter().map(|loss| (loss.path.clone(), loss.kind.name(), loss.why.to_string())).collect()
}

#[tokio::test(start_paused = true)]
async fn tokens_are_estimated_where_nobody_counts_them() {
    let lab = lab("openai-chat", |_| panic!("nobody is asked"));
    let mut seen = Vec::new();
    for (path, body, member) in asks("chat") {
        let (status, mark, told) = told(&lab, &path, &body).await;
        assert_eq!((status, mark.as_str()), (200, "mapped; losses=1"), "{path}: {told}");
        let tokens = told[member].as_u64().unwrap_or_else(|| panic!("{path}: {told}"));
        assert!((20..35).contains(&tokens), "{path}: {told}");
        seen.push(tokens);
        let why = "lab has no counter of tokens, so this is an estimate, no exchange has corrected it yet";
        assert_eq!(losses(&lab), [(format!("response.{member}"), "approximated", why.to_owned())]);
        let members: Vec<_> = told.as_object().unwrap().keys().collect();
        let beside = members.iter().filter(|name| **name != member && **name != "object").count();
        assert_eq!(beside, 0, "{told}");
    }
    assert!(seen.iter().all(|tokens| *tokens == seen[0]), "the same request is the same: {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_strict_alias_refuses_an_estimate_unless_it_says_otherwise() {
    let lab = lab("openai-chat", |_| panic!("nobody is asked"));
    for (path, body, member) in asks("strict") {
        let (status, _, refusal) = told(&lab, &path, &body).await;
        assert_eq!(status, 400, "{refusal}");
        let message = refusal["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("response.{member} (approximated: lab has no counter")),
            "{message}"
        );
    }
    for (path, body, _) in asks("eased") {
        assert_eq!(told(&lab, &path, &body).await.0, 200, "{path}");
    }
}

/// An answer of a chat provider that counted `tokens`.
fn answer(tokens: u64) -> String {
    let message = json!({ "role": "assistant", "content": "hi" });
    let usage = json!({ "prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1 });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    json!({ "id": "x", "object": "chat.completion", "model": "one", "choices": [choice], "usage": usage })
        .to_string()
}

#[tokio::test(start_paused = true)]
async fn an_estimate_learns_from_what_the_model_counts() {
    let lab = lab("openai-chat", |got| {
        assert_eq!(got.path, "/v1/chat/completions");
        Some(Told::whole(200, "application/json", &answer(60)))
    });
    let [(path, body, member), ..] = asks("chat");
    let before = told(&lab, &path, &body).await.2[member].as_u64().unwrap();
    let mut ask = body.clone();
    ask["max_tokens"] = json!(16);
    let mut last = before;
    for _ in 0..8 {
        assert_eq!(told(&lab, "/v1/messages", &ask).await.0, 200);
        let now = told(&lab, &path, &body).await.2[member].as_u64().unwrap();
        assert!((last..=60).contains(&now), "{last}, then {now}");
        last = now;
    }
    assert!(before < 35 && last > 52, "from {before} to {last}, where 60 are counted");
    assert!(losses(&lab)[0].2.ends_with("corrected by what 8 exchanges were counted"), "{:?}", losses(&lab));
    // Another model of the same provider knows nothing of it, and neither does one that was asked in its own dialect.
    let other = json!({ "model": "lab/two", "messages": body["messages"] });
    assert_eq!(told(&lab, &path, &other).await.2[member].as_u64(), Some(before));
    ask["model"] = json!("lab/two");
    assert_eq!(told(&lab, "/v1/chat/completions", &ask).await.1, "exact");
    assert_eq!(told(&lab, &path, &other).await.2[member].as_u64(), Some(before));
}

#[tokio::test(start_paused = true)]
async fn a_counter_is_asked_where_there_is_one() {
    let lab = lab("gemini", |got| {
        assert_eq!(got.path, "/v1beta/models/one:countTokens");
        Some(Told::whole(200, "application/json", r#"{"totalTokens":41}"#))
    });
    for (path, body, member) in asks("chat") {
        let (status, _, told) = told(&lab, &path, &body).await;
        assert_eq!((status, &told[member]), (200, &json!(41)), "{path}: {told}");
    }
    assert_eq!(lab.net.got.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_knows_no_such_path_has_no_counter() {
    for (status, kind, body) in [
        (
            404,
            "application/json",
            r#"{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}"#,
        ),
        (404, "text/html", "<html>404 page not found</html>"),
        (405, "application/json", r#"{"detail":"Method Not Allowed"}"#),
        (501, "application/json", r#"{"error":{"message":"not implemented"}}"#),
    ] {
        let lab = lab("anthropic", move |_| Some(Told::whole(status, kind, body)));
        // Asked in its own dialect, and by clients of others.
        for (path, body, member) in asks("chat") {
            let (status, mark, told) = told(&lab, &path, &body).await;
            assert_eq!((status, mark.as_str()), (200, "mapped; losses=1"), "{path}: {told}");
            assert!(told[member].as_u64().is_some_and(|tokens| tokens > 10), "{told}");
        }
        assert_eq!(lab.net.got.lock().unwrap().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_that_fails_otherwise_is_not_estimated() {
    let unknown = r#"{"type":"error","error":{"type":"not_found_error","message":"model: one"}}"#;
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (status, body) in [(404, unknown), (529, overloaded)] {
        let lab = lab("anthropic", move |_| Some(Told::whole(status, "application/json", body)));
        for (path, body, _) in asks("chat") {
            let (told, ..) = told(&lab, &path, &body).await;
            assert!(told >= 400, "{path}: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_known_to_have_no_counter_is_not_asked() {
    let config = "[providers.ollama]\nbase_url = \"http://lab.test/v1\"\n";
    let lab = Lab::new(config, |_| panic!("nobody is asked"));
    let [(path, body, member), ..] = asks("ollama/gpt-oss:20b");
    let (status, mark, of_model) = told(&lab, &path, &body).await;
    assert_eq!((status, mark.as_str()), (200, "mapped; losses=1"), "{of_model}");
    // What the catalogue knows of the model's template is in it.
    let [(path, body, _), ..] = asks("ollama/other");
    let other = told(&lab, &path, &body).await.2;
    assert_eq!(of_model[member].as_u64().unwrap(), other[member].as_u64().unwrap() + 62, "{of_model}");
}

#[tokio::test(start_paused = true)]
async fn lists_of_models_tell_limits_where_the_dialect_has_them() {
    let lab = Lab::new("[providers.openai]\nkey = { env = \"LAB_KEY\" }\n", |_| None);
    let listed = async |path: &str| {
        let request = http::Request::get(path).header("anthropic-version", "2023-06-01");
        let response = lab.send(request.body(Full::default()).unwrap()).await;
        serde_json::from_str::<Value>(&read(response).await.1).unwrap()
    };
    let (messages, gemini) = (listed("/v1/models").await, listed("/v1beta/models").await);
    let one = |list: &Value, member: &str, id: &str| {
        let found = list.as_array().unwrap().iter().find(|model| model[member] == id).cloned();
        found.unwrap_or_else(|| panic!("no {id}: {list}"))
    };
    let known = shim_catalog::model("openai", "gpt-5.2").unwrap();
    let (context, output) = (json!(known.context_max.unwrap()), json!(known.output_max.unwrap()));
    let told = one(&messages["data"], "id", "openai/gpt-5.2");
    assert_eq!((&told["max_input_tokens"], &told["max_tokens"]), (&context, &output), "{told}");
    let told = one(&gemini["models"], "name", "models/openai/gpt-5.2");
    assert_eq!((&told["inputTokenLimit"], &told["outputTokenLimit"]), (&context, &output), "{told}");
}
