//! Conversations with tools over strict fakes of the providers, through every dialect of clients: the state that only a
//! provider can read is back with it every turn, and no swap is ever answered with 400.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use shim_ir::Dialect;
use shim_testkit::strict::{Kind, Strict};

use crate::lab::{Got, Lab, Told};
use crate::talk::{Habit, Talk, Turned};

/// The providers: their names in the configuration, which are the hosts' too, a model, and whose rules hold.
pub(crate) const PROVIDERS: [(&str, &str, Strict); 9] = [
    ("anthropic", "claude-opus-5-5", Strict { kind: Kind::Anthropic, account: "ant" }),
    ("openai", "gpt-5.2", Strict { kind: Kind::Openai, account: "oai" }),
    ("google", "gemini-3.1-pro-preview", Strict { kind: Kind::Google, account: "goo" }),
    ("deepseek", "deepseek-v4-pro", Strict { kind: Kind::Deepseek, account: "dee" }),
    ("openrouter", "anthropic/claude-sonnet-4.6", Strict { kind: Kind::Openrouter, account: "ror" }),
    ("plain", "llama", Strict { kind: Kind::Plain, account: "pla" }),
    ("ant-b", "claude-opus-5-5", Strict { kind: Kind::Anthropic, account: "antb" }),
    ("oai-b", "gpt-5.2", Strict { kind: Kind::Openai, account: "oaib" }),
    ("xai", "grok-4.5", Strict { kind: Kind::Openai, account: "xai" }),
];

pub(crate) const CLIENTS: [Dialect; 4] = Dialect::ALL;

pub(crate) const CONFIG: &str = r#"
    [providers]
    anthropic = { base_url = "http://anthropic.test", key = { env = "LAB_KEY" } }
    openai = { base_url = "http://openai.test/v1", key = { env = "LAB_KEY" } }
    google = { base_url = "http://google.test", key = { env = "LAB_KEY" } }
    deepseek = { base_url = "http://deepseek.test", key = { env = "LAB_KEY" } }
    openrouter = { base_url = "http://openrouter.test/api/v1", key = { env = "LAB_KEY" } }
    xai = { base_url = "http://xai.test/v1", key = { env = "LAB_KEY" } }
    plain = { dialect = "openai-chat", base_url = "http://plain.test/v1" }
    ant-b = { dialect = "anthropic", base_url = "http://ant-b.test", key = { env = "APP_KEY" } }
    oai-b = { dialect = "openai-responses", base_url = "http://oai-b.test/v1", key = { env = "APP_KEY" } }
    [aliases.chat]
    target = "anthropic/claude-opus-5-5"
"#;

/// What the fakes saw and did, by provider.
#[derive(Default)]
pub(crate) struct Seen {
    /// The states each gave out, in order.
    pub(crate) gave: HashMap<String, Vec<String>>,
    /// What each was asked last: its own states in it, in order.
    pub(crate) got: HashMap<String, Vec<String>>,
    /// The last request of all.
    pub(crate) last: Value,
    /// What they refused.
    pub(crate) refused: Vec<String>,
}

pub(crate) type Log = Arc<Mutex<Seen>>;

/// A gateway before the fakes.
pub(crate) fn lab(config: &str) -> (Lab, Log) {
    let log = Log::default();
    let seen = log.clone();
    (Lab::new(config, move |got| Some(answered(got, &seen))), log)
}

/// What a fake answers.
pub(crate) fn answered(got: &Got, log: &Log) -> Told {
    let name = got.host.split('.').next().unwrap();
    let (_, _, strict) = PROVIDERS.iter().find(|(own, ..)| *own == name).unwrap();
    let body: Value = serde_json::from_slice(&got.body).unwrap();
    let mut seen = log.lock().unwrap();
    seen.last = body.clone();
    seen.got.insert(name.to_owned(), strict.states(&body));
    match strict.answer(&got.path, &body) {
        Ok(answer) => {
            seen.gave.entry(name.to_owned()).or_default().extend(strict.states(&answer));
            let stream = body["stream"] == true || got.path.contains(":stream");
            if stream {
                return Told::whole(200, "text/event-stream", &Strict::as_stream(&got.path, &answer));
            }
            Told::whole(200, "application/json", &answer.to_string())
        }
        Err((status, refusal)) => {
            seen.refused.push(format!("{name}: {refusal}\n{body:#}"));
            Told::whole(status, "application/json", &refusal.to_string())
        }
    }
}

/// One turn, after which whoever was asked must have got back all the state it had given in this conversation before.
#[track_caller]
pub(crate) fn check(log: &Log, name: &str, before: &[String], place: &str) {
    let seen = log.lock().unwrap();
    assert!(seen.refused.is_empty(), "{place}: {}", seen.refused.join("\n"));
    assert_eq!(seen.got.get(name).map(Vec::as_slice).unwrap_or_default(), before, "{place}: {:#}", seen.last);
}

pub(crate) fn gave(log: &Log, name: &str) -> Vec<String> {
    log.lock().unwrap().gave.get(name).cloned().unwrap_or_default()
}

/// Asks the model of a provider, and checks what it got.
pub(crate) async fn ask(talk: &mut Talk, lab: &Lab, log: &Log, name: &str, model: &str) -> Turned {
    let before = gave(log, name);
    let turned = talk.turn(lab, &format!("{name}/{model}")).await;
    let place = format!("{:?} {:?} stream={} over {name}", talk.dialect, talk.habit, talk.stream);
    check(log, name, &before, &place);
    turned
}

fn talks() -> impl Iterator<Item = (Dialect, Habit, bool)> {
    let habits = [(Habit::Keeps, false), (Habit::Strips, false), (Habit::Keeps, true), (Habit::Strips, true)];
    CLIENTS.into_iter().flat_map(move |dialect| habits.map(|(habit, stream)| (dialect, habit, stream)))
}

/// Whether what a client drops of its own dialect's state is known to be asked back, so that it is remembered: the SDKs of
/// Anthropic, OpenAI's Responses and Google send all of it back.
fn is_restored(dialect: Dialect, name: &str) -> bool {
    dialect == Dialect::OpenaiChat || !speaks(name, dialect)
}

fn speaks(name: &str, dialect: Dialect) -> bool {
    match name {
        "anthropic" | "ant-b" => dialect == Dialect::Anthropic,
        "openai" => matches!(dialect, Dialect::OpenaiResponses | Dialect::OpenaiChat),
        "oai-b" | "xai" => dialect == Dialect::OpenaiResponses,
        "google" => dialect == Dialect::Gemini,
        "deepseek" => matches!(dialect, Dialect::OpenaiChat | Dialect::Anthropic),
        "openrouter" => {
            matches!(dialect, Dialect::OpenaiChat | Dialect::Anthropic | Dialect::OpenaiResponses)
        }
        _ => dialect == Dialect::OpenaiChat,
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_gets_its_own_state_back_byte_for_byte_every_turn() {
    for (name, model, _) in PROVIDERS {
        for (dialect, habit, stream) in talks() {
            if habit == Habit::Strips && !is_restored(dialect, name) {
                continue;
            }
            let (lab, log) = lab(CONFIG);
            let mut talk = Talk::new(dialect, habit, stream);
            for turn in 0..7 {
                let turned = ask(&mut talk, &lab, &log, name, model).await;
                assert_eq!(talk.is_answered(), turn % 3 == 2, "{name} {dialect:?}: {turned:?}");
                assert_eq!(turned.text == "All is done.", turn % 3 == 2, "{name} {dialect:?}: {turned:?}");
            }
            let states = gave(&log, name).len();
            // OpenAI's endpoint for chat tells nothing of reasoning. It is its clients' own; no other client is sent there.
            let silent = name == "plain" || name == "openai" && dialect == Dialect::OpenaiChat;
            assert_eq!(states >= 5, !silent, "{name} {dialect:?}: {states}");
        }
    }
}

/// Every ordered pair of different targets, one after the other: an Eulerian circuit of the complete graph.
fn circuit(count: usize) -> Vec<usize> {
    let mut left = vec![vec![true; count]; count];
    (0..count).for_each(|at| left[at][at] = false);
    let (mut stack, mut walk) = (vec![0], Vec::new());
    while let Some(&at) = stack.last() {
        match (0..count).find(|next| left[at][*next]) {
            Some(next) => {
                left[at][next] = false;
                stack.push(next);
            }
            None => walk.extend(stack.pop()),
        }
    }
    walk.reverse();
    walk
}

#[tokio::test(start_paused = true)]
async fn a_swap_at_every_turn_in_every_direction_is_never_a_400() {
    // The other two of each client are in the test above; here each takes seconds.
    for (dialect, habit, stream) in talks().filter(|(_, habit, stream)| (*habit == Habit::Strips) == *stream)
    {
        let (lab, log) = lab(CONFIG);
        let mut talk = Talk::new(dialect, habit, stream);
        let mut lossy = 0;
        for at in circuit(PROVIDERS.len()) {
            let (name, model, _) = PROVIDERS[at];
            let target = shim_ir::TargetId::parse(&format!("{name}/{model}")).unwrap();
            if lab.control.aliases()[0].live != target {
                lab.control.swap("chat", target, true).unwrap();
            }
            let before = gave(&log, name);
            let turned = talk.turn(&lab, "chat").await;
            let place = format!("{dialect:?} {habit:?} stream={stream} over {name}");
            assert_eq!(turned.target, format!("{name}/{model}"), "{place}");
            if habit == Habit::Keeps || is_restored(dialect, name) {
                check(&log, name, &before, &place);
            } else {
                assert!(log.lock().unwrap().refused.is_empty(), "{place}: {:?}", log.lock().unwrap().refused);
            }
            lossy +=
                usize::from(turned.fidelity.contains("losses=") && !turned.fidelity.ends_with("losses=0"));
        }
        assert!(lossy > PROVIDERS.len(), "{dialect:?} {habit:?}: what was left out is told");
    }
}
