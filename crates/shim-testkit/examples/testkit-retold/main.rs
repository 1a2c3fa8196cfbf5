//! Tells every answer of the corpus and, where present, of the recordings to a client of each dialect, whole and
//! streamed: `testkit-retold FILE` writes a line of JSON for each, for others to validate.
//!
//! A line holds `case`, `from` and `to` (dialects), `whole` (a body), `stream` (text, server-sent events), `facts` (what
//! the answer says, in no dialect's words), `losses` of both, and `fault` (what it failed of) where it did; where both
//! dialects are one, `source` (the provider's own body) and `streamed` (whether that is a stream). A failure
//! is a line with an `error` (a body) in place of all that.

mod facts;
mod sources;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use shim_dialect::{Asker, Encode, Goal, Operation, speaker};
use shim_ir::{Dialect, Event, Fault, FoldError, Loss, Request, StreamAsk, Traits, fold};
use shim_wire::frame::Framing;

use sources::Source;

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).context("usage: testkit-retold FILE")?;
    let mut out = BufWriter::new(File::create(path)?);
    let (mut told, mut unreadable) = (0, Vec::new());
    for from in Dialect::ALL {
        for source in sources::of(from)? {
            match source.answer() {
                Some(answer) => told += answers(&source, &answer, &mut out)?,
                None => unreadable.push(source.name),
            }
        }
        for (case, status, body) in sources::failures(from)? {
            told += failures(from, &case, &speaker(from).decode_fault(status, &body), &mut out)?;
        }
    }
    out.flush()?;
    writeln!(io::stdout(), "{}", json!({ "told": told, "unreadable": unreadable }))?;
    Ok(())
}

/// Writes a line for each dialect that an answer is told in; gives their number.
fn answers(source: &Source, answer: &[Event], out: &mut impl io::Write) -> Result<usize> {
    for to in Dialect::ALL {
        writeln!(out, "{}", retold(source, answer, to))?;
    }
    Ok(Dialect::ALL.len())
}

/// The same of a failure.
fn failures(from: Dialect, case: &str, fault: &Fault, out: &mut impl io::Write) -> Result<usize> {
    for to in Dialect::ALL {
        let error = String::from_utf8_lossy(&speaker(to).encode_fault(fault)).into_owned();
        let line = json!({ "case": case, "from": from.name(), "to": to.name(), "error": error });
        writeln!(out, "{line}")?;
    }
    Ok(Dialect::ALL.len())
}

/// One answer, told to a client of `to`.
fn retold(source: &Source, events: &[Event], to: Dialect) -> Value {
    let client = speaker(to);
    let request = asked(source, client);
    let mut line = json!({ "case": source.name, "from": source.dialect.name(), "to": to.name() });
    if source.dialect == to {
        line["source"] = source.body.as_str().into();
        line["streamed"] = source.streamed.into();
    }
    match fold(events.iter().cloned()) {
        Ok((response, _)) => {
            let whole = Request { stream: None, ..request.clone() };
            let told = client.encode_response(&response, &asker(&whole));
            line["whole"] = String::from_utf8_lossy(&told.body).into();
            line["losses"] = json!({ "whole": losses(&told.losses) });
            line["facts"] = facts::of(&response);
        }
        Err(FoldError::Failed(fault, so_far)) => {
            line["fault"] = fault.message.into();
            line["facts"] = facts::of(&so_far);
        }
        Err(error) => line["fault"] = error.to_string().into(),
    }
    let mut encoder = client.encoder(&asker(&request));
    let mut stream = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut stream));
    line["stream"] = String::from_utf8_lossy(&stream).into();
    line["losses"]["stream"] = losses(encoder.losses());
    line
}

fn asker(request: &Request) -> Asker<'_> {
    Asker {
        operation: Operation::Generate,
        id: "0192f0c1e2a34b5c8d9e0f1a2b3c4d5e",
        created: 1_790_000_000,
        framing: Framing::Sse,
        request,
    }
}

/// The request as a client of `client`'s dialect would have made it, for a stream that tells its usage.
fn asked(source: &Source, client: &dyn Encode) -> Request {
    let own = source.request.clone().unwrap_or_default();
    let traits = Traits::default();
    let goal = Goal { operation: Operation::Generate, model: "model", traits: &traits, seed: "0192f0c1" };
    let body = client.encode_request(&own, &goal).body.to_text();
    let route = client.route_for(Operation::Generate, "model", true);
    let mut request = client.decode_request(&route, &body).unwrap_or_default();
    request.stream = Some(StreamAsk { usage: Some(true), ..StreamAsk::default() });
    request
}

fn losses(losses: &[Loss]) -> Value {
    let told = losses.iter().map(|loss| json!([loss.path, loss.kind.name(), loss.why]));
    told.collect::<Vec<_>>().into()
}
