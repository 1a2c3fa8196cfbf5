//! What is remembered of conversations: beyond the process, for one key alone, and where it decides who is asked.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use shim_ir::Dialect;
use shim_store::{SqliteVault, VaultLimits};

use crate::conversation::{CLIENTS, CONFIG, Log, answered, ask, gave, lab};
use crate::lab::{Lab, Told, post, read};
use crate::talk::{Habit, Talk};

/// A gateway that keeps what it remembers in a folder.
fn kept_in(folder: &Path, log: &Log) -> Lab {
    let seen = log.clone();
    let lab = Lab::new(CONFIG, move |got| Some(answered(got, &seen)));
    let vault = SqliteVault::open(folder, VaultLimits::default()).unwrap();
    lab.control.shared().vault.attach(Arc::new(vault));
    lab
}

#[tokio::test(start_paused = true)]
async fn a_conversation_goes_on_after_a_restart() {
    for (name, model) in [
        ("ant-b", "claude-opus-5-5"),
        ("oai-b", "gpt-5.2"),
        ("google", "gemini-3.1-pro-preview"),
        ("deepseek", "deepseek-v4-pro"),
    ] {
        for dialect in
            CLIENTS.into_iter().filter(|dialect| *dialect == Dialect::OpenaiChat || !own(name, *dialect))
        {
            let folder = tempfile::tempdir().unwrap();
            let log = Log::default();
            let mut talk = Talk::new(dialect, Habit::Strips, false);
            // Every turn after another restart, in the middle of calls too.
            for _ in 0..5 {
                let lab = kept_in(folder.path(), &log);
                ask(&mut talk, &lab, &log, name, model).await;
                lab.control.shared().vault.flush();
                assert_eq!(lab.control.shared().vault.lost(), 0);
            }
            assert!(!gave(&log, name).is_empty(), "{name} {dialect:?}");
        }
    }
}

/// Whether a provider is spoken to in the client's own dialect, whose SDKs send state back.
fn own(name: &str, dialect: Dialect) -> bool {
    match name {
        "ant-b" => dialect == Dialect::Anthropic,
        "oai-b" => dialect == Dialect::OpenaiResponses,
        "google" => dialect == Dialect::Gemini,
        _ => dialect == Dialect::Anthropic,
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_one_key_is_found_by_another() {
    let keys = "[keys.a]\nsecret = { env = \"APP_KEY\" }\n[keys.b]\nsecret = { env = \"LAB_KEY\" }\n";
    let (lab, log) = lab(&format!("{CONFIG}{keys}"));
    let mut talk = Talk::new(Dialect::OpenaiChat, Habit::Strips, false);
    talk.key = "app-secret";
    ask(&mut talk, &lab, &log, "ant-b", "claude-opus-5-5").await;
    ask(&mut talk, &lab, &log, "ant-b", "claude-opus-5-5").await;
    // The very same words and ids, from another client.
    talk.key = "sk-upstream-secret";
    talk.turn(&lab, "ant-b/claude-opus-5-5").await;
    let seen = log.lock().unwrap();
    assert_eq!((seen.got["ant-b"].len(), seen.refused.len()), (0, 0), "{:?}", seen.refused);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_asks_not_to_be_recorded_is_not_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::default();
    let lab = kept_in(folder.path(), &log);
    for (record, written) in [("off", false), ("full", true)] {
        let body = json!({ "model": "deepseek/deepseek-v4-pro", "input": record });
        let mut request = post("/v1/responses", body.to_string());
        request.headers_mut().insert("x-shim-record", record.parse().unwrap());
        let (status, told) = read(lab.send(request).await).await;
        assert_eq!(status, 200, "{told}");
        lab.control.shared().vault.flush();
        let mut bytes = std::fs::read(folder.path().join("vault.db")).unwrap();
        bytes.extend(std::fs::read(folder.path().join("vault.db-wal")).unwrap_or_default());
        let thought = gave(&log, "deepseek").pop().unwrap();
        assert_eq!(memchr::memmem::find(&bytes, thought.as_bytes()).is_some(), written, "{record}");
    }
}

/// A gateway whose alias has a second target, and what lets the first one fail.
fn with_fallback(first: &'static str, second: &str) -> (Lab, Log, Arc<AtomicBool>) {
    let config = CONFIG.replace(
        "target = \"anthropic/claude-opus-5-5\"",
        &format!("target = \"{first}\"\n    fallback = [\"{second}\"]"),
    );
    let (log, down) = (Log::default(), Arc::new(AtomicBool::new(true)));
    let (seen, fails) = (log.clone(), down.clone());
    let host = format!("{}.test", first.split('/').next().unwrap());
    let lab = Lab::new(&config, move |got| {
        if got.host == host && fails.load(Ordering::Relaxed) {
            return Some(Told::whole(503, "application/json", r#"{"error":{"message":"overloaded"}}"#));
        }
        Some(answered(got, &seen))
    });
    (lab, log, down)
}

#[tokio::test(start_paused = true)]
async fn a_conversation_stays_with_the_account_that_can_read_its_state() {
    let other = "anthropic/claude-opus-5-5";
    let (lab, _, down) = with_fallback("ant-b/claude-opus-5-5", other);
    let mut talk = Talk::new(Dialect::Anthropic, Habit::Keeps, true);
    assert_eq!(talk.turn(&lab, "chat").await.target, other);
    down.store(false, Ordering::Relaxed);
    for _ in 0..3 {
        let turned = talk.turn(&lab, "chat").await;
        assert_eq!((turned.target.as_str(), turned.affinity.as_deref()), (other, Some("state")));
        assert_eq!(turned.fidelity, "exact");
    }
    let turned = Talk::new(Dialect::Anthropic, Habit::Keeps, true).turn(&lab, "chat").await;
    assert_eq!((turned.target.as_str(), turned.affinity), ("ant-b/claude-opus-5-5", None));
}

#[tokio::test(start_paused = true)]
async fn a_conversation_stays_with_the_target_that_went_on_with_it() {
    let other = "deepseek/deepseek-v4-pro";
    for dialect in CLIENTS {
        let (lab, log, down) = with_fallback("plain/llama", other);
        let mut talk = Talk::new(dialect, Habit::Strips, false);
        assert_eq!(talk.turn(&lab, "chat").await.target, other);
        down.store(false, Ordering::Relaxed);
        let turned = talk.turn(&lab, "chat").await;
        assert_eq!(
            (turned.target.as_str(), turned.affinity.as_deref()),
            (other, Some("conversation")),
            "{dialect:?}"
        );
        // Another conversation goes where the alias says.
        let mut second = Talk::new(dialect, Habit::Strips, false);
        second.opens("Something else?");
        let turned = second.turn(&lab, "chat").await;
        assert_eq!((turned.target.as_str(), turned.affinity), ("plain/llama", None), "{dialect:?}");
        assert!(log.lock().unwrap().refused.is_empty());
    }
}

/// Sends a history whose state nobody here gave out; gives status, attempts, losses and what the fake refused.
async fn strange(path: &str, body: &serde_json::Value) -> (u16, usize, usize, usize) {
    let (lab, log) = lab(CONFIG);
    let (status, told) = read(lab.ask(path, &body.to_string()).await).await;
    let settled = &lab.control.shared().latest(1)[0];
    let losses = settled.losses.as_ref().map_or(0, Vec::len);
    let refused = log.lock().unwrap().refused.len();
    assert!(status == 200, "{told}");
    (status, settled.attempts as usize, losses, refused)
}

#[tokio::test(start_paused = true)]
async fn state_that_a_provider_says_it_cannot_read_is_left_out_and_it_is_asked_again() {
    let call = json!({ "type": "tool_use", "id": "t1", "name": "look", "input": {} });
    let thinking = json!({ "type": "thinking", "thinking": "hm", "signature": "from elsewhere" });
    let result = json!({ "type": "tool_result", "tool_use_id": "t1", "content": "1" });
    let anthropic = json!({
        "model": "anthropic/claude-opus-5-5", "max_tokens": 99,
        "messages": [{ "role": "user", "content": "hi" }, { "role": "assistant", "content": [thinking, call] }, { "role": "user", "content": [result] }],
    });
    assert_eq!(strange("/v1/messages", &anthropic).await, (200, 2, 1, 1));
    let gemini = json!({ "contents": [
        { "role": "user", "parts": [{ "text": "hi" }] },
        { "role": "model", "parts": [{ "functionCall": { "name": "look", "args": {} }, "thoughtSignature": "from elsewhere" }] },
        { "role": "user", "parts": [{ "functionResponse": { "name": "look", "response": {} } }] },
    ] });
    let path = "/v1beta/models/google/gemini-3.1-pro-preview:generateContent";
    assert_eq!(strange(path, &gemini).await, (200, 2, 1, 1));
    // Across dialects, where only the kind of a state says whose it may be.
    let chat = json!({ "model": "openrouter/anthropic/claude-sonnet-4.6", "messages": [
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": "yes", "reasoning": "hm", "reasoning_details": [{ "type": "reasoning.text", "text": "hm", "signature": "from elsewhere", "index": 0 }] },
        { "role": "user", "content": "and?" },
    ] });
    assert_eq!(strange("/v1/chat/completions", &chat).await, (200, 2, 1, 1));
    let input = json!([
        { "role": "user", "content": "hi" },
        { "type": "reasoning", "id": "rs_else", "summary": [], "encrypted_content": "from elsewhere" },
        { "role": "assistant", "content": "yes" },
        { "role": "user", "content": "and?" },
    ]);
    let responses = json!({ "model": "oai-b/gpt-5.2", "store": false, "input": input });
    assert_eq!(strange("/v1/responses", &responses).await, (200, 2, 1, 1));
}

/// A chain that one account began and another goes on with: said in full, it holds state that the other cannot read.
#[tokio::test(start_paused = true)]
async fn a_chain_of_one_account_is_said_to_another_without_its_state() {
    let (lab, log) = lab(CONFIG);
    let mut previous = None;
    for (model, states) in [("openai/gpt-5.2", 0), ("oai-b/gpt-5.2", 0), ("openai/gpt-5.2", 2)] {
        let mut body =
            json!({ "model": model, "input": "Go on.", "include": ["reasoning.encrypted_content"] });
        if let Some(id) = previous.take() {
            body["previous_response_id"] = id;
        }
        let (status, told) = read(lab.ask("/v1/responses", &body.to_string()).await).await;
        assert_eq!(status, 200, "{told}");
        previous = Some(serde_json::from_str::<serde_json::Value>(&told).unwrap()["id"].clone());
        let seen = log.lock().unwrap();
        assert!(seen.refused.is_empty(), "{}", seen.refused.join("\n"));
        let (name, _) = model.split_once('/').unwrap();
        assert_eq!(seen.got[name].len(), states, "{model}: {:#}", seen.last);
        assert_eq!(lab.control.shared().latest(1)[0].attempts, 1);
    }
}
