//! The proof: every target, every client dialect, every case, whole and streamed.

use serde_json::Value;
use shim_config::Config;
use shim_gateway::Setup;
use shim_ir::{Dialect, Fidelity, Loss};
use shim_telemetry::Settled;
use shim_wire::frame::Framing;

use crate::case::{CASES, Case, Does};
use crate::check::{Essence, Form, Heard, essence, ill_told, too_clean, unasked, unlike};
use crate::gateway::{ConformError, Gateway, credential, prepared, setup};
use crate::report::{Cell, Report, Row, Tried, Verdict};
use crate::script::{Got, Place, Scene, Stage, misdirected};
use crate::target::{Try, at_depth, chain, origins, place, tries};
use crate::tongue::{Gist, tongue};
use crate::{Scripts, Wish};

/// Proves `config`: what each target answers in each client dialect when its upstream answers as `scripts` say.
///
/// # Errors
/// When the configuration cannot be put in force, nothing in it is wished for, or loopback fails.
pub async fn prove(config: Config, wish: &Wish, scripts: &Scripts) -> Result<Report, ConformError> {
    if let Some(unknown) = wish.cases.iter().find(|name| CASES.iter().all(|case| case.name != name.as_str()))
    {
        let known: Vec<_> = CASES.iter().map(|case| case.name).collect();
        return Err(ConformError::Nothing(format!("{unknown} is not among the cases {}", known.join(", "))));
    }
    let config = prepared(config);
    let setup = setup(&config)?;
    let tries = tries(&config, &setup, wish);
    if tries.is_empty() {
        return Err(ConformError::Nothing(nothing(&config, wish)));
    }
    let stage = Stage::open(origins(&setup), scripts.clone()).await?;
    let gateway = Gateway::start(config.clone(), stage.led())?;
    let mut proof = Proof { stage, gateway, scripts, setup, config, wish, report: Report::default() };
    proof.all(&tries, &dialects(wish)).await?;
    let Proof { gateway, report, .. } = proof;
    gateway.stop().await;
    Ok(report)
}

fn dialects(wish: &Wish) -> Vec<Dialect> {
    let wished = |dialect: &Dialect| wish.dialects.is_empty() || wish.dialects.contains(dialect);
    Dialect::ALL.into_iter().filter(wished).collect()
}

fn nothing(config: &Config, wish: &Wish) -> String {
    let names: Vec<String> = if config.aliases.is_empty() {
        config.providers.keys().map(ToString::to_string).collect()
    } else {
        config.aliases.keys().map(ToString::to_string).collect()
    };
    match (names.is_empty(), wish.targets.as_slice()) {
        (true, _) => "the configuration has no providers".to_owned(),
        (false, wished) => format!("{} is not among {}", wished.join(", "), names.join(", ")),
    }
}

struct Proof<'s> {
    stage: Stage,
    gateway: Gateway,
    scripts: &'s Scripts,
    setup: Setup,
    config: Config,
    wish: &'s Wish,
    report: Report,
}

/// One cell: who asks whom for what.
struct Ask<'a> {
    case: &'static Case,
    client: Dialect,
    name: String,
    places: Vec<Place>,
    plays: usize,
    target: &'a str,
}

/// What came of one form of a cell.
struct Came {
    cell: Cell,
    essence: Option<Essence>,
}

impl Proof<'_> {
    /// Every target alone; then, with all targets of its alias, what it does when those before it are overloaded.
    async fn all(&mut self, tries: &[Try], dialects: &[Dialect]) -> Result<(), ConformError> {
        let deepest = tries.iter().map(|one| one.depth).max().unwrap_or_default();
        let mut done = Vec::new();
        for depth in 0..=deepest {
            self.gateway.reload(at_depth(&self.config, depth))?;
            for one in tries.iter().filter(|one| one.depth == depth) {
                done.push((one, self.alone(one, dialects).await));
            }
        }
        self.gateway.reload(self.config.clone())?;
        for one in tries {
            let Some(at) = done.iter().position(|(own, _)| std::ptr::eq(*own, one)) else { continue };
            match done.swap_remove(at).1 {
                Ok(mut tried) => {
                    if one.depth > 0 {
                        tried.rows.extend(self.standing_in(one, dialects).await);
                    }
                    self.report.tried.push(tried);
                }
                Err(why) => self.report.passed_over.push((format!("{} ({})", one.asked(), one.target), why)),
            }
        }
        Ok(())
    }

    fn cases(&self) -> impl Iterator<Item = &'static Case> {
        let wished = &self.wish.cases;
        CASES.iter().filter(move |case| wished.is_empty() || wished.iter().any(|name| name == case.name))
    }

    async fn alone(&self, one: &Try, dialects: &[Dialect]) -> Result<Tried, String> {
        let places: Option<Vec<Place>> =
            dialects.iter().map(|client| place(&self.setup, &one.target, *client)).collect();
        let places = places.ok_or("it is the built-in responder: there is no upstream to script")?;
        let target = one.target.to_string();
        let mut rows = Vec::new();
        for case in self.cases().filter(|case| !matches!(case.does, Does::StandsIn(_))) {
            let mut cells = Vec::new();
            for (client, place) in dialects.iter().zip(&places) {
                let places = vec![place.clone()];
                let ask = Ask { case, client: *client, name: one.asked(), places, plays: 0, target: &target };
                cells.push(self.cell(&ask).await);
            }
            rows.push(Row { case: case.name, about: case.about, cells });
        }
        let dialects = dialects.iter().copied().zip(places.iter().map(|place| place.dialect)).collect();
        Ok(Tried { asked: one.asked(), target, dialects, rows })
    }

    /// The case of a fallback: all targets of the alias are there, and those before it are overloaded.
    async fn standing_in(&self, one: &Try, dialects: &[Dialect]) -> Option<Row> {
        let case = self.cases().find(|case| matches!(case.does, Does::StandsIn(_)))?;
        let targets = chain(&self.config, one.alias.as_ref()?);
        let target = one.target.to_string();
        let mut cells = Vec::new();
        for client in dialects {
            let places: Option<Vec<Place>> =
                targets.iter().map(|target| place(&self.setup, target, *client)).collect();
            let Some(places) = places else {
                let reasons = vec!["The built-in responder before it is never overloaded".to_owned()];
                cells.push(Cell { reasons, ..Cell::default() });
                continue;
            };
            let ask =
                Ask { case, client: *client, name: one.asked(), places, plays: one.depth, target: &target };
            cells.push(self.cell(&ask).await);
        }
        Some(Row { case: case.name, about: case.about, cells })
    }

    async fn cell(&self, ask: &Ask<'_>) -> Cell {
        let upstream = ask.upstream();
        if let Some(why) = ask.case.wordless(ask.client, upstream) {
            return Cell { reasons: vec![why.to_owned()], ..Cell::default() };
        }
        let whole = self.form(ask, None).await;
        let mut cell = whole.cell;
        // Only Gemini's clients know a stream as one array that grows.
        let arrays = (ask.client == Dialect::Gemini).then_some(Framing::JsonArray);
        for framing in [Framing::Sse].into_iter().chain(arrays) {
            let streamed = self.form(ask, Some(framing)).await;
            cell = cell.with(streamed.cell);
            if let (Some(whole), Some(streamed)) = (&whole.essence, &streamed.essence)
                && whole != streamed
            {
                cell.verdict = Verdict::Fail;
                cell.reasons.push(format!("whole and streamed differ: {whole:?} and {streamed:?}"));
            }
        }
        cell
    }

    /// Asks once, and judges what came of it.
    async fn form(&self, ask: &Ask<'_>, form: Form) -> Came {
        let word = match form {
            None => "whole",
            Some(Framing::Sse) => "streamed",
            Some(Framing::JsonArray) => "streamed as an array",
        };
        let judged = self.asked(ask, form).await.unwrap_or_else(|why| {
            let cell = Cell { verdict: Verdict::Fail, reasons: vec![why], ..Cell::default() };
            Came { cell, essence: None }
        });
        let Came { mut cell, essence } = judged;
        if cell.verdict == Verdict::Fail {
            cell.reasons.iter_mut().for_each(|reason| *reason = format!("{word}: {reason}"));
        }
        Came { cell, essence }
    }

    async fn asked(&self, ask: &Ask<'_>, form: Form) -> Result<Came, String> {
        let text = self.scripts.request(ask.client, ask.case.ask);
        let text =
            text.ok_or_else(|| format!("there is no request for {} in {}", ask.case.ask, ask.client))?;
        let body: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        self.stage.set(Scene { case: ask.case, places: ask.places.clone(), plays: ask.plays });
        let mut asked = tongue(ask.client).asked(body, &ask.name, form.is_some(), &credential());
        if form == Some(Framing::JsonArray) {
            asked.path = asked.path.replace("?alt=sse", "");
        }
        let heard = self.gateway.ask(&asked).await?;
        let got = self.stage.got();
        let settled = self.gateway.record(&heard).await.ok_or("the exchange was not settled")?;
        if settled.to_json()["fidelity"] == "refused" {
            return Ok(refused(ask, &heard, &got));
        }
        let losses = settled.losses.clone().unwrap_or_default();
        let mut faults = Vec::new();
        let essence = self.told(ask, form, &heard, &losses, &mut faults);
        faults.extend(of_record(ask, &heard, &settled));
        faults.extend(of_request(ask, form.is_some(), &asked.body, &got, &losses));
        Ok(Came { cell: judged(faults, losses), essence })
    }

    /// What is wrong with what the client was told; and what it says where it is an answer.
    fn told(
        &self,
        ask: &Ask<'_>,
        form: Form,
        heard: &Heard,
        losses: &[Loss],
        faults: &mut Vec<String>,
    ) -> Option<Essence> {
        let upstream = ask.upstream();
        match &ask.case.does {
            Does::Says(says) | Does::StandsIn(says) => {
                if heard.status != 200 {
                    let text = String::from_utf8_lossy(&heard.body);
                    faults.push(format!("expected status 200, found {}: {text}", heard.status));
                    return None;
                }
                let found = essence(ask.client, form, heard, faults)?;
                faults.extend(unlike(says, upstream, &found, losses));
                Some(found)
            }
            Does::Refuses(refuses) => {
                let script = self.scripts.answer(upstream, ask.case.data, false).unwrap_or_default();
                let script: Value = serde_json::from_str(&script).unwrap_or_default();
                let (_, message) = tongue(upstream).error(&script).unwrap_or_default();
                faults.extend(ill_told(ask.client, upstream, refuses, heard, &message));
                None
            }
            Does::Fails | Does::Breaks | Does::Stops => {
                faults.extend(too_clean(ask.client, form, heard));
                None
            }
        }
    }
}

impl Ask<'_> {
    /// How the target that plays is spoken to.
    fn upstream(&self) -> Dialect {
        self.places.get(self.plays).map_or(self.client, |place| place.dialect)
    }
}

fn judged(faults: Vec<String>, losses: Vec<Loss>) -> Cell {
    let verdict = match (faults.is_empty(), losses.is_empty()) {
        (false, _) => Verdict::Fail,
        (true, false) => Verdict::Mapped,
        (true, true) => Verdict::Ok,
    };
    Cell { verdict, losses, reasons: faults }
}

/// The alias's rule refused: the client is told so in its dialect, and the target was not asked.
fn refused(ask: &Ask<'_>, heard: &Heard, got: &[Got]) -> Came {
    let body: Value = serde_json::from_slice(&heard.body).unwrap_or_default();
    let told = tongue(ask.client).error(&body);
    let asked = got.iter().any(|got| got.place == Some(ask.plays));
    let (verdict, reason) = match told {
        Some((_, message)) if heard.status == 400 && !asked => (Verdict::Refused, message),
        _ => (
            Verdict::Fail,
            format!(
                "a refusal is told with status 400 before the target is asked; found {}: {body}",
                heard.status
            ),
        ),
    };
    Came { cell: Cell { verdict, reasons: vec![reason], ..Cell::default() }, essence: None }
}

/// What the exchange's record and the answer's headers say wrongly of it.
fn of_record(ask: &Ask<'_>, heard: &Heard, settled: &Settled) -> Vec<String> {
    let mut faults = Vec::new();
    let header =
        |name: &str| heard.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if header("x-shim-target").as_deref() != Some(ask.target) || settled.target.as_deref() != Some(ask.target)
    {
        faults.push(format!(
            "the target is said to be {:?} and {:?}",
            header("x-shim-target"),
            settled.target
        ));
    }
    let good = ask.case.says().is_some();
    if good != settled.fault.is_none() {
        faults.push(format!("the record says of a fault: {:?}", settled.fault));
    }
    let crosses = ask.client != ask.upstream();
    if good && crosses != settled.losses.is_some() {
        faults.push(format!(
            "the record's losses are {:?} from {} to {}",
            settled.losses,
            ask.client,
            ask.upstream()
        ));
    }
    if good && !settled.streamed && crosses {
        let losses = settled.losses.iter().flatten().count();
        let wanted = Fidelity::Mapped { losses: u32::try_from(losses).unwrap_or(u32::MAX) }.to_string();
        if header("x-shim-fidelity").as_deref() != Some(wanted.as_str()) {
            faults.push(format!("x-shim-fidelity is {:?}, not {wanted}", header("x-shim-fidelity")));
        }
    }
    faults
}

/// What is wrong with what reached the upstream.
fn of_request(ask: &Ask<'_>, stream: bool, body: &Value, got: &[Got], losses: &[Loss]) -> Vec<String> {
    let mut faults: Vec<String> = got
        .iter()
        .filter(|got| got.place.is_none())
        .map(|got| {
            format!("something was asked that is no target of the alias: {} {}", got.address, got.body)
        })
        .collect();
    let mut asked: Vec<usize> = got.iter().filter_map(|got| got.place).collect();
    if matches!(ask.case.does, Does::Breaks) {
        // A connection that was kept, and breaks before anything came over it, is replaced by a new one, once.
        asked.dedup();
    }
    let wanted: Vec<usize> = (0..=ask.plays).collect();
    if asked != wanted {
        faults.push(format!("the targets asked are expected to be {wanted:?}, found {asked:?}"));
    }
    let (Some(got), Some(place)) = (got.last(), ask.places.get(ask.plays)) else { return faults };
    faults.extend(misdirected(got, place));
    if ask.case.says().is_none() {
        // Of an exchange that failed no losses are recorded; its request is that of the case `plain`.
        return faults;
    }
    let read = |dialect: Dialect, body: &Value, stream: bool, faults: &mut Vec<String>| -> Gist {
        Gist { stream, ..tongue(dialect).read(body, faults).in_order() }
    };
    let wanted = read(ask.client, body, stream, &mut Vec::new());
    let found = read(place.dialect, &got.body, got.stream, &mut faults);
    faults.extend(unasked(&wanted, &found, losses));
    faults
}
