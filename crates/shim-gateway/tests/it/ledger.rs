//! What the ledger is told of exchanges, and when their end waits for it.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use shim_store::ledger::{Durability, Faults, Filter, Ledger, Reader, Row, Settings, Shown, Step};
use shim_telemetry::LedgerMetrics;

use crate::lab::{CONFIG, Lab, Told, config, post, read};

const WHOLE: &str = r#"{"model":"one","choices":[{"index":0,"message":{"content":"good"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
const STREAM: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"good\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const ASK: &str = r#"{"model":"chat","messages":[{"role":"user","content":"how now"}]}"#;
const ASK_STREAM: &str = r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"how now"}]}"#;
const PATH: &str = "/v1/chat/completions";

/// A disk whose steps wait while it is shut.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    wake: Condvar,
}

impl Gate {
    fn shut(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.wake.notify_all();
    }
}

impl Faults for Gate {
    fn at(&self, step: Step) -> rusqlite::Result<()> {
        if step == Step::Commit {
            drop(self.wake.wait_while(self.shut.lock().unwrap(), |shut| *shut).unwrap());
        }
        Ok(())
    }
}

/// A gateway that records.
struct Recorded {
    lab: Lab,
    ledger: Ledger,
    gate: Arc<Gate>,
    _folder: tempfile::TempDir,
}

impl Recorded {
    fn new(config: &str, durability: Durability) -> Self {
        let gate = Arc::new(Gate::default());
        let disk = gate.clone();
        let lab = Lab::new(config, move |got| {
            let body = String::from_utf8_lossy(&got.body).into_owned();
            if body.contains("the disk stops") {
                disk.shut(true);
            }
            Some(match body.as_str() {
                body if body.contains("fails") => {
                    Told::whole(400, "application/json", r#"{"error":{"message":"your words: how now"}}"#)
                }
                body if body.contains("\"stream\":true") => Told::whole(200, "text/event-stream", STREAM),
                _ => Told::whole(200, "application/json", WHOLE),
            })
        });
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { durability, faults: Some(gate.clone()), ..Settings::new(folder.path()) };
        let ledger = Ledger::open(settings, LedgerMetrics::default()).unwrap();
        lab.control.shared().record_in(ledger.clone());
        Self { lab, ledger, gate, _folder: folder }
    }

    /// Everything the ledger was told, newest first.
    fn rows(&self) -> Vec<Shown> {
        assert!(self.ledger.close(true));
        let reader = self.ledger.reader();
        let verified = reader.verify(true).unwrap();
        assert!(verified.holds(), "{verified:#?}");
        let rows: Vec<Row> =
            reader.list(&Filter::default(), None, 100).unwrap().into_iter().map(|(_, row)| row).collect();
        rows.iter().map(|row| show(&reader, &row.id)).collect()
    }
}

fn show(reader: &Reader, id: &str) -> Shown {
    reader.show(id.parse().unwrap()).unwrap().unwrap()
}

fn text(body: &Option<Vec<u8>>) -> &str {
    std::str::from_utf8(body.as_deref().unwrap_or_default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn bodies_are_kept_as_the_client_sent_and_got_them() {
    let recorded = Recorded::new(CONFIG, Durability::Window);
    let (_, whole) = recorded.lab.told(PATH, ASK).await;
    let (_, streamed) = recorded.lab.told(PATH, ASK_STREAM).await;
    // Another dialect: what the client got is not what the upstream sent.
    let asked =
        r#"{"model":"chat","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"how now"}]}"#;
    let (_, crossed) = recorded.lab.told("/v1/messages", asked).await;
    let (status, refused) = recorded.lab.told(PATH, "{\"model\":").await;
    assert_eq!(status, 400);
    let mut rows = recorded.rows();
    rows.reverse();
    let kept: Vec<_> = rows.iter().map(|row| (text(&row.request), text(&row.answer))).collect();
    assert_eq!(kept[0], (ASK, whole.as_str()));
    assert_eq!(kept[1], (ASK_STREAM, streamed.as_str()));
    assert_eq!(kept[2].1, crossed, "{kept:?}");
    assert_eq!(rows.len(), 4);
    let row = &rows[3].row;
    assert_eq!(
        (row.status, row.outcome.as_str(), row.fault.as_deref()),
        (400, "failed", Some("invalid_request"))
    );
    assert!(
        !refused.is_empty() && rows[3].request.is_none(),
        "what could not be read has no model and no alias' rule"
    );
    let row = &rows[0].row;
    assert_eq!(
        (row.model.as_str(), row.target.as_deref(), row.usage.unwrap()[5]),
        ("chat", Some("lab/one"), 4)
    );
    assert_eq!(row.answer_bytes, Some(whole.len() as u64));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_leaves_a_row() {
    let recorded = Recorded::new(CONFIG, Durability::Window);
    let mut response = recorded.lab.ask(PATH, ASK_STREAM).await;
    let first = response.body_mut().frame().await.unwrap().unwrap();
    assert!(!first.into_data().unwrap().is_empty());
    drop(response);
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(recorded.lab.worker.clone());
    let rows = recorded.rows();
    assert_eq!(rows.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_body_is_kept_up_to_the_bound() {
    let config = format!("[store]\nrecord_bytes_max = \"64B\"\n{CONFIG}");
    let recorded = Recorded::new(&config, Durability::Window);
    let (_, whole) = recorded.lab.told(PATH, ASK).await;
    let rows = recorded.rows();
    assert_eq!((text(&rows[0].request), text(&rows[0].answer)), (&ASK[..64], &whole[..64]));
    assert_eq!(rows[0].row.cut, (true, true));
    assert_eq!(rows[0].row.request_bytes, Some(ASK.len() as u64));
}

#[tokio::test(start_paused = true)]
async fn the_strictest_of_all_who_may_say_so_wins() {
    let aliases = "[aliases.terse]\ntarget = \"lab/one\"\nrecord = \"usage\"\n[aliases.mute]\ntarget = \"lab/one\"\nrecord = \"off\"\n";
    let config = format!("{CONFIG}\n{aliases}[keys.app]\nsecret = {{ env = \"APP_KEY\" }}\n");
    for (all, key, model, header, wanted) in [
        ("full", "full", "chat", None, "full"),
        ("full", "full", "terse", None, "usage"),
        ("full", "full", "mute", None, "off"),
        ("usage", "full", "chat", None, "usage"),
        ("usage", "full", "mute", None, "off"),
        ("full", "off", "chat", None, "off"),
        ("full", "usage", "terse", Some("off"), "off"),
        ("full", "full", "chat", Some("off"), "off"),
        ("full", "full", "chat", Some("usage"), "usage"),
        ("off", "full", "chat", Some("full"), "off"),
        ("full", "full", "chat", Some("nonsense"), "off"),
    ] {
        let config = format!("record = \"{all}\"\n{config}record = \"{key}\"\n");
        let recorded = Recorded::new(&config, Durability::Window);
        for words in ["how now", "fails"] {
            let mut request = post(PATH, ASK.replace("chat", model).replace("how now", words));
            request.headers_mut().insert("authorization", "Bearer app-secret".parse().unwrap());
            request.headers_mut().insert("x-shim-client-id", "mine".parse().unwrap());
            if let Some(header) = header {
                request.headers_mut().insert("x-shim-record", header.parse().unwrap());
            }
            read(recorded.lab.send(request).await).await;
        }
        let case = format!("{all} {key} {model} {header:?}");
        for got in recorded.lab.net.got.lock().unwrap().iter() {
            let passed = got.headers.keys().find(|name| name.as_str().starts_with("x-shim"));
            assert_eq!(passed, None, "{case}: no upstream is told");
        }
        let latest = recorded.lab.control.shared().latest(9);
        let rows = recorded.rows();
        assert_eq!(rows.len(), 2, "{case}");
        for row in rows {
            assert_eq!(row.row.record, wanted, "{case}");
            assert_eq!(row.request.is_some(), wanted == "full", "{case}");
            assert_eq!((row.row.key.as_deref(), row.row.client_id.as_deref()), (Some("app"), Some("mine")));
            let failed = row.row.outcome == "failed";
            assert_eq!(row.row.detail.is_some(), failed && wanted == "full", "{case}");
        }
        let told = latest.iter().any(|settled| settled.detail.is_some());
        assert_eq!(told, wanted == "full", "{case}: nor do logs quote what was said");
    }
}

/// Whether `what` is still waited for after a while of real time.
async fn waits<T>(what: &mut tokio::task::JoinHandle<T>) -> bool {
    tokio::time::timeout(Duration::from_millis(150), what).await.is_err()
}

#[tokio::test]
async fn strict_asks_no_upstream_before_the_admission_is_on_the_disk() {
    let recorded = Arc::new(Recorded::new(CONFIG, Durability::Strict));
    recorded.gate.shut(true);
    let asking = recorded.clone();
    let mut asked = tokio::spawn(async move { asking.lab.told(PATH, ASK).await });
    assert!(waits(&mut asked).await);
    assert!(recorded.lab.net.got.lock().unwrap().is_empty(), "nobody was asked");
    recorded.gate.shut(false);
    let (status, body) = asked.await.unwrap();
    assert_eq!((status, body.as_str()), (200, WHOLE));
}

#[tokio::test]
async fn strict_holds_a_whole_answer_until_it_is_on_the_disk() {
    for fails in [false, true] {
        let recorded = Arc::new(Recorded::new(CONFIG, Durability::Strict));
        let asking = recorded.clone();
        // The admission is on the disk when the upstream is asked, which then stops the disk.
        let words = if fails { "fails, and the disk stops" } else { "the disk stops" };
        let ask = ASK.replace("how now", words);
        let mut asked = tokio::spawn(async move { asking.lab.told(PATH, &ask).await });
        assert!(waits(&mut asked).await, "fails: {fails}");
        assert_eq!(recorded.lab.net.got.lock().unwrap().len(), 1);
        recorded.gate.shut(false);
        assert_eq!(asked.await.unwrap().0, if fails { 400 } else { 200 });
        assert_eq!(recorded.ledger.reader().verify(true).unwrap().to_json()["settled"], 1);
    }
}

#[tokio::test]
async fn strict_holds_the_end_of_an_answer_until_it_is_on_the_disk() {
    let recorded = Arc::new(Recorded::new(CONFIG, Durability::Strict));
    // The end of a stream: what comes before it passes at once.
    let mut response = recorded.lab.ask(PATH, ASK_STREAM).await;
    let whole: Bytes = response.body_mut().collect().await.unwrap().to_bytes();
    assert_eq!(whole, STREAM);
    let (told, sender) = Told::open("text/event-stream");
    let told = Mutex::new(Some(told));
    let lab = Lab::new(CONFIG, move |_| told.lock().unwrap().take());
    lab.control.shared().record_in(recorded.ledger.clone());
    let begin = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"go\"}}]}\n\n";
    sender.send(Ok(Bytes::from_static(begin.as_bytes()))).unwrap();
    let mut response = lab.ask(PATH, ASK_STREAM).await;
    let first = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, begin, "a piece before the end is never held back");
    recorded.gate.shut(true);
    sender.send(Ok(Bytes::from_static(STREAM.as_bytes()))).unwrap();
    drop(sender);
    let mut rest = tokio::spawn(async move { response.into_body().collect().await.unwrap().to_bytes() });
    assert!(waits(&mut rest).await, "the end waits");
    recorded.gate.shut(false);
    assert_eq!(rest.await.unwrap(), STREAM);
    // It is there without any closing.
    let reader = recorded.ledger.reader();
    assert_eq!(reader.verify(true).unwrap().to_json()["settled"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_row_says_what_it_was_priced_by_what_was_delivered_and_what_was_charged() {
    let text = "[providers.openai]\nbase_url = \"http://eu.api.openai.com/v1\"\nkey = { env = \"LAB_KEY\" }\n\
                  [aliases.chat]\ntarget = \"openai/gpt-5.4\"\n\
                  [keys.app]\nsecret = { env = \"APP_KEY\" }\nlimits = { budget = \"$100\" }\n";
    let recorded = Recorded::new(text, Durability::Window);
    let ask = |words: &str| {
        let mut request = post(PATH, ASK.replace("how now", words));
        request.headers_mut().insert("authorization", "Bearer app-secret".parse().unwrap());
        recorded.lab.send(request)
    };
    assert_eq!(read(ask("how now").await).await.0, 200);
    assert_eq!(read(ask("this fails").await).await.0, 400);
    let rows = recorded.rows();
    let [failed, delivered] = [0, 1].map(|n| &rows[n].row);
    // Three tokens in and four out, in a region that costs a tenth more.
    let cost = (3 * 2_500_000 + 4 * 15_000_000) / 10 * 11;
    assert_eq!((delivered.region.as_deref(), delivered.searches), (Some("eu"), Some(0)));
    assert_eq!(
        (delivered.cost, delivered.delivered(), delivered.charged),
        (Some(cost), Some(cost), Some(cost))
    );
    assert_eq!((failed.cost, failed.delivered(), failed.charged), (None, Some(0), Some(0)));
    assert!(!failed.unknown, "a refusal costs nothing");
    let json = delivered.to_json();
    for name in ["cost_pico_usd", "delivered_pico_usd", "charged_pico_usd"] {
        assert_eq!(json[name], cost, "{name}");
    }
    let recent = recorded.lab.control.shared().recent(&delivered.id).unwrap().to_json();
    for name in ["cost_basis", "delivered_pico_usd", "charged_pico_usd", "service", "region", "searches"] {
        assert_eq!(recent[name], json[name], "{name}");
    }
}

#[tokio::test]
async fn costs_are_reckoned_anew_by_the_prices_in_force_and_budgets_follow() {
    let priced = |price: &str| {
        format!(
            "[providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"http://lab.test/v1\"\n\
             prices.\"*\" = {{ input = \"{price}\", output = \"0\" }}\n[aliases.chat]\ntarget = \"lab/one\"\n\
             limits = {{ budget = \"$1\" }}\n"
        )
    };
    let recorded = Recorded::new(&priced("1"), Durability::Strict);
    let control = &recorded.lab.control;
    let ask = ASK.replace("\"messages\"", "\"max_tokens\":9,\"messages\"");
    for _ in 0..3 {
        assert_eq!(recorded.lab.told(PATH, &ask).await.0, 200);
    }
    let settled = || control.accounts().remove(0).settled.0;
    assert_eq!(settled(), 3 * 3_000_000);
    control.reload(config(&priced("5"))).unwrap();
    assert_eq!(control.reprice(&Filter::default(), false).unwrap().written, 0);
    assert_eq!(settled(), 3 * 3_000_000, "a look changes nothing");
    let nobody = Filter { key: Some("nobody".to_owned()), ..Filter::default() };
    assert_eq!(control.reprice(&nobody, true).unwrap().written, 0);
    assert_eq!(control.reprice(&Filter::default(), true).unwrap().written, 3);
    assert_eq!(settled(), 3 * 15_000_000);
    let recent = control.shared().latest(1).remove(0);
    assert_eq!(recent.cost.map(|cost| cost.0), Some(15_000_000));
    assert!(recorded.rows().iter().all(|row| row.row.cost == Some(15_000_000)));
}
