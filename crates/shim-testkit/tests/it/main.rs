//! The replay as a process: what it says when it listens, and what its bytes look like on the wire.

#![expect(clippy::expect_used, reason = "a test says what is wrong by failing")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use shim_testkit::corpus;

/// The replay, stopped when dropped.
struct Replay {
    child: Child,
    address: String,
}

impl Replay {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_testkit-replay"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it speaks");
        let said: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
        Self { child, address: said["listen"].as_str().expect("an address").to_owned() }
    }

    /// Everything that comes back until the connection closes.
    fn ask(&self, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        String::from_utf8(answer).expect("UTF-8")
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn every_chat_case_is_answered_with_its_status_and_a_cut_one_breaks_off() {
    let replay = Replay::start();
    for case in corpus::cases("openai_chat").expect("the corpus reads") {
        let body = serde_json::json!({ "model": case.name }).to_string();
        let answer = replay.ask("/v1/chat/completions", &body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {} ", case.meta.status)), "{}: {answer}", case.name);
        let whole = if case.streamed {
            answer.ends_with("\r\n0\r\n\r\n")
        } else {
            answer.contains("content-length: ")
        };
        assert_eq!(whole, !(case.streamed && case.meta.malformed), "{}: {answer}", case.name);
    }
}

#[test]
fn an_unknown_case_and_an_unknown_path_are_404() {
    let replay = Replay::start();
    for (path, body) in [("/v1/chat/completions", r#"{"model":"no-such-case"}"#), ("/elsewhere", "{}")] {
        let answer = replay.ask(path, body);
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("\"replay\""), "{answer}");
    }
}
