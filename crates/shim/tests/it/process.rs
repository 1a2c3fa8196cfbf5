//! The binary as a process: started, spoken to, told to stop.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Every secret the tests hand out; none may come back.
pub(crate) const SECRETS: [&str; 4] = [LAB_KEY, APP_KEY, OPERATORS, CLIENT];
pub(crate) const LAB_KEY: &str = "sk-lab-0d5f1c9b";
pub(crate) const APP_KEY: &str = "app-77aa12fe";
pub(crate) const OPERATORS: &str = "ops-31c0ffee";
pub(crate) const CLIENT: &str = "client-9e8d7c6b";

/// Longer than anything here takes, and short enough to wait for when it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until `done` gives something; what is waited for happens in another process.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(done) = done() {
            return done;
        }
        assert!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The binary, in `folder`, with nothing of this process's environment but the secrets.
pub(crate) fn shim<I: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shim"));
    command.args(args).current_dir(folder).env_clear();
    command.env("LAB_KEY", LAB_KEY).env("APP_KEY", APP_KEY).env("OPERATORS_KEY", OPERATORS);
    command
}

/// What a command that ends said, and its exit code.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end. What it says holds no secret.
#[track_caller]
pub(crate) fn run(folder: &Path, args: &[&str]) -> Said {
    let output = shim(folder, args).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    check_silent(&format!("{args:?}"), &format!("{}{}", said.out, said.err));
    said
}

/// Checks that `text` holds no secret, nor a good part of one.
#[track_caller]
pub(crate) fn check_silent(what: &str, text: &str) {
    for secret in SECRETS {
        let part = &secret[secret.len() - 8..];
        assert!(!text.contains(part), "{what} tells {secret}: {text}");
    }
}

/// A gateway that runs.
pub(crate) struct Running {
    child: Child,
    pub(crate) clients: String,
    pub(crate) operators: String,
    said: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts `shim` with these arguments and waits until it serves.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Self {
        let ready: PathBuf = folder.join("ready.json");
        let _ = std::fs::remove_file(&ready);
        let mut command =
            shim(folder, args.iter().map(OsStr::new).chain([OsStr::new("--ready-file"), ready.as_ref()]));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            keep(child.stdout.take().unwrap(), said.clone()),
            keep(child.stderr.take().unwrap(), said.clone()),
        ];
        let told: serde_json::Value = until("the gateway to serve", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("ended with {status}: {}", String::from_utf8_lossy(&said.lock().unwrap()));
            }
            serde_json::from_str(&std::fs::read_to_string(&ready).ok()?).ok()
        });
        let address = |name: &str| told[name].as_str().unwrap().to_owned();
        Self { clients: address("clients"), operators: address("operators"), child, said, readers }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; how it ended, and all it said, which holds no secret.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = until("the gateway to end", || self.child.try_wait().unwrap());
        std::mem::take(&mut self.readers).into_iter().for_each(|reader| reader.join().unwrap());
        let said = self.said();
        check_silent("the gateway", &said);
        (status, said)
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8(self.said.lock().unwrap().clone()).unwrap()
    }

    /// Asks the operators' listener through the command line.
    #[track_caller]
    pub(crate) fn ask(&self, folder: &Path, args: &[&str]) -> Said {
        run(folder, &[args, &["--operators", &self.operators, "--secret", OPERATORS]].concat())
    }

    /// The same, as JSON.
    #[track_caller]
    pub(crate) fn json(&self, folder: &Path, args: &[&str]) -> serde_json::Value {
        let said = self.ask(folder, &[args, &["--json"]].concat());
        assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
        serde_json::from_str(&said.out).unwrap()
    }

    /// Asks a client's question.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Heard {
        http(&self.clients, "POST", path, body, CLIENT).unwrap()
    }

    /// Looks at a page of the operators' listener, which holds no secret.
    #[track_caller]
    pub(crate) fn page(&self, path: &str) -> Heard {
        let heard = http(&self.operators, "GET", path, "", OPERATORS).unwrap();
        check_silent(path, &heard.body);
        heard
    }
}

impl Drop for Running {
    /// A test that failed leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(mut from: impl Read + Send + 'static, said: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut piece) {
            said.lock().unwrap().extend_from_slice(&piece[..read]);
        }
    })
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Heard {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(n, _)| *n == name).map(|(_, value)| value))
    }
}

/// Sends one request, in HTTP/1.0 so that the answer ends with the connection.
pub(crate) fn http(
    address: &str,
    method: &str,
    path: &str,
    body: &str,
    secret: &str,
) -> std::io::Result<Heard> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.0\r\nhost: {address}\r\nauthorization: Bearer {secret}\r\n");
    stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Heard { status, head: head.to_owned(), body: body.to_owned() })
}
