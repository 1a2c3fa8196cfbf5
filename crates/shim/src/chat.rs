//! `shim chat`: a word with a model, through the gateway like any other client.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::json;
use shim_dialect::{Codec as _, Decode as _, openai_chat::OpenaiChat};
use shim_ir::{Delta, Event, FoldError, Part, Response, fold};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};

use crate::cli::Chat;
use crate::console;

pub(crate) fn chat(args: &Chat) -> Result<ExitCode> {
    let prompt = match &args.prompt {
        Some(prompt) => prompt.clone(),
        None => {
            if std::io::stdin().is_terminal() {
                console::error(&format!("what to say to {}? End with Ctrl-D", args.model));
            }
            let mut prompt = String::new();
            std::io::stdin().read_to_string(&mut prompt)?;
            prompt
        }
    };
    if prompt.trim().is_empty() {
        bail!("nothing to say: give a prompt, or pipe one in");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(talk(args, &prompt))
}

async fn talk(args: &Chat, prompt: &str) -> Result<ExitCode> {
    let body = json!({
        "model": args.model, "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": prompt }],
    });
    let key = args.key.as_deref().unwrap_or("shim");
    let mut response = args.url.send(Method::POST, "/v1/chat/completions", key, body.to_string()).await?;
    if !response.status().is_success() {
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        bail!("{}", OpenaiChat.decode_fault(status, &bytes).message);
    }
    let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
    let mut decoder = OpenaiChat.decoder();
    let mut events = Vec::new();
    let mut shown = 0;
    while let Some(frame) = response.body_mut().frame().await {
        let mut failed = None;
        if let Ok(data) = frame?.into_data() {
            framer.push(&data, &mut |frame| {
                failed = failed.take().or(decoder.push(frame, &mut events).err())
            })?;
        }
        if let Some(error) = failed {
            bail!("the answer cannot be read: {error}");
        }
        if !args.json {
            show(&events, &mut shown);
        }
    }
    let mut failed = None;
    framer.finish(&mut |frame| failed = failed.take().or(decoder.push(frame, &mut events).err()))?;
    if let Some(error) = failed {
        bail!("the answer cannot be read: {error}");
    }
    decoder.finish(&mut events);
    conclude(args, events)
}

/// Prints the text of the events not shown yet: to a terminal without what would command it, else as it is.
fn show(events: &[Event], shown: &mut usize) {
    let terminal = std::io::stdout().is_terminal();
    let put = |text: &str| if terminal { console::put(&console::shown(text)) } else { console::put(text) };
    for event in events.iter().skip(*shown) {
        match event {
            Event::PartDelta { delta: Delta::Text(text), .. } => put(text),
            Event::PartStart { part: Part::Text(text), .. } => put(&text.text),
            _ => {}
        }
    }
    *shown = events.len();
}

fn conclude(args: &Chat, events: Vec<Event>) -> Result<ExitCode> {
    let response = match fold(events) {
        Ok((response, _)) => response,
        Err(FoldError::Failed(fault, _)) => {
            console::put("\n");
            bail!("{}", fault.message);
        }
        Err(error) => bail!("the answer cannot be read: {error}"),
    };
    if args.json {
        let usage = response.usage.as_ref();
        let answer = json!({
            "text": text(&response),
            "model": response.model,
            "finish": response.candidates.first().and_then(|c| c.finish.as_ref()).and_then(|f| f.words.clone()),
            "input_tokens": usage.map(|u| u.input_total().0),
            "output_tokens": usage.map(|u| u.output_total().0),
        });
        console::say_json(&answer);
    } else {
        console::put("\n");
    }
    Ok(ExitCode::SUCCESS)
}

fn text(response: &Response) -> String {
    let parts = response.candidates.first().map(|c| c.parts.as_slice()).unwrap_or_default();
    parts.iter().filter_map(|p| if let Part::Text(text) = p { Some(&*text.text) } else { None }).collect()
}
