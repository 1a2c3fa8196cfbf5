//! Embeddings over a target of another dialect.

use serde_json::{Value, json};

use crate::lab::{Lab, Told, post, read};

/// A gateway whose one provider speaks `dialect` and answers `answer`; what it is asked with `body`, and what comes back.
async fn embedded(dialect: &str, answer: Value, path: &str, body: &Value) -> (Value, String, u16, Value) {
    let version = if dialect.starts_with("openai") { "/v1" } else { "" };
    let config = format!(
        "[providers.lab]\ndialect = \"{dialect}\"\nbase_url = \"http://lab.test{version}\"\n\
         [aliases.chat]\ntarget = \"lab/one\"\n[aliases.strict]\ntarget = \"lab/one\"\nfidelity = \"strict\"\n"
    );
    let lab = Lab::new(&config, move |_| Some(Told::whole(200, "application/json", &answer.to_string())));
    let response = lab.send(post(path, body.to_string())).await;
    let fidelity =
        response.headers().get("x-shim-fidelity").map_or("", |value| value.to_str().unwrap()).to_owned();
    let (status, told) = read(response).await;
    let got = lab.net.got.lock().unwrap().first().cloned();
    let asked = got.map_or(
        Value::Null,
        |got| json!({ "path": got.path, "body": serde_json::from_slice::<Value>(&got.body).unwrap() }),
    );
    (asked, fidelity, status, serde_json::from_str(&told).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_client_of_openai_gets_embeddings_of_gemini() {
    let answer = json!({ "embeddings": [{ "values": [0.5, -0.25, 0.125] }, { "values": [-0.5, 0.75, 0] }],
        "usageMetadata": { "promptTokenCount": 4 } });
    let ask = |more: Value| {
        let mut body = json!({ "model": "chat", "input": ["Blue.", "Red."], "dimensions": 3 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let (asked, fidelity, status, told) =
        embedded("gemini", answer.clone(), "/v1/embeddings", &ask(json!({}))).await;
    assert_eq!((status, fidelity.as_str()), (200, "mapped; losses=0"), "{told}");
    let one = |text: &str| json!({ "model": "models/one", "content": { "parts": [{ "text": text }] }, "outputDimensionality": 3 });
    let wanted = json!({ "path": "/v1beta/models/one:batchEmbedContents", "body": { "requests": [one("Blue."), one("Red.")] } });
    assert_eq!(asked, wanted);
    assert_eq!(
        told["data"][0],
        json!({ "object": "embedding", "index": 0, "embedding": [0.5, -0.25, 0.125] })
    );
    assert_eq!((&told["data"][1]["index"], &told["object"]), (&json!(1), &json!("list")));
    assert_eq!(told["usage"], json!({ "prompt_tokens": 4, "total_tokens": 4 }));
    // What the official clients ask for unless told otherwise.
    let (.., told) =
        embedded("gemini", answer.clone(), "/v1/embeddings", &ask(json!({ "encoding_format": "base64" })))
            .await;
    assert_eq!(
        (&told["data"][0]["embedding"], &told["data"][1]["embedding"]),
        (&json!("AAAAPwAAgL4AAAA+"), &json!("AAAAvwAAQD8AAAAA"))
    );
    // Tokens of another vocabulary mean nothing.
    let tokens = json!({ "model": "chat", "input": [1, 2, 3] });
    let (asked, _, status, told) = embedded("gemini", answer, "/v1/embeddings", &tokens).await;
    assert_eq!((asked, status), (Value::Null, 400));
    assert!(told["error"]["message"].as_str().unwrap().contains("input[0] (unsupported"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_client_of_gemini_gets_embeddings_of_openai() {
    let vector = |at: u32, values: Value| json!({ "object": "embedding", "index": at, "embedding": values });
    let answer = |data: Vec<Value>| {
        json!({ "object": "list", "data": data, "model": "one",
        "usage": { "prompt_tokens": 2, "total_tokens": 2 } })
    };
    let content = |text: &str| json!({ "parts": [{ "text": text }] });
    let body = json!({ "content": content("a"), "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2 });
    let alone = answer(vec![vector(0, json!([0.5, 1.5]))]);
    let (asked, fidelity, status, told) =
        embedded("openai-chat", alone.clone(), "/v1beta/models/chat:embedContent", &body).await;
    assert_eq!((status, fidelity.as_str()), (200, "mapped; losses=1"), "{told}");
    assert_eq!(
        asked,
        json!({ "path": "/v1/embeddings", "body": { "model": "one", "input": "a", "dimensions": 2, "encoding_format": "float" } })
    );
    assert_eq!(
        told,
        json!({ "embedding": { "values": [0.5, 1.5] }, "usageMetadata": { "promptTokenCount": 2 } })
    );
    // What the vector is for is not to be lost where everything must be carried.
    let (asked, _, status, told) =
        embedded("openai-chat", alone.clone(), "/v1beta/models/strict:embedContent", &body).await;
    assert_eq!((asked, status), (Value::Null, 400));
    assert!(told["error"]["message"].as_str().unwrap().contains("requests[0].taskType (dropped"), "{told}");
    // Vectors out of order are put in order.
    let two = answer(vec![vector(1, json!([2])), vector(0, json!([1]))]);
    let batch = json!({ "requests": [{ "content": content("a") }, { "content": content("b") }] });
    let (asked, _, _, told) =
        embedded("openai-chat", two, "/v1beta/models/chat:batchEmbedContents", &batch).await;
    assert_eq!(asked["body"], json!({ "model": "one", "input": ["a", "b"], "encoding_format": "float" }));
    assert_eq!(told["embeddings"], json!([{ "values": [1] }, { "values": [2] }]));
    // Bytes that nobody asked for may be anything.
    let bytes = answer(vec![vector(0, json!("AAAAPw=="))]);
    let (.., status, told) = embedded("openai-chat", bytes, "/v1beta/models/chat:embedContent", &body).await;
    assert_eq!(status, 502, "{told}");
    // An answer with a vector too few is none.
    let (.., status, told) =
        embedded("openai-chat", alone, "/v1beta/models/chat:batchEmbedContents", &batch).await;
    assert_eq!(status, 502, "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_dialect_without_embeddings_says_so() {
    for dialect in ["anthropic", "openai-responses"] {
        let body = json!({ "model": "chat", "input": "a" });
        let (asked, _, status, told) = embedded(dialect, json!({}), "/v1/embeddings", &body).await;
        assert_eq!((asked, status), (Value::Null, 400), "{dialect}: {told}");
        let message = told["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("embed") && message.contains("cannot be put into another dialect"),
            "{message}"
        );
    }
}
