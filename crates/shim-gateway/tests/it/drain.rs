//! The drain: what is under way ends whole, newcomers are turned away, and what takes too long is ended as a fault.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::SendRequest;
use shim_gateway::{Listen, ServeLimits, ServerTls, drain, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::lab::{CONFIG, Lab, Told, http1, http2, post, post2, read};
use crate::tongues::{self, CHAT, Tongue};

/// A listener in the simulated network.
struct Door(Mutex<mpsc::UnboundedReceiver<DuplexStream>>);

impl Listen for Door {
    type Io = DuplexStream;

    async fn accept(&self) -> io::Result<DuplexStream> {
        match self.0.lock().await.recv().await {
            Some(io) => Ok(io),
            None => std::future::pending().await,
        }
    }
}

/// A gateway that listens, and can be told to stop.
pub(crate) struct House {
    lab: Lab,
    door: mpsc::UnboundedSender<DuplexStream>,
    stop: watch::Sender<bool>,
    pub(crate) served: JoinHandle<()>,
}

impl House {
    fn new(lab: Lab, limits: ServeLimits) -> Self {
        Self::with(lab, limits, None)
    }

    pub(crate) fn with(lab: Lab, limits: ServeLimits, tls: ServerTls) -> Self {
        let (door, comers) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let served = serve(lab.worker.clone(), Door(Mutex::new(comers)), tls, limits, stopped);
        Self { lab, door, stop, served: tokio::spawn(served) }
    }

    /// Opens a connection; an error when nobody listens any more.
    pub(crate) fn connect(&self) -> Result<DuplexStream, ()> {
        let (near, far) = duplex(64 << 10);
        self.door.send(far).map(|()| near).map_err(drop)
    }

    pub(crate) fn stop(&self) {
        drain(&self.lab.worker.shared);
        self.stop.send_replace(true);
    }
}

/// An upstream that streams in the dialect asked for, over two seconds.
fn streams() -> Lab {
    Lab::new(CONFIG, |got| {
        let tongue = spoken(&got.path);
        let (told, pieces) = Told::open(tongue.kind());
        tokio::spawn(async move {
            for _ in 0..20 {
                let _ = pieces.send(Ok(Bytes::from(tongue.begin)));
                sleep(Duration::from_millis(100)).await;
            }
            let _ = pieces.send(Ok(Bytes::from(tongue.end)));
        });
        Some(told)
    })
}

/// The dialect a path of an upstream is of.
fn spoken(path: &str) -> &'static Tongue {
    let by_path = [
        ("messages", &tongues::MESSAGES),
        ("responses", &tongues::RESPONSES),
        ("alt=sse", &tongues::GEMINI),
        ("streamGenerateContent", &tongues::ARRAY),
    ];
    by_path.iter().find(|(part, _)| path.contains(part)).map_or(&CHAT, |(_, tongue)| *tongue)
}

#[tokio::test(start_paused = true)]
async fn a_drain_under_load_ends_every_stream_whole() {
    let house = Arc::new(House::new(streams(), ServeLimits::default()));
    let shared: SendRequest<_> = http2(house.connect().unwrap()).await;
    let mut asked = Vec::new();
    for n in 0..200_usize {
        let (house, mut shared) = (house.clone(), shared.clone());
        asked.push(tokio::spawn(async move {
            sleep(Duration::from_millis(n as u64 * 4)).await;
            let tongue = tongues::ALL[n % 4];
            let (path, body) = tongue.stream;
            let response = match n % 2 {
                0 => http1(house.connect().unwrap()).await.send_request(post(path, body)).await,
                _ => shared.send_request(post2(path, body)).await,
            };
            (tongue, read(response.unwrap()).await)
        }));
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(house.lab.counts()["in_flight"], 200);
    house.stop();
    for asked in asked {
        let (tongue, told) = asked.await.unwrap();
        assert_eq!(told, (200, format!("{}{}", tongue.begin.repeat(20), tongue.end)), "{}", tongue.name);
    }
    drop(shared);
    let house = Arc::into_inner(house).unwrap();
    timeout(Duration::from_secs(5), house.served)
        .await
        .expect("the drain ends with the last stream")
        .unwrap();
    let counts = house.lab.counts();
    assert_eq!((counts["delivered"], counts["failed"], counts["abandoned"]), (200, 0, 0));
    assert_eq!((counts["in_flight"], counts["connections"]), (0, 0));
}

/// The types of the HTTP/2 frames in `bytes` (RFC 9113 §4.1).
fn frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, rest @ ..] = bytes {
        kinds.push(*kind);
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        bytes = rest.get(5 + length..).unwrap_or_default();
    }
    kinds
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed_politely() {
    let house = House::new(streams(), ServeLimits::default());
    // One that was used, one that never was, and one of HTTP/2.
    let mut used = house.connect().unwrap();
    used.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut head = vec![0; 4096];
    assert!(used.read(&mut head).await.unwrap() > 0);
    let mut fresh = house.connect().unwrap();
    let mut second = house.connect().unwrap();
    let settings = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    second.write_all(&settings).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    house.stop();
    let mut rest = Vec::new();
    for pipe in [&mut used, &mut fresh] {
        timeout(Duration::from_secs(1), pipe.read_to_end(&mut rest)).await.expect("it is closed").unwrap();
        assert!(rest.is_empty(), "{rest:?}");
    }
    // It answers neither the settings nor the ping that goes with the first word of leaving, and is told all the same.
    let mut told = vec![0; 4096];
    sleep(Duration::from_millis(100)).await;
    let read = second.read(&mut told).await.unwrap();
    assert!(frames(&told[..read]).contains(&7), "GOAWAY is not in {:?}", frames(&told[..read]));
    drop(second);
    timeout(Duration::from_secs(5), house.served).await.expect("nothing is under way").unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_under_way_says_that_its_connection_closes() {
    let lab = Lab::new(CONFIG, |_| {
        let (told, pieces) = Told::open("application/json");
        tokio::spawn(async move {
            sleep(Duration::from_secs(2)).await;
            let _ = pieces.send(Ok(CHAT.good.into()));
        });
        Some(told)
    });
    let house = House::new(lab, ServeLimits::default());
    let mut client = http1(house.connect().unwrap()).await;
    let asked = client.send_request(post(CHAT.whole.0, CHAT.whole.1));
    let stopped = async {
        sleep(Duration::from_secs(1)).await;
        house.stop();
    };
    let (response, ()) = tokio::join!(asked, stopped);
    let response = response.unwrap();
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(read(response).await, (200, CHAT.good.to_owned()));
    assert!(client.ready().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn newcomers_are_told_then_refused() {
    for tongue in tongues::ALL {
        let house = House::new(streams(), ServeLimits::default());
        sleep(Duration::from_secs(1)).await;
        house.stop();
        let (path, body) = tongue.whole;
        let mut first = http1(house.connect().unwrap()).await;
        let response = first.send_request(post(path, body)).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["connection"]),
            (503, &"close".parse().unwrap())
        );
        assert_eq!(response.headers()["retry-after"], "1");
        tongue.check_fault("a newcomer", &read(response).await.1, "shutting down");
        let mut second = http2(house.connect().unwrap()).await;
        let response = second.send_request(post2(path, body)).await.unwrap();
        assert_eq!(response.status(), 503);
        sleep(Duration::from_millis(200)).await;
        assert!(house.connect().is_err(), "nobody listens any more");
        timeout(Duration::from_secs(5), house.served).await.expect("nothing is under way").unwrap();
        assert_eq!((house.lab.counts()["failed"], house.lab.counts()["in_flight"]), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_over_at_the_drain_timeout_is_ended_as_a_fault() {
    for tongue in tongues::STREAMS {
        let (announce, mut announced) = mpsc::unbounded_channel();
        let lab = Lab::new(CONFIG, move |got| {
            let (told, pieces) = Told::open(tongue.kind());
            let body = String::from_utf8_lossy(&got.body).into_owned();
            if body.contains("stream") || got.path.contains("stream") {
                pieces.send(Ok(Bytes::from(tongue.begin))).unwrap();
            }
            announce.send(pieces).unwrap();
            Some(told)
        });
        let limits = ServeLimits { drain_timeout: Duration::from_secs(5), ..ServeLimits::default() };
        let house = House::new(lab, limits);
        let mut asked = Vec::new();
        for version in [1, 2] {
            let io = house.connect().unwrap();
            let (path, body) = tongue.stream;
            asked.push(tokio::spawn(async move {
                let response = match version {
                    1 => http1(io).await.send_request(post(path, body)).await,
                    _ => http2(io).await.send_request(post2(path, body)).await,
                };
                read(response.unwrap()).await
            }));
        }
        let _open = [announced.recv().await.unwrap(), announced.recv().await.unwrap()];
        let since = Instant::now();
        house.stop();
        for asked in asked {
            let (status, body) = asked.await.unwrap();
            assert_eq!(status, 200);
            assert!(body.starts_with(tongue.begin), "{body}");
            tongue.check_stream_fault("ended", &body, "shutting down and ended this answer");
        }
        timeout(Duration::from_secs(3), house.served).await.expect("the drain is over").unwrap();
        assert!((5..8).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
        let counts = house.lab.counts();
        assert_eq!(
            (counts["failed"], counts["abandoned"], counts["in_flight"]),
            (2, 0, 0),
            "{}",
            tongue.name
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_no_answer_at_the_drain_timeout_is_told_so() {
    for tongue in tongues::ALL {
        let (announce, mut announced) = mpsc::unbounded_channel();
        let lab = Lab::new(CONFIG, move |_| {
            let (told, pieces) = Told::open("application/json");
            announce.send(pieces).unwrap();
            Some(told)
        });
        let limits = ServeLimits { drain_timeout: Duration::from_secs(5), ..ServeLimits::default() };
        let house = House::new(lab, limits);
        let mut client = http1(house.connect().unwrap()).await;
        let (path, body) = tongue.whole;
        let asked = tokio::spawn(async move { client.send_request(post(path, body)).await });
        // Another one is still sending its request.
        let mut slow = house.connect().unwrap();
        let line = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{{");
        slow.write_all(line.as_bytes()).await.unwrap();
        let open: mpsc::UnboundedSender<_> = announced.recv().await.unwrap();
        house.stop();
        let response = asked.await.unwrap().unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
        tongue.check_fault("no answer", &read(response).await.1, "shutting down");
        let mut told = String::new();
        slow.read_to_string(&mut told).await.unwrap();
        assert!(told.starts_with("HTTP/1.1 503"), "{told}");
        open.closed().await;
        house.served.await.unwrap();
        assert_eq!((house.lab.counts()["failed"], house.lab.counts()["in_flight"]), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_does_not_hold_up_the_end_of_a_drain() {
    let (announce, mut announced) = mpsc::unbounded_channel();
    let lab = Lab::new(CONFIG, move |_| {
        let (told, pieces) = Told::open("text/event-stream");
        (0..1000).for_each(|_| pieces.send(Ok(Bytes::from(CHAT.begin.repeat(100)))).unwrap());
        announce.send(pieces).unwrap();
        Some(told)
    });
    let limits = ServeLimits { drain_timeout: Duration::from_secs(5), ..ServeLimits::default() };
    let house = House::new(lab, limits);
    let mut client = http1(house.connect().unwrap()).await;
    let mut response = client.send_request(post(CHAT.stream.0, CHAT.stream.1)).await.unwrap();
    assert!(response.body_mut().frame().await.is_some());
    let open: mpsc::UnboundedSender<_> = announced.recv().await.unwrap();
    house.stop();
    timeout(Duration::from_secs(10), house.served).await.expect("the drain is over").unwrap();
    // The process would end here, and what it still holds be dropped; the exchange is settled as what it is.
    drop((client, response));
    open.closed().await;
    let counts = house.lab.counts();
    assert_eq!((counts["failed"], counts["abandoned"], counts["in_flight"]), (1, 0, 0));
}
