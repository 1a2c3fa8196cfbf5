//! What is measured, and how each is started and configured.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::lab::{Lab, loopback};
use super::process::{Launch, Running, free_port};

/// A way from the load generator to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No gateway at all: what the harness itself takes.
    Direct,
    /// nginx as a plain reverse proxy.
    Nginx,
    /// The bare hyper pass-through.
    Floor,
    /// The gateway, which accounts every exchange and records no bodies.
    Shim,
    /// The gateway with `record = "off"`.
    Unrecorded,
    /// The gateway with `record = "full"`, as it is by default.
    Recorded,
    /// A second floor, standing where Shim does, to see the noise.
    SecondFloor,
}

/// The variable from which Shim and the load generator take the client's credential.
pub(super) const KEY_VARIABLE: &str = "SHIM_BENCH_KEY";
/// Admits to nothing but a gateway that lives as long as a run.
pub(super) const KEY: &str = "sk-bench-0123456789abcdefghijklmnopqrstuvwxyz";

/// A subject that was started.
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    /// `None` for [`Kind::Direct`].
    pub(super) running: Option<Running>,
}

impl Kind {
    /// As in the tables and in the JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Floor => "floor",
            Self::Shim => "shim",
            Self::Unrecorded => "recording off",
            Self::Recorded => "recording full",
            Self::SecondFloor => "second floor",
        }
    }

    /// Starts it on the subject's core. It may not listen yet.
    pub(super) fn start(self, lab: &Lab) -> Result<Subject> {
        if self == Self::Direct {
            return Ok(Subject { kind: self, address: lab.upstream, running: None });
        }
        let folder = lab.new_folder(self.name())?;
        let port = free_port()?;
        let launch = self.launch(lab, &folder, port)?;
        Ok(Subject { kind: self, address: loopback(port), running: Some(launch.start()?) })
    }

    /// Starts it as an argument of the program that `before` begins with.
    pub(super) fn start_under(self, lab: &Lab, before: &[String]) -> Result<Subject> {
        let folder = lab.new_folder(self.name())?;
        let port = free_port()?;
        let mut launch = self.launch(lab, &folder, port)?;
        let (watcher, args) = before.split_first().context("a program to start it under")?;
        let own = std::mem::replace(&mut launch.program, Path::new(watcher));
        launch.args = [args, &[own.display().to_string()], &launch.args].concat();
        Ok(Subject { kind: self, address: loopback(port), running: Some(launch.start()?) })
    }

    /// What the gateway is told to record.
    fn record(self) -> &'static str {
        match self {
            Self::Unrecorded => "off",
            Self::Recorded => "full",
            Self::Direct | Self::Nginx | Self::Floor | Self::Shim | Self::SecondFloor => "usage",
        }
    }

    fn launch<'a>(self, lab: &'a Lab, folder: &Path, port: u16) -> Result<Launch<'a>> {
        let (program, args): (&Path, Vec<String>) = match self {
            Self::Direct | Self::Floor | Self::SecondFloor => {
                let args = ["--listen".into(), loopback(port).to_string(), "--upstream".into()];
                (&lab.floor, args.into_iter().chain([lab.upstream.to_string()]).collect())
            }
            Self::Nginx => {
                let file = write(folder.join("nginx.conf"), &nginx_config(folder, port, lab.upstream))?;
                let error_log = folder.join("error.log").display().to_string();
                (Path::new("nginx"), vec!["-e".into(), error_log, "-c".into(), file])
            }
            Self::Shim | Self::Unrecorded | Self::Recorded => {
                let config = shim_config(self.record(), folder, [port, free_port()?], lab.upstream);
                let file = write(folder.join("shim.toml"), &config)?;
                (&lab.shim, vec!["serve".into(), "--config".into(), file])
            }
        };
        let environment = vec![(KEY_VARIABLE, KEY.to_owned())];
        Ok(Launch { cores: &lab.cores.subject, program, args, environment, log: folder.join("stderr.log") })
    }
}

/// Whether nginx can be started.
pub(super) fn has_nginx() -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join("nginx").is_file())
}

fn write(path: PathBuf, text: &str) -> Result<String> {
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    path.into_os_string().into_string().ok().context("the temporary folder is not text")
}

/// A plain reverse proxy, set up as one would for language models: one worker, connections kept on both sides, nothing
/// buffered, no log. Bodies fit in memory, so that no prompt goes through a file. Worker and master are one process,
/// so that its time and memory are read in one place.
fn nginx_config(folder: &Path, port: u16, upstream: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        r#"daemon off;
master_process off;
worker_processes 1;
pid "{folder}/nginx.pid";
events {{ worker_connections 8192; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    client_max_body_size 16m;
    client_body_buffer_size 512k;
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    upstream provider {{
        server {upstream};
        keepalive 2048;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering off;
        }}
    }}
}}
"#
    )
}

/// As a user would write it: one provider, one alias, one key that is checked. Metrics are on, and every exchange is
/// accounted in the ledger, whatever of it is recorded besides.
fn shim_config(record: &str, folder: &Path, [port, operators]: [u16; 2], upstream: SocketAddr) -> String {
    let store = folder.join("store");
    format!(
        r#"record = "{record}"

[server]
listen = "127.0.0.1:{port}"
operators = "127.0.0.1:{operators}"

[store]
path = "{}"

[providers.lab]
dialect = "openai-chat"
base_url = "http://{upstream}/v1"

[aliases.chat]
target = "lab/bench-model"

[keys.bench]
secret = {{ env = "{KEY_VARIABLE}" }}
"#,
        store.display()
    )
}

#[cfg(test)]
mod tests {
    use super::{nginx_config, shim_config};
    use std::path::Path;

    #[test]
    fn the_gateways_configuration_is_toml_and_points_at_the_upstream() {
        let text = shim_config("usage", Path::new("/tmp/x"), [1, 2], "127.0.0.1:3".parse().unwrap());
        let value: toml::Value = toml::from_str(&text).unwrap();
        assert_eq!(value["server"]["listen"].as_str(), Some("127.0.0.1:1"));
        assert_eq!(value["server"]["operators"].as_str(), Some("127.0.0.1:2"));
        assert_eq!(value["providers"]["lab"]["base_url"].as_str(), Some("http://127.0.0.1:3/v1"));
        assert_eq!(value["aliases"]["chat"]["target"].as_str(), Some("lab/bench-model"));
    }

    #[test]
    fn nginx_is_told_not_to_hold_anything_back() {
        let text = nginx_config(Path::new("/tmp/x"), 1, "127.0.0.1:3".parse().unwrap());
        for line in ["proxy_buffering off;", "listen 127.0.0.1:1 ", "server 127.0.0.1:3;", "keepalive 2048;"]
        {
            assert!(text.contains(line), "{line}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
