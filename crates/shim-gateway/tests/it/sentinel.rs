//! The cache sentinel in the gateway: agents' conversations over providers that cache as documented.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::lab::{Got, Lab, Told};

/// A provider of Messages that caches what prompts begin with, element by element; a token is four bytes.
#[derive(Clone, Default)]
struct Cache(Arc<Mutex<HashSet<String>>>);

impl Cache {
    fn answers(&self, got: &Got) -> Told {
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        let mut known = self.0.lock().unwrap();
        let (mut beginning, mut read, mut write) = (format!("{}{}", got.host, body["model"]), 0, 0);
        for element in
            ["tools", "system", "messages"].iter().flat_map(|key| body[*key].as_array().into_iter().flatten())
        {
            let text = element.to_string().replace(r#","cache_control":{"type":"ephemeral"}"#, "");
            beginning.push_str(&text);
            let tokens = text.len() / 4;
            if known.insert(beginning.clone()) { write += tokens } else { read += tokens }
        }
        let answer = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "content": [{ "type": "text", "text": "done" }],
            "usage": { "input_tokens": 3, "cache_read_input_tokens": read, "cache_creation_input_tokens": write,
                       "output_tokens": 1 },
        });
        Told::whole(200, "application/json", &answer.to_string())
    }
}

const CONFIG: &str = "
    [providers.anthropic]
    base_url = \"http://one.test\"
    [providers.other]
    dialect = \"anthropic\"
    base_url = \"http://two.test\"
    [aliases.chat]
    target = \"anthropic/claude-sonnet-4-6\"
";

fn lab() -> Lab {
    let cache = Cache::default();
    Lab::new(CONFIG, move |got| Some(cache.answers(got)))
}

/// A client's conversation, as an agent sends it.
struct Agent {
    tools: Vec<Value>,
    system: Vec<Value>,
    messages: Vec<Value>,
}

impl Agent {
    fn new(name: &str) -> Self {
        let tool = |n: u32| json!({ "name": format!("tool_{n}"), "description": "d".repeat(3000) });
        let text =
            |text: String| json!({ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } });
        Self {
            tools: (0..4).map(tool).collect(),
            system: vec![text(format!("You are an agent. {}", "s".repeat(8000)))],
            messages: vec![json!({ "role": "user", "content": format!("{name}: do this") })],
        }
    }

    /// The body of its next request; the mark of the cache stands on the last message.
    fn body(&self, model: &str) -> String {
        let mut messages = self.messages.clone();
        let last = messages.last_mut().unwrap();
        let text = last["content"].as_str().unwrap().to_owned();
        last["content"] = json!([{ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } }]);
        for message in messages.iter_mut().rev().skip(1) {
            let text = message["content"].clone();
            message["content"] = json!([{ "type": "text", "text": text }]);
        }
        json!({ "model": model, "max_tokens": 9, "messages": messages, "system": self.system, "tools": self.tools })
            .to_string()
    }

    async fn turns(&mut self, lab: &Lab) {
        let (status, body) = lab.told("/v1/messages", &self.body("chat")).await;
        assert_eq!(status, 200, "{body}");
        self.messages.push(json!({ "role": "assistant", "content": "done" }));
        let n = self.messages.len();
        self.messages.push(json!({ "role": "user", "content": format!("and now {n} {}", "m".repeat(5000)) }));
    }
}

fn causes(lab: &Lab) -> Vec<(&'static str, u64)> {
    lab.control.shared().caches().collapses.into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn conversations_that_only_grow_raise_no_alarm() {
    let lab = lab();
    let mut agents: Vec<_> = (0..8).map(|n| Agent::new(&format!("agent {n}"))).collect();
    for _ in 0..6 {
        for agent in &mut agents {
            agent.turns(&lab).await;
        }
    }
    assert_eq!(causes(&lab), []);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_on_the_first_turn_with_its_place_and_its_price() {
    let lab = lab();
    let mut agent = Agent::new("agent");
    agent.turns(&lab).await;
    agent.turns(&lab).await;
    assert_eq!(causes(&lab), []);
    let text = agent.system[0]["text"].as_str().unwrap().replace("You are an agent.", "It is 12:31 now..");
    agent.system[0]["text"] = json!(text);
    let body = agent.body("chat");
    agent.turns(&lab).await;
    assert_eq!(causes(&lab), [("prompt_changed", 1)]);
    let status = lab.control.shared().caches();
    let last = status.last.clone().unwrap();
    assert_eq!((last.cause, last.path.as_deref()), ("prompt_changed", Some("system[0]")));
    let (start, end) = last.bytes.unwrap();
    let at = body.find("It is 12:31").unwrap() as u64;
    assert!((start..end).contains(&at) && end - start <= 1200, "{start}..{end}, {at}");
    let model = shim_catalog::model("anthropic", "claude-sonnet-4-6").unwrap();
    let price = model.prices.last().unwrap().base;
    let dearer = price.cache_write.unwrap().0 - price.cache_read.unwrap().0;
    assert_eq!(last.extra_pico_usd, Some((last.expected_tokens - last.read_tokens) * dearer));
    assert_eq!(status.lost_tokens, last.expected_tokens - last.read_tokens);
    let exchange = lab.control.shared().latest(1)[0].id.to_string();
    assert_eq!((last.exchange, last.target.as_str()), (exchange, "anthropic/claude-sonnet-4-6"));
    let text = lab.control.shared().metrics_text().unwrap();
    assert!(text.contains("shim_cache_collapses_total{cause=\"prompt_changed\"} 1"), "{text}");
    // From then on it is read again.
    agent.turns(&lab).await;
    agent.turns(&lab).await;
    assert_eq!(causes(&lab), [("prompt_changed", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_swap_in_a_conversation_is_told_as_what_it_is() {
    for (to, cause) in [("other/m", "provider_changed"), ("anthropic/claude-opus-4-5", "model_changed")] {
        let lab = lab();
        let mut agent = Agent::new("agent");
        agent.turns(&lab).await;
        lab.control.swap("chat", shim_ir::TargetId::parse(to).unwrap(), true).unwrap();
        agent.turns(&lab).await;
        agent.turns(&lab).await;
        assert_eq!(causes(&lab), [(cause, 1)], "{to}");
        let last = lab.control.shared().caches().last.unwrap();
        assert_eq!((last.target.as_str(), last.path), (to, None));
    }
}

#[tokio::test(start_paused = true)]
async fn sixty_four_agents_at_once_are_told_apart_whatever_is_swapped() {
    let lab = Arc::new(lab());
    let agents = (0..64).map(|n| {
        let lab = lab.clone();
        tokio::spawn(async move {
            let mut agent = Agent::new(&format!("sub-agent {n}"));
            for turn in 0..5 {
                if n == 0 && turn % 2 == 1 {
                    let to = ["other/m", "anthropic/claude-sonnet-4-6"][turn / 2 % 2];
                    lab.control.swap("chat", shim_ir::TargetId::parse(to).unwrap(), true).unwrap();
                }
                agent.turns(&lab).await;
            }
        })
    });
    for agent in agents.collect::<Vec<_>>() {
        agent.await.unwrap();
    }
    assert_eq!((lab.counts()["delivered"], lab.counts()["failed"], lab.counts()["in_flight"]), (320, 0, 0));
    // A swap may cost a cache; none of them looks as if its client had changed the prompt.
    assert!(causes(&lab).iter().all(|(cause, _)| *cause == "provider_changed"), "{:?}", causes(&lab));
}
