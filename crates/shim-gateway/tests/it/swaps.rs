//! Swaps, ways back and reloads while requests flow.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shim_gateway::ControlError;
use shim_ir::TargetId;

use crate::lab::{CONFIG, Lab, Told, config, read};

const CHAT: &str = "/v1/chat/completions";

/// An upstream that streams the name of the model it was asked for, twenty times over two seconds.
fn echo() -> Lab {
    Lab::new(CONFIG, |got| {
        let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
        let model = body["model"].as_str().unwrap().to_owned();
        let (told, pieces) = Told::open("text/event-stream");
        tokio::spawn(async move {
            for _ in 0..20 {
                let frame = format!(
                    "data: {{\"model\":\"{model}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{model}\"}}}}]}}\n\n"
                );
                let _ = pieces.send(Ok(Bytes::from(frame)));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
            let _ = pieces.send(Ok(Bytes::from(end)));
        });
        Some(told)
    })
}

#[tokio::test(start_paused = true)]
async fn a_swap_under_load_fails_no_request_and_mixes_no_answer() {
    let lab = Arc::new(echo());
    let mut streams = Vec::new();
    for n in 0..200 {
        let lab = lab.clone();
        streams.push(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(n * 10)).await;
            let response = lab.ask(CHAT, r#"{"model":"chat","stream":true}"#).await;
            let target = response.headers()["x-shim-target"].to_str().unwrap().to_owned();
            let generation =
                response.headers()["x-shim-generation"].to_str().unwrap().parse::<u64>().unwrap();
            (target, generation, read(response).await)
        }));
    }
    let mut by_generation = vec!["lab/one".to_owned()];
    for swap in 0..40 {
        let to = if swap % 2 == 0 { "lab/two" } else { "lab/one" };
        let report = lab.control.swap("chat", TargetId::parse(to).unwrap(), false).unwrap();
        by_generation.push(to.to_owned());
        assert_eq!(report.generation.0, by_generation.len() as u64);
        let broken =
            config("[providers.lab]\ndialect=\"anthropic\"\nbase_url=\"http://x\"\nkey={env=\"MISSING\"}\n");
        assert!(matches!(lab.control.reload(broken), Err(ControlError::Secrets(_))));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for stream in streams {
        let (target, generation, (status, body)) = stream.await.unwrap();
        assert_eq!(status, 200);
        assert_eq!(
            by_generation[usize::try_from(generation).unwrap() - 1],
            target,
            "one generation, one target"
        );
        let model = target.trim_start_matches("lab/");
        assert_eq!(body.matches(&format!("\"content\":\"{model}\"")).count(), 20, "{body}");
        assert!(body.ends_with("data: [DONE]\n\n"));
    }
    let counts = lab.counts();
    assert_eq!(
        (counts["admitted"], counts["delivered"], counts["failed"], counts["abandoned"]),
        (200, 200, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_swap_can_be_taken_back_and_is_checked() {
    let lab = echo();
    let swap = |to: &str| lab.control.swap("chat", TargetId::parse(to).unwrap(), false);
    assert!(matches!(
        lab.control.swap("caht", TargetId::parse("lab/two").unwrap(), false),
        Err(ControlError::NoAlias(..))
    ));
    assert!(matches!(swap("lba/two"), Err(ControlError::NoProvider(..))));
    swap("lab/two").unwrap();
    let status = lab.control.aliases().into_iter().find(|a| a.alias.as_str() == "chat").unwrap();
    assert_eq!((status.declared.to_string(), status.live.to_string()), ("lab/one".into(), "lab/two".into()));
    assert_eq!(lab.control.back("chat").unwrap().to.to_string(), "lab/one");
    assert!(matches!(lab.control.back("chat"), Err(ControlError::Swap(_))));
    assert_eq!(lab.control.steps().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_reload_puts_a_new_file_in_force_and_a_broken_one_not() {
    let lab = echo();
    let before = lab.control.shared().snapshot().number();
    let broken = config(
        "[providers.lab]\ndialect=\"openai-chat\"\nbase_url=\"http://lab.test/v1\"\nkey={env=\"MISSING\"}\n",
    );
    assert!(lab.control.reload(broken).is_err());
    assert!(lab.control.refused().unwrap().contains("MISSING"));
    assert_eq!(lab.control.shared().snapshot().number(), before);
    let changed = config(&CONFIG.replace("[aliases.sure]", "[aliases.new]"));
    assert!(lab.control.reload(changed).unwrap() > before);
    assert_eq!(lab.control.refused(), None);
    assert_eq!(lab.told(CHAT, r#"{"model":"sure"}"#).await.0, 404);
    assert_eq!(lab.told(CHAT, r#"{"model":"new","stream":true}"#).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_swap_whose_provider_is_gone_is_told_as_not_in_force() {
    let lab = echo();
    lab.control.swap("chat", TargetId::parse("lab/two").unwrap(), false).unwrap();
    assert_eq!(lab.control.dormant(), []);
    let live = || lab.control.aliases().iter().map(|alias| alias.live.to_string()).collect::<Vec<_>>();
    let calm = "[providers.calm]\ndialect=\"openai-chat\"\nbase_url=\"http://calm.test/v1\"\n\
                [aliases.chat]\ntarget=\"calm/x\"\n";
    lab.control.reload(config(calm)).unwrap();
    let dormant = lab.control.dormant();
    assert_eq!(dormant.iter().map(|(a, t)| format!("{a} {t}")).collect::<Vec<_>>(), ["chat lab/two"]);
    assert_eq!(live(), ["calm/x"], "what is told is what serves");
    lab.control.reload(config(CONFIG)).unwrap();
    assert_eq!((lab.control.dormant(), live()), (vec![], vec!["lab/two".to_owned(), "lab/one".to_owned()]));
}
